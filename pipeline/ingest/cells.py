"""What the cells of a column have in common: integers, finite numbers, or text."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core.dialect import Dialect
from pipeline.core.tables import number_column
from pipeline.core.text import INT64, INTEGER, is_number
from pipeline.ingest.cut import Quoted

NULL, INT, FLOAT, TEXT = ORDER = (pa.null(), pa.int64(), pa.float64(), pa.string())
Kind: TypeAlias = Any  # one of ORDER


def united(one: Kind, other: Kind) -> Kind:
    """The kind of a column that holds cells of both kinds.

    Null, of nothing but missing values, gives way to int64, that to float64, that to text.
    """
    return max(one, other, key=ORDER.index)


def column(cells: Sequence[str | None], kind: Kind, dialect: Dialect, name: str) -> pa.Array:
    """Make an array of cells: int64 if every one is an integer, float64 if every one is finite.

    Else, or if `kind` says so, they stay text, character by character.

    Parameters
    ----------
    cells : sequence of str or None
        None has no value.
    kind : kind
        What earlier rows of the column hold: text stays text.
    dialect : Dialect
        How numbers are written.
    name : str
        The column's, which may have a unit.
    """
    present = [cell for cell in cells if cell is not None]
    numbers = None if kind == TEXT else _numbers(dialect.pointed(present, name))
    if numbers is None:
        return texts(cells)
    if len(present) == len(cells):
        return number_column(numbers)
    values, found = iter(numbers.tolist()), pa.from_numpy_dtype(numbers.dtype) if present else NULL
    return pa.array([None if cell is None else next(values) for cell in cells], found)


def texts(cells: Sequence[str | None]) -> pa.Array:
    """An array of text; `pa.array` would import pandas, which costs 0.2 s."""
    builder = pa.lib.StringBuilder()
    builder.append_values(cells)
    return builder.finish()


def is_gap(cell: str, dialect: Dialect) -> bool:
    """Whether a cell has no value."""
    return cell in dialect.missing and not isinstance(cell, Quoted)


def _numbers(cells: Sequence[str]) -> NDArray[np.generic] | None:
    """The cells as int64 or float64, of shape (n_cells,); None where one is no finite number."""
    if all(INTEGER.fullmatch(cell) and len(cell) <= 20 and int(cell) in INT64 for cell in cells):
        return np.array([int(cell) for cell in cells], np.int64)
    if all(is_number(cell) for cell in cells):
        return np.array([float(cell) for cell in cells])
    return None
