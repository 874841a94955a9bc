"""Reports: one HTML file about a network and its data, which needs no other file and no network.

The package imports `plot`, `_network` and what lies below them; matplotlib and plotly are imported where they
are used.
"""

from fastmlp._report.page import Report, is_report, need_plot_libraries, render

__all__ = ["Report", "is_report", "need_plot_libraries", "render"]
