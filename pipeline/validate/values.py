"""The values of a table against its pandera schema: all failures at once, each with its place."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.errors import SchemaError, SchemaErrorReason, SchemaErrors

from pipeline.core.dialect import Dialect
from pipeline.core.errors import GAPS
from pipeline.core.tables import Array, Lines
from pipeline.core.text import INT64, NUMBER, is_number, nearest, pointed
from pipeline.validate.schema import NUMBERS, kind_of

ALL_NUMBERS = re.compile(rf"(?:(?>{NUMBER.pattern})\n)*+")  # one match for a whole column of cells
MISSING, UNKNOWN = SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME, SchemaErrorReason.COLUMN_NOT_IN_SCHEMA
UNIQUE = {
    "field_uniqueness": "a value that no other row has",
    "multiple_fields_uniqueness": "a combination that no other row has",
}
Problem = tuple[int, str, str]  # row (from 0; -1: all of them), column, text
Broken = dict[str, list[tuple[NDArray[np.intp], str]]]  # by column: rows, what was expected


@dataclass(frozen=True)
class Source:
    """Where the rows of a table stand: row k (from 0) is `unit` number `numbers[k]`.

    Of several files these are the lines of each, and `numbers` knows which.

    Attributes
    ----------
    path : Path
        The file that messages name.
    unit : str
        What its rows are counted in: line, or row where there are no lines.
    numbers : sequence of int
        The number of each row.
    dialect : Dialect
        How numbers are written that are still text.
    declare : bool
        Whether to say what params.yaml may declare of cells that are no numbers.
    """

    path: Path
    unit: str
    numbers: Sequence[int]
    dialect: Dialect = field(default_factory=Dialect)
    declare: bool = True

    def place(self, row: int) -> str:
        """Name the place of a row."""
        return f"{self.path / self._part(row)}, {self.unit} {self.numbers[row]}"

    def number(self, row: int) -> str:
        """The number of a row, with its file where there are several: 17 of part-002.csv."""
        part = self._part(row)
        return f"{self.numbers[row]}{f' of {part}' * bool(part)}"

    def _part(self, row: int) -> str:
        return self.numbers.part(row) if isinstance(self.numbers, Lines) else ""


class Checked(NamedTuple):
    """A table after its checks.

    Attributes
    ----------
    typed : DataFrame
        Numbers where the schema wants them.
    first : list of Problem
        The first problems, in the order of the rows.
    total : int
        How many problems there are.
    """

    typed: pd.DataFrame
    first: list[Problem]
    total: int


def check_columns(names: Sequence[str], schema: pa.DataFrameSchema, path: Path) -> list[str]:
    """Every column that is missing, and every one that the schema does not know.

    Parameters
    ----------
    names : sequence of str
        The columns of the table.
    schema : DataFrameSchema
    path : Path
        The file that messages name.

    Returns
    -------
    list of str
        A message for each.
    """
    missing = [n for n, column in schema.columns.items() if column.required and n not in names]
    unknown = [name for name in names if name not in schema.columns]
    return [
        *(f"{path}: column {_plain(name)} is missing" for name in sorted(missing)),
        *(
            f"{path}: column {_plain(name)} is not in the schema{_meant(name, missing)}; "
            "remove it or declare it"
            for name in sorted(unknown)
        ),
    ]


def check_values(
    frame: pd.DataFrame, schema: pa.DataFrameSchema, source: Source, most: int
) -> Checked:
    """Check every value by pandera; of the problems with cells the first `most` are told.

    Parameters
    ----------
    frame : DataFrame
        Numbers, or the text of the cells; its index has the numbers of the rows, from 0.
    schema : DataFrameSchema
        Of these columns.
    source : Source
        How to name the rows in the messages.
    most : int
        How many problems with cells to tell.
    """
    typed, broken = _typed(frame, schema, source.dialect)
    problems = list[Problem]()
    try:
        schema.validate(typed, lazy=True)
    except SchemaErrors as errors:
        for error in errors.schema_errors:
            if error.reason_code in (MISSING, UNKNOWN):
                continue  # check_columns tells more
            for column, rows in _rows(error):
                check = getattr(error.check, "error", None) or str(error.check)
                if rows is None:
                    text = f"{source.path}: column {column}: {check} fails, found "
                    problems.append((-1, column, text + str(error.failure_cases)))
                else:
                    broken.setdefault(column, []).append((rows, UNIQUE.get(check, check)))
    count = len(problems)
    for column, found in broken.items():
        rows = np.unique(np.concatenate([rows for rows, _ in found]))
        count += len(rows)
        rows, expected = rows[:most], dict[int, str]()
        for some, check in reversed(found):  # of a cell's problems the first is told
            expected |= dict.fromkeys(rows[np.isin(rows, some)].tolist(), check)
        cells = frame[column].loc[rows.tolist()]  # as they stand in the file
        problems += [
            (row, column, _cell(source, row, column, value, expected[row]))
            for row, value in zip(rows.tolist(), cells, strict=True)
        ]
    return Checked(typed, sorted(problems)[:most], count)


def _typed(
    frame: pd.DataFrame, schema: pa.DataFrameSchema, dialect: Dialect
) -> tuple[pd.DataFrame, Broken]:
    """Numbers where the schema wants them, no value changed; and the rows where a cell has none.

    pandera's own `coerce` would make 1.0 of True and 0 of 0.9999999999.

    Parameters
    ----------
    dialect : Dialect
        How numbers are written that are still text.

    Returns
    -------
    typed : DataFrame
        0 stands where a cell has no number.
    broken : dict
        By column the rows of such cells, and what was expected.
    """
    typed, broken = frame.copy(deep=False), Broken()
    for name, column in schema.columns.items():
        kind = kind_of(column)
        if name not in frame or kind not in NUMBERS:
            continue
        if pd.api.types.is_numeric_dtype(frame[name]):
            numbers = frame[name].to_numpy()
            bad = np.zeros(len(numbers), dtype=bool)
        else:
            gaps = frame[name].isna().to_numpy()
            numbers, bad = _numbers(dialect.pointed(frame[name].fillna("0").tolist(), name))
            numbers = np.where(gaps, np.nan, numbers)
        if kind == "int64" and numbers.dtype == np.float64:
            bad = bad | (numbers != np.trunc(numbers)) | (np.abs(numbers) >= INT64.stop)
        if bad.any():
            numbers, rows = np.where(bad, 0, numbers), frame.index[bad].to_numpy()
            broken[name] = [(rows, NUMBERS[kind])]
        typed[name] = numbers.astype(kind)
    return typed, broken


def _numbers(cells: Sequence[str]) -> tuple[Array, NDArray[np.bool_]]:
    """The numbers of text cells, 0 where a cell has none, and which have none."""
    if ALL_NUMBERS.fullmatch("\n".join([*cells, ""])):
        numbers = np.array([float(cell) for cell in cells])
        return numbers, ~np.isfinite(numbers)
    good = [is_number(cell) for cell in cells]
    values = [float(cell) if fine else 0.0 for cell, fine in zip(cells, good, strict=True)]
    return np.array(values), ~np.array(good)


def _rows(error: SchemaError) -> Iterable[tuple[str, NDArray[np.intp] | None]]:
    """The rows that break a check, by column; None where it is the column as a whole.

    The rows come from pandera's check_output where it is there: its failure_cases are as many
    strings and frames.
    """
    if isinstance(error.check, pa.Check) and isinstance(error.check_output, pd.Series):
        passed = error.check_output
        yield error.schema.name, passed.index[~passed.to_numpy(dtype=bool)].to_numpy()
    elif isinstance(error.failure_cases, pd.DataFrame) and "index" in error.failure_cases:
        cases = {"column": error.schema.name} | dict(error.failure_cases.items())
        for column, of_column in pd.DataFrame(cases).groupby("column"):
            yield str(column), of_column["index"].to_numpy(dtype=np.intp)
    else:
        yield str(error.schema.name), None


def _plain(name: str) -> str:
    """A column's name, quoted where a reader would not see all of it."""
    return name if name.isprintable() and name.strip() == name else repr(name)


def _meant(name: str, missing: Sequence[str]) -> str:
    """A hint at the missing column that an unknown one may stand for."""
    alike = {other.strip().casefold(): other for other in missing}
    same = alike.get(name.strip().casefold())
    return f" (did you mean {same}?)" if same else nearest(name, missing)


def _cell(source: Source, row: int, column: str, value: object, expected: str) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    text = repr(plain) if len(repr(plain)) <= 60 else repr(plain)[:57] + "..."
    if plain is None or plain != plain:  # only a cell that is declared missing becomes nan
        text = "no value"
    hint = _declaration(value, source) if source.declare and expected in NUMBERS.values() else ""
    if expected == "not_nullable":
        hint = f"; {GAPS}"
    return f"{source.place(row)}, column {column}: {text}, expected {expected}{hint}"


def _declaration(cell: object, source: Source) -> str:
    """What would make a number, or no value, of a cell of text."""
    if not isinstance(cell, str):
        return ""
    stripped = cell.strip(" ")
    if stripped != cell and is_number(*source.dialect.pointed([stripped])):
        return "; declare strip_spaces: true if all are so"
    if is_number(*pointed([cell], ",")) and source.dialect.decimal == ".":
        grouped = is_number(*pointed([cell], ".", ","))
        return f'; declare {"thousands" if grouped else "decimal"}: "," if all are so'
    if cell.strip("-?.#/ ").upper() in ("", "NA", "NAN", "NULL", "NONE", "N/A"):
        missing = f"missing: [{json.dumps(cell, ensure_ascii=False)}]"
        return f"; declare {missing} where that is no value; {GAPS}"
    return ""
