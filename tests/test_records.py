"""Tables of what was measured."""

from __future__ import annotations

import sys

import pytest

from fastmlp._base.records import Records


def test_a_data_frame_without_pandas_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"to_frame needs pandas: pip install 'fastmlp\[data\]'"):
        Records(("step",), [(1,)]).to_frame()
