"""How the lines at the top of a file may be cut into a table: the candidates, and their merits."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from pydantic import ValidationError

from pipeline.core.dialect import WHITESPACE, Dialect
from pipeline.core.errors import PipelineError
from pipeline.ingest.cut import BLANKS, cut
from pipeline.ingest.numbers import MARKERS, like_data, like_number
from pipeline.ingest.records import SKIP, Record, records_of

DELIMITERS = (",", ";", "\t", "|", WHITESPACE, ":")
FIRM = set(",;\t|")  # in a cell without quotes, a sign that it is cut wrongly
MARKS = {mark: re.compile(f"(?m)^{mark}") for mark in ("#", "% ", "// ", "! ")}
ABOVE = 10  # records above the header, of another number of fields
SEP = re.compile(r'"?sep=(.)"?\s*')  # Excel's own first line
# No line is the header, none is skipped; cells that may be missing tell whether they had quotes.
BARE = {
    "header": ["a", "b"],
    "missing": [*MARKERS],
    "quoted_missing": False,
    "row_names": False,
    "skip_after_header": 0,
    "skip_blank_lines": False,
}
ESCAPED = re.compile(r"""\\["']""")
Lines = Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Layout:
    """The records of some lines under one dialect.

    Attributes
    ----------
    dialect : Dialect
    rows : list of Record
        Those of the table, all of one width; its header first, where it has one.
    above : list of Record
        What stands before them, of other widths.
    blanks : list of int
        The blank lines.
    width : int
        The number of fields of most records.
    named : bool
        Whether the header is one name short, since rows begin with their own.
    problem : str
        Why the records make no table, or nothing.
    fit : float
        The share of records of that width.
    clean : float
        The share of cells that do not look as if they were cut wrongly; less by what stands above.
    """

    dialect: Dialect
    rows: list[Record]
    above: list[Record]
    blanks: list[int]
    width: int
    named: bool = False
    problem: str = ""
    fit: float = 1.0
    clean: float = 1.0

    @property
    def rank(self) -> tuple[bool, bool, float, bool, bool]:
        """What makes a layout better than another."""
        return not self.problem, self.width > 1, self.clean, not self.named, not self.above

    def differs(self, other: "Layout") -> bool:
        """Whether another layout that is as good is another table."""
        delimiters = {self.dialect.delimiter, other.dialect.delimiter}
        cells = [record.cells for record in self.rows] != [record.cells for record in other.rows]
        return self.rank == other.rank and len(delimiters - {"\t"}) > 1 and cells


def layouts(path: Path, lines: Lines, whole: bool, given: Dialect) -> list[Layout]:
    """The layouts of all candidates, those with less to declare first.

    Parameters
    ----------
    path : Path
        The file that problems name.
    lines : sequence of (int, str)
        Its first, with their numbers.
    whole : bool
        Whether they are all of it; else the last record may be cut off.
    given : Dialect
        What it declares is not varied.
    """
    every = (_layout(path, lines, whole, dialect) for dialect in _candidates(lines, given))
    return [layout for layout in every if layout.rows or layout.problem]


def _candidates(lines: Lines, given: Dialect) -> Iterator[Dialect]:
    fixed = given.model_dump(exclude_unset=True)
    texts = [text for line, text in lines if line > given.skip_lines]
    text, first = "".join(texts), SEP.fullmatch(texts[0]) if texts else None
    if first and "delimiter" not in fixed:
        fixed |= {"delimiter": first[1], "skip_lines": given.skip_lines + 1}
    present = [d for d in DELIMITERS if d in text or (d == WHITESPACE and BLANKS.search(text))]
    quotes = ['"']
    if re.search(r"(^|[,;|:\s])'", text, re.MULTILINE):
        quotes.append("'")
    choices = {
        "delimiter": [*dict.fromkeys([",", *present])],
        "quote": [*quotes, None] if '"' in text else quotes,
        "escape": ["\\", None] if ESCAPED.search(text) else [None],
        "comment": [None, *(mark.strip() for mark, begin in MARKS.items() if begin.search(text))],
        "strip_spaces": [False, True] if " " in text else [False],
    }
    free = [key for key in choices if key not in fixed]
    for values in product(*(choices[key] for key in free)):
        chosen = dict(zip(free, values, strict=True))
        declared = {k: v for k, v in chosen.items() if v != Dialect.model_fields[k].default}
        try:
            dialect = Dialect(**fixed | declared)
        except ValidationError:  # an escape without quotes
            continue
        d = re.escape(dialect.delimiter)
        if not dialect.strip_spaces or re.search(rf"(?m)(^|{d}) | ($|{d})", text):
            yield dialect


def _layout(path: Path, lines: Lines, whole: bool, dialect: Dialect) -> Layout:
    """The records under one dialect; a problem, if they do not make a table."""
    found, failed = list[Record](), ""
    try:
        bare = dialect.model_copy(update=BARE)
        found.extend(records_of(iter(lines), bare, path, Counter()))
    except PipelineError as error:
        swallowed = 2 * (found[-1].line if found else 0) < len(lines)  # by a quote
        failed = str(error) if whole or swallowed else ""
    else:
        found = found if whole else found[:-1]
    blanks = [record.line for record in found if record.declare == SKIP]
    records = [record for record in found if record.declare != SKIP]
    widths = Counter(len(record.cells) for record in records if not record.problem)
    width = max(widths, key=lambda size: (widths[size], size), default=0)
    good = [len(record.cells) == width and not record.problem for record in records]
    first = good.index(True) if any(good) else 0
    rows, above = records[first:], records[:first]
    cells = [cell for record in rows for cell in record.cells]
    fit, clean = sum(good) / max(1, len(good)), sum(map(_clean, cells)) / max(1, len(cells))
    clean *= len(rows) / max(1, len(records))
    layout = Layout(dialect, rows, above, blanks, width, fit=fit, clean=clean)
    bad = next((record for record, fine in zip(rows, good[first:], strict=True) if not fine), None)
    if failed or bad:
        torn = bad is not None and (_split(path, bad, lines) or _why(path, bad, layout))
        return replace(layout, problem=failed or torn or "")
    return _judged(path, layout, lines) if rows else layout


def _clean(cell: str) -> float:
    """How well a cell is cut: less where another delimiter, quotes or padding are in it."""
    padded = cell.strip() != cell and bool(cell.strip())
    quoted = len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "\"'"
    foreign = not FIRM.isdisjoint(cell) and not like_number(cell)
    return 0.5 if padded or quoted or foreign else 1.0


def _split(path: Path, bad: Record, lines: Lines) -> str:
    """That a lone carriage return, which few lines end with, stands before or in a bad record."""
    lone = {line for line, text in lines if text.endswith("\r")}
    here = lone & {bad.line, bad.line - 1}
    what = "ends with a lone carriage return; remove it if a record is split there"
    return f"{path}: line {min(here)} {what}" if here and 2 * len(lone) < len(lines) else ""


def _why(path: Path, bad: Record, layout: Layout) -> str:
    """What is wrong with a record that does not fit the others."""
    above = [line for line in layout.blanks if layout.rows[0].line < line < bad.line]
    where = f"{path}, line {bad.line} (row {bad.line - 1})"
    if bad.problem:
        written = "behind the closing quote" in bad.problem
        return f"{where}: {bad.problem}" + "; gretl is known to write so" * written
    if above:
        return f"{path}, line {above[-1]}: is blank, and another table begins behind it"
    has = f"{len(bad.cells)} field{'s' * (len(bad.cells) != 1)}"
    return f"{where}: has {has}, expected {layout.width} as above"


def _judged(path: Path, layout: Layout, lines: Lines) -> Layout:
    """The layout, with the header above it that is a name short; or with what speaks against it."""
    rows, above = layout.rows, layout.above
    cells = (cell for record in [*above, *rows] for cell in record.cells)
    if layout.dialect.quote != '"' and any(c.startswith('"') or '\\"' in c for c in cells):
        return replace(layout, problem=f"{path}: has cells in quotes, or escaped ones", fit=0.0)
    problem = _doubtful_comment(layout, lines)
    if not problem and _is_named(layout, lines):
        return replace(layout, rows=[above[-1], *rows], above=above[:-1], named=True)
    problem = problem or _against(layout)
    return replace(layout, problem=f"{path}{problem}") if problem else layout


def _is_named(layout: Layout, lines: Lines) -> bool:
    """Whether rows begin with their own names, and the line above them has the columns' alone."""
    above, width = layout.above, layout.width
    if len(above) != 1 or len(above[-1].cells) != width - 1 or above[-1].problem:
        return False
    if layout.dialect.names:
        return False
    first = next(text for line, text in lines if line == above[-1].line)
    row = next(text for line, text in lines if line == layout.rows[0].line)
    certain = width > 2 or first.startswith(('"', "'"))  # a word alone may be a title
    certain &= layout.dialect.delimiter != WHITESPACE or ("\t" in first) == ("\t" in row)
    return certain and _are_row_names(above[-1].cells, [record.cells for record in layout.rows])


def _against(layout: Layout) -> str:
    """What speaks against a layout whose rows have one width."""
    dialect, rows, above, width = layout.dialect, layout.rows, layout.above, layout.width
    declared, place = len(dialect.names) + dialect.row_names, f", line {rows[0].line}: "
    if dialect.names:
        has = f"has {width} fields, expected {declared} as declared"
        return place + has if width != declared else ""
    if width > 1 and all(not record.cells[-1] for record in rows) and len(above) <= 1:
        return ": a delimiter stands at the end of every record; remove it"
    if above and (width == 1 or any(record.problem for record in above)):
        return f"{place}has {width} field{'s' * (width > 1)}, unlike the lines above"
    names = above_data(rows)
    headed = not all(map(like_data, names))
    if above and (len(above) > ABOVE or not headed or 1 < len(above[-1].cells) == width - 1):
        expected = len(above[-1].cells)
        return f"{place}has {width} fields, expected {expected} as in the header"
    if dialect.delimiter not in FIRM and not names:
        return ": is text with blanks or colons in it"
    begins = rows[0].cells[0]
    marked = any(mark.match(begins) for mark in MARKS.values())
    if not dialect.comment and marked and begins not in MARKS:
        return place + "begins with a comment mark"
    return ""


def _doubtful_comment(layout: Layout, lines: Lines) -> str:
    """That a line behind a comment mark may be a row: it has as many fields, and is no header."""
    mark, begins = layout.dialect.comment, layout.rows[0].line
    for line, text in lines if mark else ():
        cells = (
            cut(text.rstrip("\r\n"), layout.dialect).cells if text.startswith(mark or "") else []
        )
        names = line < begins and not any(map(like_data, cells))
        if line > layout.dialect.skip_lines and len(cells) == layout.width > 1 and not names:
            return f", line {line}: begins with {mark}, and may be a comment or a row"
    return ""


def above_data(rows: Sequence[Record]) -> list[str]:
    """The cells of the first row with nothing but numbers, dates and gaps below them."""
    columns = zip(*(record.cells for record in rows), strict=True)
    return [
        name
        for name, *cells in columns
        if any(map(like_data, cells)) and all(map(_data_or_gap, cells))
    ]


def _data_or_gap(cell: str) -> bool:
    return cell in MARKERS or like_data(cell)


def _are_row_names(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether first cells name their rows: all different, words or counted, beside numbers."""
    names = [row[0] for row in rows]
    counted = any(names == [str(begin + k) for k in range(len(names))] for begin in (0, 1))
    words = all(names) and not any(map(like_number, names)) and len({*names}) == len(names)
    numbers = any(like_number(cell) for row in rows for cell in row[1:])
    return numbers and (counted or words) and all(header) and not any(map(like_data, header))
