"""How a file of rows is written: what a CSV file and what other files have to declare."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, model_validator

from pipeline.core.settings.block import Settings, Share, shown, unfit
from pipeline.core.text import DIRECTIVE, pointed

WHITESPACE = "whitespace"  # the delimiter: runs of blanks and tabs
COMMENTED = "commented"  # the header: behind a comment mark
POWER = re.compile(r"(?:m|ft|in|yd|mi)\^?[23]")  # in a unit: areas and volumes


def _one_character(value: str) -> str:
    if len(value) != 1 or value.isalnum() or value in "\r\n\0.+-_\ufeff":
        raise unfit("one character such as , or ;", value)
    return value


def _delimiter(value: str) -> str:
    return value if value == WHITESPACE else _one_character(value)


HEADER = TypeAdapter(Annotated[list[str], Field(min_length=1)])


def _line_or_names(value: object) -> object:
    if isinstance(value, list):
        return HEADER.validate_python(value, strict=True)
    if value is not True and value != COMMENTED:
        form = f"true, {COMMENTED} (behind a comment mark) or, for a file without one, [names]"
        raise unfit(form, value)
    return value


def _row_or_names(value: object) -> object:
    if value == COMMENTED:
        raise unfit("true or, for a sheet without names, [names]", value)
    return _line_or_names(value)


def _unit(value: str) -> str:
    if not value or value.strip() != value or re.search(r"[\d.,+\-\u2212]", POWER.sub("m", value)):
        raise unfit("a sign such as % or $, or a unit, without digits but as in m2", value)
    return value


def _date_form(value: str) -> str:
    """How dates are written, as strptime says it."""
    found, rest = Counter(DIRECTIVE.findall(value)), DIRECTIVE.sub("", value)
    whole = all(sum(found[f"%{one}"] for one in of) == 1 for of in ("Yy", "mbB", "d"))
    if not whole or re.search("[^\\W_T]|%", rest):
        day, time = (
            "year, month and day once each, of %Y %y %m %b %B %d",
            "%H %I %p %M %S of a time",
        )
        raise unfit(f"a form such as %d.%m.%Y or %m/%d/%Y %H:%M: {day}, and {time}", value)
    if max(found.values()) > 1 or found["%I"] != found["%p"] or (found["%I"] and found["%H"]):
        raise unfit("each part once, and %I with %p, without %H", value)
    return value


class SetAside(Settings):
    """The share of all records that may be damaged: those are left out, and listed."""

    set_aside: Share


def _refuse_or_share(value: object) -> object:
    if isinstance(value, dict):
        return SetAside.model_validate(value)
    if value != "refuse" and not isinstance(value, SetAside):
        raise unfit("refuse or {set_aside: a share such as 0.01}", value)
    return value


class Dialect(Settings):
    """How a CSV file is written. Nothing is stripped, skipped or filled unless it says so."""

    delimiter: Annotated[str, AfterValidator(_delimiter)] = ","
    quote: Annotated[str, AfterValidator(_one_character)] | None = '"'
    escape: Annotated[str, AfterValidator(_one_character)] | None = None
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"] = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'", "_", "\u2019", "\u00a0", "\u202f"] | None = None
    minus: Literal["-", "\u2212"] = "-"
    units: dict[str, Annotated[str, AfterValidator(_unit)]] = Field(default_factory=dict)
    dates: dict[str, Annotated[str, AfterValidator(_date_form)]] = Field(default_factory=dict)
    missing: list[str] = Field(default_factory=list)
    quoted_missing: bool = True
    header: Annotated[Literal[True, "commented"] | list[str], BeforeValidator(_line_or_names)] = (
        True
    )
    row_names: bool = False
    comment: Annotated[str, Field(min_length=1)] | None = None
    skip_lines: Annotated[int, Field(ge=0)] = 0
    skip_after_header: Annotated[int, Field(ge=0)] = 0
    skip_blank_lines: bool = False
    strip_spaces: bool = False
    bad_records: Annotated[Literal["refuse"] | SetAside, BeforeValidator(_refuse_or_share)] = (
        "refuse"
    )

    @model_validator(mode="after")
    def _characters_differ(self) -> Self:
        signs = {self.quote, self.escape}
        if self.quote is None:  # in quotes, numbers may have the delimiter in them
            signs |= {self.decimal, self.thousands}
        if self.delimiter in signs:
            raise ValueError(
                f"delimiter: {shown(self.delimiter)} is the quote, the escape or, without "
                "quotes, a sign of numbers, too"
            )
        if self.decimal == self.thousands:
            raise ValueError(f"thousands: {shown(self.thousands)} is the decimal sign, too")
        if self.escape is not None and self.quote in (None, self.escape):
            raise ValueError("escape: expected quotes, of another character")
        return self

    @model_validator(mode="after")
    def _header_is_there(self) -> Self:
        if self.header == COMMENTED and self.comment is None:
            raise ValueError(f"header: {COMMENTED} needs comment: the mark that it stands behind")
        if self.header is not True and self.skip_after_header:
            raise ValueError("skip_after_header: needs header: true; else declare skip_lines")
        return self

    @property
    def names(self) -> list[str]:
        """The names of columns that are declared; none where a line of the file has them."""
        return self.header if isinstance(self.header, list) else []

    @property
    def bad_share(self) -> float:
        """The share of the records that may be set aside; 0 where none may."""
        return self.bad_records.set_aside if isinstance(self.bad_records, SetAside) else 0.0

    @property
    def headed(self) -> bool:
        """Whether a line of the file has the names."""
        return not self.names

    def pointed(self, cells: Sequence[str], column: str = "") -> Sequence[str]:
        """Cells of a column as Python writes numbers; what is none here is none then."""
        unit = self.units.get(column, "")
        return pointed(cells, self.decimal, self.thousands or "", self.minus, unit)


class Table(Settings):
    """What has to be known of a file that is no CSV.

    Attributes
    ----------
    sheet : str or None
        Of a workbook; its only one unless told.
    skip_lines : int
        Rows of the sheet above the header.
    header : True or list of str
        The names, where no row of the sheet has them.
    row_names : bool
        Whether the column in front of those that have names has the names of the rows: left out.
    labels : list of str
        Columns of a file of SPSS or Stata of which the labels are the values.
    missing : list of str
        Texts that are no value, and `nan` among numbers.
    """

    sheet: str | None = None
    skip_lines: Annotated[int, Field(ge=0)] = 0
    header: Annotated[Literal[True] | list[str], BeforeValidator(_row_or_names)] = True
    row_names: bool = False
    labels: list[str] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)
