"""What a new dataset is to be: found out of its file, and held against what is there already."""

import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.commands.add.block import block, models
from pipeline.commands.add.files import RAW, files_of, same
from pipeline.commands.add.kinds import Kind, at_least, kinds, stray, with_dates
from pipeline.commands.add.missing import option, refuse_absent
from pipeline.commands.add.target import FEWEST, Target, find_target
from pipeline.commands.add.words import Told, notes
from pipeline.commands.contents import Column, contents
from pipeline.commands.params_text import Entry, dataset_entry, inserted, model_entry
from pipeline.commands.schema_draft import drafted
from pipeline.core import layout
from pipeline.core.artifacts.champions import read_champions
from pipeline.core.checked_inputs import State
from pipeline.core.dates import ISO
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.params import NAMES_TAKEN, Params, load_params
from pipeline.core.settings.ingest import FOLDER, SOURCE
from pipeline.core.tables import Lines
from pipeline.core.text import shown
from pipeline.core.trainers import Task
from pipeline.ingest.detect_table import detect_file
from pipeline.ingest.foreign import Format
from pipeline.ingest.formats import format_of
from pipeline.ingest.parts import kind_of, parts_of, say_beside
from pipeline.ingest.table_file import TableFile
from pipeline.validate.totals import LABELS, Total, summed


class Plan(NamedTuple):
    """A dataset that is not there yet.

    Attributes
    ----------
    name : str
    file : Path
        As given; or a folder of parts.
    before : dict
        The file, or the parts, each with its state before it was read.
    source : Path
        Where the file goes.
    schema, params : str
        The texts of data/schema/NAME.yaml, and of params.yaml with the dataset.
    told : Told
        What was found.
    """

    name: str
    file: Path
    before: Mapping[Path, State]
    source: Path
    schema: str
    params: str
    told: Told


def planned(
    file: Path,
    target: str | None,
    name: str | None = None,
    task: Task | None = None,
    missing: Sequence[str] = (),
    sheet: str | None = None,
) -> Plan:
    """Find out what a dataset of a file would be.

    Parameters
    ----------
    file : Path
        Or a folder of parts.
    target : str or None
        The column to predict.
    name : str, optional
        Of the dataset; made of the file's unless given.
    task : str, optional
        Told by the target unless given.
    missing : sequence of str, optional
        Cells that have no value, beside those that are found.
    sheet : str, optional
        Of a workbook that has several.

    Raises
    ------
    PipelineError
        When the file, the target or the name cannot be used.
    """
    params = load_params()
    ending, known = ("", kind_of(file)) if file.is_dir() else format_of(file)
    say_beside(file, parts_of(file)[1] if file.is_dir() else [])
    before, name = files_of(file), name or named(file)
    refuse_unfit(name)
    source = _source(file, name, ending)
    _refuse_taken(name, params)
    read, unit = _Read(), "line" if known in (Format.CSV, Format.ARFF) else "row"
    found = detect_file(file, missing, sheet, read)
    refuse_absent(file, found, read.columns, missing)
    columns = with_dates(read.columns)
    _refuse_short(columns)
    _refuse_total(file, read, unit)
    _warn_of_stray(columns, file, read.lines, unit, csv=not found.kind)
    try:
        wanted = find_target(target, columns, task, params.cross_validation.folds)
        of_columns = _useful(kinds(columns, csv=not found.kind), columns, wanted)
    except PipelineError as error:
        raise PipelineError("\n".join([str(error), *notes(found)])) from None
    found = found.with_dates(_declared(of_columns, columns, wanted.name))
    _warn_of_gaps(columns[wanted.name], wanted, read.lines, unit)
    taken = [*models(wanted, columns, of_columns)]
    told = Told(str(file), len(before), found, columns, of_columns, wanted, taken)
    text = inserted(layout.PARAMS.read_bytes().decode(), _entries(name, source, told))
    drawn = (_of(of_columns, kind) for kind in ("category", "drop", "date"))
    schema = drafted(columns, str(source), *drawn)
    _refuse_other(file, source, layout.schema(name), schema)
    return Plan(name, file, before, source, schema, text, told)


def named(file: Path) -> str:
    """The name of a dataset, made of its file's.

    >>> named(Path("Café 2024 (new).csv.gz")), named(Path("2024.csv"))
    ('cafe_2024_new', 'data_2024')
    """
    stem = Path(file.name.removesuffix(".gz").removesuffix(".zip")).stem
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    name = re.sub("[^a-z0-9]+", "_", plain).strip("_")
    return name if re.fullmatch(layout.NAME, name) else f"data_{name}".rstrip("_")


def refuse_unfit(name: str) -> None:
    """Refuse a name that none of a dataset's files could have.

    Raises
    ------
    PipelineError
        For a name of another form.
    """
    if not re.fullmatch(layout.NAME, name):
        form = "expected a-z, 0-9 and _, with a letter at the beginning"
        raise PipelineError(f"--name {name}: {form}")


def _source(file: Path, name: str, ending: str) -> Path:
    """Where the file goes; it stays where it is in data/raw already."""
    there, fits = RAW / file.name, FOLDER if file.is_dir() else SOURCE
    if fits.fullmatch(str(there)) and there.exists() and there.samefile(file):
        return there
    return RAW / f"{name}{ending}"


def _refuse_taken(name: str, params: Params) -> None:
    another = "choose another by --name"
    if name in params.datasets:
        remedy = f"{another}, or `python -m pipeline remove {name}` before"
        raise PipelineError(f"there is a dataset {name} already (params.yaml); {remedy}")
    if name in NAMES_TAKEN:
        raise PipelineError(
            f"the name {name} is taken: files beside a dataset's have it; {another}"
        )
    if name in read_champions():
        raise PipelineError(f"{layout.CHAMPION} has a champion of {name}; remove it, or {another}")


def _refuse_other(file: Path, source: Path, schema: Path, text: str) -> None:
    """Refuse to overwrite; what an `add` that was killed has left is the same."""
    other = [source] if source.exists() and not same(file, source) else []
    if schema.exists() and schema.read_bytes() != text.encode():
        other.append(schema)
    if other:
        raise PipelineError(f"{other[0]} is there already; choose another name by --name")


class _Read:
    """What the columns of a file hold, and where its rows stand, learned in a single reading.

    Attributes
    ----------
    columns : dict
        By name.
    lines : Lines
        The line of each row.
    last : dict
        The values of the last row.
    """

    columns: dict[str, Column]
    lines: Lines
    last: dict[str, Any]

    def __call__(self, file: TableFile) -> None:
        """Read a file; again where later rows are of other types."""
        self.columns = contents(self._groups(file))
        if not file.settled:
            self.columns = contents(self._groups(file))
        self.lines = file.lines

    def _groups(self, file: TableFile) -> Iterator[pa.Table]:
        for group in file.groups():
            [self.last] = group.slice(len(group) - 1).to_pylist()
            yield group

    def total(self) -> Total:
        """The last row as what may be the sum of those above."""
        numbers = {n: c for n, c in self.columns.items() if c.dtype != "str" and c.values}
        values = {n: float(nan if self.last[n] is None else self.last[n]) for n in numbers}
        above = {n: c.mean * c.values - values[n] for n, c in numbers.items()}
        words = [v for v in self.last.values() if isinstance(v, str) and v in LABELS]
        return Total(len(self.lines) - 1, above, values, words[0] if words else None)


def _rows(columns: Mapping[str, Column]) -> int:
    return next(iter(columns.values())).rows


def _refuse_short(columns: Mapping[str, Column]) -> None:
    if (rows := _rows(columns)) < FEWEST:
        some = "1 row" if rows == 1 else f"{rows} rows"
        raise PipelineError(
            f"the file has {some}; {FEWEST} are the fewest that models are judged by"
        )


def _refuse_total(file: Path, read: _Read, unit: str) -> None:
    """Refuse a last row that is called a total and is one: beside numbers its name is text."""
    total = read.total()
    if total.label and (names := summed(total)):
        where = _place(file, unit, read.lines, total.row)
        raise PipelineError(
            f"{where}: {total.label!r} is the sum of the rows above in {', '.join(names[:5])}: "
            f"a total is no observation; remove the {unit}"
        )


def _useful(
    kinds: dict[str, Kind], columns: Mapping[str, Column], target: Target
) -> dict[str, Kind]:
    """What the columns are: where all others would be left out, those are taken that can be.

    Warns of them, and where there is no other column.

    Raises
    ------
    PipelineError
        Where none of the others can be taken.
    """
    others = {name: column for name, column in columns.items() if name != target.name}
    if not others:
        text = f"there is no column but the target {target.name}: no model can be trained"
        warnings.warn(f"{text}; add others to the file", PipelineWarning, stacklevel=3)
    if not others or not all(kinds[name].why for name in others):
        return kinds
    taken = at_least(others)
    if not taken:
        reasons = "; ".join(f"{name}: {kinds[name].why}" for name in [*others][:5])
        more = f"; and {len(others) - 5} more" * (len(others) > 5)
        raise PipelineError(f"no column is left to predict {target.name} by: {reasons}{more}")
    for name in taken:
        text = f"column {name} is taken, though it seems to be {kinds[name].why}"
        left = f"no other is left to predict {target.name} by"
        warnings.warn(f"{text}: {left}", PipelineWarning, stacklevel=3)
    return kinds | taken


def _warn_of_gaps(column: Column, target: Target, lines: Lines, unit: str) -> None:
    if column.gap is not None:
        rows = "1 row" if column.missing == 1 else f"{column.missing:,} rows"
        part = lines.part(column.gap)
        first = f"first on {unit} {lines[column.gap]}{f' of {part}' * bool(part)}"
        text = f"target {target.name} has no value in {rows}, {first}: left out by `split`"
        warnings.warn(text, PipelineWarning, stacklevel=3)


def _warn_of_stray(
    columns: Mapping[str, Column], file: Path, lines: Lines, unit: str, csv: bool
) -> None:
    """Name the cells because of which columns are left out that are else of dates."""
    for name, column in columns.items():
        for form, few in stray(column, csv):
            place = file if few.row is None else _place(file, unit, lines, few.row)
            first = f" (the first of {few.others:,})" * (few.others > 1)
            beside = ", or one of 1900 to 2099," * (few.row is None)
            text = f"{shown(few.cell)}{first} is no date as {form}{beside} as others are: it is"
            mend = f"left out; mend the cell, or take it for no value by {option(few.cell)}"
            text = f"{place}, column {name}: {text} {mend}"
            warnings.warn(text, PipelineWarning, stacklevel=3)


def _place(file: Path, unit: str, lines: Lines, row: int) -> str:
    return f"{file / lines.part(row)}, {unit} {lines[row]}"


def _entries(name: str, source: Path, told: Told) -> Iterator[Entry]:
    """What params.yaml gets."""
    # of a folder of parts either block says of which kind they are
    declared = told.found.declared or ({} if source.suffix else {"table": {}})
    content = block(str(source), declared, told.target, told.kinds, told.rows)
    yield dataset_entry(
        name, content, "As `python -m pipeline add` found it; every line may be edited."
    )
    for group, trainer, own in told.models:
        line = {"dataset": name, "trainer": trainer, **own}
        yield model_entry(group, f"{name}-{trainer}", line)


def _declared(
    kinds: Mapping[str, Kind], columns: Mapping[str, Column], target: str
) -> dict[str, str]:
    """How dates are written that are no text of ISO 8601."""
    forms = {name: columns[name].form for name in _of(kinds, "date") if name != target}
    return {name: form for name, form in forms.items() if form and form not in ISO}


def _of(kinds: Mapping[str, Kind], kind: str) -> list[str]:
    return [name for name, one in kinds.items() if one.name == kind]
