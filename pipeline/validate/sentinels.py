"""Values that stand for none, such as -999 or 9999-12-31, told by how they lie."""

from typing import NamedTuple

import numpy as np

from pipeline.core.tables import Array

FEW = 3  # so many equal values are no single slip
FEW_NINES = 2  # and so many, where the value is of nines
REST, DISTINCT = 10, 5  # so many other values say where a column lies
MOST = 0.5  # of the values; more of them are what the column is about
MOST_ZEROS = 0.1  # of the values; more zeros are counts of nothing, as in honest data
# The days from which programs count or to which they go: what they write where there is no date.
PLACEHOLDERS = np.array(
    [
        *("0001-01-01", "1601-01-01", "1753-01-01", "1800-01-01", "1899-12-30", "1899-12-31"),
        *("1900-01-01", "1901-01-01", "1904-01-01", "1960-01-01", "1970-01-01"),
        *("2099-12-31", "2100-01-01", "2999-12-31", "3000-01-01", "9999-12-31"),
    ],
    "datetime64[D]",
).astype(float)
FAR = 1 / 3  # of the width of all other dates, to the nearest of these
OFTEN = 10  # times as often as any other date


class Sentinel(NamedTuple):
    """A value that lies apart, how often it is there, and the range of all others."""

    value: float
    times: int
    low: float
    high: float


@np.errstate(over="ignore")  # of the largest floats nothing is far
def sentinels(values: Array) -> list[Sentinel]:
    """The smallest and the largest value of a column, where one of them stands for none.

    It is there at least three times, in at most half of the rows (0: in at most a tenth), and
    farther from all other values than these are wide, also in logarithms where all have one sign
    (levels such as 1, 10, 100, 1000); of the others there are at least 10, 5 of them different. A
    value of nines (-99, 999, -9999, ...) may be there twice and in any number of rows, needs no
    logarithms, and where it alone is negative, any distance is far.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Without gaps.

    Examples
    --------
    >>> sentinels(np.append(np.arange(20.0), [-999, -999]))
    [Sentinel(value=-999.0, times=2, low=0.0, high=19.0)]
    >>> sentinels(np.append(np.arange(20.0), [-50, -50, -50]))[0].value
    -50.0
    >>> sentinels(np.arange(20.0) ** 4)
    []
    """
    ordered = np.sort(values)
    if len(ordered) < REST + FEW_NINES or ordered[0] == ordered[-1]:
        return []
    below = int(np.searchsorted(ordered, ordered[0], "right"))
    above = int(np.searchsorted(ordered, ordered[-1], "left"))
    ends = (
        (float(ordered[0]), below, ordered[below:]),
        (float(ordered[-1]), len(ordered) - above, ordered[:above]),
    )
    return [
        Sentinel(value, count, float(rest[0]), float(rest[-1]))
        for value, count, rest in ends
        if _stands_for_none(value, count, rest)
    ]


def _stands_for_none(value: float, count: int, rest: Array) -> bool:
    """Whether it does; the rest is in order."""
    nines = of_nines(value)
    share = count / (count + len(rest))
    most = 1.0 if nines else MOST_ZEROS if value == 0 else MOST
    if count < (FEW_NINES if nines else FEW) or share > most or len(rest) < REST:
        return False
    if 1 + np.count_nonzero(rest[1:] != rest[:-1]) < DISTINCT:
        return False
    if nines:
        return _apart(value, rest) or bool(value < 0 <= rest[0])
    if value * rest[0] > 0 and value * rest[-1] > 0:
        logs = np.log(np.abs(rest))
        return _apart(value, rest) and _apart(float(np.log(abs(value))), np.sort(logs))
    return _apart(value, rest)


def _apart(value: float, rest: Array) -> bool:
    """Whether it is farther from the rest than the rest is wide."""
    return bool(max(rest[0] - value, value - rest[-1]) > rest[-1] - rest[0])


def sentinel_dates(days: Array) -> list[Sentinel]:
    """The days that programs write for none, such as 9999-12-31, where they stand for none.

    One of them is there at least twice, and farther from all other dates than a third of what
    these are wide, or three times and at least ten times as often as any other date; of the others
    there are at least 10, 5 of them different.

    Parameters
    ----------
    days : ndarray of shape (n,)
        Days since 1970-01-01, without gaps; their times do not count.

    Returns
    -------
    list of Sentinel
        Its range is that of all dates but those that are found.

    Examples
    --------
    >>> sentinel_dates(np.append(np.arange(20.0), [2932896.5, 2932896]))
    [Sentinel(value=2932896.0, times=2, low=0.0, high=19.0)]
    """
    dates, counts = np.unique(np.floor(days), return_counts=True)
    known = np.isin(dates, PLACEHOLDERS)
    rest, most = dates[~known], np.max(counts[~known], initial=0)
    if np.sum(counts[~known]) < REST or len(rest) < DISTINCT:
        return []
    gaps = np.maximum(rest[0] - dates, dates - rest[-1])
    far = (counts >= FEW_NINES) & (gaps > FAR * (rest[-1] - rest[0]))
    found = known & (far | ((counts >= FEW) & (counts >= OFTEN * most)))
    others = dates[~found]
    low, high = float(others[0]), float(others[-1])
    return [
        Sentinel(float(date), int(count), low, high)
        for date, count in zip(dates[found], counts[found], strict=True)
    ]


def day_of(date: float) -> str:
    """A day since 1970-01-01 as text of ISO 8601.

    >>> day_of(-719162.0)
    '0001-01-01'
    """
    return str(np.datetime64(int(date), "D"))


def of_nines(value: float) -> bool:
    """Whether it is written with nines alone, two at least, before and behind the point.

    >>> [of_nines(x) for x in (-999, 99.0, 9, -200, 99.99)]
    [True, True, False, False, True]
    """
    digits = f"{abs(value):.15g}".replace(".", "")
    return len(digits) > 1 and set(digits) == {"9"}
