"""Find out how a CSV file is written: a declaration that reads it, or the reason why there is none.

What may be is proposed from the first 64 KB, cut by the strict reader's own rules; then that reader
decides, over all of the file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.compute as pc

from pipeline.core.dialect import Dialect, Table
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.text import is_number
from pipeline.core.words import block, looks
from pipeline.ingest.foreign import (
    Foreign,
    encoding,
    head,
    refuse_foreign,
    refuse_other_encodings,
)
from pipeline.ingest.headings import OneColumn, Unclear, completed
from pipeline.ingest.layouts import FIRM, Layout, layouts
from pipeline.ingest.numbers import MARKERS, note
from pipeline.ingest.table_file import TableFile

NEAR = 0.7  # share of the records that fit a layout which does not hold


class Found(NamedTuple):
    """How a file is written.

    Attributes
    ----------
    dialect : Dialect
    columns : dict
        By name whether the column is one of numbers.
    notes : list of str
        What makes text of columns that are else of numbers.
    table : Table
        What has to be known of a file that is no CSV.
    kind : str
        What such a file is called.
    """

    dialect: Dialect
    columns: dict[str, bool]
    notes: list[str]
    table: Table = Table()
    kind: str = ""

    @property
    def declared(self) -> dict[str, Any]:
        """What to declare in `ingest`, beside the source."""
        if self.kind:
            return (
                {"table": found} if (found := self.table.model_dump(exclude_defaults=True)) else {}
            )
        found = self.dialect.model_dump(exclude_defaults=True)
        if "header" in self.dialect.model_fields_set:  # true is another thing than nothing
            found["header"] = self.dialect.header
        return {"csv": found}

    def with_dates(self, forms: Mapping[str, str]) -> Found:
        """The same file, with columns of dates, each in its form."""
        return self._replace(dialect=_with(self.dialect, dates=dict(forms))) if forms else self

    @property
    def looks(self) -> list[str]:
        """What differs from a plain file, in words."""
        return looks(self.dialect)

    @property
    def block(self) -> str:
        """What to declare, as YAML in one line."""
        return block(self.dialect)


def read_through(file: TableFile) -> None:
    """Read all rows, for the sake of what may be wrong with them."""
    for _ in file.groups():
        pass


Reading = Callable[[TableFile], None]


def detect(path: Path, given: Dialect | None = None, reading: Reading = read_through) -> Found:
    """Find the declaration that reads all of a file, or of a folder of parts.

    The first part tells it, and the others have to be written alike.

    Parameters
    ----------
    path : Path
    given : Dialect, optional
        What it declares is kept, where the file can be read so.
    reading : callable, optional
        Reads all rows of a file, to learn of them at once what else is wanted; the last file
        that it is given has the declaration that is found.

    Raises
    ------
    PipelineError
        Foreign, for what is no CSV; Unclear, where nothing is certain, or where the strict reader
        refuses a line under the declaration that fits the lines above.
    """
    from pipeline.ingest.parts import (
        parts_of,
    )  # which opens by the reader, and that asks for advice

    parts = parts_of(path)[0] if path.is_dir() else [path]
    found = proposed(parts[0], given)
    refuse_other_encodings(parts, found.dialect.encoding)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PipelineWarning)
            return _confirmed(path, found, reading)
    except PipelineError as error:
        if "is blank; remove it" not in str(error) or found.dialect.skip_blank_lines:
            raise Unclear(str(error), found.dialect) from None
    return detect(path, _with(found.dialect, skip_blank_lines=True), reading)


def proposed(path: Path, given: Dialect | None = None) -> Found:
    """Find the declaration that reads the first 64 KB of a file.

    Raises
    ------
    PipelineError
        As `detect`.
    """
    start, whole = head(path)
    refuse_foreign(path, start)
    declared = (given or Dialect()).model_dump(exclude_unset=True)
    kept = {key: declared[key] for key in ("header", "missing") if declared.get(key)}
    if not isinstance(kept.get("header", []), list):
        del kept["header"]
    written = encoding(path)
    base: dict[str, Any] = {"encoding": written} if written != "utf-8" else {}
    unclear = list[Unclear]()
    for fixed in (base | declared, base | kept, base):
        try:
            return _of_head(path, start, whole, Dialect(**fixed))
        except Unclear as error:
            unclear.append(error)
    raise next((error for error in unclear if not isinstance(error, OneColumn)), unclear[0])


def advice(path: Path, given: Dialect, problems: str, like: str = "") -> str:
    """The problems of a file that was refused, the cause first, and what would read it.

    Parameters
    ----------
    path : Path
    given : Dialect
        As declared.
    problems : str
        What the strict reader says.
    like : str, optional
        What to do about it, where the dialect is given and it is the file that must change.
    """
    hint = ""
    try:
        found = proposed(path, given)
        if found.block != block(given):
            found = detect(path, given)
            declare = f": declare {found.block} (params.yaml: datasets.*.ingest)"
            hint = f"the file looks {', '.join(found.looks)}{declare * (not like)}"
    except Foreign as error:
        problems = str(error)
    except Unclear as error:
        reason, _, _ = str(error).partition("\n")
        same = error.dialect is not None and block(error.dialect) == block(given)
        told = same and reason.startswith(f"{path}, line")  # by the strict reader
        hint = "" if told or reason in problems else reason
    except PipelineError:
        pass  # nothing can be read, which the problems say
    hint = "; ".join(filter(None, [hint, like]))
    return f"{problems}\n{hint}" if hint else problems


def _with(dialect: Dialect, **update: Any) -> Dialect:
    return Dialect(**dialect.model_dump(exclude_unset=True) | update)


def _of_head(path: Path, start: bytes, whole: bool, given: Dialect) -> Found:
    """The declaration for some bytes.

    Raises
    ------
    Unclear
        Where no candidate fits, or two do as well as each other.
    """
    errors = "replace" if given.encoding == "utf-16" else "surrogateescape"
    text = start.decode(given.encoding, errors).removeprefix("\ufeff")
    if not whole:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    lines = [*enumerate(StringIO(text, newline=""), start=1)]
    every = layouts(path, lines, whole, given)
    if not every:
        raise Unclear(f"{path}: is empty; expected a header line and rows")
    best = max(every, key=lambda layout: layout.rank)
    if best.problem:
        raise _nearest(every)
    if rival := next((layout for layout in every if layout.differs(best)), None):
        ways = " or ".join(", ".join(looks(one.dialect)) or "plain" for one in (best, rival))
        raise Unclear(f"{path}: looks {ways}: declare which")
    try:
        dialect, columns = completed(path, lines, best)
    except Unclear:
        firm = [layout for layout in every if layout.width > 1 and layout.fit > NEAR]
        firm = [layout for layout in firm if layout.dialect.delimiter in FIRM and layout.problem]
        if best.width > 1 or not firm:
            raise
        raise _nearest(firm) from None
    numeric = {*columns.numeric} - dialect.dates.keys()
    return Found(dialect, {name: name in numeric for name in columns.names}, columns.notes)


def _nearest(every: Iterable[Layout]) -> Unclear:
    """Why the layout does not hold that most records fit."""
    nearest = max(every, key=lambda layout: (layout.width > 1, layout.fit, layout.clean))
    written = ", ".join(looks(nearest.dialect))
    looks_so = f" (the file looks {written})" if written else ""
    return Unclear(nearest.problem + looks_so, nearest.dialect)


def _confirmed(path: Path, found: Found, reading: Reading, again: int = 2) -> Found:
    """The declaration, completed by the markers of missing values that come later in the file."""
    others = _others(path, found, reading)
    markers = {c for cells in others.values() if cells <= {*MARKERS} for c in cells}
    if markers and again:
        missing = [*found.dialect.missing, *(m for m in MARKERS if m in markers)]
        dialect = _with(found.dialect, missing=missing)
        return _confirmed(path, found._replace(dialect=dialect), reading, again - 1)
    missing, units = found.dialect.missing, found.dialect.units
    of_others = (note(name, cells, missing, units.get(name, "")) for name, cells in others.items())
    columns, notes = found.columns | dict.fromkeys(others, False), [*found.notes, *of_others]
    return found._replace(columns=columns, notes=notes)


def _others(path: Path, found: Found, reading: Reading) -> dict[str, set[str]]:
    """Cells that make text of columns that the head of the file had numbers in, by column."""
    from pipeline.ingest.parts import opened_rows  # whose reader asks this module for advice

    file = opened_rows(path, found.dialect, advise=False)
    reading(file)
    texts = [name for name in file.text_columns() if found.columns[name]]
    others = {name: set[str]() for name in texts}
    for table in file.groups() if texts else ():
        for name in texts:
            cells = pc.unique(table[name].drop_null()).to_pylist()
            numbers = map(is_number, found.dialect.pointed(cells, name))
            others[name] |= {c for c, number in zip(cells, numbers, strict=True) if not number}
    return others
