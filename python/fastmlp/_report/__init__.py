"""Reports: one HTML file about a network and its data, which needs no other file and runs no script."""

from fastmlp._report._page import Report, is_report, need_matplotlib, render

__all__ = ["Report", "is_report", "need_matplotlib", "render"]
