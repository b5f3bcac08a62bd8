"""Dates as text of ISO 8601, as days since 1970-01-01, and their place in year, week and day."""

import re
import warnings
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.core.settings.split import DatePart
from pipeline.core.tables import Array, has_value
from pipeline.core.text import shape_of

MOMENT = "datetime64[ms]"  # floats hold all of its years
A_DAY = 86_400_000.0  # milliseconds
DAY = r"\d{4}-\d\d-\d\d"
CLOCK = r"[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?"
ZONE = r"(Z|[+-]\d\d:?\d\d)"
# The shapes of ISO 8601 that are taken, the narrowest first, as regular expressions. numpy, which
# reads them, refuses hour 24 and 31 February; of others it takes 20240131 for a year.
ISO = (f"^{DAY}$", f"^{DAY}({CLOCK})?$", f"^{DAY}{CLOCK}{ZONE}$", f"^{DAY}({CLOCK}{ZONE}?)?$")
# Forms that `add` knows, beside ISO 8601; of numbers alone with either of day and month first.
DAYS = (
    *(
        form.replace("-", sign)
        for sign in "-/."
        for form in ("%d-%m-%Y", "%m-%d-%Y", "%Y-%m-%d", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d")
    ),
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d%b%Y"),
)
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
A_DATE = "a date of ISO 8601, 2024-01-31 or 2024-01-31T12:30:00Z"


class Cycle(NamedTuple):
    """What a part of a date is: `unit`s since the last `whole` began, and what these are called."""

    unit: str
    whole: str
    words: tuple[str, ...]


# numpy's weeks begin on Thursdays, as 1970 did.
CYCLES: dict[DatePart, Cycle] = {
    "month": Cycle("M", "Y", tuple(str(k) for k in range(1, 13))),
    "weekday": Cycle(
        "D", "W",
        ("Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"),
    ),
    "hour": Cycle("h", "D", tuple(map(str, range(24)))),
}  # fmt: skip


def days_of(texts: pa.ChunkedArray) -> tuple[Array, NDArray[np.bool_]]:
    """Days since 1970-01-01, to the millisecond, in UTC; a time without a zone is taken as it is.

    Parameters
    ----------
    texts : ChunkedArray
        Of text.

    Returns
    -------
    days : ndarray of shape (n_rows,)
        nan where a value is missing, or no date.
    bad : ndarray of bool, of shape (n_rows,)
        Where there is text that is no date of ISO 8601.
    """
    fits = pc.match_substring_regex(texts, ISO[-1])
    dates = pc.if_else(fits, texts, pa.scalar(None, pa.string()))
    moments = _moments(dates.to_pylist())
    days = moments.astype(np.int64) / A_DAY
    days[np.isnat(moments)] = np.nan
    return days, has_value(texts) & np.isnan(days)


def _moments(cells: Sequence[str | None]) -> NDArray[np.datetime64]:
    """The moments of cells that look like dates; NaT where there is none, or no such day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that numpy makes UTC of a zone
        try:
            return np.array(cells, MOMENT)
        except ValueError:
            if len(cells) == 1:
                return np.array(["NaT"], MOMENT)
    half = len(cells) // 2
    return np.concatenate([_moments(cells[:half]), _moments(cells[half:])])


def forms_of(cell: str) -> list[str]:
    """The forms in which a cell may be a date: of ISO, and of those that can be declared."""
    of_iso = [form for form in ISO[:-1] if re.fullmatch(form, cell)]
    declared = (day + clock for day, clock in product(DAYS, CLOCKS))
    return of_iso + [form for form in declared if re.fullmatch(shape_of(form), cell)]


def iso_of(form: str) -> str:
    """The form of ISO 8601 that dates of a form are turned into: with a clock, or without."""
    return form if form in ISO else ISO[bool(re.search("%[HIMSp]", form))]


def ends_of(texts: pa.ChunkedArray, form: str) -> tuple[str, str] | None:
    """The first and the last date as text of ISO 8601; None where some cell is of another form.

    Parameters
    ----------
    texts : ChunkedArray
        Without gaps.
    form : str
        One of `ISO`, or to declare.
    """
    if form in ISO:
        fits = pc.all(pc.match_substring_regex(texts, form)).as_py()
        bad = days_of(texts)[1] if fits else np.ones(1, bool)
    else:
        texts, bad = as_iso(texts, form)
    ends = pc.min_max(texts).as_py()
    return None if bad.any() else (ends["min"], ends["max"])


def places(days: Array, part: DatePart) -> Array:
    """Which of the words of a cycle each day has, from 0; nan where a value is missing.

    >>> places(np.array([0.0, 31.5, np.nan]), "month").tolist()
    [0.0, 1.0, nan]
    """
    missing, (unit, whole, _) = np.isnan(days), CYCLES[part]
    moments = np.rint(np.where(missing, 0, days) * A_DAY).astype(np.int64).astype(MOMENT)
    begun = moments.astype(f"datetime64[{whole}]").astype(f"datetime64[{unit}]")
    place = (moments.astype(f"datetime64[{unit}]") - begun).astype(float)
    return np.where(missing, np.nan, place)


def as_iso(texts: pa.ChunkedArray, form: str) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Dates that are written in a declared form as text of ISO 8601.

    Arrow's strptime makes 2 March of 31 February, and passes over blanks: so the shape is looked at
    besides, and the day has to be the one that stands there.

    Parameters
    ----------
    texts : ChunkedArray
        Of text.
    form : str
        As `Dialect.dates` declares it.

    Returns
    -------
    iso : ChunkedArray
    bad : ndarray of bool, of shape (n_rows,)
        Where there is text of another form, or no such day. `iso` has no value there.
    """
    read = pc.strptime(texts, form, "s", error_is_null=True)
    day = pc.struct_field(pc.extract_regex(texts, shape_of(form)), "day").cast(pa.int64())
    has_clock = re.search("%[HIMSp]", form)
    written = pc.replace_substring(
        read.cast(pa.timestamp("s") if has_clock else pa.date32()).cast(pa.string()), " ", "T"
    )
    iso = pc.if_else(pc.equal(day, pc.day(read)), written, pa.scalar(None, pa.string()))
    return iso, has_value(texts) & ~has_value(iso)
