"""A strict CSV reader: it refuses what it would have to guess. Two paths, one result.

A file is taken block by block by Arrow's parser (`fast`). From the first block on that has more to
it (text around quotes, a record of another length, most that can be declared), records are cut one
by one (`records`), and every problem is found with its line.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.core.dates import as_iso
from pipeline.core.dialect import Dialect
from pipeline.core.errors import PipelineError, PipelineWarning, Problems
from pipeline.core.tables import Lines, Rejected
from pipeline.core.text import is_number, nearest, shown
from pipeline.ingest.bad_records import BadRecords
from pipeline.ingest.cells import NULL, TEXT, Kind, column, is_gap
from pipeline.ingest.fast import fast_batches, serves
from pipeline.ingest.numbers import NO_NAMES
from pipeline.ingest.records import (
    ENDED,
    FIRST,
    Place,
    Record,
    behind,
    counted,
    one_column,
    place,
    records,
)
from pipeline.ingest.table_file import Batch, TableFile, unfit_names

BATCH = 8192  # records in memory as Python's text


@dataclass
class CsvFile(TableFile):
    """A CSV file whose header has passed; its rows can be read again and again.

    A column in which every cell is an integer becomes int64, in which every cell is a finite
    number float64; any other column stays text, character by character.

    Parameters
    ----------
    path : Path
        A file whose name ends with .gz is unpacked while it is read.
    dialect : Dialect
        How it is written; UTF-8 with commas and one header line unless told.
    like : str, optional
        What to do about a file that is written otherwise, where the dialect is not to follow it;
        else the messages say what to declare.
    advise : bool
        Whether to look how a file that is refused is written.

    Attributes
    ----------
    bad : BadRecords
        The damaged records among those that were read last.

    Raises
    ------
    PipelineError
        When there is no such file, or its header cannot be used.
    """

    path: Path
    dialect: Dialect = field(default_factory=Dialect)
    like: str = ""
    advise: bool = True

    def __post_init__(self) -> None:
        TableFile.__init__(self, self.path)
        dialect = self.dialect
        self.bad = BadRecords(self.path, dialect.bad_share)
        first = next(records(self.path, dialect), None)
        if first is None:
            expected = "a header line and rows" if dialect.headed else "rows"
            behind = f" behind line {dialect.skip_lines}" * bool(dialect.skip_lines)
            raise PipelineError(f"{self.path}: is empty{behind}; expected {expected}")
        self._line = first.cells if dialect.headed else []
        named = first.cells if dialect.headed else dialect.names
        # of row names the header has a blank cell, or none
        self.header = named[dialect.row_names and named[:1] == [""] :]
        self._fields = [*["row name"] * dialect.row_names, *self.header]
        self._above = first.line if dialect.headed else dialect.skip_lines
        if dialect.headed:
            self.heading = f"{self.path}, line {first.line}"
        if dialect.headed and first.problem:
            raise self._refused(self._told(first, []))
        where = self.heading if dialect.headed else "params.yaml: datasets.*.ingest.csv.header"
        if problem := _unfit(self.header, dialect) or self._alone():
            raise self._refused(f"{where}: {problem}")
        strange = sorted(dialect.dates.keys() - {*self.header})
        if strange and not self.like:  # a file to predict may lack one
            hint = nearest(strange[0], self.header)
            raise self._refused(
                f"{self.path}: there is no column {strange[0]}{hint} "
                "(params.yaml: datasets.*.ingest.csv.dates)"
            )

    def _alone(self) -> str:
        """The problem of a header of one name whose file looks as if it had more columns."""
        if len(self.header) > 1 or not self.dialect.headed or not self.advise:
            return ""
        from pipeline.ingest.detect import proposed

        with suppress(PipelineError):
            if len(proposed(self.path, self.dialect).columns) > 1:
                return f"has one column, {shown(self.header[0])}"
        return ""

    @property
    def rejected(self) -> list[Rejected]:
        """The damaged records that were set aside, of those that were read last."""
        return self.bad.rejected

    def _refuse_odd(self) -> None:
        if self.dialect.headed and len(self.header) == 1 and self._kinds == [TEXT]:
            raise self._refused(one_column(self.path, self.header[0], self._above))

    def records(self, start: Place = FIRST) -> Iterator[Record]:
        """The records behind the header, one by one; one that does not fit it has a problem.

        An error that ends the reading is the last of them, on line ENDED.
        """
        skipped = Counter[str]()
        found = records(self.path, self.dialect, start, skipped)
        if start == FIRST and self.dialect.headed:
            next(found)
        try:
            for record in found:
                if not record.problem and record.cells in (self._line, self.header):
                    if self.like and not self._line and record.line == self._above + 1:
                        continue  # a file to predict may have the names that are declared
                    record = record._replace(problem="repeats the header: are there two tables?")
                yield self._without_name(counted(record, self._fields, self.dialect))
        except PipelineError as error:
            yield Record(ENDED, [], str(error))
            return
        self._say_skipped(skipped)

    def _say_skipped(self, skipped: Counter[str]) -> None:
        if self.dialect.row_names:
            skipped["column of row names"] = 1
        for what, count in skipped.items():
            message = f"{self.path}: {count} {what} skipped, as declared"
            warnings.warn(message, PipelineWarning, stacklevel=3)

    def _without_name(self, record: Record) -> Record:
        if self.dialect.row_names and not record.problem:
            return record._replace(cells=record.cells[1:])
        return record

    def problem(self, record: Record) -> str:
        """The problem of a record, with its place."""
        if record.line == ENDED:
            return record.problem
        return self._told(record, self._fields)

    def _told(self, record: Record, header: Sequence[str]) -> str:
        declare = f", or declare {record.declare}" if record.declare and not self.like else ""
        return f"{place(self.path, record, header)}: {record.problem}{declare}"

    def _kinds_before(self) -> list[Kind]:
        return [TEXT if name in self.dialect.dates else NULL for name in self.header]

    def _batches(self) -> Iterator[Batch]:
        """The batches, with dates of declared forms as text of ISO 8601."""
        problems = Problems()
        dates = [k for k, name in enumerate(self.header) if name in self.dialect.dates]
        for lines, arrays in self._cut():
            numbers = Lines()
            for line, count in lines if dates else ():
                numbers.add(line, count)
            for k in dates:
                name = self.header[k]
                arrays[k], found = self.with_dates(name, _chunked(arrays[k]), numbers)
                for _, text in found:
                    problems.add(text)
            yield lines, arrays
        if problems:
            raise PipelineError(str(problems))

    def with_dates(
        self, name: str, cells: pa.ChunkedArray, lines: Sequence[int]
    ) -> tuple[pa.ChunkedArray, list[tuple[int, str]]]:
        """A column of dates of its declared form as text of ISO 8601.

        Parameters
        ----------
        name : str
        cells : ChunkedArray
            Of text.
        lines : sequence of int
            Where they stand.

        Returns
        -------
        ChunkedArray
            Without a value where a cell is of another form.
        list of (int, str)
            The places of such cells, and what to say of each.
        """
        form = self.dialect.dates[name]
        iso, bad = as_iso(cells, form)
        where, said = f"column {name}", f"is no date of the form {form} (ingest.csv.dates)"
        return iso, [
            (row, f"{self.path}, line {lines[row]}, {where}: {shown(cells[row].as_py())} {said}")
            for row in np.flatnonzero(bad).tolist()
        ]

    def _cut(self) -> Iterator[Batch]:
        start, self.bad = FIRST, BadRecords(self.path, self.dialect.bad_share)
        if serves(self.dialect, self.header):
            start = behind(self.path, self.dialect, self._above)
            start = yield from fast_batches(
                self.path, self.dialect, start, self.header, self._kinds, self._reject
            )
        found, bad = self.records(start), self.bad
        count = len(self.lines) + len(bad.problems)
        while some := [*islice(found, BATCH)]:
            count += len(some)
            for record in some:
                if record.problem:
                    self._reject(record)
            good = [record for record in some if not record.problem] if bad.rejected else some
            if good and not bad.refused:
                yield self._batch(good)
        if problem := str(bad.refused) or bad.too_many(count):
            raise self._refused(problem, bad.offer(count), bad.few(count))

    def _reject(self, record: Record) -> None:
        self.bad.add(record, self.problem(record))

    def _batch(self, batch: list[Record]) -> Batch:
        cells = zip(*(record.cells for record in batch), strict=True)
        columns = zip(cells, self._kinds, self.header, strict=True)
        arrays = [
            column([None if is_gap(c, self.dialect) else c for c in one], kind, self.dialect, name)
            for one, kind, name in columns
        ]
        return [(record.line, 1) for record in batch], arrays

    def _refused(self, problems: str, offer: str = "", few: bool = False) -> PipelineError:
        """The error, with what would read the file: where few records are bad, only if certain."""
        if not self.advise:
            return PipelineError(problems)
        from pipeline.ingest.detect import advice  # which reads by this module

        advised = advice(self.path, self.dialect, problems, self.like)
        if few and not self.like and "declare csv" not in advised.removeprefix(problems):
            advised = "\n".join(filter(None, [problems, offer]))
        return PipelineError(advised)


def _chunked(column: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([column]) if isinstance(column, pa.Array) else column


def _unfit(header: Sequence[str], dialect: Dialect) -> str:
    """What is wrong with column names, or nothing."""
    number = [n for n, cell in zip(header, dialect.pointed(header), strict=True) if is_number(cell)]
    odd = [name for name in header if name in NO_NAMES or name in dialect.missing]
    asked = "header" in dialect.model_fields_set
    if number and not asked:
        return f"{shown(number[0])} is a number, expected a header with column names"
    if odd and odd[0] and not asked:
        return f"{shown(odd[0])} is no name, expected a header with column names"
    if header[0].startswith("#") and header[0] != "#" and not (asked or dialect.comment):
        return f"{shown(header[0])} begins with a comment mark; declare comment, or header: true"
    if problem := unfit_names(header):
        return problem
    if header[0].startswith("\ufeff"):
        return f"{shown(header[0])} begins with a second byte order mark; remove it"
    return ""
