"""What a table is like, gathered a row group at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core.artifacts.trained_on import Range, TrainedOn
from pipeline.core.tables import ROW_GROUP, Array, read_groups, table_schema

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
        if not (self.sd and target.sd) or self.missing or target.missing:
            return 0.0
        products = [
            p.r * (p.sd / self.sd) * (q.sd / target.sd)
            + (p.mean - self.mean) / self.sd * ((q.mean - target.mean) / target.sd)
            for p, q in zip(self.parts, target.parts, strict=True)
        ]
        return float(np.dot(self._shares(), products))

    def _shares(self) -> Array:
        rows: Array = np.array([part.rows for part in self.parts], dtype=float)
        return rows / np.sum(rows)


class Profile:
    """Extremes, moments and correlations with the target of each column, and repeated rows.

    Memory grows by 8 bytes a row: a hash. Of n different rows two are taken for the same with a
    probability of n^2 / 2^65, 3e-8 for a million.

    Parameters
    ----------
    path : Path
        A Parquet file.
    target : str
    labels : sequence of int
        The labels of the target to count.
    trained_on : TrainedOn or None
        The ranges that are expected.
    """

    def __init__(
        self,
        path: Path,
        target: str,
        labels: Sequence[int] = (),
        trained_on: TrainedOn | None = None,
    ) -> None:
        kinds = {column.name: str(column.type) for column in table_schema(path)}
        self.target, self.rows, self.trained_on = target, 0, trained_on
        ranges = trained_on.columns if trained_on else {}
        self.numbers = {
            name: Numbers(rising=kind == "int64", expected=ranges.get(name))
            for name, kind in kinds.items()
            if kind in ("double", "int64")
        }
        self.empty = {name: 0 for name in kinds if name not in self.numbers}  # cells of a text
        self.labels = dict.fromkeys(labels if target in self.numbers else (), 0)
        self._hashes: list[NDArray[np.uint64]] = []
        self._scratch, self._of_target = np.empty((2, ROW_GROUP))  # new ones cost page faults
        for group in read_groups(path):
            self._add(group)

    @np.errstate(invalid="ignore")  # infinite values: the schema refuses them
    def _add(self, group: pa.Table) -> None:
        self.rows += len(group)
        hashes = np.zeros(len(group), np.uint64)
        target = None
        if self.target in self.numbers:
            values = _known(group[self.target])
            target = _standardized(values, self._of_target)[-1] if len(values) else values
            for label in self.labels:
                self.labels[label] += int(np.sum(values == label))
        for name, column in zip(group.column_names, group.columns, strict=True):
            values = column.to_numpy()
            if name in self.numbers:
                self.numbers[name].missing += column.null_count
                self._add_numbers(self.numbers[name], _known(column), target)
                self._count_outside(self.numbers[name], values)
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
