"""Search for arguments of `train`: Optuna proposes them, successive halving trains them."""

from fastmlp._search.result import Search
from fastmlp._search.search import search

__all__ = ["Search", "search"]
