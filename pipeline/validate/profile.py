"""What a table is like, gathered a row group at a time."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.core.artifacts.trained_on import Range, TrainedOn
from pipeline.core.columns import as_text
from pipeline.core.passes import counted_rows, map_ordered
from pipeline.core.preprocessing import thinned
from pipeline.core.tables import (
    ROW_GROUP,
    TILE,
    Array,
    group_rows,
    read_group,
    row_groups,
    table_schema,
)
from pipeline.validate.totals import LABELS, Total
from pipeline.validate.words import Words

SAMPLE = 4096  # rows, fewer where there are very many columns
ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio


@dataclass(frozen=True)
class Part:
    """A column within one row group.

    Attributes
    ----------
    rows : int
        How many values there are; missing ones do not count.
    mean, sd : float
        Mean and standard deviation (divided by `rows`, not by one less), in the column's unit.
    r : float
        Pearson's correlation with the target; 0 where one of both has no spread or misses values.
    """

    rows: int
    mean: float
    sd: float
    r: float


@dataclass
class Numbers:
    """A column of numbers, over all row groups.

    Attributes
    ----------
    low, high : int or float
        The smallest and the largest value, exact; infinite for a column without values.
    missing : int
        How many cells have no value.
    parts : list of Part
        One for each row group that holds a value.
    rising : bool
        Whether these are integers, each larger than the one before.
    expected : Range or None
        The range of the values that were seen before.
    outside, outside_behind : int
        How many values lie outside of it, in all rows, and in those that have been added since.
    """

    rising: bool
    expected: Range | None = None
    outside: int = 0
    outside_behind: int = 0
    missing: int = 0
    low: float = np.inf
    high: float = -np.inf
    parts: list[Part] = field(default_factory=list)

    @property
    def total(self) -> float:
        """The sum of all values."""
        return sum((part.mean * part.rows for part in self.parts), 0.0)

    @property
    def mean(self) -> float:
        """The mean of all parts."""
        shares = self._shares()
        return float(sum(w * p.mean for w, p in zip(shares, self.parts, strict=True)))

    @property
    def sd(self) -> float:
        """The standard deviation over all parts; 0 where all values are the same."""
        if self.low >= self.high:
            return 0.0
        unit, mean = max(abs(self.low), abs(self.high)), self.mean  # squares stay finite
        squares = [(p.sd / unit) ** 2 + ((p.mean - mean) / unit) ** 2 for p in self.parts]
        return float(np.sqrt(np.dot(self._shares(), squares)) * unit)

    def correlation(self, target: "Numbers") -> float:
        """With the target; 0 where one of them has no spread, or misses values."""
        x, y, x_sd, y_sd = self.mean, target.mean, self.sd, target.sd
        if not (x_sd and y_sd) or self.missing or target.missing:
            return 0.0
        products = [
            p.r * (p.sd / x_sd) * (q.sd / y_sd) + (p.mean - x) / x_sd * ((q.mean - y) / y_sd)
            for p, q in zip(self.parts, target.parts, strict=True)
        ]
        return float(np.dot(self._shares(), products))

    def _shares(self) -> Array:
        rows: Array = np.array([part.rows for part in self.parts], dtype=float)
        return rows / np.sum(rows)


@dataclass
class Order:
    """Whether values never fall, or never rise, from row to row, and how often they change."""

    rises: bool = True
    falls: bool = True
    changes: int = 0
    _last: NDArray[Any] = field(default_factory=lambda: np.empty(0))

    def add(self, values: NDArray[Any]) -> None:
        """Take the next rows."""
        if not len(values) or not (self.rises or self.falls):
            return
        before = np.concatenate([self._last, values[:-1]])
        after = values[len(values) - len(before) :]
        self.rises = self.rises and bool((after >= before).all())
        self.falls = self.falls and bool((after <= before).all())
        self.changes += int(np.count_nonzero(after != before))
        self._last = values[-1:]


class Profile:
    """Extremes, moments and correlations with the target of each column, and repeated rows.

    For what sums cannot tell it keeps the numbers of 4,096 rows, evenly spaced, or of all where
    there are fewer; nan where a value is missing.

    Memory grows by 8 bytes a row: a hash. Of n different rows two are taken for the same with a
    probability of n^2 / 2^65, 3e-8 for a million.

    Parameters
    ----------
    path : Path
        A Parquet file.
    target : str
    labels : bool
        Whether the target's are counted, as the file has them: `labels` has the rows of each.
    trained_on : TrainedOn or None
        The ranges and the categories that are expected.
    dropped : collection of str
        The columns that no feature is made of: of their values nothing is to be warned.
    """

    def __init__(
        self,
        path: Path,
        target: str,
        labels: bool = False,
        trained_on: TrainedOn | None = None,
        dropped: Collection[str] = (),
    ) -> None:
        kinds = {column.name: str(column.type) for column in table_schema(path)}
        self.target, self.rows, self.trained_on = target, 0, trained_on
        ranges = trained_on.columns if trained_on else {}
        self.numbers = {
            name: Numbers(rising=kind == "int64", expected=ranges.get(name))
            for name, kind in kinds.items()
            if kind in ("double", "int64")
        }
        self.used = {name: one for name, one in self.numbers.items() if name not in dropped}
        categories = trained_on.categories if trained_on else {}
        self.words = {name: Words(known) for name, known in categories.items() if name in kinds}
        self.empty = {name: 0 for name in kinds if name not in self.numbers}  # cells of a text
        self.labels = Counter[str]()
        self._labelled = labels and target in kinds
        self.floats = [name for name in self.used if kinds[name] == "double"]
        self.order = Order()  # of the target
        self.last = dict.fromkeys(self.numbers, np.nan)  # the values of the last row
        self.labelled: Total | None = None  # the first row that a text calls a total
        rows = row_groups(path)[1]
        most = min(SAMPLE, max(TILE, group_rows(len(kinds) or 1)))
        self._picked = thinned(rows[-1] if rows else 0, most)
        self.sample = np.empty((len(self.numbers), len(self._picked)))  # a row for each column
        self._hashes: list[NDArray[np.uint64]] = []
        self._scratch, self._of_target = np.empty((2, ROW_GROUP))  # new ones cost page faults
        read = map_ordered(partial(read_group, path), range(len(rows)), files=True)
        for group in counted_rows(read, np.diff(rows, prepend=0).tolist(), "validate"):
            self._add(group)

    @np.errstate(invalid="ignore")  # infinite values: the schema refuses them
    def _add(self, group: pa.Table) -> None:
        self._look_for_total(group)
        start, stop = np.searchsorted(self._picked, [self.rows, self.rows + len(group)])
        picked, place = self._picked[start:stop] - self.rows, 0
        self.rows += len(group)
        hashes = np.zeros(len(group), np.uint64)
        target = None
        if self.target in self.numbers:
            values = _known(group[self.target])
            self.order.add(values)
            target = _standardized(values, self._of_target)[-1] if len(values) else values
        if self._labelled:
            self._count_labels(group[self.target])
        for name, column in zip(group.column_names, group.columns, strict=True):
            values = column.to_numpy()
            if name in self.words:
                self.words[name].add(column)
            if name in self.numbers:
                self.numbers[name].missing += column.null_count
                self._add_numbers(self.numbers[name], _known(column), target)
                self._count_outside(self.numbers[name], values)
                self.sample[place, start:stop] = values[picked]
                if len(values):
                    self.last[name] = float(values[-1])
                place += 1
            else:
                self.empty[name] += int(np.sum((values == "") | pd.isna(values)))
            self._mix(hashes, values)
        self._hashes.append(hashes)

    def repeated(self, most: int) -> tuple[int, list[tuple[int, int]]]:
        """How many rows repeat an earlier one; the first of them, each with that one, from 0."""
        hashes = np.concatenate([np.empty(0, np.uint64), *self._hashes])
        ordered = np.sort(hashes)
        if not (ordered[1:] == ordered[:-1]).any():
            return 0, []
        order = np.argsort(hashes, kind="stable")
        new = np.append(True, ordered[1:] != ordered[:-1])
        first = order[np.flatnonzero(new)[np.cumsum(new) - 1]]
        again = np.sort(order[~new])[:most]
        earlier = dict(zip(order.tolist(), first.tolist(), strict=True))
        return int(np.sum(~new)), [(row, earlier[row]) for row in again.tolist()]

    def known(self, name: str) -> Array:
        """The values of a column of numbers that the sample has."""
        values: Array = self.sample[[*self.numbers].index(name)]
        return values[~np.isnan(values)]

    def totals(self) -> list[Total]:
        """The rows that may be sums of those above: the first named so, and the last."""
        if self.rows < 2:
            return []
        last_row = {name: np.nan_to_num(value) for name, value in self.last.items()}
        above = {name: c.total - last_row[name] for name, c in self.numbers.items()}
        last = Total(self.rows - 1, above, self.last)
        if self.labelled is None:
            return [last]
        return [self.labelled] if self.labelled.row == last.row else [self.labelled, last]

    def _count_labels(self, column: pa.ChunkedArray) -> None:
        counts = pc.value_counts(column.drop_null().combine_chunks())
        labels = as_text(pa.chunked_array([counts.field("values")])).to_pylist()
        self.labels.update(dict(zip(labels, counts.field("counts").to_pylist(), strict=True)))

    def _look_for_total(self, group: pa.Table) -> None:
        for name in self.empty:
            if self.labelled is not None:
                return
            row = pc.index(pc.is_in(group[name], pa.array(LABELS)), True).as_py()
            if row >= 0:
                columns = {n: group[n].to_numpy() for n in self.numbers}
                above = {
                    n: c.total + float(np.nansum(columns[n][:row])) for n, c in self.numbers.items()
                }
                values = {n: float(column[row]) for n, column in columns.items()}
                self.labelled = Total(self.rows + row, above, values, group[name][row].as_py())

    def _add_numbers(self, of: Numbers, values: Array, target: Array | None) -> None:
        if not len(values):
            return
        of.rising = of.rising and values[0] > of.high and bool((values[1:] > values[:-1]).all())
        low, high, mean, sd, z = _standardized(values, self._scratch)
        of.low, of.high = min(of.low, low), max(of.high, high)
        r = float(z @ target) / len(z) if target is not None and len(target) == len(z) else 0.0
        of.parts.append(Part(len(z), mean, sd, r))

    def _count_outside(self, of: Numbers, values: NDArray[Any]) -> None:
        known, before = of.expected, self.trained_on
        if before is None or known is None or (known.min <= of.low and of.high <= known.max):
            return
        outside = (values < known.min) | (values > known.max)  # what is missing is nan: neither
        start = self.rows - len(values)
        of.outside += int(outside.sum())
        of.outside_behind += int(outside[max(0, before.of - start) :].sum())

    def _mix(self, hashes: NDArray[np.uint64], values: NDArray[np.generic]) -> None:
        """Take a column into the hashes of the rows; each step is one to one."""
        scratch = self._scratch[: len(values)].view(np.uint64)
        if values.dtype == np.float64:
            np.add(values, 0.0, out=scratch.view(np.float64))  # -0.0 is 0.0
            hashes ^= scratch
        elif values.dtype == np.int64:
            hashes ^= values.view(np.uint64)
        else:
            hashes ^= pd.util.hash_array(values)
        hashes *= ODD
        np.right_shift(hashes, np.uint64(29), out=scratch)
        hashes ^= scratch


def _known(column: pa.ChunkedArray) -> NDArray[Any]:
    """The values that are not missing."""
    values: NDArray[Any] = (column.drop_null() if column.null_count else column).to_numpy()
    return values


def _standardized(values: NDArray[Any], scratch: Array) -> tuple[float, float, float, float, Array]:
    """Lowest, highest, mean, sd, and z = (x - mean) / sd, 0 where there is no spread."""
    z = scratch[: len(values)]
    low, high = values.min().item(), values.max().item()
    unit = max(abs(float(low)), abs(float(high)), np.finfo(float).tiny)
    np.divide(values, unit, out=z)  # squares stay finite
    mean = float(z.mean())
    z -= mean
    sd = float(np.sqrt(z @ z / len(z))) if low < high else 0.0
    z *= 1 / sd if sd else 0
    return low, high, mean * unit, sd * unit, z
