"""Markers of missing values that were asked for by hand, held against the cells of the file."""

import shlex
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.commands.contents import Column
from pipeline.core.errors import PipelineError, PipelineWarning, listed
from pipeline.core.text import is_number
from pipeline.ingest.arrow import NAN
from pipeline.ingest.cells import is_gap
from pipeline.ingest.detect import Found
from pipeline.ingest.formats import opened_table
from pipeline.ingest.parts import opened_rows, parts_of
from pipeline.ingest.reader import CsvFile

LONGEST = 60  # characters of a cell that is to be typed


class Alike(NamedTuple):
    """A value that is as good as a marker, and is none: -999.0 beside -999, n.a. beside N.A.

    Attributes
    ----------
    marker, column : str
    value : int, float or str
    times : int or None
        How often it stands there, where that was counted.
    """

    marker: str
    column: str
    value: float | str
    times: int | None


def refuse_absent(
    path: Path, found: Found, columns: Mapping[str, Column], given: Sequence[str]
) -> None:
    """Refuse a marker that no cell holds: it is most likely written in another way in the file.

    Warns of values that are as good as one that is there.

    Raises
    ------
    PipelineError
        Which says what stands there instead, and how to ask for it.
    """
    if not given:
        return
    alike = [one for marker in given for one in _alike(marker, columns)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PipelineWarning)
        absent, cells = _absent(path, found, given), _cells(path, found, alike)
    problems = list[str]()
    for marker in given:
        of_marker = [one for one in alike if one.marker == marker]
        said = "; ".join(dict.fromkeys(_said(one, cells, found) for one in of_marker))
        if marker in absent:
            hint = said or "leave it out, params.yaml may declare it for rows to come"
            problems.append(f"{option(marker)}: no cell of {path} holds that; {hint}")
        elif said:
            text = f"{option(marker)}: {said}, if it is no value, either"
            warnings.warn(text, PipelineWarning, stacklevel=3)
    if problems:
        raise PipelineError(listed(problems))


def option(cell: str) -> str:
    r"""What declares a cell as no value, as it is typed.

    >>> option("-999"), option("not known"), option("a\nb")
    ('--missing=-999', "--missing 'not known'", '--missing TEXT')
    """
    text = shlex.quote(cell) if cell.isprintable() and len(cell) <= LONGEST else "TEXT"
    return f"--missing{'=' if text.startswith('-') else ' '}{text}"


def _alike(marker: str, columns: Mapping[str, Column]) -> Iterator[Alike]:
    number, word = float(marker) if is_number(marker) else None, _plain(marker)
    for name, column in columns.items():
        counts = column.counts or Counter[Any]()
        if column.dtype != "str":
            there = number is not None and number in (column.low, column.high, *counts)
            values = [number] if there and number is not None else []
        else:
            values = [value for value in counts if _plain(value) == word]
        yield from (Alike(marker, name, value, counts.get(value)) for value in values)


def _plain(text: str) -> str:
    """Text without what hardly tells it from other text."""
    return text.strip().casefold()


def _said(one: Alike, cells: Mapping[Alike, str], found: Found) -> str:
    cell = cells.get(one)
    times = f" in {one.times:,} cell{'s' * (one.times != 1)}" if one.times else ""
    if cell is None:
        has = f"column {one.column} has the number {one.value:g}{times}"
        return f"{has}, which cannot be declared in {found.kind}: write no value there"
    return f"column {one.column} has {cell!r}{times}: give {option(cell)}"


def _absent(path: Path, found: Found, given: Collection[str]) -> set[str]:
    """The markers that no cell holds; reading ends where all were seen."""
    left = {*given}
    if files := _csv_files(path, found):
        for record in chain.from_iterable(file.records() for file in files):
            if not left.isdisjoint(record.cells):
                left -= {c for c in record.cells if c in left and is_gap(c, files[0].dialect)}
            if not left:
                break
        return left
    markers = [marker for marker in found.table.missing if marker not in left or marker == NAN]
    plain = opened_rows(path, table=found.table.model_copy(update={"missing": markers}))
    left.discard(NAN)  # of numbers it is known to be there, or they would be refused
    for _ in range(2):  # again where the last rows tell what columns hold
        for group in plain.groups():
            texts = [column for column in group.columns if pa.types.is_string(column.type)]
            left -= {text for column in texts for text in pc.unique(column).to_pylist()}
        if plain.settled:
            break
    return left


def _csv_files(path: Path, found: Found) -> list[CsvFile]:
    """The file, or the parts, of which the records have the cells as they are written, if any."""
    paths = parts_of(path)[0] if path.is_dir() else [path]
    files = (opened_table(one, found.dialect, found.table, advise=False) for one in paths)
    return [file for file in files if isinstance(file, CsvFile)]


def _cells(path: Path, found: Found, alike: Sequence[Alike]) -> dict[Alike, str]:
    """How the file writes values; of numbers in a file that is no CSV nobody can tell."""
    cells = {one: one.value for one in alike if isinstance(one.value, str)}
    files = _csv_files(path, found)
    if not files:
        return cells
    waiting = {one: files[0].header.index(one.column) for one in alike if one not in cells}
    for record in chain.from_iterable(file.records() for file in files) if waiting else ():
        for one, k in waiting.items():
            [text] = files[0].dialect.pointed([record.cells[k]], one.column)
            if is_number(text) and float(text) == one.value and one not in cells:
                cells[one] = record.cells[k]
        if cells.keys() >= waiting.keys():
            break
    return cells
