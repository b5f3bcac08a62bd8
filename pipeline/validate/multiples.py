"""Columns that are others times a constant."""

from collections.abc import Iterator

import numpy as np

from pipeline.core.tables import Array

ROUNDED = 3e-3  # what may be left, of the spread: a unit converted, and rounded
KNOWN = 10  # so many values, other than 0 ...
DIGITS = 1e-13  # of a length: what rounding of floats may leave
DISTINCT = 3  # ... and so many different ones tell a factor from chance
FIRST = 256  # rows that a pair has to fit before all are looked at
AT_ONCE = 512  # columns


def multiples(sample: Array) -> Iterator[tuple[int, int, float]]:
    """Each column that is another, earlier one times a constant, with that one and the factor.

    What is left of a column b behind the best multiple of a is |b - k a| with k = a'b / a'a; it
    has to be below 0.3 % of the spread of b, |b - mean|, and an intercept must not take most of it
    away (x + 1, far from 0). A column with gaps is none's multiple.

    Parameters
    ----------
    sample : ndarray of shape (n_columns, n_rows)

    Yields
    ------
    earlier, later : int
        The numbers of the columns, from 0.
    factor : float
        later = factor * earlier
    """
    fit = [k for k, x in enumerate(sample) if _can_tell(x)]
    unit = np.max(np.abs(sample[fit]), axis=1, keepdims=True, initial=0)
    columns = sample[fit] / unit  # squares stay finite
    known = set[int]()
    for earlier, later in _alike(columns):
        if later not in known and (factor := _factor(columns[earlier], columns[later])):
            known.add(later)  # the earliest is enough
            yield fit[earlier], fit[later], factor * float(unit[later, 0] / unit[earlier, 0])


def _factor(a: Array, b: Array) -> float:
    """The k of b = k a; 0 where it is no multiple."""
    factor = float(a @ b / (a @ a))
    left = np.linalg.norm(b - factor * a)
    x, y = a - a.mean(), b - b.mean()
    left_by_line = np.linalg.norm(y - (x @ y) / (x @ x) * x)
    near = left < ROUNDED * np.linalg.norm(y)
    return factor if near and left <= 2 * left_by_line + DIGITS * np.linalg.norm(b) else 0.0


def _can_tell(x: Array) -> bool:
    if not np.isfinite(x).all() or np.count_nonzero(x) < KNOWN:
        return False
    return len(np.unique(x)) >= DISTINCT


def _alike(columns: Array) -> Iterator[tuple[int, int]]:
    """Pairs that fit in the first rows, by the cosines of all."""
    first = columns[:, :: max(1, columns.shape[1] // FIRST)]
    lengths = np.linalg.norm(first, axis=1)
    spreads = np.linalg.norm(first - first.mean(axis=1, keepdims=True), axis=1)
    usable = (lengths > 0) & (spreads > 0)
    first = first / np.where(usable, lengths, 1)[:, None]
    allowed = (2 * ROUNDED * spreads / np.where(usable, lengths, 1)) ** 2 + 1e-14
    for start in range(0, len(first), AT_ONCE):
        block = slice(start, start + AT_ONCE)
        cosines = first[block] @ first[: block.stop].T
        found = (1 - cosines**2 < allowed[block, None]) & usable[block, None]
        for later, earlier in np.argwhere(found):
            if earlier < start + later:
                yield int(earlier), int(start + later)
