"""Rows to learn from: given a block at a time, so that memory does not grow with their number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.core.tables import Array
from pipeline.solvers.blocks import ROWS, blocks


@dataclass(slots=True)  # frozen, it would take three times as long to make
class Block:
    """Some rows: X of shape (n, n_features), y and weights (None: all ones) of shape (n,)."""

    X: Array
    y: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.y)

    def standardized(self, mean: Array, scale: Array) -> Array:
        """The features as (X - mean) / scale."""
        return (self.X - mean) / scale

    def __getitem__(self, rows: slice) -> "Block":
        return Block(self.X[rows], self.y[rows], _of(self.weights, rows))

    def __add__(self, other: "Block") -> "Block":
        weights = None
        if self.weights is not None and other.weights is not None:
            weights = np.concatenate([self.weights, other.weights])
        X, y = np.concatenate([self.X, other.X]), np.concatenate([self.y, other.y])
        return Block(X, y, weights)


class Rows(Protocol):
    """Rows of raw features, to be seen as (X - mean) / scale.

    Attributes
    ----------
    n_rows, n_features : int
    total_weight : float
        Sum of the rows' weights.
    mean, scale : ndarray of shape (n_features,)
    """

    n_rows: int
    n_features: int
    total_weight: float
    mean: Array
    scale: Array

    def parts(self) -> list[slice]:
        """The blocks in which the rows are read, in order."""

    def read(self, part: slice) -> Block:
        """One of these blocks."""

    def shuffled(self, generator: np.random.Generator, size: int) -> Iterator[Callable[[], Block]]:
        """All rows once in a new order for batches of `size`, as blocks to be read by calling."""


class ArrayRows:
    """Rows in memory.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    weights : ndarray of shape (n_rows,), optional
        Not negative; ones unless given.
    mean, scale : ndarray of shape (n_features,), optional
        0 and 1 unless given.
    """

    def __init__(
        self,
        X: Array,
        y: Array,
        weights: Array | None = None,
        mean: Array | None = None,
        scale: Array | None = None,
    ) -> None:
        self.X, self.y, self.weights = X, y, weights
        self.n_rows, self.n_features = X.shape
        self.total_weight = float(len(y) if weights is None else weights.sum())
        self.mean = np.zeros(self.n_features) if mean is None else mean
        self.scale = np.ones(self.n_features) if scale is None else scale

    @classmethod
    def standardized(
        cls, X: Array, y: Array, weights: Array | None, mean: Array, scale: Array
    ) -> Self:
        """Rows seen as (X - mean) / scale.

        Solvers take mean and scale into the weights, which saves a pass but would lose the digits
        of a feature far from zero: such rows are centred first, in a copy.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
        y : ndarray of shape (n_rows,)
        weights : ndarray of shape (n_rows,) or None
        mean, scale : ndarray of shape (n_features,)
        """
        if (np.abs(mean) > 1024 * scale).any():
            return cls(X - mean, y, weights, np.zeros_like(mean), scale)
        return cls(X, y, weights, mean, scale)

    def parts(self) -> list[slice]:
        """Slices of 16,384 rows."""
        return blocks(self.n_rows)

    def read(self, part: slice) -> Block:
        """A view, not a copy."""
        return Block(self.X[part], self.y[part], _of(self.weights, part))

    def shuffled(self, generator: np.random.Generator, size: int) -> Iterator[Callable[[], Block]]:
        """A permutation of all rows, in blocks of about 16,384: what a cache holds twice.

        Large batches are drawn in runs of up to 8 neighbours, which memory gives faster; at least
        128 runs make a batch.
        """
        run = max(1, min(8, size // 128))
        starts = run * generator.permutation(-(-self.n_rows // run))
        order = (starts[:, None] + np.arange(run)).ravel() if run > 1 else starts
        order = order[order < self.n_rows]
        for part in blocks(self.n_rows, max(ROWS // size, 1) * size):
            yield partial(self._take, order[part])

    def _take(self, rows: NDArray[np.intp]) -> Block:
        # mode="clip" is the fast one; no row number is out of range
        X, y = np.take(self.X, rows, axis=0, mode="clip"), np.take(self.y, rows, mode="clip")
        return Block(X, y, None if self.weights is None else self.weights[rows])


def _of(weights: Array | None, rows: slice) -> Array | None:
    return None if weights is None else weights[rows]


def in_memory(rows: Rows) -> tuple[Array, Array]:
    """All rows at once, standardized.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    """
    parts = [rows.read(part) for part in rows.parts()]
    X = np.concatenate([part.standardized(rows.mean, rows.scale) for part in parts])
    return X, np.concatenate([part.y for part in parts])
