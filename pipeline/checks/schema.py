"""Checks of a table against its pandera schema, all failures at once."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
from numpy.typing import NDArray
from pandera.errors import (
    SchemaDefinitionError,
    SchemaError,
    SchemaErrorReason,
    SchemaErrors,
    SchemaInitError,
)
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import PipelineError
from pipeline.core.numbers import INT64, NUMBER, is_number, pointed
from pipeline.core.params import nearest
from pipeline.core.yaml import load_yaml

NUMBERS = {"float64": "a finite number", "int64": "an integer"}
ALL_NUMBERS = re.compile(rf"(?:(?>{NUMBER.pattern})\n)*+")  # one match for a whole column of cells
TABLE_KEYS = {"schema_type", "version", "api", "name", "title", "description", "columns", "strict",
              "ordered", "unique", "unique_column_names"}  # fmt: skip
COLUMN_KEYS = {"title", "description", "dtype", "nullable", "unique", "required"}
CHECKS = {"equal_to", "not_equal_to", "greater_than", "greater_than_or_equal_to", "less_than",
          "less_than_or_equal_to", "in_range", "isin", "notin", "unique_values_eq", "str_contains",
          "str_endswith", "str_length", "str_matches", "str_startswith"}  # fmt: skip
FLAGS = {"nullable", "unique", "required", "ordered", "unique_column_names"}
NOT_A_SCHEMA = (
    *(OSError, YAMLError, LookupError, TypeError, ValueError, AttributeError, re.error),
    *(SchemaDefinitionError, SchemaInitError),
)
MISSING, UNKNOWN = SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME, SchemaErrorReason.COLUMN_NOT_IN_SCHEMA
UNIQUE = {
    "field_uniqueness": "a value that no other row has",
    "multiple_fields_uniqueness": "a combination that no other row has",
}
Problem = tuple[int, str, str]  # row (from 0; -1: all of them), column, text
Broken = dict[str, list[tuple[NDArray[np.intp], str]]]  # by column: rows, what was expected
# Checks that all values pass where the smallest and the largest do.
CONVEX = {"equal_to", "greater_than", "greater_than_or_equal_to", "less_than",
          "less_than_or_equal_to", "in_range", "finite"}  # fmt: skip
FINITE = pa.Check(np.isfinite, name="finite", error="finite")


@dataclass(frozen=True)
class Source:
    """Where row k (from 0) of a table is to be found: as `unit` number `numbers[before + k]`.

    `decimal` is the sign that numbers have there, in cells that are still text.
    """

    path: Path
    unit: str
    numbers: Sequence[int]
    decimal: str = "."
    before: int = 0

    def place(self, row: int) -> str:
        """Name the place of a row."""
        return f"{self.path}, {self.unit} {self.numbers[self.before + row]}"

    def behind(self, rows: int) -> "Source":
        """The same without so many rows at its beginning."""
        return replace(self, before=self.before + rows)


def load_schema(path: Path) -> pa.DataFrameSchema:
    """Read a schema file; every float column must be finite whether the file says so or not.

    Raises
    ------
    PipelineError
        When the file is missing, not a pandera schema, allows unknown columns, or holds a key that
        pandera would pass over: a check that is misspelled is a check that is not made.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = load_yaml(text)  # refuses duplicate keys, as pandera won't
        schema = pa.DataFrameSchema.from_yaml(text)
        keys = [("", TABLE_KEYS, content)]
        keys += [(f"{n}.", COLUMN_KEYS | CHECKS, c) for n, c in content["columns"].items()]
    except FileNotFoundError:
        raise PipelineError(
            f"{path} is missing; write the dataset's schema there (README.md: add a dataset)"
        ) from None
    except NOT_A_SCHEMA as error:
        raise PipelineError(f"{path}: not a pandera schema: {error}") from None
    for place, allowed, given in keys:
        _refuse_unknown(path, place, allowed, given)
        _refuse_odd(path, place, given)
    together = content.get("unique") or []
    known = [*content["columns"]]
    for name in [together] if isinstance(together, str) else together:
        if name not in known:
            hint = nearest(str(name), known)
            raise PipelineError(f"{path}: unique: there is no column {name}{hint}")
    if schema.strict is not True:
        raise PipelineError(f"{path}: strict must be true, so that unknown columns are refused")
    for name, column in schema.columns.items():
        if _kind(column) not in {*NUMBERS, "str"}:
            raise PipelineError(
                f"{path}: {name}.dtype: expected float64, int64 or str, got {_kind(column)}"
            )
        if _kind(column) == "float64":
            column.checks = [*column.checks, FINITE]
        for check in column.checks:
            check.n_failure_cases = 1  # pandera would make strings and frames of all of them
    return schema


def row_by_row(schema: pa.DataFrameSchema, target: str | None) -> pa.DataFrameSchema:
    """The part of a schema that each row must satisfy by itself.

    Rows to predict have no target, and what is asked of the rows together (`unique`,
    `unique_values_eq`) is about the table that trained: the same row may be predicted twice.
    """
    rows = schema.remove_columns([target] if target in schema.columns else [])
    rows.unique, rows.ordered = None, False
    for column in rows.columns.values():
        column.unique = False
        column.checks = [check for check in column.checks if check.name != "unique_values_eq"]
    return rows


def across_rows(schema: pa.DataFrameSchema) -> list[pa.DataFrameSchema]:
    """What is asked of the rows together: each `unique` and `unique_values_eq` by itself.

    Each schema has no other check, and only the columns that it is about.
    """
    parts: list[pa.DataFrameSchema] = []
    for name, column in schema.columns.items():
        together = [check for check in column.checks if check.name == "unique_values_eq"]
        if column.unique or together:
            alone = pa.Column(checks=together, nullable=True, unique=column.unique)
            parts.append(pa.DataFrameSchema({name: alone}))
    if schema.unique:
        columns = {name: pa.Column(nullable=True) for name in schema.unique}
        parts.append(pa.DataFrameSchema(columns, unique=schema.unique))
    return parts


def settled_by_extremes(schema: pa.DataFrameSchema, table: pyarrow.Schema) -> list[str]:
    """The columns of numbers that pass where their smallest and their largest value do."""
    fitting = {"float64": ("double", "int64"), "int64": ("int64",)}
    return [
        name
        for name, column in schema.columns.items()
        if name in table.names
        and str(table.field(name).type) in fitting.get(_kind(column), ())
        and all(check.name in CONVEX for check in column.checks)
    ]


def text_columns(schema: pa.DataFrameSchema) -> set[str]:
    """The columns that hold text."""
    return {name for name, column in schema.columns.items() if _kind(column) == "str"}


def check_columns(names: Sequence[str], schema: pa.DataFrameSchema, path: Path) -> list[str]:
    """Every column that is missing, and every one that the schema does not know."""
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


def check_rows(frame: pd.DataFrame, schema: pa.DataFrameSchema, source: Source) -> list[str]:
    """Every place where the table breaks its schema, in the order of the file's lines.

    Parameters
    ----------
    frame : DataFrame
        The table as ingested.
    source : Source
        How to name its rows in the messages.
    """
    columns = check_columns([*frame.columns], schema, source.path)
    return [*columns, *(text for _, _, text in checked_rows(frame, schema, source)[1])]


def checked_rows(
    frame: pd.DataFrame, schema: pa.DataFrameSchema, source: Source
) -> tuple[pd.DataFrame, list[Problem]]:
    """The rows with numbers where the schema wants them, and every problem with a value.

    Parameters
    ----------
    frame : DataFrame
        Numbers, or the text of the cells.
    """
    typed, problems, _ = first_problems(frame, schema, source, frame.size)
    return typed, problems


def first_problems(
    frame: pd.DataFrame, schema: pa.DataFrameSchema, source: Source, most: int
) -> tuple[pd.DataFrame, list[Problem], int]:
    """As `checked_rows`, but only so many problems of cells, and how many there are."""
    typed, broken = _typed(frame, schema, source.decimal)
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
        cells = frame[column].iloc[rows]  # as they stand in the file
        problems += [
            (row, column, _cell(source, row, column, value, expected[row]))
            for row, value in zip(rows.tolist(), cells, strict=True)
        ]
    return typed, sorted(problems)[:most], count


def _refuse_unknown(path: Path, place: str, allowed: Iterable[str], given: dict[str, Any]) -> None:
    for key in given:
        if key not in allowed:
            hint = nearest(str(key), allowed)
            raise PipelineError(f"{path}: {place}{key}: unknown key{hint}; remove or rename it")


def _refuse_odd(path: Path, place: str, given: dict[str, Any]) -> None:
    """Refuse values that pandera would take for others."""
    for key, value in given.items():
        names = isinstance(value, list) and all(isinstance(name, str) for name in value)
        if key == "unique" and not place and (value is None or isinstance(value, str) or names):
            continue
        if key in FLAGS and not isinstance(value, bool):
            wanted = "true or false" if place or key != "unique" else "a list of columns"
            raise PipelineError(f"{path}: {place}{key}: expected {wanted}, got {value!r}")


def _typed(
    frame: pd.DataFrame, schema: pa.DataFrameSchema, decimal: str
) -> tuple[pd.DataFrame, Broken]:
    """Numbers where the schema wants them, no value changed; and the rows where a cell has none."""
    typed, broken = frame.copy(deep=False), Broken()
    for name, column in schema.columns.items():
        kind = _kind(column)
        if name not in frame or kind not in NUMBERS:
            continue
        cells = frame[name]
        if pd.api.types.is_numeric_dtype(cells):
            bad, numbers = np.zeros(len(cells), dtype=bool), cells
        else:
            present = ["" if cell is None else cell for cell in cells.tolist()]
            numbers, bad = _numbers(pointed(present, decimal))
        if kind == "int64" and pd.api.types.is_float_dtype(numbers):
            bad |= (numbers % 1 != 0) | (numbers.abs() >= INT64.stop)
        if bad.any():
            numbers, broken[name] = numbers.where(~bad, 0), [(np.flatnonzero(bad), NUMBERS[kind])]
        typed[name] = numbers.astype(kind)
    return typed, broken


def _numbers(cells: Sequence[str]) -> tuple[pd.Series, NDArray[np.bool_]]:
    """The numbers of text cells, 0 where a cell has none, and which have none."""
    if ALL_NUMBERS.fullmatch("\n".join([*cells, ""])):
        numbers = pd.Series([float(cell) for cell in cells], dtype=float)
        return numbers, ~np.isfinite(numbers.to_numpy())
    good = [is_number(cell) for cell in cells]
    values = [float(cell) if fine else 0.0 for cell, fine in zip(cells, good, strict=True)]
    return pd.Series(values, dtype=float), ~np.array(good, dtype=bool)


def _kind(column: pa.Column) -> str:
    name = str(column.dtype)
    return "str" if name.startswith("str") else name


def _rows(error: SchemaError) -> Iterable[tuple[str, NDArray[np.intp] | None]]:
    """The rows that break a check, by column; None where it is the column as a whole."""
    if isinstance(error.check, pa.Check) and isinstance(error.check_output, pd.Series):
        # failure_cases would be as many strings and frames again
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
    alike = {other.strip().casefold(): other for other in missing}
    same = alike.get(name.strip().casefold())
    return f" (did you mean {same}?)" if same else nearest(name, missing)


def _cell(source: Source, row: int, column: str, value: object, expected: str) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    text = repr(plain) if len(repr(plain)) <= 60 else repr(plain)[:57] + "..."
    if plain is None or plain != plain:  # only a cell that is declared missing becomes nan
        text = "no value"
    hint = _declaration(value, source) if expected in NUMBERS.values() else ""
    return f"{source.place(row)}, column {column}: {text}, expected {expected}{hint}"


def _declaration(cell: object, source: Source) -> str:
    """What would make a number, or no value, of a cell of text."""
    if not isinstance(cell, str):
        return ""
    stripped = cell.strip(" ")
    if stripped != cell and is_number(*pointed([stripped], source.decimal)):
        return "; declare strip_spaces: true if all are so"
    if is_number(*pointed([cell], ",")) and source.decimal == ".":
        return '; declare decimal: "," if all are so'
    if cell.strip("-?.#/ ").upper() in ("", "NA", "NAN", "NULL", "NONE", "N/A"):
        return f"; declare missing: [{json.dumps(cell, ensure_ascii=False)}] if it stands for none"
    return ""
