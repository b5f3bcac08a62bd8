"""Columns of any kind as features: what training rows teach of each, and the features they become.

A column is numbers, categories, categories with an order, or dates. Rows are held as numbers
(`Raw`): of a category its place among the words of the table, of a date the days since 1970-01-01.
From training rows alone come the median that fills a gap, which categories get a feature of their
own, and whether gaps get one (`learn`); then any rows can be encoded.

    number    x, or the median of the training rows; 1 in "NAME is missing" where training had gaps
              enough: of few rows it would learn no more than their noise
    order     its place in the order, from 0, as a number
    category  1 in "NAME=VALUE" of its value. The most frequent value has no feature: with an
              intercept it would depend on the others. Values of few training rows share
              "NAME is rare", gaps of few among them, and so do values that no training row has;
              without it these are taken for the most frequent one.
    date      its days as a number; each part that is asked for as a category, "NAME month=2"
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from pipeline.core.dates import A_DATE, CYCLES, days_of, places
from pipeline.core.errors import PipelineError
from pipeline.core.settings.block import Settings
from pipeline.core.settings.split import RARE, DatePart
from pipeline.core.tables import Array, as_matrix, column_values


class NumberColumn(Settings):
    """A column of numbers, or of categories with an order.

    Attributes
    ----------
    order : list of str or None
        The categories from the least to the greatest; their places are the numbers.
    least : int
        The training rows with missing values that these need for a feature of their own.
    fill : float or None
        What stands for a missing value: the median of the training rows. None: the table had none.
    gaps : bool
        Whether so many training rows had missing values.
    """

    kind: Literal["number"]
    order: list[str] | None = None
    least: int = RARE
    fill: float | None = None
    gaps: bool = False

    def features(self, name: str) -> list[str]:
        """The names of the features that the column becomes."""
        return [name, *([f"{name} is missing"] if self.gaps else [])]

    @property
    def filled(self) -> bool:
        """Whether a missing value can be encoded."""
        return self.fill is not None

    def encode(self, values: Array, words: Sequence[str]) -> Iterator[Array]:
        """The features, each of shape (n_rows,), of the values of some rows."""
        missing = np.isnan(values)
        yield values if self.fill is None else np.where(missing, self.fill, values)
        if self.gaps:
            yield missing.astype(float)


class CategoryColumn(Settings):
    """A column of categories.

    Attributes
    ----------
    numbers : bool
        Whether the file's values are numbers: the categories are what they look like.
    least : int
        The training rows that a category needs for a feature of its own.
    base : str or None
        The most frequent category, which has no feature; None where all rows are without one.
    own : list of str
        The other categories with a feature of their own, in the order of the alphabet, of numbers
        or of the calendar.
    rare : list of str
        Those of fewer training rows.
    gaps : bool
        Whether as many training rows had missing values: they are a category of their own.
    rare_gaps : bool
        Whether fewer of them had: missing values count among the rare ones.
    """

    kind: Literal["category"]
    numbers: bool = False
    least: int
    base: str | None = None
    own: list[str] = Field(default_factory=list)
    rare: list[str] = Field(default_factory=list)
    gaps: bool = False
    rare_gaps: bool = False
    filled: ClassVar[bool] = True  # a missing value can be encoded

    def features(self, name: str) -> list[str]:
        """The names of the features that the column becomes."""
        missing = [f"{name} is missing"] if self.gaps else []
        shared = [f"{name} is rare"] if self.rare or self.rare_gaps else []
        return [*(f"{name}={word}" for word in self.own), *missing, *shared]

    def encode(self, values: Array, words: Sequence[str]) -> Iterator[Array]:
        """The features, each of shape (n_rows,), of places among `words`."""
        places, missing = {word: k for k, word in enumerate(words)}, np.isnan(values)
        for word in self.own:
            yield (values == places.get(word, -1)).astype(float)
        if self.gaps:
            yield missing.astype(float)
        if self.rare or self.rare_gaps:
            frequent = [places[word] for word in (self.base, *self.own) if word in places]
            yield (~np.isin(values, frequent) & ~(missing & self.gaps)).astype(float)


def _in_order(parts: dict[DatePart, CategoryColumn]) -> dict[DatePart, CategoryColumn]:
    """Whatever order a file has them in: MLflow sorts its own."""
    return {part: parts[part] for part in CYCLES if part in parts}


class DateColumn(Settings):
    """A column of dates.

    Attributes
    ----------
    days : NumberColumn
        Of the days since 1970-01-01.
    parts : dict
        The parts that are features besides; missing ones count as the rare. That they are missing
        the feature of `days` says.
    """

    kind: Literal["date"]
    days: NumberColumn
    parts: Annotated[dict[DatePart, CategoryColumn], AfterValidator(_in_order)] = Field(
        default_factory=dict
    )

    def features(self, name: str) -> list[str]:
        """The names of the features that the column becomes."""
        of_parts = (one.features(f"{name} {part}") for part, one in self.parts.items())
        return [*self.days.features(name), *chain.from_iterable(of_parts)]

    @property
    def filled(self) -> bool:
        """Whether a missing value can be encoded."""
        return self.days.filled

    def encode(self, values: Array, words: Sequence[str]) -> Iterator[Array]:
        """The features, each of shape (n_rows,), of days."""
        yield from self.days.encode(values, words)
        for part, one in self.parts.items():
            yield from one.encode(places(values, part), CYCLES[part].words)


Column = NumberColumn | CategoryColumn | DateColumn
Learned = Annotated[Column, Field(discriminator="kind")]
Encoding = Mapping[str, Column]
PLAIN = NumberColumn(kind="number")
WITHOUT_GAPS = {"gaps": False, "rare_gaps": False}


def number(order: list[str] | None = None, least: int = RARE) -> NumberColumn:
    """A column of numbers, or of categories with an order, of which nothing was learned yet."""
    return NumberColumn(kind="number", order=order, least=least)


def category(least: int, numbers: bool = False) -> CategoryColumn:
    """A column of categories of which nothing was learned yet."""
    return CategoryColumn(kind="category", numbers=numbers, least=least)


def date(parts: Iterable[DatePart] = (), least: int = RARE) -> DateColumn:
    """A column of dates of which nothing was learned yet."""
    return DateColumn(
        kind="date", days=number(least=least), parts={p: category(least) for p in parts}
    )


def kinds(encoding: Encoding) -> dict[str, Column]:
    """What the columns are, without what was learned of them."""
    return {name: _kind(one) for name, one in encoding.items()}


def _kind(column: Column) -> Column:
    if isinstance(column, NumberColumn):
        return number(column.order, column.least)
    if isinstance(column, DateColumn):
        return date(column.parts, column.days.least)
    return category(column.least, column.numbers)


def dumped(encoding: Encoding) -> dict[str, Any]:
    """The columns as they stand in JSON: without what is as it is unless said."""
    return {name: one.model_dump(exclude_defaults=True) for name, one in encoding.items()}


@dataclass(frozen=True)
class Raw:
    """Rows of columns as received, as numbers.

    Attributes
    ----------
    columns : dict
        By name: what its values are made features of; what was learned does not count.
    words : sequence of sequence of str
        Of each column its categories, of which `values` has the places; of numbers none.
    gaps : sequence of bool
        Whether a column has missing values, in these rows or in others of its table.
    values : ndarray of shape (n_rows, n_columns)
        nan where a value is missing.
    """

    columns: Encoding
    words: Sequence[Sequence[str]]
    gaps: Sequence[bool]
    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: NDArray[np.integer]) -> "Raw":
        return replace(self, values=self.values[rows])

    def alone(self, rows: NDArray[np.integer]) -> "Raw":
        """Some rows, whose numbers rise, as if the table had no others."""
        values: Array = self.values if len(rows) == len(self) else self.values[rows]
        gaps: list[bool] = np.asarray(np.isnan(values).any(axis=0)).tolist()
        return replace(self, values=values, gaps=gaps)

    def of_table(self, words: Sequence[Sequence[str]], gaps: Sequence[bool]) -> "Raw":
        """The same rows as a part of a table: with the categories and gaps that it has.

        Parameters
        ----------
        words : sequence of sequence of str
            Of each column those of the table, these rows' among them.
        gaps : sequence of bool
        """
        pairs = [*zip(self.words, words, strict=True)]
        others = [k for k, (ours, theirs) in enumerate(pairs) if list(ours) != list(theirs)]
        values = self.values.copy() if others else self.values
        for k in others:
            ours, theirs = pairs[k]
            place = {word: float(n) for n, word in enumerate(theirs)}
            places = np.array([*(place[word] for word in ours), np.nan])
            values[:, k] = places[np.nan_to_num(values[:, k], nan=len(ours)).astype(np.intp)]
        return replace(self, words=words, gaps=gaps, values=values)


def of_numbers(names: Sequence[str], X: Array) -> Raw:
    """Rows of plain numbers.

    Parameters
    ----------
    names : sequence of str
    X : ndarray of shape (n_rows, n_columns)
    """
    none = [()] * len(names), [False] * len(names)
    return Raw(dict.fromkeys(names, PLAIN), *none, X)


def read_raw(table: pa.Table, columns: Encoding, where: str, first: int = 0) -> Raw:
    """The columns of a table that features are made of.

    Parameters
    ----------
    table : Table
        Columns of float64, int64 and text, with or without gaps.
    columns : dict
        By name what it is.
    where : str
        To name in messages.
    first : int
        The number, from 0, that these rows begin with, where they are a part of a table.

    Raises
    ------
    PipelineError
        For a column of text that is no category, a value that its order lacks, and what is no date.
    """
    found = [_placed(name, table[name], column, where, first) for name, column in columns.items()]
    values, words = [values for values, _ in found], [words for _, words in found]
    gaps = [table[name].null_count > 0 for name in columns]
    return Raw(columns, words, gaps, as_matrix(values, table.num_rows))


def _placed(
    name: str, column: pa.ChunkedArray, kind: Column, where: str, first: int
) -> tuple[Array, Sequence[str]]:
    """The values of a column as numbers, and its categories."""
    if isinstance(kind, DateColumn):
        return _days(name, column, where, first), ()
    order = kind.order if isinstance(kind, NumberColumn) else None
    if isinstance(kind, NumberColumn) and order is None:
        if pa.types.is_string(column.type):
            raise PipelineError(
                f"{where}: column {name} is text: say what it is in split.columns, `category`, "
                "`date` or `drop`, or declare in ingest.csv what makes numbers of it"
            )
        return column_values(column), ()
    texts = as_text(column).combine_chunks().dictionary_encode()
    seen: list[str] = texts.dictionary.to_pylist()
    words = in_order(seen, column.type) if order is None else order
    strange = set(seen).difference(words)
    if strange:
        raise PipelineError(
            f"{where}: column {name}: {min(strange)!r} is none of split.columns.{name}.order: "
            f"{', '.join(words)}; add it"
        )
    place = {word: float(k) for k, word in enumerate(words)}
    places = np.array([*(place[word] for word in seen), np.nan])
    return places[np.from_dlpack(texts.indices.fill_null(len(seen)))], words


def in_order(words: Iterable[str], kind: pa.DataType) -> list[str]:
    """Categories by the alphabet, those of a column of numbers by their size: as OneHotEncoder."""
    return sorted(words, key=None if pa.types.is_string(kind) else float)


def _days(name: str, column: pa.ChunkedArray, where: str, first: int) -> Array:
    found, remedy = "is of numbers", "is how it is written declared in ingest.csv.dates?"
    if column.null_count == len(column):
        return np.full(len(column), np.nan)
    if pa.types.is_string(column.type):
        days, bad = days_of(column)
        if not bad.any():
            return days
        row = int(np.argmax(bad))
        found = f"has {column[row].as_py()!r} in row {first + row + 1}"
        remedy = "declare in ingest.csv how its dates are written, or what is missing"
    raise PipelineError(
        f"{where}: column {name} {found}, expected {A_DATE} (split.columns.{name}): {remedy}"
    )


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values of a column as a file has them: numbers without a needless point.

    >>> as_text(pa.chunked_array([[1.0, 2.5, None]])).to_pylist()
    ['1', '2.5', None]
    """
    if pa.types.is_string(column.type):
        return column
    texts = column.cast(pa.string())
    if column.type == pa.int64():
        return texts
    values = column_values(column)
    size = np.abs(values)
    # where Arrow writes no digit otherwise than Python does
    alike = np.isnan(values) | ((values != np.rint(values)) & (size >= 1e-4) & (size < 1e10))
    others = [str(int(v)) if v == int(v) else repr(v) for v in values[~alike].tolist()]
    return pc.replace_with_mask(texts, pa.array(~alike), pa.array(others, pa.string()))


def learn(raw: Raw) -> dict[str, Column]:
    """What the rows, which must be training rows, teach of each column."""
    columns = zip(raw.columns.items(), raw.words, raw.gaps, raw.values.T, strict=True)
    return {name: _learned(kind, *of_one) for (name, kind), *of_one in columns}


def _learned(kind: Column, words: Sequence[str], filled: bool, values: Array) -> Column:
    if isinstance(kind, NumberColumn):
        return _learned_number(kind, filled, values)
    if isinstance(kind, CategoryColumn):
        return _learned_category(kind, words, values)
    parts = {
        part: _learned_category(one, CYCLES[part].words, places(values, part))
        for part, one in kind.parts.items()
    }
    return DateColumn(
        kind="date",
        days=_learned_number(kind.days, filled, values),
        parts={part: one.model_copy(update=WITHOUT_GAPS) for part, one in parts.items()},
    )


def _learned_number(kind: NumberColumn, filled: bool, values: Array) -> NumberColumn:
    if not filled:
        return number(kind.order, kind.least)
    missing = np.isnan(values)
    fill = float(np.median(values[~missing])) if not missing.all() else 0.0
    gaps = int(missing.sum()) >= kind.least
    return NumberColumn(kind="number", order=kind.order, least=kind.least, fill=fill, gaps=gaps)


def _learned_category(kind: CategoryColumn, words: Sequence[str], values: Array) -> CategoryColumn:
    missing = np.isnan(values)
    counts = np.bincount(values[~missing].astype(np.intp), minlength=len(words))
    base = int(np.argmax(counts)) if counts.any() else None  # of equals the first
    gaps = int(missing.sum()) >= kind.least
    return CategoryColumn(
        kind="category",
        numbers=kind.numbers,
        least=kind.least,
        base=None if base is None else words[base],
        own=[w for k, w in enumerate(words) if counts[k] >= kind.least and k != base],
        rare=[w for k, w in enumerate(words) if 0 < counts[k] < kind.least and k != base],
        gaps=gaps,
        rare_gaps=bool(missing.any()) and not gaps and base is not None,
    )


def feature_names(learned: Encoding) -> list[str]:
    """The names of all features, in the order of the columns."""
    return [feature for name, column in learned.items() for feature in column.features(name)]


def encode(raw: Raw, learned: Encoding) -> Array:
    """The features of some rows, as training rows have taught.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        The columns themselves, not a copy, where all are plain numbers.
    """
    if all(column == PLAIN for column in learned.values()):
        return raw.values
    columns = zip(learned.values(), raw.values.T, raw.words, strict=True)
    return as_matrix([f for column, *rows in columns for f in column.encode(*rows)], len(raw))


def known(column: Column) -> list[str]:
    """The categories of the training rows, or all of those that have an order."""
    if isinstance(column, DateColumn):
        return []
    if isinstance(column, NumberColumn):
        return column.order or []
    base = [] if column.base is None else [column.base]
    return sorted([*base, *column.own, *column.rare])


def in_range(column: Column) -> bool:
    """Whether the values of a column are numbers, of which a smallest and a largest says much."""
    return isinstance(column, NumberColumn) and column.order is None


def ends(values: Array) -> tuple[float, float]:
    """The smallest and the largest value; what is missing does not count."""
    return float(np.nanmin(values)), float(np.nanmax(values))
