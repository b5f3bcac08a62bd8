"""Columns of Arrow's many types as those that stages exchange: int64, float64 and text.

No value changes: what has no place in them is refused by the name of its column.
"""

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.text import INT64
from pipeline.ingest.cells import FLOAT, INT, TEXT

Type: TypeAlias = Any
NAN = "nan"
TAKEN = "numbers, text, categories, truth values, dates or times"


def refusal(kind: Type) -> str:
    """Why columns of a type are refused, or nothing."""
    if pa.types.is_dictionary(kind):
        return refusal(kind.value_type)
    is_of = pa.types
    fits = (
        is_of.is_null, is_of.is_boolean, is_of.is_integer, is_of.is_floating, is_of.is_decimal,
        is_of.is_string, is_of.is_large_string, is_of.is_string_view, is_of.is_date,
        is_of.is_timestamp, is_of.is_time,
    )  # fmt: skip
    if any(fit(kind) for fit in fits):
        return ""
    remedy = "columns of their own" if is_of.is_nested(kind) else "text, or leave it out"
    if is_of.is_duration(kind):
        remedy = "a number of days or seconds"
    return f"is of {kind}, expected {TAKEN}: write {remedy}"


def settled(values: pa.Array, missing: list[str]) -> pa.Array:
    """Make int64, float64 or text of a column; values that are missing stay so.

    Truth values become true and false, dates and times text of ISO 8601 (in UTC where they have a
    zone), decimals the nearest float, or integers where they have no places. Integers of 64 bits
    without sign that do not fit are text.

    Parameters
    ----------
    values : Array
        Of a type that is not refused.
    missing : list of str
        Texts that are no value; `nan` is said of numbers, too.
    """
    kind, is_of = values.type, pa.types
    if is_of.is_dictionary(kind):
        return settled(values.dictionary_decode(), missing)
    if is_of.is_null(kind):
        return values
    if is_of.is_integer(kind):
        fits = kind != pa.uint64() or (pc.max(values).as_py() or 0) in INT64
        return values.cast(INT if fits else TEXT)
    if is_of.is_floating(kind):
        return _without_nan(values.cast(FLOAT)) if NAN in missing else values.cast(FLOAT)
    if is_of.is_decimal(kind):
        return _of_decimals(values)
    return _without(_as_text(values), missing)


def not_finite(values: pa.Array) -> tuple[int, str] | None:
    """The first value that is no number: its place, and what it is."""
    if values.type != FLOAT:
        return None
    odd = np.flatnonzero(pc.fill_null(pc.invert(pc.is_finite(values)), False).to_numpy(False))
    return (int(odd[0]), str(values[int(odd[0])].as_py())) if len(odd) else None


def _without_nan(values: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_nan(values), pa.scalar(None, FLOAT), values)


def _without(values: pa.Array, missing: list[str]) -> pa.Array:
    if not missing:
        return values
    gaps = pc.is_in(values, value_set=pa.array(missing, TEXT))
    return pc.if_else(gaps, pa.scalar(None, TEXT), values)


def _of_decimals(values: pa.Array) -> pa.Array:
    """By their text: Arrow's own cast multiplies by 0.01, and misses the nearest float."""
    texts = values.cast(TEXT)
    if values.type.scale <= 0:
        whole = [None if one is None else int(one) for one in values.to_pylist()]
        if all(one is None or one in INT64 for one in whole):
            return values.cast(pa.decimal128(38, 0)).cast(INT)
    return texts.cast(FLOAT)


def _as_text(values: pa.Array) -> pa.Array:
    kind = values.type
    if pa.types.is_timestamp(kind):
        zone = "Z" if kind.tz else ""
        text = pc.replace_substring(values.cast(pa.timestamp(kind.unit)).cast(TEXT), " ", "T")
        return pc.binary_join_element_wise(_short(text), zone, "")
    return _short(values.cast(TEXT)) if pa.types.is_time(kind) else values.cast(TEXT)


def _short(times: pa.Array) -> pa.Array:
    """Times without the zeros at the end of a fraction."""
    return pc.replace_substring_regex(times, r"\.0+$|(\.\d*?[1-9])0+$", r"\1").cast(TEXT)
