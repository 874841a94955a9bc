"""Tools that know nothing of networks.

Checks of arguments, texts, files, tables that print, difference quotients, and axes and curves to draw on. It
imports `_native` alone; matplotlib, plotly and pyarrow are imported where they are used.
"""
