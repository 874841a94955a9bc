"""Modules that a network needs and PyTorch does not have. Importing this file imports PyTorch."""

from __future__ import annotations

import math
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


class PeriodicColumn(torch.nn.Module):
    """A column x of X and its waves, cos(2 pi x w + b) V + c.

    Parameters
    ----------
    column : int
    w, b, V, c : tensor
        (k,), (k,), (k, waves) and (waves,), which become parameters.
    """

    def __init__(self, column: int, w: Any, b: Any, V: Any, c: Any) -> None:
        super().__init__()
        self.column = column
        self.w, self.b, self.V, self.c = map(torch.nn.Parameter, (w, b, V, c))

    def forward(self, X: Any) -> Any:
        """Return x and its waves side by side; whole turns are taken off, so that large ones keep digits."""
        x = X[:, self.column, None]
        turns = x * self.w
        angle = 2 * math.pi * (turns - turns.detach().round()) + self.b
        return torch.cat([x, torch.cos(angle) @ self.V + self.c], dim=1)


class InputColumns(torch.nn.Module):
    """What the first layer reads of X: plain columns, and behind them what modules make of X.

    Parameters
    ----------
    plain : list of int
        The columns of X that stay as they are.
    parts : list of modules
        Each gives columns of its own.
    """

    def __init__(self, plain: list[int], parts: list[Any]) -> None:
        super().__init__()
        self.plain = plain
        self.parts = torch.nn.ModuleList(parts)

    def forward(self, X: Any) -> Any:
        """Return all of them side by side."""
        return torch.cat([X[:, self.plain], *(part(X) for part in self.parts)], dim=1)


class InputScale(torch.nn.Module):
    """Inputs times s, (inputs,), which becomes a parameter."""

    def __init__(self, s: Any) -> None:
        super().__init__()
        self.s = torch.nn.Parameter(s)

    def forward(self, X: Any) -> Any:
        """Return X s."""
        return X * self.s


class Parametric(torch.nn.Module):
    """z + alpha (f(z) - z), f a module and alpha, (outputs,), which becomes a parameter."""

    def __init__(self, f: Any, alpha: Any) -> None:
        super().__init__()
        self.f = f
        self.alpha = torch.nn.Parameter(alpha)

    def forward(self, z: Any) -> Any:
        """Return z + alpha (f(z) - z)."""
        return z + self.alpha * (self.f(z) - z)
