"""The pandera schema of a dataset: read from its file, and cut into the parts that are checked."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
from pandera.errors import SchemaDefinitionError, SchemaInitError
from ruamel.yaml.error import YAMLError

from pipeline.core.dates import A_DATE, days_of
from pipeline.core.errors import PipelineError
from pipeline.core.text import load_yaml, nearest

NUMBERS = {"float64": "a finite number", "int64": "an integer"}
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
# Checks that all values pass where the smallest and the largest do.
CONVEX = {"equal_to", "greater_than", "greater_than_or_equal_to", "less_than",
          "less_than_or_equal_to", "in_range", "finite"}  # fmt: skip
FINITE = pa.Check(np.isfinite, name="finite", error="finite")


def _are_dates(values: pd.Series) -> pd.Series:
    _, bad = days_of(pyarrow.chunked_array([values.tolist()], pyarrow.string()))
    return pd.Series(~bad, index=values.index)


DATES = pa.Check(_are_dates, name="dates", error=A_DATE, n_failure_cases=1)


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
        problem = next(_problems(content, schema), None)
    except FileNotFoundError:
        raise PipelineError(
            f"{path} is missing; write the dataset's schema there (docs/your-data.md)"
        ) from None
    except NOT_A_SCHEMA as error:
        raise PipelineError(f"{path}: not a pandera schema: {error}") from None
    if problem:
        raise PipelineError(f"{path}: {problem}")
    for column in schema.columns.values():
        if kind_of(column) == "float64":
            column.checks = [*column.checks, FINITE]
        for check in column.checks:
            check.n_failure_cases = 1  # pandera would make strings and frames of all of them
    return schema


def require_above_0(schema: pa.DataFrameSchema, target: str, asked_by: str) -> None:
    """Ask of a target of numbers that it has a logarithm.

    Parameters
    ----------
    schema : DataFrameSchema
        Gets a check more.
    target : str
        The column.
    asked_by : str
        The key of params.yaml, to name in messages.
    """
    column = schema.columns.get(target)
    if column is not None and kind_of(column) in NUMBERS:
        above_0 = pa.Check.gt(0, error=f"above 0 for log ({asked_by})", n_failure_cases=1)
        column.checks = [*column.checks, above_0]


def row_by_row(schema: pa.DataFrameSchema, target: str | None) -> pa.DataFrameSchema:
    """The part of a schema that each row must satisfy by itself.

    Rows to predict have no target, and what is asked of the rows together (`unique`,
    `unique_values_eq`) is about the table that trained: the same row may be predicted twice.

    Parameters
    ----------
    schema : DataFrameSchema
    target : str or None
        A column to leave out.
    """
    rows = schema.remove_columns([target] if target in schema.columns else [])
    rows.unique, rows.ordered = None, False
    for column in rows.columns.values():
        column.unique = False
        column.checks = [check for check in column.checks if check.name != "unique_values_eq"]
    return rows


def of_dates(schema: pa.DataFrameSchema, names: Iterable[str]) -> None:
    """Ask of columns of text that they hold dates of ISO 8601."""
    for name in names:
        column = schema.columns.get(name)
        if column is not None and kind_of(column) == "str":
            column.checks = [DATES, *column.checks]


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
    """The columns of numbers that pass where their smallest and their largest value do.

    Parameters
    ----------
    schema : DataFrameSchema
        One of `row_by_row`.
    table : pyarrow.Schema
        Names and types of the ingested table: text that should be numbers is looked at whole.
    """
    fitting = {"float64": ("double", "int64"), "int64": ("int64",)}
    return [
        name
        for name, column in schema.columns.items()
        if name in table.names
        and str(table.field(name).type) in fitting.get(kind_of(column), ())
        and all(check.name in CONVEX for check in column.checks)
    ]


def text_columns(schema: pa.DataFrameSchema) -> set[str]:
    """The columns that hold text."""
    return {name for name, column in schema.columns.items() if kind_of(column) == "str"}


def _problems(content: dict[str, Any], schema: pa.DataFrameSchema) -> Iterator[str]:
    """What pandera would pass over, or take for something else."""
    yield from _odd("", TABLE_KEYS, content)
    for name, given in content["columns"].items():
        yield from _odd(f"{name}.", COLUMN_KEYS | CHECKS, given)
    together, known = content.get("unique") or [], [*content["columns"]]
    for name in [together] if isinstance(together, str) else together:
        if name not in known:
            yield f"unique: there is no column {name}{nearest(str(name), known)}"
    if schema.strict is not True:
        yield "strict must be true, so that unknown columns are refused"
    for name, column in schema.columns.items():
        if kind_of(column) not in {*NUMBERS, "str"}:
            yield f"{name}.dtype: expected float64, int64 or str, got {kind_of(column)}"


def _odd(place: str, allowed: set[str], given: dict[str, Any]) -> Iterator[str]:
    """Keys that are unknown, and flags that are neither true nor false."""
    for key in given:
        if key not in allowed:
            yield f"{place}{key}: unknown key{nearest(str(key), allowed)}; remove or rename it"
    for key, value in given.items():
        if key == "unique" and not place:
            names = value if isinstance(value, list) else [value]
            none = value is None or value is False
            if not none and not all(isinstance(name, str) for name in names):
                yield f"unique: expected a list of columns, got {value!r}"
        elif key in FLAGS and not isinstance(value, bool):
            yield f"{place}{key}: expected true or false, got {value!r}"


def kind_of(column: pa.Column) -> str:
    """The dtype that a schema asks for: float64, int64 or str."""
    name = str(column.dtype)
    return "str" if name.startswith("str") else name
