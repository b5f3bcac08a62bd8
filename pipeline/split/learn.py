"""What training rows teach, in passes over their blocks; and all rows, encoded and standardized.

Each pass takes the blocks in order, so that the figures do not hang on the number of threads. Sums
go from row to row, as numpy adds the rows of one array: mean and scale are those of all training
rows in memory, to the last bit (of a single feature, whose rows numpy adds in another order, to
rounding).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core.columns import (
    Column,
    Encoding,
    NumberColumn,
    Raw,
    encode,
    feature_names,
    learn,
    number,
)
from pipeline.core.errors import PipelineError
from pipeline.core.passes import counted_rows, map_ordered
from pipeline.core.preprocessing import standardized
from pipeline.core.tables import Array, number_table
from pipeline.split.look import Table, workers
from pipeline.split.shuffled import Rows, Shuffled

TINY = 1e-153  # a spread of which the square loses digits
GATHERED = 2**28  # bytes of training rows' values that are in memory at once

T = TypeVar("T")


class Block(NamedTuple):
    """A block of standardized rows, the target last: as it is written, and what is asked of it.

    Attributes
    ----------
    table : Table
    gram : ndarray of shape (n_varying, n_varying)
        Z'Z of the columns that are not constant.
    Z : ndarray of shape (n_picked, n_features)
        Some of the rows.
    """

    table: pa.Table
    gram: Array
    Z: Array


@dataclass(frozen=True)
class Scaling:
    """Mean and scale of each feature, by the training rows.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,)
    constant : ndarray of bool of shape (n_features,)
        Which features are the same in all training rows.
    """

    mean: Array
    scale: Array
    constant: NDArray[np.bool_]


@dataclass(frozen=True)
class Parts:
    """The rows of a table in training and test rows' order.

    Attributes
    ----------
    table : Table
        The columns that features are made of.
    y : ndarray of shape (n_rows,)
        The target of all rows of the table.
    shuffled : Shuffled
        The columns of the training rows, and of the test rows.
    """

    table: Table
    y: Array
    shuffled: Shuffled

    @property
    def train(self) -> list[Rows]:
        """The blocks of the training rows."""
        return self.shuffled.blocks[0]

    @property
    def test(self) -> list[Rows]:
        """The blocks of the test rows."""
        return self.shuffled.blocks[1]

    def fill(self) -> None:
        """Read the table, and put each row into its block."""
        each = self.table.groups()
        rows = [group.end - group.first for group in each]
        found = map_ordered(self.table.read, each, workers(self.table.columns), files=True)
        for group, raw in zip(each, counted_rows(found, rows, "split: shuffles"), strict=True):
            self.shuffled.take(group.first, raw.values)

    def raw(self, rows: Rows) -> Raw:
        """The rows of a block."""
        table = self.table
        return Raw(table.columns, table.words, table.gaps, self.shuffled.read(rows))

    def learned(self) -> dict[str, Column]:
        """What the training rows teach of each column; exact: all values are sorted and counted.

        Raises
        ------
        PipelineError
            When a column has no value there, or two features have one name.
        """
        where, encoding = self.table.where, dict[str, Column]()
        empty = list[str]()
        for some in self._to_learn():
            raw = self._gathered(some)
            none = np.asarray(np.isnan(raw.values).all(axis=0))
            empty += [name for name, of in zip(raw.columns, none, strict=True) if of and len(raw)]
            encoding |= learn(raw)
        if empty:
            raise PipelineError(
                f"{where}: column {', '.join(empty)} has no value in the training rows; leave it "
                "out: split.columns: {NAME: drop}"
            )
        columns = self.table.columns
        encoding = {name: encoding.get(name) or _unlearned(one) for name, one in columns.items()}
        features = feature_names(encoding)
        twice = sorted(name for name, count in Counter(features).items() if count > 1)
        if twice:
            raise PipelineError(f"{where}: two features are called {twice[0]!r}; rename a column")
        return encoding

    def _to_learn(self) -> Iterator[list[int]]:
        """The columns of which there is something to learn, as many at once as memory takes."""
        columns = enumerate(zip(self.table.columns.values(), self.table.gaps, strict=True))
        todo = [k for k, (one, gaps) in columns if gaps or not isinstance(one, NumberColumn)]
        n_rows = sum(map(len, self.train))
        at_once = max(1, GATHERED // (8 * max(n_rows, 1)))
        yield from (todo[k : k + at_once] for k in range(0, len(todo), at_once))

    def _gathered(self, some: Sequence[int]) -> Raw:
        """Some columns of all training rows."""
        table, names = self.table, [*self.table.columns]
        values, end = np.empty((sum(map(len, self.train)), len(some))), 0
        for block in map_ordered(self.shuffled.read, self.train):
            values[end : end + len(block)] = block[:, some]
            end += len(block)
        columns = {names[k]: table.columns[names[k]] for k in some}
        return Raw(columns, [table.words[k] for k in some], [table.gaps[k] for k in some], values)


def _unlearned(column: Column) -> Column:
    """A column of numbers without a gap."""
    assert isinstance(column, NumberColumn)  # all others were learned
    return number(column.order, column.least)


@dataclass(frozen=True)
class Encoded:
    """Rows of a table, encoded as its training rows teach.

    Attributes
    ----------
    parts : Parts
    encoding : dict
        By name what training rows taught of a column.
    target : str
        Its name.
    """

    parts: Parts
    encoding: Encoding
    target: str

    @cached_property
    def names(self) -> list[str]:
        """The names of the features."""
        return feature_names(self.encoding)

    def encode(self, rows: Rows) -> Array:
        """The features of a block, shape (n, n_features)."""
        return encode(self.parts.raw(rows), self.encoding)

    @np.errstate(over="ignore", invalid="ignore")  # judged by the result
    def scaling(self) -> Scaling:
        """Mean and scale by the training rows, as `preprocessing.fit_scaler` has them.

        Raises
        ------
        PipelineError
            For the first column whose values are too large or too close to each other for floats.
        """
        train, test = self.parts.train, self.parts.test
        n_rows, F = sum(map(len, train)), len(self.names)
        total, squares = np.empty((0, F)), np.empty((0, F))
        low, high = np.full(F, np.inf), np.full(F, -np.inf)
        for X, least, most in self._pass(self._ends, train, "split: means"):
            total = _added(total, X)
            low, high = np.minimum(low, least), np.maximum(high, most)
        mean = total[0] / n_rows
        for D2 in self._pass(partial(self._squares, mean), train, "split: scales"):
            squares = _added(squares, D2)
        scale = np.sqrt(squares[0] / n_rows)
        constant = low == high
        scale = np.where(constant | (scale == 0), 1.0, scale)
        width = high - low
        for _, least, most in self._pass(self._ends, test, "split: test rows"):
            low, high = np.minimum(low, least), np.maximum(high, most)
        # (x - mean) / scale rises with x, so that its ends tell of all rows
        ends = standardized(np.stack([low, high]), mean, scale)
        finite = np.isfinite(scale) & np.isfinite(ends).all(axis=0)
        tiny = (scale < TINY) | ((scale == 1) & (width > 0) & (width < TINY))
        where = self.parts.table.where
        for name, fits, varies_little in zip(self.names, finite, tiny, strict=True):
            if not fits:
                text = f"{where}: column {name} is too large to standardize; rescale it"
                raise PipelineError(text)
            if varies_little:
                text = f"{where}: column {name} varies by less than {TINY}; rescale it"
                raise PipelineError(text)
        return Scaling(mean, scale, constant)

    def standardized(
        self, scaling: Scaling, part: str, picked: NDArray[np.intp]
    ) -> Iterator[Block]:
        """Blocks of standardized rows, in their order.

        Parameters
        ----------
        scaling : Scaling
        part : str
            `train` or `test`.
        picked : ndarray of int
            Which of its rows `Block.Z` shall have, rising.
        """
        blocks = self.parts.train if part == "train" else self.parts.test
        ends = np.cumsum([0, *map(len, blocks)])
        cuts = np.searchsorted(picked, ends)
        some = [picked[a:b] - first for a, b, first in zip(cuts, cuts[1:], ends[:-1], strict=False)]
        work = partial(self._standardized, scaling)
        each = map_ordered(work, [*zip(blocks, some, strict=True)])
        yield from counted_rows(each, [*map(len, blocks)], f"split: writes {part}")

    def _standardized(self, scaling: Scaling, block: tuple[Rows, NDArray[np.intp]]) -> Block:
        rows, picked = block
        Z = self.encode(rows)  # of its own
        Z -= scaling.mean
        Z /= scaling.scale
        varying = Z if not scaling.constant.any() else Z[:, ~scaling.constant]
        table = number_table([*self.names, self.target], [*Z.T, self.parts.y[rows]])
        return Block(table, varying.T @ varying, Z[picked])

    def _pass(self, work: Callable[[Rows], T], blocks: Sequence[Rows], what: str) -> Iterator[T]:
        return counted_rows(map_ordered(work, blocks), [*map(len, blocks)], what)

    def _ends(self, rows: Rows) -> tuple[Array, Array, Array]:
        X = self.encode(rows)
        return X, X.min(axis=0), X.max(axis=0)

    def _squares(self, mean: Array, rows: Rows) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            D = self.encode(rows)  # of its own
            D -= mean
            D *= D
        return D


def _added(total: Array, X: Array) -> Array:
    """The sum of the rows so far and of these, one after the other: as of one array of all.

    Parameters
    ----------
    total : ndarray of shape (1, n_features), or (0, n_features) before the first block
    X : ndarray of shape (n, n_features)
    """
    return np.asarray(np.add.reduce(np.concatenate([total, X]), axis=0, keepdims=True))
