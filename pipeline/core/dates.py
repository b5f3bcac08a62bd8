"""Dates as text of ISO 8601, as days since 1970-01-01, and their place in year, week and day."""

import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import date
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
CENTURIES = "69 to 99 are read as 1969 to 1999, 00 to 68 as 2000 to 2068"
AGREED = "2029-12-31"  # the last day before 30 to 68, which Excel reads as 1930 to 1968
FIRST = "2001"  # the year that 01.12.24 would be of, the first of a month, with the year in front
WIDE = 60  # years between dates, from which years of two digits hardly tell the century
BIRTH = re.compile(
    r"(?i).*(birth|geburt|naissance|nacimiento|nascimento|nascita|\u51fa\u751f).*"
    r"|(.*[^a-z])?(dob|born|geb|geboren)([^a-z].*)?"
)
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


def has_clock(form: str) -> bool:
    """Whether dates of a form to declare have a time of day."""
    return bool(re.search("%[HIMSp]", form))


def iso_of(form: str) -> str:
    """The form of ISO 8601 that dates of a form are turned into: with a clock, or without."""
    return form if form in ISO else ISO[has_clock(form)]


def ends_of(texts: pa.ChunkedArray, form: str) -> tuple[list[str], NDArray[np.bool_]]:
    """The first and the last date of some cells.

    Parameters
    ----------
    texts : ChunkedArray
        Without gaps.
    form : str
        One of `ISO`, or to declare.

    Returns
    -------
    ends : list of str
        As text of ISO 8601; none where no cell is a date of this form.
    bad : ndarray of bool, of shape (n_rows,)
        Which cells are not.
    """
    if form in ISO:
        fits = pc.match_substring_regex(texts, form)
        dates = pc.if_else(fits, texts, pa.scalar(None, pa.string()))
        bad = days_of(dates)[1] | ~has_value(dates)
    else:
        texts, bad = as_iso(texts, form)
    ends = pc.min_max(texts.filter(pa.array(~bad)) if bad.any() else texts).as_py()
    return [*filter(None, ends.values())], bad


def meant(ends: Mapping[str, Sequence[str]]) -> str | None:
    """The form in which dates are meant; None where it may be several.

    What is ISO 8601 is nothing else. With dots the day stands first, 03.04.2024 is 3 April. But in
    24.01.31 the year may: it is left open where dates lie nearer each other so, unless all would be
    of 2001 then, as first days of months are.

    Parameters
    ----------
    ends : dict
        The forms that all dates of a column have, each with the first and the last as text of ISO
        8601.

    Examples
    --------
    >>> meant({"%d.%m.%y": ("2024-02-01", "2024-04-03"), "%m.%d.%y": ("2024-01-02", "2024-03-04")})
    '%d.%m.%y'
    """
    if of_iso := [form for form in ends if form in ISO]:
        return of_iso[0]
    day_first = [form for form in ends if form.startswith("%d.%m.")]
    year_first = [form for form in ends if form.startswith("%y.%m.")]
    for form in day_first:
        rivals = (ends[one] for one in year_first if any(end[:4] != FIRST for end in ends[one]))
        if all(_years(*ends[form]) <= _years(*rival) for rival in rivals):
            return form
    return next(iter(ends)) if len(ends) == 1 else None


def _years(first: str, last: str) -> float:
    """The years between two dates of ISO 8601."""
    return (date.fromisoformat(last[:10]) - date.fromisoformat(first[:10])).days / 365.25


def century_doubt(name: str, form: str, ends: tuple[str, str], latest: str) -> str:
    """Why the century of years with two digits is in doubt, or nothing.

    Parameters
    ----------
    name : str
        Of the column.
    form : str
        As `Dialect.dates` declares it.
    ends : (str, str)
        The first and the last date, as text of ISO 8601.
    latest : str
        The day behind which none is expected.
    """
    first, last = ends[0][:10], ends[1][:10]
    if "%y" not in form:
        return ""
    if last > latest:
        return f"they go to {last}, beyond {latest}"
    if (years := _years(first, last)) > WIDE:
        return f"they lie {years:.0f} years apart"
    return "they seem to be of births" if BIRTH.fullmatch(name) else ""


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
    kind = pa.timestamp("s") if has_clock(form) else pa.date32()
    written = pc.replace_substring(read.cast(kind).cast(pa.string()), " ", "T")
    iso = pc.if_else(pc.equal(day, pc.day(read)), written, pa.scalar(None, pa.string()))
    return iso, has_value(texts) & ~has_value(iso)
