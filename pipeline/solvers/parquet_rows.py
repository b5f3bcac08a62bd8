"""Training rows in a Parquet file, read a row group at a time."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from pipeline.core.tables import as_arrays, read_group, row_groups
from pipeline.solvers.blocks import blocks
from pipeline.solvers.rows import Block

WINDOW = 2  # row groups in memory: what is shuffled together, and what is not read twice


class ParquetRows:
    """The rows of one part of a split: standardized features, the target last.

    A file of at most two row groups (131,072 rows) is read once; of a larger one a row group is
    read each time that a solver comes to it.

    Parameters
    ----------
    path : Path
        The Parquet file.

    Attributes
    ----------
    features : list of str
        The names of the columns before the target.
    n_rows, n_features : int
    total_weight : float
        The number of rows: each weighs 1.
    mean, scale : ndarray of shape (n_features,)
        0 and 1, since `split` has standardized the features.
    """

    def __init__(self, path: Path) -> None:
        names, self._ends = row_groups(path)
        self.features = names[:-1]
        self.n_rows, self.n_features = self._ends[-1], len(self.features)
        self.total_weight = float(self.n_rows)
        self.mean, self.scale = np.zeros(self.n_features), np.ones(self.n_features)
        self._group = lru_cache(WINDOW)(lambda k: Block(*as_arrays(read_group(path, k))))

    def parts(self) -> list[slice]:
        """The row groups, as slices of the rows."""
        return [slice(a, b) for a, b in zip([0, *self._ends], self._ends, strict=False)]

    def read(self, part: slice) -> Block:
        """Read one row group: X of shape (n, n_features), y of shape (n,)."""
        return self._group(self._ends.index(part.stop))

    def shuffled(self, generator: np.random.Generator, size: int) -> Iterator[Callable[[], Block]]:
        """Draw the row groups in a new order, two at a time, and within these the rows.

        A permutation of all rows would need them in memory. Each pair of row groups gets a
        generator of its own, so that it may be read on another thread.
        """
        groups = generator.permutation(len(self._ends))
        for window in blocks(len(groups), WINDOW):
            yield partial(self._mixed, groups[window].tolist(), generator.spawn(1)[0])

    def _mixed(self, groups: list[int], generator: np.random.Generator) -> Block:
        parts = [self._group(k) for k in groups]
        ends = np.cumsum([0, *(len(part) for part in parts)])
        places = generator.permutation(ends[-1])
        X, y = np.empty((ends[-1], self.n_features)), np.empty(ends[-1])
        for part, begin, end in zip(parts, ends[:-1], ends[1:], strict=True):
            X[places[begin:end]], y[places[begin:end]] = part.X, part.y
        return Block(X, y)
