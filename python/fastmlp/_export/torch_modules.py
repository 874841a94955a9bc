"""Modules that a network needs and PyTorch does not have. Importing this file imports PyTorch."""

from __future__ import annotations

from typing import Any

import torch


class Exp(torch.nn.Module):
    """exp(z), the output activation of poisson."""

    def forward(self, z: Any) -> Any:
        """Return exp(z)."""
        return torch.exp(z)


class ColumnEmbeddings(torch.nn.Module):
    """Rows of tables in the place of the columns of X that hold their codes.

    Parameters
    ----------
    plain : list of int
        The columns of X that are not codes; they come first in the result.
    tables : list of (int, tensor)
        For each embedding the column of X with the codes, as floats, and the table, (codes, width).
    """

    def __init__(self, plain: list[int], tables: list[tuple[int, Any]]) -> None:
        super().__init__()
        self.plain = plain
        self.columns = [column for column, _ in tables]
        embedding: Any = torch.nn.Embedding.from_pretrained  # which has no types
        self.tables = torch.nn.ModuleList(embedding(table, freeze=False) for _, table in tables)

    def forward(self, X: Any) -> Any:
        """Return the plain columns of X and the rows of the tables side by side."""
        pairs = zip(self.columns, self.tables, strict=True)
        return torch.cat([X[:, self.plain], *(table(X[:, column].long()) for column, table in pairs)], dim=1)
