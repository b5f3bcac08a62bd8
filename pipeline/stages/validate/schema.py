"""Checks of a table against its pandera schema, all failures at once."""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.errors import SchemaDefinitionError, SchemaErrors, SchemaInitError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import PipelineError
from pipeline.core.numbers import INT64, NUMBER, is_number
from pipeline.core.params import nearest

NUMBERS = {"float64": "a finite number", "int64": "an integer"}
ALL_NUMBERS = re.compile(rf"(?:(?>{NUMBER.pattern})\n)*+")  # one match for a whole column of cells
TABLE_KEYS = {"schema_type", "version", "api", "name", "title", "description", "columns", "strict",
              "ordered", "unique", "unique_column_names"}  # fmt: skip
COLUMN_KEYS = {"title", "description", "dtype", "nullable", "unique", "required"}
CHECKS = {"equal_to", "not_equal_to", "greater_than", "greater_than_or_equal_to", "less_than",
          "less_than_or_equal_to", "in_range", "isin", "notin", "unique_values_eq", "str_contains",
          "str_endswith", "str_length", "str_matches", "str_startswith"}  # fmt: skip
NOT_A_SCHEMA = (
    *(OSError, YAMLError, LookupError, TypeError, ValueError, AttributeError),
    *(SchemaDefinitionError, SchemaInitError),
)
Problem = tuple[int, str, str]  # row (from 0; -1: all of them), column, text
FINITE = pa.Check(np.isfinite, name="finite", error="finite")


@dataclass(frozen=True)
class Source:
    """Where row k (from 0) of a table is to be found: as `unit` number `numbers[k]`."""

    path: Path
    unit: str
    numbers: Sequence[int]

    def place(self, row: int) -> str:
        """Name the place of a row."""
        return f"{self.path}, {self.unit} {self.numbers[row]}"


def csv(path: Path) -> Source:
    """A file with one header line, as `read_csv` takes it."""
    return Source(path, "line", range(2, sys.maxsize))


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
        content = YAML(typ="safe", pure=True).load(text)  # refuses duplicate keys, as pandera won't
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
    if schema.strict is not True:
        raise PipelineError(f"{path}: strict must be true, so that unknown columns are refused")
    for name, column in schema.columns.items():
        if _kind(column) not in {*NUMBERS, "str"}:
            raise PipelineError(
                f"{path}: {name}.dtype: expected float64, int64 or str, got {_kind(column)}"
            )
        if _kind(column) == "float64":
            column.checks = [*column.checks, FINITE]
    return schema


def row_by_row(schema: pa.DataFrameSchema, target: str) -> pa.DataFrameSchema:
    """The part of a schema that rows to predict must satisfy, each by itself.

    They have no target, and what is asked of the rows together (`unique`, `unique_values_eq`) is
    about the table that trained: the same row may be predicted twice.
    """
    rows = schema.remove_columns([target] if target in schema.columns else [])
    rows.unique = None
    for column in rows.columns.values():
        column.unique = False
        column.checks = [check for check in column.checks if check.name != "unique_values_eq"]
    return rows


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
    typed, problems = _typed(frame, schema, source)
    known = {(row, column) for row, column, _ in problems}
    try:
        schema.validate(typed, lazy=True)
    except SchemaErrors as errors:
        for case in errors.failure_cases.to_dict("records"):
            if case["check"] in ("column_in_dataframe", "column_in_schema"):
                continue  # check_columns tells more
            row, column, text = _problem(case, frame, source)
            if (row, column) not in known:
                problems.append((row, column, text))
    return typed, sorted(problems)


def _refuse_unknown(path: Path, place: str, allowed: Iterable[str], given: dict[str, Any]) -> None:
    for key in given:
        if key not in allowed:
            hint = nearest(str(key), allowed)
            raise PipelineError(f"{path}: {place}{key}: unknown key{hint}; remove or rename it")


def _typed(
    frame: pd.DataFrame, schema: pa.DataFrameSchema, source: Source
) -> tuple[pd.DataFrame, list[Problem]]:
    """Numbers where the schema wants them, no value changed; a problem where a cell has none."""
    typed, problems = frame.copy(), list[Problem]()
    for name, column in schema.columns.items():
        kind = _kind(column)
        if name not in frame or kind not in NUMBERS:
            continue
        cells = frame[name]
        if pd.api.types.is_numeric_dtype(cells):
            bad, numbers = np.zeros(len(cells), dtype=bool), cells
        else:
            numbers, bad = _numbers(cells.tolist())
        if kind == "int64" and pd.api.types.is_float_dtype(numbers):
            bad |= (numbers % 1 != 0) | (numbers.abs() >= INT64.stop)
        typed[name] = numbers.where(~bad, 0).astype(kind)
        problems += [
            (int(row), name, _cell(source, int(row), name, cells.iloc[row], NUMBERS[kind]))
            for row in np.flatnonzero(bad)
        ]
    return typed, problems


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


def _problem(case: dict[str, Any], frame: pd.DataFrame, source: Source) -> Problem:
    row, column, check = case["index"], str(case["column"]), str(case["check"])
    if row is None or pd.isna(row):
        found = case["failure_case"]
        return -1, column, f"{source.path}: column {column}: {check} fails, found {found}"
    found = frame[column].iloc[int(row)]  # as it stands in the file
    return int(row), column, _cell(source, int(row), column, found, check)


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
    return f"{source.place(row)}, column {column}: {text}, expected {expected}"
