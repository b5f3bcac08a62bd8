"""Rows to predict out of a file that is no CSV, as the records of one."""

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa

from pipeline.core.columns import as_text
from pipeline.core.dialect import Dialect
from pipeline.core.errors import PipelineError
from pipeline.ingest.cut import Quoted
from pipeline.ingest.records import ENDED, Record
from pipeline.ingest.table_file import TableFile

GAPS = Dialect(missing=[""], quoted_missing=False)


class TableRecords:
    """A file whose cells are text, as those of a CSV file are; a cell without a value is a gap.

    Parameters
    ----------
    file : TableFile
    categories : collection of str
        The columns of categories: a number there is text without a needless point, as beside text
        in the file that trained.

    Attributes
    ----------
    header : list of str
    dialect : Dialect
        By which these cells are written.
    """

    def __init__(self, file: TableFile, categories: Collection[str] = ()) -> None:
        self._file, self._categories = file, categories
        self.path, self.header, self.dialect = file.path, file.header, GAPS

    def records(self) -> Iterator[Record]:
        """The rows; an error that ends the reading is the last of them, on line ENDED."""
        rows = 0
        try:
            for _ in self._file.groups():  # what its columns hold, the last rows may tell
                pass
            for group in self._file.groups():
                columns = (map(_cell, self._as_text(group, n)) for n in group.column_names)
                for cells in zip(*columns, strict=True):
                    yield Record(self._file.lines[rows], [*cells])
                    rows += 1
        except PipelineError as error:
            yield Record(ENDED, [], str(error))

    def _as_text(self, group: pa.Table, name: str) -> list[Any]:
        column = as_text(group[name]) if name in self._categories else group[name]
        cells: list[Any] = column.to_pylist()
        return cells

    def problem(self, record: Record) -> str:
        """The problem of a record, with its place."""
        return record.problem


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return Quoted(value) if isinstance(value, str) else repr(value)
