"""Checks of a table against its pandera schema, all failures at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaDefinitionError, SchemaErrors, SchemaInitError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import PipelineError
from pipeline.core.numbers import INT64, is_number
from pipeline.core.params import nearest

NUMBERS = {"float64": "a finite number", "int64": "an integer"}
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
FINITE = pa.Check(np.isfinite, name="finite", error="finite")


@dataclass(frozen=True)
class Source:
    """Where row k (from 0) of a table is to be found: as `unit` number k + first."""

    path: Path
    unit: str
    first: int

    def place(self, row: int) -> str:
        """Name the place of a row."""
        return f"{self.path}, {self.unit} {row + self.first}"


def csv(path: Path) -> Source:
    """A file with one header line, as `read_csv` takes it."""
    return Source(path, "line", 2)


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


def check_rows(frame: pd.DataFrame, schema: pa.DataFrameSchema, source: Source) -> list[str]:
    """Every place where the table breaks its schema, in the order of the file's lines.

    Parameters
    ----------
    frame : DataFrame
        The table as ingested.
    source : Source
        How to name its rows in the messages.
    """
    typed, problems = _typed(frame, schema, source)
    known = {(row, column) for row, column, _ in problems}
    try:
        schema.validate(typed, lazy=True)
    except SchemaErrors as errors:
        for case in errors.failure_cases.to_dict("records"):
            row, column, text = _problem(case, source)
            if (row, column) not in known:
                problems.append((row, column, text))
    return [text for _, _, text in sorted(problems)]


def _refuse_unknown(path: Path, place: str, allowed: Iterable[str], given: dict[str, Any]) -> None:
    for key in given:
        if key not in allowed:
            hint = nearest(str(key), allowed)
            raise PipelineError(f"{path}: {place}{key}: unknown key{hint}; remove or rename it")


def _typed(
    frame: pd.DataFrame, schema: pa.DataFrameSchema, source: Source
) -> tuple[pd.DataFrame, list[tuple[int, str, str]]]:
    """Numbers where the schema wants them, no value changed; a problem where a cell has none."""
    typed, problems = frame.copy(), []
    for name, column in schema.columns.items():
        kind = _kind(column)
        if name not in frame or kind not in NUMBERS:
            continue
        cells = frame[name]
        if pd.api.types.is_numeric_dtype(cells):
            bad, numbers = np.zeros(len(cells), dtype=bool), cells
        else:
            bad = ~cells.map(is_number).to_numpy(dtype=bool)
            numbers = cells.where(~bad, "0").astype(float)
        if kind == "int64" and pd.api.types.is_float_dtype(numbers):
            bad |= (numbers % 1 != 0) | (numbers.abs() >= INT64.stop)
        typed[name] = numbers.where(~bad, 0).astype(kind)
        problems += [
            (int(row), name, _cell(source, int(row), name, cells.iloc[row], NUMBERS[kind]))
            for row in np.flatnonzero(bad)
        ]
    return typed, problems


def _kind(column: pa.Column) -> str:
    name = str(column.dtype)
    return "str" if name.startswith("str") else name


def _problem(case: dict[str, Any], source: Source) -> tuple[int, str, str]:
    row, column, check = case["index"], case["column"], case["check"]
    if check == "column_in_dataframe":
        name = case["failure_case"]
        return -1, name, f"{source.path}: column {name} is missing"
    if check == "column_in_schema":
        name = case["failure_case"]
        return (
            *(-1, name),
            f"{source.path}: column {name} is not in the schema; remove it or declare it",
        )
    if row is None or pd.isna(row):
        found = case["failure_case"]
        return -1, str(column), f"{source.path}: column {column}: {check} fails, found {found}"
    return int(row), column, _cell(source, int(row), column, case["failure_case"], check)


def _cell(source: Source, row: int, column: str, value: object, expected: str) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    text = repr(plain) if len(repr(plain)) <= 60 else repr(plain)[:57] + "..."
    return f"{source.place(row)}, column {column}: {text}, expected {expected}"
