"""What files of all kinds have in common: rows in groups, columns of one kind of cells."""

import contextlib
import json
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.artifacts.rejected import said
from pipeline.core.checked_inputs import State, refuse_changed, state
from pipeline.core.errors import SHOWN, PipelineError, PipelineWarning
from pipeline.core.files import atomic_write
from pipeline.core.tables import LINES, PARTS, REJECTED, Lines, Rejected, group_rows, writer
from pipeline.ingest.cells import FLOAT, NULL, TEXT, Kind, united

MOST, TIMES = 2**33, 1000  # bytes of a table, and times its file: beyond both it is refused
Batch: TypeAlias = tuple[list[tuple[int, int]], list[pa.Array | pa.ChunkedArray]]


class TableFile(ABC):
    """A file whose header has passed; its rows can be read again and again.

    Attributes
    ----------
    path : Path
    state : State
        Inode, size and time of the file before its header was read.
    header : list of str
        The column names.
    heading : str
        Where the column names stand, for messages.
    types : list of pyarrow.DataType
        What the file says that its columns hold; nothing of text.
    lines : Lines
        Where the rows that were read last stand in the file.
    settled : bool
        Whether the columns held to the end what they held in the first rows. If not, `groups` has
        stopped giving rows, and gives all of them when it is called again.
    """

    path: Path
    state: State
    header: list[str]
    heading: str
    types: Sequence[pa.DataType] = ()
    lines: Lines
    settled: bool

    def __init__(self, path: Path) -> None:
        self.path, self.state, self.heading = path, state(path), str(path)
        self.lines, self.settled, self._kinds = Lines(), True, list[Kind]()

    def groups(self) -> Iterator[pa.Table]:
        """The rows, in tables of the size of a row group; memory does not grow with the file.

        Raises
        ------
        PipelineError
            At the end of a file with problems, with the first 20, each with its place, and a count,
            unless all of them may be set aside; for a file without rows.
        """
        self.lines, self.settled, first = Lines(), True, not self._kinds
        self._kinds = self._kinds or self._kinds_before()
        size, waiting = group_rows(len(self.header)), list[pa.Table]()
        for lines, arrays in self._batches():
            for line, count in lines:
                self.lines.add(line, count)
            kinds = [united(k, array.type) for k, array in zip(self._kinds, arrays, strict=True)]
            self.settled &= first or kinds == self._kinds
            self._kinds[:], first = kinds, False  # in place: `fast_batches` looks at them
            if self.settled:
                waiting = [pa.concat_tables([*waiting, self._table(arrays)])]
                while len(waiting[0]) >= size:
                    group, waiting = waiting[0][:size], [waiting[0][size:]]
                    yield group
                    del group
        if not self.lines:
            raise self._refused(f"{self.path}: has a header but no rows; add the data")
        self._refuse_odd()
        if self.settled and len(waiting[0]):
            yield waiting[0]

    @property
    def rejected(self) -> list[Rejected]:
        """The records that were set aside; no kind but CSV lets any be."""
        return []

    def text_columns(self) -> list[str]:
        """The columns of which some cell is text, once the rows were read."""
        return [n for n, kind in zip(self.header, self._kinds, strict=True) if kind == TEXT]

    def notes(self) -> list[str]:
        """What should be known of the columns, once the rows were read."""
        return []

    @property
    def size(self) -> int:
        """Bytes of the file, before its header was read."""
        return self.state[1] if self.state else 0

    def refuse_changed(self) -> None:
        """Refuse a file that is another than when its header was read.

        Raises
        ------
        PipelineError
            What was read may be half of the one and half of the other.
        """
        refuse_changed(self.path, self.state)

    def markers(self) -> list[str]:
        """Cells that may stand for no value and are not declared, once the rows were read."""
        return []

    def _kinds_before(self) -> list[Kind]:
        """What is known of the columns before any row was read."""
        return [NULL] * len(self.header)

    @abstractmethod
    def _batches(self) -> Iterator[Batch]:
        """Some rows at a time: pairs (line, rows from there on), and an array for each column."""

    def _refuse_odd(self) -> None:  # noqa: B027  # most kinds have nothing of that kind
        """Refuse what only all of the rows can tell."""

    def _refused(self, problems: str) -> PipelineError:
        return PipelineError(problems)

    def _table(self, arrays: Sequence[pa.Array]) -> pa.Table:
        kinds = [FLOAT if kind == NULL else kind for kind in self._kinds]
        # Not safe: integers beyond 2^53 become the nearest float, as their text does.
        cast = [array.cast(kind, safe=False) for array, kind in zip(arrays, kinds, strict=True)]
        return pa.Table.from_arrays(cast, names=self.header)


def unfit_names(header: Sequence[str]) -> str:
    """What is wrong with column names, or nothing."""
    if not header:
        return "has no columns"
    blank = [str(number) for number, name in enumerate(header, start=1) if not name.strip()]
    if blank:
        return f"column {', '.join(blank)} has no name; name every column"
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice:
        return f"column {', '.join(twice[:SHOWN])} stands there twice; names must differ"
    return ""


def read_rows(file: TableFile) -> pa.Table:
    """All rows of a file, in memory.

    Raises
    ------
    PipelineError
        As `TableFile.groups`.
    """
    groups = [*file.groups()]
    return pa.concat_tables(groups if file.settled else file.groups())


def write_rows(path: Path, file: TableFile) -> None:
    """Write the rows of a file as an ingested table, group by group.

    Raises
    ------
    PipelineError
        As `TableFile.groups`, and when the file changes meanwhile; the earlier table is then as it
        was.
    """
    with atomic_write(path) as part:
        while not _written(part, file):
            pass  # again, now that all rows have told what their columns hold
        file.refuse_changed()
    if rejected := file.rejected:
        text = said(file.path, rejected, len(file.lines) + len(rejected))
        warnings.warn(text, PipelineWarning, stacklevel=2)


def _written(path: Path, file: TableFile) -> bool:
    output: pq.ParquetWriter | None = None
    with contextlib.ExitStack() as last:
        for group in file.groups():
            output = output or last.enter_context(writer(path, group.schema))
            output.write_table(group, row_group_size=len(group))
            del group  # before the next is made
            _refuse_bomb(file, path.stat().st_size)
        if output and file.lines.steps != [(0, 2)]:
            output.add_key_value_metadata({LINES: json.dumps(file.lines.steps)})
        if output and file.lines.parts:
            output.add_key_value_metadata({PARTS: json.dumps(file.lines.parts)})
        if output and file.rejected:
            output.add_key_value_metadata({REJECTED: json.dumps(file.rejected)})
    return file.settled


def _refuse_bomb(file: TableFile, size: int) -> None:
    """Refuse a small file that would fill the disk."""
    if size > MOST and size > TIMES * file.size:
        raise PipelineError(
            f"{file.path}: has {file.size:,} bytes, and a table of more than {MOST:,}, over "
            f"{TIMES:,} times as much, in it; expected data: where it is, unpack the file"
        )
