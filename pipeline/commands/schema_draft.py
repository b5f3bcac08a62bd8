"""Draft the schema of a new dataset, for a person to edit.

  python -m pipeline schema draft FILE [-o data/schema/NAME.yaml]

Types, ranges wider than what was seen, the labels of columns with few values; and in comments what
was seen and what to check. An existing file is never overwritten.

Reads FILE, a CSV file. Writes data/schema/NAME.yaml, NAME as of FILE, or another file.
"""

import re
import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.errors import GAPS, PipelineError, PipelineWarning
from pipeline.core.files import write_text
from pipeline.core.params import Dialect, declared_dialect
from pipeline.core.run import say
from pipeline.core.text import INT64
from pipeline.ingest.detect import Found, detect
from pipeline.ingest.reader import read_csv
from pipeline.ingest.words import block

FEW = 10  # different values of a column that is a choice between them
LABEL = 60  # characters of a value that may be one of them
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
OTHER = {"true", "false", "yes", "no", "on", "off", "null"}  # what YAML takes for no text
KEY = 1000  # characters of a key before its colon; YAML reads 1024
HEADER = """\
# The pandera schema of {path}, drafted from its {rows} rows. It says what was seen,
# not what is right: check every line, and write what you know in place of it.
#   dtype     int64 where all cells were whole numbers: float64 if others may come. str is text,
#             which params.yaml has to call a category (split.columns), or to drop.
#   in_range  What was seen, and half its width more on both sides, though never across 0. Put in
#             what is possible. A bound that cannot fail protects from nothing.
#   isin      The values seen. Add those that may come. Text without it is free: add str_length or
#             str_matches where you know more.
#   unique: true  for a column in which no value may come twice.
schema_type: dataframe
columns:
"""
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
        dataset, dialect = declared_dialect(file)
        path = output or layout.schema(dataset)
        if path.exists() or path.is_symlink():
            raise PipelineError(
                f"{path} is there already; remove it to draft it anew, or draft another with -o, "
                "and compare"
            )
    except OSError as error:
        raise PipelineError(f"{error.filename}: cannot be used: {error.strerror}") from None
    table = read_csv(file, dialect)
    names, found = _numbers_otherwise(file, table, dialect)
    hint = f"column {', '.join(names)} would be of numbers with ingest.{found.block}" * bool(names)
    if names and block(found.dialect) != block(dialect.model_copy(update=_gaps(found.dialect))):
        place = f"{layout.PARAMS}: datasets.{dataset}.ingest, beside source: {file}"
        again = f"nothing is written; declare it ({place}), and draft again"
        raise PipelineError(f"{file}: {hint}\n{again}")
    again = f"mend the file or declare it, remove {path} and draft again"
    gaps = f"; {GAPS}" * (found.dialect.missing != dialect.missing)
    for said in filter(None, [f"{hint}{gaps}" * bool(names), *found.notes]):
        warnings.warn(f"{file}: {said}; {again}", PipelineWarning, stacklevel=2)
    write_text(path, drafted(table, str(file)))
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


def _gaps(dialect: Dialect) -> dict[str, Any]:
    return dialect.model_dump(include={"missing", "quoted_missing"}, exclude_defaults=True)


def drafted(table: pa.Table, path: str) -> str:
    """The text of a schema that a table fits.

    Parameters
    ----------
    table : Table
    path : str
        The file that it comes from, to name at the top.
    """
    name = path if path.isprintable() else _quoted(path)
    lines = [HEADER.format(path=name, rows=table.num_rows)]
    for column_name, column in zip(table.column_names, table.columns, strict=True):
        lines += [f"  {line}\n" for line in _column(_key(column_name), column)]
    return "".join([*lines, FOOTER])


def _column(key: str, column: pa.ChunkedArray) -> Iterator[str]:
    """The lines of one column: what was seen as a comment, then type and checks."""
    values: NDArray[Any] = column.drop_null().to_numpy()
    different = np.unique(values)
    kind = {"double": "float64", "int64": "int64"}.get(str(column.type), "str")
    if kind == "int64" and column.null_count:
        kind = "float64"  # which has a place for what is missing
    missing = column.null_count + (int(np.sum(values == "")) if kind == "str" else 0)
    counts = f"{len(different)} different, {missing or 'none'} missing"
    if not len(values):
        yield f"# {counts}"
    elif kind == "str":
        sizes = [len(value) for value in different]
        yield f"# text of {min(sizes)} to {max(sizes)} characters, {counts}"
    else:
        mean = np.sum(values / len(values))  # of values whose sum is beyond floats, too
        yield f"# {different[0]:.6g} to {different[-1]:.6g}, mean {mean:.6g}, {counts}"
    yield key
    yield f"  dtype: {kind}"
    if column.null_count:
        yield "  nullable: true"
    few = 0 < len(different) <= min(FEW, len(values) // 2)
    if kind == "str" and few and max(len(value) for value in different) <= LABEL:
        yield f"  isin: [{', '.join(_quoted(value) for value in different)}]"
    elif kind == "int64" and few:
        yield f"  isin: [{', '.join(map(str, different.tolist()))}]"
    elif kind != "str" and len(values):
        ends = _whole(different) if kind == "int64" else _wide(different)
        yield f"  in_range: {{min_value: {ends[0]}, max_value: {ends[1]}}}"


def _whole(values: NDArray[np.int64]) -> tuple[int, int]:
    """Bounds of integers."""
    low, high = int(values[0]), int(values[-1])
    more = (high - low + 1) // 2 or max(1, abs(low) // 2)
    below, above = _not_across_0(low - more, low, high, high + more)
    return max(INT64.start, int(below)), min(INT64.stop - 1, int(above))


def _wide(values: NDArray[np.float64]) -> tuple[str, str]:
    """Bounds of numbers, with few digits."""
    low, high = float(values[0]), float(values[-1])
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


def _key(name: str) -> str:
    """A column's name as a key of YAML."""
    if PLAIN.fullmatch(name) and name.lower() not in OTHER:
        return f"{name}:"
    text = _quoted(name)
    return f"{text}:" if len(text) < KEY else f"? {text}\n  :"


def _quoted(text: str) -> str:
    """Text as YAML reads it back, whatever is in it."""
    escaped = {'"': '\\"', "\\": "\\\\"}
    shown = (escaped.get(c, c) if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(shown)}"'


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `schema`."""
    what = parser.add_subparsers(dest="what", required=True, metavar="draft")
    drafted = what.add_parser("draft", help="write a first schema")
    drafted.add_argument("FILE", type=Path, help="a CSV file with a header line")
    drafted.add_argument("-o", "--output", metavar="NAME.yaml", type=Path)


def run(options: Namespace) -> None:
    """Run the command."""
    say(f"{draft(options.FILE, options.output)}: drafted; check every line of it")
