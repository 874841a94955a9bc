"""pyarrow, imported where a table is read."""

from __future__ import annotations

from typing import Any


def import_pyarrow() -> Any:
    """Return the module pyarrow, with its functions."""
    try:
        import pyarrow as pa
        import pyarrow.compute  # so that pa.compute is there
    except ImportError:
        raise ImportError("Arrow data and data frames need pyarrow: pip install 'fastmlp[data]'") from None
    return pa
