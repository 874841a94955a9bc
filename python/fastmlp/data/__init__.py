"""Data for networks: read files and frames, encode columns as numbers, hold rows back for a test.

The package knows nothing of networks: it imports `_native` and `_base`.
"""

from fastmlp.data._arrow import read_arrow, read_parquet
from fastmlp.data._audit import Audit, audit
from fastmlp.data._csv import read_csv
from fastmlp.data._encoder import TableEncoder
from fastmlp.data._frames import read_frame
from fastmlp.data._idx import read_idx
from fastmlp.data._jsonl import read_jsonl
from fastmlp.data._npy import read_npy, read_npz
from fastmlp.data._read import read
from fastmlp.data._select import Dataset, select
from fastmlp.data._split import group_folds, holdout, kfold, time_folds, time_ordered
from fastmlp.data._svmlight import read_svmlight
from fastmlp.data._table import Table
from fastmlp.data._task import choose_task

__all__ = [
    "Audit",
    "Dataset",
    "Table",
    "TableEncoder",
    "audit",
    "choose_task",
    "group_folds",
    "holdout",
    "kfold",
    "read",
    "read_arrow",
    "read_csv",
    "read_frame",
    "read_idx",
    "read_jsonl",
    "read_npy",
    "read_npz",
    "read_parquet",
    "read_svmlight",
    "select",
    "time_folds",
    "time_ordered",
]
