"""Tables between stages: Parquet with fixed row groups, and their view as arrays.

Arrays cross over as buffers: pyarrow's own conversions import pandas, which costs a stage that is
run by hand 0.4 s.
"""

import contextlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.core.checked_inputs import refuse_altered
from pipeline.core.files import atomic_write, damaged, missing

ROW_GROUP = 65_536
TILE = 1024
LINES = b"lines"  # key of the file's metadata; without it rows begin on line 2, one a line
PARTS = b"parts"  # key of the files, of several, that rows come from, and where each begins
REJECTED = b"rejected"  # key of the records that were set aside; without it there are none

Array = NDArray[np.float64]


def number_table(names: Sequence[str], columns: Sequence[NDArray[np.generic]]) -> pa.Table:
    """Make a table of float64 and int64 columns.

    Parameters
    ----------
    names : sequence of str
    columns : sequence of ndarray of shape (n_rows,)
        One for each name.
    """
    return pa.Table.from_arrays([number_column(column) for column in columns], names=list(names))


def number_column(values: NDArray[np.generic]) -> pa.Array:
    """Make a column of an array, without a copy where it is contiguous.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)

    Raises
    ------
    TypeError
        For another type than float64 and int64.
    """
    if values.dtype not in (np.float64, np.int64):
        raise TypeError(f"expected float64 or int64, got {values.dtype}")
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    kind = pa.float64() if values.dtype == np.float64 else pa.int64()
    return pa.Array.from_buffers(kind, len(values), [None, buffer])


def group_rows(n_columns: int) -> int:
    """Rows of a row group: 65,536, fewer where there are so many columns that memory would tell."""
    return max(TILE, min(ROW_GROUP, ROW_GROUP * 128 // n_columns))


def write_table(path: Path, table: pa.Table) -> None:
    """Write Parquet: uncompressed, no dictionaries, row groups of 65,536 rows, checksums.

    The same table gives the same bytes.

    Raises
    ------
    PipelineError
        When the disk refuses; the file is then as it was.
    """
    with atomic_write(path) as part, writer(part, table.schema) as file:
        file.write_table(table, row_group_size=group_rows(table.num_columns))


def writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a file to be written group by group, in the form that stages exchange.

    Parameters
    ----------
    path : Path
        A temporary name: what is there is written over.
    schema : pyarrow.Schema
        Names and types of the columns.
    """
    return pq.ParquetWriter(
        path,
        schema,
        compression="none",
        use_dictionary=False,
        write_page_checksum=True,
        write_statistics=[one.name for one in schema if not pa.types.is_string(one.type)],
    )


class Lines(Sequence[int]):
    """The line of its file on which each row of a table begins, and which file, of several.

    Kept as steps (row, line) after which lines go on one by one: few, in most files one.

    Parameters
    ----------
    steps : iterable of (int, int)
        The row from 0, the line from 1.
    parts : iterable of (int, str)
        The row, from 0, with which the rows of a file begin, and its name; none of one file.
    """

    def __init__(
        self, steps: Iterable[Sequence[int]] = (), parts: Iterable[tuple[int, str]] = ()
    ) -> None:
        self._rows, self._lines, self._count = list[int](), list[int](), 0
        self.parts = [*parts]
        for row, line in steps:
            self._count = row
            self.add(line, 0)

    def begin(self, part: str) -> None:
        """Tell that the rows from here on are of another file."""
        self.parts.append((self._count, part))

    def add(self, line: int, count: int = 1) -> None:
        """Append rows that stand on this line and the following ones."""
        if not self._rows or line - self._lines[-1] != self._count - self._rows[-1]:
            self._rows.append(self._count)
            self._lines.append(line)
        self._count += count

    @property
    def steps(self) -> list[tuple[int, int]]:
        """The steps that make an equal one."""
        return list(zip(self._rows, self._lines, strict=True))

    def part(self, row: int) -> str:
        """The name of the file, of several, that a row stands in; else nothing."""
        step = bisect_right(self.parts, row, key=itemgetter(0)) - 1
        return self.parts[step][1] if self.parts else ""

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: int) -> int:  # type: ignore[override]  # no slices
        step = bisect_right(self._rows, row) - 1
        return self._lines[step] + row - self._rows[step]


def read_lines(path: Path) -> Lines:
    """Read the lines of the file on which the rows of an ingested table stand."""
    with _opened(path) as file:
        kept = file.metadata.metadata or {}
        steps, parts = json.loads(kept.get(LINES, "[[0, 2]]")), json.loads(kept.get(PARTS, "[]"))
        return Lines(steps, map(tuple, parts))


class Rejected(NamedTuple):
    """A damaged record that was set aside: its line, what is wrong with it, and its text."""

    line: int
    reason: str
    text: str


def read_rejected(path: Path) -> list[Rejected]:
    """Read the records that were set aside when a table was ingested."""
    with _opened(path) as file:
        kept = (file.metadata.metadata or {}).get(REJECTED)
        return [Rejected(*one) for one in json.loads(kept)] if kept else []


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table that an earlier stage wrote, or some of its columns.

    Raises
    ------
    PipelineError
        As all readers of this module: when the file is missing, damaged, altered since the stage
        wrote it, or has a column of another type than float64, int64 and string.
    """
    with _opened(path) as file:
        return file.read(columns, use_threads=False)


def read_group(path: Path, group: int, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one row group, counted from 0."""
    with _opened(path) as file:
        return file.read_row_group(group, columns, use_threads=False)


def read_groups(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Read the row groups one after another; the file is opened once."""
    with _opened(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns, use_threads=False)


def take_rows(path: Path, rows: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
    """Read some rows, in their order; of the others a row group is in memory at a time.

    Parameters
    ----------
    path : Path
    rows : ndarray of int
        Their numbers, from 0.
    columns : sequence of str
    """
    order = np.argsort(rows, kind="stable")
    ordered, found, first = rows[order], list[pa.Table](), 0
    for group, end in enumerate(row_groups(path)[1]):
        begin, stop = np.searchsorted(ordered, [first, end])
        if begin < stop:
            some = pa.array(ordered[begin:stop] - first)
            found.append(read_group(path, group, columns).take(some))
        first = end
    places = pa.array(np.argsort(order))
    return pa.concat_tables(found).take(places)


def table_schema(path: Path) -> pa.Schema:
    """Read the names and types of the columns."""
    with _opened(path) as file:
        return file.schema_arrow


def row_groups(path: Path) -> tuple[list[str], list[int]]:
    """Read the names of the columns, and the number of rows up to the end of each row group."""
    with _opened(path) as file:
        groups = (file.metadata.row_group(k).num_rows for k in range(file.num_row_groups))
        return file.schema_arrow.names, list(accumulate(groups))


def gapless(path: Path) -> set[str]:
    """The columns of numbers of which the file's metadata say that no value is missing."""
    with _opened(path) as file:
        meta = file.metadata
        groups = [meta.row_group(k) for k in range(meta.num_row_groups)]
        return {
            name
            for k, name in enumerate(file.schema_arrow.names)
            if all(_no_gap(group.column(k).statistics) for group in groups)
        }


def _no_gap(statistics: Any) -> bool:
    return statistics is not None and statistics.has_null_count and statistics.null_count == 0


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    refuse_altered(path)
    try:
        # pre_buffer is for remote stores; it begins threads, which ends a process short of memory
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
            strange = {*file.schema_arrow.types} - {pa.float64(), pa.int64(), pa.string()}
            if strange:
                raise damaged(path, f"a column of type {strange.pop()}")
            yield file
    except FileNotFoundError:
        raise missing(path) from None
    except MemoryError:
        raise  # pyarrow's is an ArrowException as well, and the file is not damaged
    except (OSError, ValueError, pa.ArrowException) as error:  # a column's name is no UTF-8
        raise damaged(path, str(error)) from None


def as_arrays(table: pa.Table, X: Array | None = None) -> tuple[Array, Array]:
    """The features and the target of one part of a split.

    Parameters
    ----------
    table : Table
        Columns of numbers without gaps, the target last.
    X : ndarray of shape (n_rows, n_features), optional
        Where the features are put; a new array unless given.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    """
    *features, target = [as_array(column) for column in table.columns]
    return as_matrix(features, len(target), X), target.astype(np.float64)


def as_matrix(columns: Sequence[NDArray[np.generic]], n_rows: int, X: Array | None = None) -> Array:
    """Columns of numbers side by side.

    Parameters
    ----------
    columns : sequence of ndarray of shape (n_rows,)
    n_rows : int
    X : ndarray of shape (n_rows, n_columns), optional
        Where they are put; a new array unless given.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
    """
    X = np.empty((n_rows, len(columns))) if X is None else X
    tile = max(TILE, TILE * 32 // max(len(columns), 1))  # stays in the cache: 4 times faster
    for start in range(0, n_rows, tile):
        rows = slice(start, start + tile)
        for k, column in enumerate(columns):
            X[rows, k] = column[rows]
    return X


def column_values(column: pa.ChunkedArray) -> Array:
    """A column of numbers, shape (n_rows,); nan where a value is missing."""
    if column.null_count:
        column = column.cast(pa.float64(), safe=False).fill_null(float("nan"))
    return as_array(column).astype(np.float64, copy=False)


def has_value(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Where a column has a value, shape (n_rows,)."""
    if not column.null_count:
        return np.ones(len(column), dtype=bool)
    return as_array(column.is_valid().cast(pa.uint8())).astype(bool)


def as_array(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of numbers without gaps, shape (n_rows,)."""
    chunks = [np.from_dlpack(chunk) for chunk in column.chunks if len(chunk)]
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks) if chunks else np.empty(0)
