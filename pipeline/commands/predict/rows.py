"""Rows to predict: read, and checked against the dataset's schema, a chunk at a time."""

import json
import warnings
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.commands.predict.tables import GAPS, TableRecords
from pipeline.core import layout
from pipeline.core.columns import DateColumn, Encoding, NumberColumn, Raw, read_raw
from pipeline.core.dialect import Dialect
from pipeline.core.errors import PipelineError, PipelineWarning, Problems, listed
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.split import Order
from pipeline.ingest.cells import is_gap
from pipeline.ingest.numbers import like_data
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.records import ENDED, Record, records
from pipeline.ingest.table_file import TableFile
from pipeline.validate.schema import load_schema, of_dates, row_by_row
from pipeline.validate.values import Problem, Source, check_columns, check_values

CHUNK = 16_384  # rows in memory
File = TypeVar("File", bound=TableFile)


@dataclass(frozen=True)
class Chunk:
    """Some rows that have passed.

    Attributes
    ----------
    records : list of list of str
        The cells as received.
    lines : list of int
        Where they stand in the file.
    raw : Raw
        The columns that the model uses, in its order.
    """

    records: list[list[str]]
    lines: list[int]
    raw: Raw


class Rows:
    """The rows of a file, read as `ingest` reads and checked as `validate` checks.

    Parameters
    ----------
    path : Path
    dataset : str
        Its schema is that of the rows, which have no target, and their columns in any order.
    settings : Dataset
    columns : dict
        Those that the model uses, by name.

    Attributes
    ----------
    schema : DataFrameSchema
        Of the columns without the target.
    header : list of str
        The columns of the file.
    unit : str
        What its rows are counted in.

    Raises
    ------
    PipelineError
        When the file cannot be read, its columns are not those of the schema, or the model uses
        others.
    """

    def __init__(self, path: Path, dataset: str, settings: Dataset, columns: Encoding) -> None:
        rules, target = layout.schema(dataset), settings.target
        self.schema = row_by_row(load_schema(rules), target)
        of_dates(self.schema, [n for n, one in columns.items() if isinstance(one, DateColumn)])
        if undeclared := [name for name in columns if name not in self.schema.columns]:
            raise PipelineError(
                f"the model uses {', '.join(undeclared)}, which {rules} does not declare; "
                "run `dvc repro`, or `git checkout` the commit of the run"
            )
        self._columns, dialect = columns, _dialect(settings)
        written = f"written like the dataset's own: {_written(dialect)}"
        if not settings.ingest.is_csv:
            written = f"of the kind of {settings.ingest.source}, or CSV: {_written(dialect)}"
        like = f"expected a file {written}"
        self._file = _opened(path, dialect, settings, columns.keys(), like)
        self.unit = "line" if isinstance(self._file, CsvFile) else settings.ingest.unit
        self._rules = f"expected by {rules} of rows without {target}, in a file {written}"
        self.header = self._file.header
        others = [name for name in self.header if name != target]
        problems = check_columns(others, self.schema, path)
        if target in self.header:
            of_target = f"column {target} is what the model predicts; remove it from the file"
            problems.insert(0, f"{path}: {of_target}")
        problems += [
            f"{path}: column {name} is missing, and the model uses it"
            for name in columns
            if name not in others and not self.schema.columns[name].required
        ]
        if problems:
            raise PipelineError(f"{listed(problems)}\n{self._rules}")

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Chunks of rows, up to the first problem; then only the reading and checking goes on.

        Raises
        ------
        PipelineError
            At the end of the file, with its first 20 problems and a count of the rest.
        """
        problems, records = Problems(), self._file.records()
        while some := [*islice(records, size)]:
            chunk, found = self._checked(some)
            for line, _, text in found:
                problems.add(text, final=line == ENDED)
            if chunk.lines and not problems:
                yield chunk
        if problems:
            raise PipelineError(f"{problems}\n{self._rules}")

    def _checked(self, records: list[Record]) -> tuple[Chunk, list[Problem]]:
        """The rows of some records, and their problems in the order of the lines."""
        problems: list[Problem] = [
            (record.line, "", self._file.problem(record)) for record in records if record.problem
        ]
        good = [record for record in records if not record.problem]
        lines, cells = [record.line for record in good], [record.cells for record in good]
        dialect = self._file.dialect
        values = [[None if is_gap(cell, dialect) else cell for cell in row] for row in cells]
        frame = pd.DataFrame(values, columns=self.header, dtype=object)
        problems += self._dated(frame, lines)
        frame = frame[[name for name in self.schema.columns if name in self.header]]
        source = Source(self._file.path, self.unit, lines, dialect, declare=False)
        typed, found, _ = check_values(frame, self.schema, source, most=frame.size)
        for row, name, _ in found:
            if row >= 0 and isinstance(self._columns.get(name), DateColumn):
                typed.loc[row, name] = None  # told, and no date
        problems += [(lines[row] if row >= 0 else 0, name, text) for row, name, text in found]
        problems += self._without_place(typed, lines)
        table = pa.Table.from_pandas(typed[[*self._columns]], preserve_index=False)
        raw = read_raw(table, self._columns, str(self._file.path))
        told = {(line, name) for line, name, _ in problems}
        problems += [one for one in self._unfilled(raw, lines) if one[:2] not in told]
        return Chunk(cells, lines, raw), sorted(problems)

    def _dated(self, frame: pd.DataFrame, lines: Sequence[int]) -> Iterator[Problem]:
        """Puts text of ISO 8601 in place of dates of a declared form; what is no such date."""
        if not isinstance(self._file, CsvFile):
            return
        for name in self._file.dialect.dates.keys() & {*self.header}:
            cells = pa.chunked_array([frame[name].tolist()], pa.string())
            iso, found = self._file.with_dates(name, cells, lines)
            frame[name] = pd.Series(iso.to_pylist(), dtype=object)
            yield from ((lines[row], name, text) for row, text in found)

    def _without_place(self, typed: pd.DataFrame, lines: Sequence[int]) -> Iterator[Problem]:
        """Takes out, and names, values that a column with an order does not have."""
        for name, column in self._columns.items():
            if isinstance(column, NumberColumn) and column.order:
                strange = typed[name].notna() & ~typed[name].isin(column.order)
                for row in np.flatnonzero(strange).tolist():
                    where = f"{self._file.path}, {self.unit} {lines[row]}, column {name}"
                    expected = f"expected one of {', '.join(column.order)}"
                    yield lines[row], name, f"{where}: {typed.loc[row, name]!r}, {expected}"
                typed.loc[strange, name] = None

    def _unfilled(self, raw: Raw, lines: Sequence[int]) -> Iterator[Problem]:
        """Gaps in columns that had none when the model was trained: nothing fills them."""
        for (name, column), values in zip(self._columns.items(), raw.values.T, strict=True):
            if not column.filled:
                for row in np.flatnonzero(np.isnan(values)).tolist():
                    where = f"{self._file.path}, {self.unit} {lines[row]}, column {name}"
                    text = "no value, and the model has learned nothing that fills it"
                    yield lines[row], name, f"{where}: {text}"


def _opened(
    path: Path, dialect: Dialect, settings: Dataset, names: Set[str], like: str
) -> CsvFile | TableRecords:
    """The file; one of the dataset's own kind where that is no CSV, else CSV.

    Titles that stand above the header of the dataset's own may be there or not.
    """
    own, table = path.suffix.lower() == settings.ingest.ending, settings.ingest.table
    if settings.ingest.is_csv or not own:
        _warn_of_rows(path, dialect)
        return _below_titles(
            names,
            dialect.skip_lines,
            lambda lines: CsvFile(path, dialect.model_copy(update={"skip_lines": lines}), like),
        )
    from pipeline.ingest.formats import opened_table

    named = {"labels": table.labels} | ({} if table.header is True else {"header": table.header})
    others = {key: [n for n in names if n != settings.target] for key, names in named.items()}
    table = table.model_copy(update=others)
    file = _below_titles(
        names,
        table.skip_lines,
        lambda lines: opened_table(path, table=table.model_copy(update={"skip_lines": lines})),
    )
    kinds = settings.split.columns.items()
    return TableRecords(
        file, [n for n, kind in kinds if kind == "category" or isinstance(kind, Order)]
    )


def _below_titles(names: Set[str], titles: int, opening: Callable[[int], File]) -> File:
    """The file with its header behind so many lines, or at its top if there it has more names."""
    found = list[File]()
    for lines in (titles, 0):
        with suppress(PipelineError):
            found.append(opening(lines))
            if names <= {*found[-1].header}:
                return found[-1]
    best = max(found, key=lambda file: len(names & {*file.header}), default=None)
    return best if best and names & {*best.header} else opening(titles)


def _warn_of_rows(path: Path, dialect: Dialect) -> None:
    """Warn of rows in place of titles where no header tells that these are missing."""
    titles, plain = dialect.skip_lines, dialect.model_copy(update={"skip_lines": 0})
    above = records(path, plain) if titles and dialect.names else iter(())
    for record in takewhile(lambda record: record.line <= titles, above):
        if len(record.cells) == len(dialect.names) and any(map(like_data, record.cells)):
            text = f"looks like a row, and is skipped as declared (skip_lines: {titles})"
            remedy = "put the lines above the rows that the dataset's own file has there"
            message = f"{path}, line {record.line}: {text}; {remedy}"
            warnings.warn(message, PipelineWarning, stacklevel=4)


def _dialect(settings: Dataset) -> Dialect:
    """That of the dataset's own file; without a header it lacks the target's name, too.

    Where that is no CSV, gaps are empty cells.
    """
    if not settings.ingest.is_csv:
        return GAPS.model_copy(update={"missing": [*GAPS.missing, *settings.ingest.table.missing]})
    dialect = settings.ingest.csv.model_copy(update={"bad_records": "refuse"})
    names = [name for name in dialect.names if name != settings.target]
    return dialect.model_copy(update={"header": names}) if names else dialect


def _written(dialect: Dialect) -> str:
    """How a file is written, as params.yaml says it: what differs most, and what is declared."""
    long = {"missing"} | ({"header"} if dialect.names else set())
    declared = dialect.model_dump(exclude_defaults=True, exclude=long).keys()
    known = dialect.model_dump(include={"delimiter", "decimal", "encoding"} | declared)
    return ", ".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in known.items()
    )
