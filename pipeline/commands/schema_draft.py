"""Draft the schema of a new dataset, for a person to edit.

  python -m pipeline schema draft FILE [-o data/schema/NAME.yaml]

Types, ranges wider than what was seen, the labels of columns with few values; and in comments what
was seen and what to check. An existing file is never overwritten.

Reads FILE, a CSV file. Writes data/schema/NAME.yaml, NAME as of FILE, or another file.
"""

import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.commands.contents import MOST, Column, contents
from pipeline.commands.yaml_text import key, quoted
from pipeline.core import layout
from pipeline.core.dates import ISO, iso_of
from pipeline.core.dialect import Dialect
from pipeline.core.errors import GAPS, PipelineError, PipelineWarning
from pipeline.core.files import write_text
from pipeline.core.params import declared_dialect
from pipeline.core.run import say
from pipeline.core.text import INT64
from pipeline.core.words import block
from pipeline.ingest.detect import Found, detect
from pipeline.ingest.parts import opened_rows
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.table_file import TableFile, read_rows

FEW = 10  # different values of a column that is a choice between them
LABEL = 60  # characters of a value that may be one of them
HEADER = """\
# The pandera schema of {path}, drafted from its {rows} rows. It says what was seen,
# not what is right: check every line, and write what you know in place of it.
#   dtype     int64 where all cells were whole numbers: float64 if others may come. str is text,
#             which params.yaml has to call a category or a date (split.columns), or to drop.
#   in_range  What was seen, and half its width more on both sides, though never across 0. Put in
#             what is possible. A bound that cannot fail protects from nothing.
#   isin      The values seen. Add those that may come. Text without it is free: add str_length or
#             str_matches where you know more.
#   str_matches  How dates are written that were dates in all rows. Later ones are let in.
#   unique: true  for a column in which no value may come twice.
schema_type: dataframe
columns:
"""
MISSING = "if it is no value, declare it as missing, and narrow the range, which lets it in"
FOOTER = """\
strict: true
unique_column_names: true
"""


def draft(file: Path, output: Path | None = None) -> Path:
    """Write a schema that the file itself fits.

    Parameters
    ----------
    file : Path
        The CSV file; params.yaml says how it is written where it is the source of a dataset.
    output : Path, optional
        data/schema/DATASET.yaml unless given.

    Returns
    -------
    Path
        Where the schema is.

    Raises
    ------
    PipelineError
        When the file cannot be read, a schema is there already, or numbers of the file are written
        in a way that is not declared.
    """
    try:
        dataset, dialect, other = declared_dialect(file)
        path = output or layout.schema(dataset)
        if path.exists() or path.is_symlink():
            raise PipelineError(
                f"{path} is there already; remove it to draft it anew, or draft another with -o, "
                "and compare"
            )
    except OSError as error:
        raise PipelineError(f"{error.filename}: cannot be used: {error.strerror}") from None
    table = read_rows(rows := opened_rows(file, dialect, other))
    plain = type(rows) is CsvFile
    names, found = _numbers_otherwise(file, table, dialect) if plain else ([], _as_read(rows))
    hint = f"column {', '.join(names)} would be of numbers with ingest.{found.block}" * bool(names)
    if names and block(found.dialect) != block(dialect.model_copy(update=_gaps(found.dialect))):
        place = f"{layout.PARAMS}: datasets.{dataset}.ingest, beside source: {file}"
        again = f"nothing is written; declare it ({place}), and draft again"
        raise PipelineError(f"{file}: {hint}\n{again}")
    again = f"mend the file or declare it, remove {path} and draft again"
    gaps = f"; {GAPS}" * (found.dialect.missing != dialect.missing)
    for said in filter(None, [f"{hint}{gaps}" * bool(names), *found.notes]):
        warnings.warn(f"{file}: {said}; {again}", PipelineWarning, stacklevel=2)
    columns = contents([table])
    dates = [name for name, column in columns.items() if column.form in ISO]
    write_text(path, drafted(columns, str(file), dates=dates))
    return path


def _numbers_otherwise(file: Path, table: pa.Table, dialect: Dialect) -> tuple[list[str], Found]:
    """The columns of text that are numbers in another writing, and that."""
    try:
        found = detect(file, dialect)
    except PipelineError:  # it can be read as declared, and in no other way
        return [], Found(dialect, {}, [])
    filled = [name for name in table.column_names if table[name].null_count < table.num_rows]
    texts = [name for name in filled if table[name].type == pa.string()]
    numbers = [name for name in filled if name not in texts]
    if not all(map(found.columns.get, numbers)):  # 1.5 beside 52,13: which is the list in a cell?
        return [], Found(dialect, {}, [])
    better = [name for name in texts if found.columns.get(name)]
    return [name if name.isprintable() else repr(name) for name in better], found


def _as_read(rows: TableFile) -> Found:
    return Found(Dialect(), {}, rows.notes())


def _gaps(dialect: Dialect) -> dict[str, Any]:
    return dialect.model_dump(include={"missing", "quoted_missing"}, exclude_defaults=True)


def drafted(
    columns: Mapping[str, Column],
    path: str,
    categories: Collection[str] = (),
    free: Collection[str] = (),
    dates: Collection[str] = (),
) -> str:
    """The text of a schema that a table fits.

    Parameters
    ----------
    columns : dict
        What each column holds, by name.
    path : str
        The file that it comes from, to name at the top.
    categories : collection of str, optional
        Columns that hold what was seen and nothing else, also where that is much.
    free : collection of str, optional
        Columns of which any value of the same type passes.
    dates : collection of str, optional
        Columns of dates, which are text of ISO 8601 when they are checked.
    """
    rows = next(iter(columns.values())).rows
    lines = [HEADER.format(path=path if path.isprintable() else quoted(path), rows=rows)]
    for name, column in columns.items():
        form = column.form if name in dates else None
        seen = [_seen(column, form)]
        checks = [] if name in free else [*_checks(column, name in categories)]
        if form:
            checks = [f"str_matches: {quoted(iso_of(form))}"]
        if checks and checks[0].startswith("in_range"):
            seen += [line for text in column.suspects for line in (f"{text}:", MISSING)]
        lines += [f"  # {line}\n" for line in seen]
        lines += [f"  {line}\n" for line in key(name)]
        lines += [f"    {line}\n" for line in (*_type(column, form), *checks)]
    return "".join([*lines, FOOTER])


def _seen(column: Column, form: str | None) -> str:
    different = f"more than {MOST:,}" if column.different is None else column.different
    counts = f"{different} different, {column.missing + column.empty or 'none'} missing"
    if not column.values:
        return counts
    if form:
        return f"dates from {' to '.join(column.dates[form])}, {counts}"
    if column.dtype == "str":
        return f"text of {column.shortest} to {column.longest} characters, {counts}"
    return f"{column.low:.6g} to {column.high:.6g}, mean {column.mean:.6g}, {counts}"


def _type(column: Column, form: str | None) -> Iterator[str]:
    # an integer that is missing needs a float, which has a place for it
    dtype = "float64" if column.dtype == "int64" and column.missing else column.dtype
    yield f"dtype: {'str' if form else dtype}"
    if column.missing:
        yield "nullable: true"


def _checks(column: Column, category: bool) -> Iterator[str]:
    """The values seen where they are few, or ends around numbers."""
    different = sorted(column.counts or ())
    few = 0 < len(different) <= min(FEW, column.values // 2)
    if column.dtype == "str" and (category or (few and column.longest <= LABEL)):
        yield from _isin([quoted(value) for value in different])
    elif column.dtype == "int64" and not column.missing and few:
        yield from _isin([*map(str, different)])
    elif column.dtype != "str" and column.values:
        whole = column.dtype == "int64" and not column.missing
        ends = _whole(column.low, column.high) if whole else _wide(column.low, column.high)
        yield f"in_range: {{min_value: {ends[0]}, max_value: {ends[1]}}}"


def _isin(values: Sequence[str]) -> list[str]:
    if len(values) <= FEW:
        return [f"isin: [{', '.join(values)}]"]
    return ["isin:", *(f"- {value}" for value in values)]


def _whole(low: int, high: int) -> tuple[int, int]:
    """Bounds of integers."""
    more = (high - low + 1) // 2 or max(1, abs(low) // 2)
    below, above = _not_across_0(low - more, low, high, high + more)
    return max(INT64.start, int(below)), min(INT64.stop - 1, int(above))


def _wide(low: float, high: float) -> tuple[str, str]:
    """Bounds of numbers, with few digits."""
    more = (high / 2 - low / 2) or abs(low) / 2 or 1.0
    below, above = _not_across_0(low - more, low, high, high + more)
    return _short(below, low, more), _short(above, high, more)


def _not_across_0(below: float, low: float, high: float, above: float) -> tuple[float, float]:
    """Bounds around low and high; 0 in place of one beyond it where all values have one sign."""
    return 0 if low >= 0 > below else below, 0 if high <= 0 < above else above


def _short(bound: float, seen: float, margin: float) -> str:
    """The fewest digits that change little of a bound's margin, and leave what was seen inside."""
    bound = float(np.clip(bound, -sys.float_info.max, sys.float_info.max))
    texts = (f"{float(f'{bound:.{digits}g}'):.12g}" for digits in (2, 3, 4, 6, 9))
    text = next(
        (t for t in texts if abs(float(t) - bound) <= min(margin / 10, abs(seen - bound))),
        repr(bound),
    )
    return text if "." in text or "e" not in text else text.replace("e", ".0e")  # YAML 1.1


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `schema`."""
    what = parser.add_subparsers(dest="what", required=True, metavar="draft")
    drafted = what.add_parser("draft", help="write a first schema")
    drafted.add_argument("FILE", type=Path, help="a CSV file with a header line")
    drafted.add_argument("-o", "--output", metavar="NAME.yaml", type=Path)


def run(options: Namespace) -> None:
    """Run the command."""
    say(f"{draft(options.FILE, options.output)}: drafted; check every line of it")
