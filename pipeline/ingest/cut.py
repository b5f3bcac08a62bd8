"""A line of a CSV file cut into cells: what stands between delimiters and quotes."""

import re
from functools import cache
from typing import NamedTuple, cast

from pipeline.core.dialect import WHITESPACE, Dialect
from pipeline.core.text import shown

BLANKS = re.compile(r"[ \t]+")


class Cut(NamedTuple):
    """A record, or the lines that there are of it, in cells.

    Attributes
    ----------
    cells : list of str
    problem : str
        What is wrong behind them, or nothing.
    at : int or None
        Where the cell begins whose quote is still open.
    """

    cells: list[str]
    problem: str = ""
    at: int | None = None


class Quoted(str):
    """A cell that stood in quotes, where such cells are never missing."""

    __slots__ = ()


def cut(text: str, dialect: Dialect) -> Cut:
    """Cut a record into cells, as the dialect says.

    A cell is quoted as a whole or not at all; a quote within it is doubled or, where an escape is
    declared, escaped.
    """
    delimiter, quote, strip = dialect.delimiter, dialect.quote, dialect.strip_spaces
    if quote is None or quote not in text:
        if delimiter == WHITESPACE:
            return Cut(BLANKS.split(text.strip(" \t")))
        cells = text.split(delimiter)
        return Cut([cell.strip(" ") for cell in cells] if strip else cells)
    pattern = _cell(delimiter, quote, dialect.escape, strip)
    doubled, plain = 2 * quote, dialect.escape is None and dialect.quoted_missing
    cells, spaced = [], delimiter == WHITESPACE
    at = len(text) - len(text.lstrip(" \t")) if spaced else 0
    while match := pattern.match(text, at):
        quoted, closed, bare, gap = match.groups()
        if quoted is not None and not closed:
            return Cut(cells, "", at)
        if gap is None:
            where = "around a quote" if quoted is None else "behind the closing quote"
            return Cut(
                cells,
                f"text stands {where}: {shown(text[at:])}; double a quote that is meant, and "
                "quote the whole cell",
            )
        if quoted is None:
            cells.append(bare.strip(" ") if strip else bare)
        else:
            cells.append(quoted.replace(doubled, quote) if plain else _unquoted(quoted, dialect))
        at = match.end()
        if at == len(text) and (spaced or not gap):
            break
    return Cut(cells)


def _unquoted(cell: str, dialect: Dialect) -> str:
    """What the text between two quotes stands for."""
    quote, escape = cast(str, dialect.quote), dialect.escape
    if escape is None:
        cell = cell.replace(2 * quote, quote)
    elif escape in cell:
        signs = re.escape(f"{quote}{escape}\"'")  # some programs escape both kinds of quotes
        cell = re.sub(f"{re.escape(escape)}([{signs}])", r"\1", cell)
    return Quoted(cell) if not dialect.quoted_missing and cell in dialect.missing else cell


@cache
def _cell(delimiter: str, quote: str, escape: str | None, strip: bool) -> re.Pattern[str]:
    """A cell: what is quoted, and the closing quote if there is one; or bare; and what follows."""
    d, q, blank = re.escape(delimiter), re.escape(quote), " *+" if strip else ""
    signs, gap = (r" \t", r"[ \t]+|\Z") if delimiter == WHITESPACE else (d, rf"{d}|\Z")
    inside = _inside(quote, escape).pattern
    return re.compile(rf"(?:{blank}{q}({inside})({q}{blank})?+|([^{signs}{q}]*+))({gap})?+")


def closes(text: str, dialect: Dialect) -> bool:
    """Whether a quote that is open before a line closes in it."""
    quote = cast(str, dialect.quote)
    if quote not in text:
        return False
    match = cast(re.Match[str], _inside(quote, dialect.escape).match(text))
    return text.startswith(quote, match.end())


def goes_on(text: str, dialect: Dialect) -> bool:
    """Whether the last cell of a damaged line may end in a later one: no more is certain then.

    So where a quote opens a cell and none closes it, also if one that is followed by neither
    delimiter nor end is taken for a letter; and where the number of quotes is odd.
    """
    quote, escape = dialect.quote, dialect.escape
    if quote is None or quote not in text:
        return False
    ways = [_opened(dialect.delimiter, quote, escape, loose) for loose in (False, True)]
    closings = [match[1] for way in ways for match in way.finditer(text)]
    quotes = (text.replace(f"{escape}{quote}", "") if escape else text).count(quote)
    return None in closings or (bool(closings) and quotes % 2 == 1)


@cache
def _opened(delimiter: str, quote: str, escape: str | None, loose: bool) -> re.Pattern[str]:
    """A cell that a quote opens, padded or not, and the closing quote if there is one."""
    d, q = r"[ \t]" if delimiter == WHITESPACE else re.escape(delimiter), re.escape(quote)
    e = re.escape(escape or "")
    escaped = rf"|{e}[\s\S]" if escape else ""
    letters = rf"(?:[^{q}{e}]{escaped}|{q}(?![ \t]*+(?:\Z|{d})))*+"
    inside = letters if loose else _inside(quote, escape).pattern
    return re.compile(rf"(?:\A|{d})[ \t]*+{q}{inside}({q})?+")


@cache
def _inside(quote: str, escape: str | None) -> re.Pattern[str]:
    """What stands between two quotes. Possessive (`*+`): a megabyte costs no backtracking."""
    q, e = re.escape(quote), re.escape(escape or "")
    return re.compile(rf"(?:[^{q}{e}]|{e}[\s\S])*+" if escape else rf"(?:[^{q}]|{q}{q})*+")
