"""Data for networks: read files and frames, encode columns as numbers, hold rows back for a test."""

from fastmlp.data._csv import read_csv
from fastmlp.data._encoder import TableEncoder
from fastmlp.data._frames import read_frame
from fastmlp.data._split import holdout
from fastmlp.data._table import Table
from fastmlp.data._target import choose_task

__all__ = ["Table", "TableEncoder", "choose_task", "holdout", "read_csv", "read_frame"]
