"""What the columns of a table hold, gathered a row group at a time: memory grows with neither."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.core.dates import ISO, as_iso, days_of, ends_of, forms_of, meant
from pipeline.core.tables import Array, as_array, has_value
from pipeline.ingest.numbers import DATE, unit_of
from pipeline.validate.sentinels import day_of, sentinel_dates, sentinels

MOST = 10_000  # different values that are counted
SAMPLE = 4096  # numbers that are looked at for one that stands for none
HEAD = 10  # cells of which one tells the forms that dates may have
STRAY = 0.1  # of the values of a column of dates are none, at most, or one
MANY = 100  # that are none, from which on it may be none before its end


class Dated(NamedTuple):
    """The cells of a column in one form of dates.

    Attributes
    ----------
    ends : (str, str)
        The first and the last date as text of ISO 8601.
    others : int
        How many cells have another form, or a day that is in no calendar.
    row : int or None
        That of the first of them, from 0.
    cell : str
        And what it holds.
    """

    ends: tuple[str, str]
    others: int = 0
    row: int | None = None
    cell: str = ""


@dataclass
class Column:
    """What one column holds.

    Attributes
    ----------
    dtype : str
        float64, int64, or str of text.
    rows : int
        How many cells there are.
    missing : int
        How many of them have no value.
    gap : int or None
        The first row that has none, from 0.
    empty : int
        How many are empty text.
    counts : Counter or None
        How often each value stands there; None of more than 10,000 different ones.
    repeats : bool
        Whether a value stands there twice, as far as values were counted.
    low, high : int, float or None
        The smallest and the largest number; None of text, and where there is no value.
    mean : float
        Of numbers.
    shortest, longest : int
        Characters of texts.
    counting : bool
        Whether the values count the rows, from 0 or 1.
    dated : dict or None
        The forms in which most are dates; None before there is a value.
    times : bool
        Whether all look like dates or times, as far as values were counted.
    units : set of str
        The units behind its numbers, "" where one has none, as far as values were counted; none
        where another text stands there.
    sample : ndarray
        The first numbers.
    texts : list of str
        The first texts, where they may be dates.
    """

    dtype: str
    rows: int = 0
    missing: int = 0
    gap: int | None = None
    empty: int = 0
    counts: Counter[Any] | None = field(default_factory=Counter)
    repeats: bool = False
    low: Any = None
    high: Any = None
    mean: float = 0.0
    shortest: int = 0
    longest: int = 0
    counting: bool = True
    dated: dict[str, Dated] | None = None
    times: bool = True
    units: set[str] = field(default_factory=set)
    sample: Array = field(default_factory=lambda: np.empty(0))
    texts: list[str] = field(default_factory=list)

    @property
    def dates(self) -> dict[str, tuple[str, str]]:
        """The forms in which all are dates, each with the first and the last."""
        return {form: one.ends for form, one in (self.dated or {}).items() if not one.others}

    @property
    def form(self) -> str | None:
        """The form in which all are dates, as far as it is certain."""
        return meant(self.dates)

    @property
    def nearly(self) -> dict[str, Dated]:
        """The form in which all but a few are dates, and these few; several where it is open."""
        most = max(1, STRAY * self.values)
        near = {form: one for form, one in (self.dated or {}).items() if one.others <= most}
        if self.dates or not near:
            return {}
        fewest = min(one.others for one in near.values())
        best = {form: one for form, one in near.items() if one.others == fewest}
        form = meant({form: one.ends for form, one in best.items()})
        return {form: best[form]} if form else best

    @property
    def suspects(self) -> list[str]:
        """What is said of each number, or date, that seems to stand for no value."""
        of = f"{self.values:,}" if self.values <= SAMPLE else f"the first {SAMPLE:,}"
        if self.form:
            return [
                f"{day_of(one.value)} stands in {one.times:,} of {of} cells, all but such lie in "
                f"{day_of(one.low)} to {day_of(one.high)}"
                for one in sentinel_dates(self._days(self.form))
            ]
        return [
            f"{one.value:.15g} stands in {one.times:,} of {of} cells, all others lie in "
            f"{one.low:.6g} to {one.high:.6g}"
            for one in sentinels(self.sample)
        ]

    def _days(self, form: str) -> Array:
        """The first dates, which are all of a form, as days since 1970-01-01."""
        texts = pa.chunked_array([self.texts or [str(int(one)) for one in self.sample]])
        return days_of(texts if form in ISO else as_iso(texts, form)[0])[0]

    @property
    def values(self) -> int:
        """How many cells have a value."""
        return self.rows - self.missing

    @property
    def different(self) -> int | None:
        """How many values there are; None of more than 10,000."""
        return None if self.counts is None else len(self.counts)

    def add(self, column: pa.ChunkedArray) -> None:
        """Take the column of one more row group."""
        before, self.rows = self.rows, self.rows + len(column)
        self.missing += column.null_count
        if column.null_count and self.gap is None:
            self.gap = before + pc.index(column.is_null(), True).as_py()
        self._count(column)
        present = column.drop_null()
        if not len(present):
            return
        if self.dtype == "str":
            self._find_dates(column, present, before)
            self.empty += pc.sum(pc.equal(present, "")).as_py()
            sizes = pc.min_max(pc.utf8_length(present)).as_py()
            self.shortest = min(self.shortest or sizes["min"], sizes["min"])
            self.longest = max(self.longest, sizes["max"])
            return
        values = as_array(present)
        self.sample = np.append(self.sample, values[: SAMPLE - len(self.sample)])
        low, high = values.min().item(), values.max().item()
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)
        share = len(values) / self.values
        self.mean = (1 - share) * self.mean + share * _mean(values)
        self.counting &= self.low in (0, 1) and not self.missing and self.dtype == "int64"
        if self.counting:
            expected = np.arange(before, self.rows) + self.low
            self.counting = bool((values == expected).all())

    def _find_dates(self, column: pa.ChunkedArray, present: pa.ChunkedArray, before: int) -> None:
        """Keep the forms in which most of these are dates, too."""
        known: Mapping[str, Dated | None] | None = self.dated
        if known is None:
            some = filter(DATE.fullmatch, present.slice(0, HEAD).to_pylist())
            known = dict.fromkeys(next(filter(None, map(forms_of, some)), []))
        self.dated = {}
        for form, one in known.items():
            ends, bad = ends_of(present, form)
            others, row, cell = (one.others, one.row, one.cell) if one else (0, None, "")
            if bad.any() and not others:
                at = int(np.argmax(bad))
                row = before + int(np.flatnonzero(has_value(column))[at])
                cell = present[at].as_py()
            others += int(bad.sum())
            ends += one.ends if one else ()
            if ends and others <= max(MANY, STRAY * self.values):
                self.dated[form] = Dated((min(ends), max(ends)), others, row, cell)
        if self.dated:
            self.texts += present[: SAMPLE - len(self.texts)].to_pylist()

    def _count(self, column: pa.ChunkedArray) -> None:
        if self.counts is None:
            return
        present = column.drop_null()
        some = present.slice(0, 2 * MOST)  # of floats these tell: they are seldom counted
        if self.dtype == "float64" and len(some.unique()) > MOST:
            self.times, self.counts = False, None
            return
        found = present.value_counts()
        values, counts = found.field(0), found.field(1)
        self.repeats = self.repeats or bool(len(found) and pc.max(counts).as_py() > 1)
        if len(found) > MOST:
            self._read(values[:MOST].to_pylist())
            self.counts = None
            return
        new = Counter(dict(zip(values.to_pylist(), counts.to_pylist(), strict=True)))
        self.repeats = self.repeats or not new.keys().isdisjoint(self.counts)
        self._read(new)
        self.counts.update(new)
        if len(self.counts) > MOST:
            self.counts = None

    def _read(self, values: Collection[Any]) -> None:
        """Look at what texts may be: times, or numbers with units."""
        self.times &= self.dtype == "str" and all(map(DATE.fullmatch, values))
        if values and (self.units or not self.counts):
            units = _units(values) if self.dtype == "str" else set()
            self.units = self.units | units if units else set()


def _mean(values: NDArray[Any]) -> float:
    with np.errstate(over="ignore"):
        mean = float(np.mean(values, dtype=np.float64))
    return mean if np.isfinite(mean) else float(np.sum(values / len(values)))


def _units(cells: Iterable[str]) -> set[str]:
    """The units behind numbers; none where one of the cells is no number."""
    found = set[str]()
    for unit in map(unit_of, cells):
        if unit is None:
            return set()
        found.add(unit)
    return found


def contents(groups: Iterable[pa.Table]) -> dict[str, Column]:
    """What each column of some row groups holds, by its name."""
    found = dict[str, Column]()
    for group in groups:
        for name, column in zip(group.column_names, group.columns, strict=True):
            dtype = {"double": "float64", "int64": "int64"}.get(str(column.type), "str")
            found.setdefault(name, Column(dtype)).add(column)
    return found
