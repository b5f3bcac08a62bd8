"""What was found of a file, in some twenty lines."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.commands.add.block import TEST_SIZE
from pipeline.commands.add.kinds import Kind
from pipeline.commands.add.target import FEW, Target
from pipeline.commands.contents import Column
from pipeline.core.dates import ISO
from pipeline.core.dialect import COMMENTED, Dialect, Table
from pipeline.core.text import in_one_line
from pipeline.core.trainers import Value, measures
from pipeline.core.words import written
from pipeline.ingest.detect import Found

WIDTH, LINES = 100, 6  # characters of a line, lines of one subject
CUT, LONG = 40, re.compile(r"[^\s,]{60,}")  # of a name without blanks
SKEWED = 2.0  # the third moment of standardized values: of an exponential distribution


class Told(NamedTuple):
    """All that was found, and how it is going to be used.

    Attributes
    ----------
    file : str
        As it was named.
    files : int
        How many there are.
    found : Found
        How it is written.
    columns : dict
        What each column holds.
    kinds : dict
        What each column is.
    target : Target
    models : list
        Of each its group, trainer and params.
    """

    file: str
    files: int
    found: Found
    columns: Mapping[str, Column]
    kinds: Mapping[str, Kind]
    target: Target
    models: Sequence[tuple[str, str, Mapping[str, Value]]]

    @property
    def rows(self) -> int:
        """How many rows the file has."""
        return self.columns[self.target.name].rows


def summary(told: Told) -> Iterator[str]:
    """The lines, each subject with its name in front."""
    parts = f"{told.files:,} parts, " * (told.files > 1)
    yield f"{in_one_line(told.file)}: {parts}{told.rows:,} rows, {len(told.columns)} columns"
    for subject, parts in _subjects(told):
        parts = LONG.sub(lambda word: f"{word[0][:CUT]}...", parts)
        lines = textwrap.wrap(in_one_line(parts), WIDTH, break_on_hyphens=False)
        if len(lines) > LINES:
            lines = [*lines[: LINES - 1], "..."]
        for k, line in enumerate(lines):
            yield f"{subject * (k == 0):<12}{line}"


def notes(found: Found) -> Iterator[str]:
    """What keeps columns from being numbers, and what to do."""
    yield from found.notes
    if any("declare missing" in note for note in found.notes):
        yield "`add` with --missing TEXT declares it, in the schema, too"


def _subjects(told: Told) -> Iterator[tuple[str, str]]:
    dialect, target = told.found.dialect, told.target
    others = {name: column for name, column in told.columns.items() if name != target.name}
    of = {
        kind: {name: column for name, column in others.items() if told.kinds[name].name == kind}
        for kind in ("number", "category", "date", "drop")
    }
    if told.found.kind:
        yield "written", "; ".join([told.found.kind, *_of_table(told.found.table)])
    else:
        yield "written", "; ".join(written(dialect))
        yield "header", _header(dialect, [*told.columns])
    yield "missing", _missing(told.found, told.columns)
    yield "target", f"{target.name}: {_target(told)}"
    if of["number"]:
        yield "numbers", _listed(f"{name}{_gaps(c)}" for name, c in of["number"].items())
    if of["category"]:
        few = (f"{name} ({c.different}{_gaps(c, '; ')})" for name, c in of["category"].items())
        yield "categories", _listed(few)
    if of["date"]:
        yield "dates", _listed(f"{name} ({_dates(c)})" for name, c in of["date"].items())
    for k, (why, names) in enumerate(_reasons(told, of["drop"]).items()):
        yield "left out" * (k == 0), f"{', '.join(names)}: {why}"
    for note in notes(told.found):
        yield "note", note
    for name in of["category"]:
        if note := told.kinds[name].note:
            yield "note", f"{name}: {note}"
    amounts = {target.name: told.columns[target.name]} if target.task == "regression" else {}
    for name, column in (amounts | of["number"] | of["date"]).items():
        for seen in column.suspects:
            how = "if that is no value, add --missing with the cell as the file writes it"
            yield "note", f"{name}: {seen}: {how}"
    yield "models", _models(told)


def _header(dialect: Dialect, names: Sequence[str]) -> str:
    row_names = ", row names in front of it left out" * dialect.row_names
    if dialect.names:
        return f"none: the columns are called {', '.join(names[:5])}{', ...' * (len(names) > 5)}"
    if dialect.header == COMMENTED:
        return f"behind {dialect.comment}{row_names}"
    skipped = dialect.skip_after_header
    below = f", {skipped} line{'s' * (skipped != 1)} below it skipped" * bool(skipped)
    return f"line {dialect.skip_lines + 1}{below}{row_names}"


def _of_table(table: Table) -> Iterator[str]:
    if table.sheet is not None:
        yield f"sheet {table.sheet!r}"
    if table.skip_lines:
        yield f"header in row {table.skip_lines + 1}"
    if table.row_names:
        yield "row names in front of it left out"
    if table.labels:
        yield f"the labels are the values of {', '.join(table.labels)}"


def _missing(found: Found, columns: Mapping[str, Column]) -> str:
    cells = sum(column.missing for column in columns.values())
    declared = ["", *found.table.missing] if found.kind and cells else found.dialect.missing
    if not declared:
        return "none"
    markers = ", ".join("empty cells" if m == "" else repr(m) for m in declared)
    return f"{markers}: {cells:,} cell{'s' * (cells != 1)}"


def _target(told: Told) -> str:
    target, column = told.target, told.columns[told.target.name]
    if target.task == "regression":
        ends = f"{column.low:.6g} to {column.high:.6g}"
        skewed = "; skewed: split.target_transform: log may fit better" * _lopsided(column)
        return f"regression ({target.why}); {ends}, mean {column.mean:.6g}{skewed}"
    counts = ", ".join(f"{name} ({count:,} rows)" for name, count in target.classes.items())
    positive = f"; positive: {[*target.classes][-1]}" * (len(target.classes) == 2)
    return f"classification ({target.why}); {counts}{positive}"


def _lopsided(column: Column) -> bool:
    """Whether values above 0 have a long tail that their logarithms have not, as far as counted."""
    if not column.counts or column.low <= 0:
        return False
    values = np.array([*column.counts.elements()], dtype=float)
    with np.errstate(all="ignore"):  # of one value there is no skewness, and nan is not above
        z, log = ((v - v.mean()) / v.std() for v in (values, np.log(values)))
        return bool(np.mean(z**3) > SKEWED and abs(np.mean(log**3)) < SKEWED / 2)


def _gaps(column: Column, before: str = " ") -> str:
    if not column.missing:
        return ""
    text = f"{column.missing:,} missing"
    return f"{before}({text})" if before == " " else f"{before}{text}"


def _dates(column: Column) -> str:
    first, last = column.dates[column.form or ""]
    written = "" if column.form in ISO else f"as {column.form}; "
    return f"{written}{first} to {last}{_gaps(column, '; ')}"


def _listed(names: Iterable[str]) -> str:
    every = [*names]
    return f"{len(every)}: {', '.join(every)}"


def _reasons(told: Told, dropped: Mapping[str, Column]) -> dict[str, list[str]]:
    """The columns that are left out, by the reason."""
    reasons = dict[str, list[str]]()
    for name in dropped:
        reasons.setdefault(told.kinds[name].why, []).append(name)
    return reasons


def _models(told: Told) -> str:
    measured = " and ".join(measures(told.target.task))
    how = (
        "each row predicted by a model of the others (too few rows for a test set)"
        if told.rows < FEW
        else f"{TEST_SIZE:.0%} of the rows are kept for testing"
    )
    trained = ", ".join(trainer for _, trainer, _ in told.models)
    return f"{trained}, beside {measured}; {how}"
