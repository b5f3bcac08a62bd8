"""Find out what has to be declared of a file of any kind."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.dialect import Dialect, Table
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.ingest.detect import Found, Reading, detect, read_through
from pipeline.ingest.foreign import Format
from pipeline.ingest.formats import format_of
from pipeline.ingest.parts import kind_of, opened_rows


def detect_file(
    path: Path,
    missing: Sequence[str] = (),
    sheet: str | None = None,
    reading: Reading = read_through,
) -> Found:
    """Find the declaration that reads all of a file, or of a folder of parts.

    Parameters
    ----------
    path : Path
    missing : sequence of str, optional
        Texts that are no value, beside those that are found.
    sheet : str, optional
        Of a workbook that has several.
    reading : callable, optional
        Reads all rows of a file, as for `detect`.

    Raises
    ------
    PipelineError
        As `detect`, and as the reader of such a file.
    """
    end, known = ("", kind_of(path)) if path.is_dir() else format_of(path)
    if sheet is not None and known is not Format.WORKBOOK:
        raise PipelineError(f"--sheet {sheet}: {path} is {known.value}, and has no sheets")
    if known is Format.CSV:
        return detect(path, Dialect(missing=[*missing]) if missing else None, reading)
    declared: dict[str, object] = {"missing": [*missing]} if missing else {}
    if known is Format.WORKBOOK:
        from pipeline.ingest.sheets import found_table

        declared |= found_table(path, sheet)
    notes = list[str]()
    if known in (Format.SPSS, Format.STATA):
        from pipeline.ingest.statistics import StatisticsFile

        labels, notes = StatisticsFile(path, Table(), end).found_labels()
        declared |= {"labels": labels} if labels else {}
    found = _read(path, known, Table.model_validate(declared), reading)
    return found._replace(notes=[*found.notes, *notes])


def _read(path: Path, known: Format, table: Table, reading: Reading, again: bool = True) -> Found:
    """What a reader finds; again with the markers of missing values that it has met."""
    file, problem = opened_rows(path, table=table), None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PipelineWarning)
            reading(file)
    except PipelineError as error:
        problem = error
    if again and (missing := [*table.missing, *file.markers()]) != table.missing:
        more = table.model_copy(update={"missing": missing})
        return _read(path, known, more, reading, again=False)
    if problem:
        raise problem
    texts = file.text_columns()
    columns = {name: name not in texts for name in file.header}
    return Found(Dialect(), columns, file.notes(), table, known.value)
