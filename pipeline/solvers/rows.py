"""Rows to learn from: given a block at a time, so that memory does not grow with their number."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.core.checked_inputs import State, refuse_changed, state
from pipeline.core.passes import counted_rows, map_ordered
from pipeline.core.preprocessing import log_target, standardized, thinned
from pipeline.core.tables import Array, as_arrays, read_group, row_groups
from pipeline.solvers.blocks import ROWS, blocks

T = TypeVar("T")
WINDOW = 2  # row groups that are shuffled together
KEPT = 2**26  # bytes of a file's numbers that stay in memory: 270,000 rows of 31 columns


@dataclass(slots=True)  # frozen, it would take three times as long to make
class Block:
    """Some rows: X of shape (n, n_features), y and weights (None: all ones) of shape (n,)."""

    X: Array
    y: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: slice) -> "Block":
        weights = None if self.weights is None else self.weights[rows]
        return Block(self.X[rows], self.y[rows], weights)

    def __add__(self, other: "Block") -> "Block":
        weights = None
        if self.weights is not None and other.weights is not None:
            weights = np.concatenate([self.weights, other.weights])
        X, y = np.concatenate([self.X, other.X]), np.concatenate([self.y, other.y])
        return Block(X, y, weights)


class ArrayRows:
    """Rows in memory: raw features, to be seen as (X - mean) / scale.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    weights : ndarray of shape (n_rows,), optional
        Not negative; ones unless given.
    mean, scale : ndarray of shape (n_features,), optional
        0 and 1 unless given.

    Attributes
    ----------
    features : None
        They have no names.
    files : bool
        False: no other process can read them.
    n_rows, n_features : int
    total_weight : float
        Sum of the rows' weights.
    """

    features: Sequence[str] | None = None
    files = False

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
        """The blocks in which the rows are read, in order: slices of 16,384 rows."""
        return blocks(self.n_rows)

    def read(self, part: slice) -> Block:
        """A view, not a copy."""
        return Block(self.X, self.y, self.weights)[part]

    def part(self, kept: NDArray[np.bool_]) -> "ArrayRows":
        """The rows that a mask names, in a copy."""
        block = self._take(np.flatnonzero(kept))
        return ArrayRows(block.X, block.y, block.weights, self.mean, self.scale)

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
        X, y = (np.take(one, rows, axis=0, mode="clip") for one in (self.X, self.y))
        return Block(X, y, None if self.weights is None else self.weights[rows])


class ParquetRows:
    """The rows of one part of a split: standardized features, the target last.

    The row groups that are read first stay in memory, as many as KEPT takes; of a larger file the
    others are read each time that a solver comes to them. A file that changes meanwhile is refused.
    Another process that is sent these rows reads the file itself, and keeps what it has read.

    Parameters
    ----------
    path : Path
        The Parquet file.
    kept : ndarray of bool of shape (n_rows,), optional
        Which of its rows these are; all unless given.

    Attributes
    ----------
    features : list of str
        The names of the columns before the target.
    files : bool
        True: others can read them.
    n_rows, n_features : int
    total_weight : float
        The number of rows: each weighs 1.
    mean, scale : ndarray of shape (n_features,)
        0 and 1, since `split` has standardized the features.
    """

    files = True

    def __init__(self, path: Path, kept: NDArray[np.bool_] | None = None) -> None:
        self._path, self._mask, self._state = path, kept, state(path)
        names, ends = row_groups(path)
        begins = [0, *ends][:-1]
        self._rows = [slice(*one) for one in zip(begins, ends, strict=True)]  # of the file
        self._ends = ends
        if kept is not None:
            self._ends = np.cumsum(np.add.reduceat(kept, begins, dtype=np.intp)).tolist()
        self.features = names[:-1]
        self.n_rows, self.n_features = self._ends[-1], len(self.features)
        self.total_weight = float(self.n_rows)
        self.mean, self.scale = np.zeros(self.n_features), np.ones(self.n_features)

        most = max((end - begin for begin, end in zip(begins, ends, strict=True)), default=1)
        stay = min(max(WINDOW, KEPT // (8 * most * len(names))), len(ends))
        # one array: many that come and go would leave holes between them
        room = np.empty((stay * most, self.n_features))
        self._room, self._free = room, iter(range(0, stay * most, most))
        self._kept = dict[int, Block]()
        self._passing = lru_cache(WINDOW)(partial(_block, path, self._state, self._rows, kept))

    def __reduce__(self) -> tuple[Callable[..., "ParquetRows"], tuple[object, ...]]:
        mask = None if self._mask is None else (len(self._mask), np.packbits(self._mask).tobytes())
        return _sent, (self._path, self._state, mask)

    def parts(self) -> list[slice]:
        """The row groups that have rows, as slices of the rows."""
        return [slice(a, b) for a, b in zip([0, *self._ends], self._ends, strict=False) if a < b]

    def read(self, part: slice) -> Block:
        """Read one row group: X of shape (n, n_features), y of shape (n,)."""
        return self._group(self._ends.index(part.stop))

    def _group(self, k: int) -> Block:
        if (found := self._kept.get(k)) is not None:
            return found
        if (place := next(self._free, None)) is None:
            return self._passing(k)
        room = self._room[place:]
        self._kept[k] = found = _block(self._path, self._state, self._rows, self._mask, k, room)
        return found

    def part(self, kept: NDArray[np.bool_]) -> "ParquetRows":
        """The rows that a mask of these names."""
        if self._mask is not None:
            of_these, kept = kept, self._mask.copy()
            kept[self._mask] = of_these
        return ParquetRows(self._path, kept)

    def shuffled(self, generator: np.random.Generator, size: int) -> Iterator[Callable[[], Block]]:
        """Draw the row groups in a new order, two at a time, and within these the rows.

        A permutation of all rows would need them in memory. Each pair of row groups gets a
        generator of its own, so that it may be read on another thread.
        """
        groups = generator.permutation(np.flatnonzero(np.diff(self._ends, prepend=0)))
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


def _block(
    path: Path,
    before: State,
    groups: Sequence[slice],
    mask: NDArray[np.bool_] | None,
    k: int,
    room: Array | None = None,
) -> Block:
    """Read a row group of a file that is as it was before, into some room if that is given."""
    rows = groups[k]
    table = read_group(path, k)
    refuse_changed(path, before)
    if mask is None:
        return Block(*as_arrays(table, None if room is None else room[: rows.stop - rows.start]))
    X, y = as_arrays(table)
    return Block(X[mask[rows]], y[mask[rows]])


@lru_cache(2)  # the rows that train, and those that a solver has parted from them
def _sent(path: Path, before: State, mask: tuple[int, bytes] | None) -> ParquetRows:
    """The rows that another process has sent: once for all passes."""
    refuse_changed(path, before)
    if mask is None:
        return ParquetRows(path)
    count, packed = mask
    kept = np.unpackbits(np.frombuffer(packed, np.uint8), count=count).astype(bool)
    return ParquetRows(path, kept)


class ChangedRows:
    """Rows that are changed as they are read, block by block.

    Parameters
    ----------
    rows : ArrayRows or ParquetRows
    change : callable
        Gives another block for each; it leaves X as it is.

    Attributes
    ----------
    features, files, n_rows, n_features, total_weight, mean, scale
        Those of the rows.
    """

    def __init__(self, rows: "Rows", change: Callable[[Block], Block]) -> None:
        self._rows, self._change = rows, change
        self.features: Sequence[str] | None = rows.features
        self.files: bool = rows.files
        self.n_rows: int = rows.n_rows
        self.n_features: int = rows.n_features
        self.total_weight: float = rows.total_weight
        self.mean: Array = rows.mean
        self.scale: Array = rows.scale

    def parts(self) -> list[slice]:
        """Those of the rows."""
        return self._rows.parts()

    def read(self, part: slice) -> Block:
        """Read some rows, and change them."""
        return self._change(self._rows.read(part))

    def part(self, kept: NDArray[np.bool_]) -> "ChangedRows":
        """The rows that a mask names, changed alike."""
        rows = ChangedRows(self._rows.part(kept), self._change)
        weights = ((len(one), one.weights) for one in map(rows.read, rows.parts()))
        rows.total_weight = float(sum(n if w is None else w.sum() for n, w in weights))
        return rows

    def shuffled(self, generator: np.random.Generator, size: int) -> Iterator[Callable[[], Block]]:
        """Draw the rows as they do."""
        for read in self._rows.shuffled(generator, size):
            yield partial(self._changed, read)

    def _changed(self, read: Callable[[], Block]) -> Block:
        return self._change(read())


Rows = ArrayRows | ParquetRows | ChangedRows  # what a solver takes


def balanced_rows(rows: Rows) -> ChangedRows:
    """Rows whose classes weigh alike: one of n_k of label k weighs n / (K n_k).

    That is class_weight="balanced" of scikit-learn (King and Zeng 2001).

    Parameters
    ----------
    rows : Rows
        Without weights; labels from 0 to K - 1, and each has a row.
    """
    counts = class_counts(rows)
    of_class = rows.n_rows / (len(counts) * counts)
    return ChangedRows(rows, lambda one: Block(one.X, one.y, of_class[one.y.astype(np.intp)]))


def logged_rows(rows: Rows) -> ChangedRows:
    """Rows with the logarithm of their target; as they are read, one not above 0 is refused."""
    return ChangedRows(rows, lambda one: Block(one.X, log_target(one.y), one.weights))


def over(rows: Rows, work: Callable[[slice], T], what: str = "") -> Iterator[T]:
    """Apply `work` to every part of the rows, as `map_ordered` does.

    A terminal shows the pass where it is told `what` is done.
    """
    parts = rows.parts()
    found = map_ordered(work, parts, files=rows.files)
    return counted_rows(found, [one.stop - one.start for one in parts], what) if what else found


def in_memory(rows: Rows, most: int | None = None) -> tuple[Array, Array]:
    """All rows at once, standardized; or so many of them at most, evenly spaced.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    """
    parts = [rows.read(part) for part in rows.parts()] if most is None else some(rows, most)
    X = np.concatenate([standardized(part.X, rows.mean, rows.scale) for part in parts])
    return X, np.concatenate([part.y for part in parts])


def some(rows: Rows, most: int) -> list[Block]:
    """At most so many rows, evenly spaced, as they are: of few all."""
    if rows.n_rows <= most:
        return [rows.read(part) for part in rows.parts()]
    wanted, found = thinned(rows.n_rows, most), list[Block]()
    for part in rows.parts():
        begin, end = np.searchsorted(wanted, [part.start, part.stop])
        block, chosen = rows.read(part), wanted[begin:end] - part.start
        weights = None if block.weights is None else block.weights[chosen]
        found.append(Block(block.X[chosen], block.y[chosen], weights))
    return found


def class_counts(rows: Rows) -> Array:
    """The weight of the rows of each label, from 0 to the largest there is, shape (n_classes,)."""
    counts = np.zeros(0)
    for part in rows.parts():
        block = rows.read(part)
        found = np.bincount(block.y.astype(np.intp), block.weights, len(counts)).astype(float)
        found[: len(counts)] += counts
        counts = found
    return counts
