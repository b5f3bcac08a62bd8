"""Rows that are the sums of the rows above them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

WORDS = (
    "total",
    "totals",
    "grand total",
    "sum",
    "gesamt",
    "summe",
    "insgesamt",
    "合计",
    "总计",
    "总和",
)
LABELS = [form for w in WORDS for form in dict.fromkeys((w, w.capitalize(), w.title(), w.upper()))]
ROWS = 4  # above it: of fewer, one may be the sum of the others by chance
ROUNDED = 1e-4  # of a sum: its parts were rounded


class Total(NamedTuple):
    """A row, from 0, that may be the sum of those above: by column the sum above, and its value."""

    row: int
    above: Mapping[str, float]
    values: Mapping[str, float]
    label: str | None = None


def summed(total: Total) -> list[str]:
    """The columns in which the row is the sum of the rows above; none where it is no total.

    A row that is labelled as one needs a single such column, another two, and half of those where
    it has a value other than 0.

    Examples
    --------
    >>> summed(Total(6, {"a": 100.0, "b": 7.0}, {"a": 100.0, "b": 7.0}))
    ['a', 'b']
    >>> summed(Total(6, {"a": 100.0, "b": 7.0}, {"a": 100.0, "b": 8.0}))
    []
    """
    if total.row < ROWS:
        return []
    given = [name for name, value in total.values.items() if np.isfinite(value) and value]
    found = [
        name
        for name in given
        if abs(total.values[name] - total.above[name]) <= ROUNDED * abs(total.values[name])
    ]
    enough = 1 if total.label else max(2, len(given) / 2)
    return found if len(found) >= enough else []
