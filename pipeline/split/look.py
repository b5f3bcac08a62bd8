"""What has to be known of a whole table before any of its rows can be encoded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core.columns import (
    CategoryColumn,
    Column,
    DateColumn,
    Encoding,
    NumberColumn,
    Raw,
    in_order,
    known,
    read_raw,
)
from pipeline.core.dates import CYCLES
from pipeline.core.errors import PipelineError
from pipeline.core.passes import WORKERS, counted_rows, map_ordered
from pipeline.core.tables import Array, as_array, gapless, read_group, row_groups, table_schema
from pipeline.core.text import EXACT


class Group(NamedTuple):
    """A row group: its number, and those of its first row and of the one behind its last."""

    number: int
    first: int
    end: int


class _Seen(NamedTuple):
    """What a row group has of the columns that are looked at.

    Attributes
    ----------
    whole : ndarray of bool of shape (n_rows,)
        Which rows can be used.
    gaps : list of bool
        Whether one of these misses a value of the column.
    words : list of dict
        How many of all rows have each category.
    """

    whole: NDArray[np.bool_]
    gaps: list[bool]
    words: list[dict[str, int]]


@dataclass(frozen=True)
class Table:
    """An ingested table, of which rows are read a group at a time.

    Attributes
    ----------
    path : Path
    columns : dict
        By name those that features are made of, and what they are.
    whole : ndarray of bool of shape (n_rows,)
        Which rows can be used.
    words : sequence of sequence of str
        Of each column its categories; of numbers none.
    gaps : sequence of bool
        Whether one of the rows that can be used misses a value of a column.
    most : int
        How many features the columns become, at most.
    where : str
        The dataset's block of params.yaml, to name in messages.
    """

    path: Path
    columns: Encoding
    whole: NDArray[np.bool_]
    words: Sequence[Sequence[str]]
    gaps: Sequence[bool]
    most: int
    where: str

    def read(self, group: Group) -> Raw:
        """The rows of a group, all of them."""
        rows = read_group(self.path, group.number, [*self.columns])
        raw = read_raw(rows, self.columns, self.where, group.first)
        return raw.of_table(self.words, self.gaps)

    def groups(self) -> list[Group]:
        """The row groups, in their order."""
        return groups(self.path)


def workers(columns: Encoding) -> int:
    """How many threads may read at once.

    Dates are read on one: numpy warns of time zones, and to silence it is no work for threads.
    """
    return 1 if any(isinstance(one, DateColumn) for one in columns.values()) else WORKERS


def groups(path: Path) -> list[Group]:
    """The row groups of a file that have rows, in their order."""
    ends = row_groups(path)[1]
    each = zip(range(len(ends)), [0, *ends], ends, strict=False)
    return [Group(*one) for one in each if one[1] < one[2]]


def look(
    path: Path, columns: Encoding, known_target: NDArray[np.bool_], leave_out: bool, where: str
) -> Table:
    """Look through an ingested table: a pass over the columns of which metadata says too little.

    Parameters
    ----------
    path : Path
    columns : dict
        By name those that features are made of, and what they are.
    known_target : ndarray of bool of shape (n_rows,)
        Which rows have a target.
    leave_out : bool
        Whether rows that miss any value are not used.
    where : str
        To name in messages.

    Raises
    ------
    PipelineError
        For text that is no category, a value that its order lacks, what is no date, and integers
        that no float holds.
    """
    types = {one.name: one.type for one in table_schema(path)}
    settled = gapless(path)
    some = {
        name: one
        for name, one in columns.items()
        if not (_plain(one) and types[name] == pa.float64() and name in settled)
    }
    seen = list[_Seen]()
    if some:
        each, count = groups(path), workers(columns)
        work = partial(_look_at, path, some, known_target, leave_out, where)
        rows = [group.end - group.first for group in each]
        found = map_ordered(work, each, count, files=True)
        seen = [*counted_rows(found, rows, "split: looks at columns")]
    words = _merged(some, types, seen)
    gaps = {name: any(one.gaps[k] for one in seen) for k, name in enumerate(some)}
    return Table(
        path,
        columns,
        np.concatenate([one.whole for one in seen]) if seen else known_target,
        [[*words.get(name, ())] for name in columns],
        [gaps.get(name, False) for name in columns],
        sum(_most_features(one, words.get(name, {})) for name, one in columns.items()),
        where,
    )


def _plain(column: Column) -> bool:
    return isinstance(column, NumberColumn) and column.order is None


def _look_at(
    path: Path,
    columns: Encoding,
    known_target: NDArray[np.bool_],
    leave_out: bool,
    where: str,
    group: Group,
) -> _Seen:
    table = read_group(path, group.number, [*columns])
    refuse_inexact(table, where)
    raw = read_raw(table, columns, where, group.first)
    missing = np.isnan(raw.values)
    whole: NDArray[np.bool_] = known_target[group.first : group.end].copy()
    if leave_out:
        whole[missing.any(axis=1)] = False
    words = [_counts(*one) for one in zip(raw.words, raw.values.T, strict=True)]
    return _Seen(whole, [bool(of[whole].any()) for of in missing.T], words)


def _counts(words: Sequence[str], values: Array) -> dict[str, int]:
    """How many rows have each category, of a column of numbers none."""
    if not words:
        return {}
    places = values[~np.isnan(values)].astype(np.intp)
    return dict(zip(words, np.bincount(places, minlength=len(words)).tolist(), strict=True))


def refuse_inexact(table: pa.Table, where: str) -> None:
    """Refuse integers that no float holds."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        whole = column.type == pa.int64()
        if whole and np.abs(as_array(column.drop_null())).max(initial=0) >= EXACT:
            raise PipelineError(f"{where}: column {name} has integers beyond 2^53; rescale it")


def _merged(
    columns: Encoding, types: dict[str, pa.DataType], seen: Sequence[_Seen]
) -> dict[str, dict[str, int]]:
    """Of each column the categories of all groups in order, and how many rows have each."""
    merged = dict[str, dict[str, int]]()
    for k, (name, one) in enumerate(columns.items()):
        counts = Counter[str]()
        for group in seen:
            counts.update(group.words[k])
        order = known(one) if isinstance(one, NumberColumn) else in_order(counts, types[name])
        merged[name] = {word: counts[word] for word in order}
    return merged


def _most_features(column: Column, counts: dict[str, int]) -> int:
    """How many features a column becomes, whichever of its rows train."""
    if isinstance(column, CategoryColumn):
        return sum(count >= column.least for count in counts.values()) + 2
    if isinstance(column, DateColumn):
        return 2 + sum(len(CYCLES[part].words) + 1 for part in column.parts)
    return 2
