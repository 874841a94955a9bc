"""Reports: one HTML file about a network and its data, which needs no other file and no network.

The package imports `plot`, `_network` and what lies below them; matplotlib and plotly are imported where they
are used.
"""

from fastmlp._report.build import is_report, need_plot_libraries, report, target_columns, write_report

__all__ = ["is_report", "need_plot_libraries", "report", "target_columns", "write_report"]
