"""A strict CSV reader: it refuses what it would have to guess."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.core.errors import PipelineError, listed
from pipeline.core.numbers import INT64, INTEGER, is_number
from pipeline.core.tables import number_column


def read_csv(path: Path) -> pa.Table:
    """Read a comma-separated UTF-8 file with one header line.

    A column in which every cell is an integer becomes int64, in which every cell is a finite
    number float64; any other column stays text, character by character. Row k (from 0) of the
    table stands on line k + 2 of the file.

    Raises
    ------
    PipelineError
        Names file and line: no rows, a blank or duplicate header, a record with too few or too
        many fields, a blank line, a line break in a cell, a quote never closed, bytes that are not
        UTF-8.
    """
    header, *records = read_records(path)
    if not records:
        raise PipelineError(f"{path}: has a header but no rows; add the data")
    problems = [
        wrong_length(path, line, record, header)
        for line, record in enumerate(records, start=2)
        if len(record) != len(header)
    ]
    if problems:
        raise PipelineError(listed(problems))
    columns = [_column(cells) for cells in zip(*records, strict=True)]
    return pa.Table.from_arrays(columns, names=header)


def read_records(path: Path) -> Iterator[list[str]]:
    """Read the header, and then one record after the other, each from the next line of the file.

    Memory does not grow with the file.

    Raises
    ------
    PipelineError
        As `read_csv` does, when it comes to the line; numbers of fields and of rows are the
        caller's to check.
    """
    if path.exists() and not path.is_file():
        raise PipelineError(f"{path}: is not a file; expected a CSV file there")
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for line, record in enumerate(reader, start=1):
                if "\0" in "".join(record):
                    raise PipelineError(f"{path}, line {line}: holds a NUL byte")
                if reader.line_num != line:
                    raise PipelineError(
                        f"{path}, line {line}: a quoted cell goes on over the next line; "
                        "close the quote, or remove the line break"
                    )
                if line == 1:
                    if not (record or any(reader)):
                        break
                    _check_header(path, record)
                yield record
            else:
                if line:
                    return
    except FileNotFoundError:
        raise PipelineError(f"{path} is missing; put the CSV file there") from None
    except UnicodeDecodeError:
        line = _line_of_bad_byte(path)
        raise PipelineError(f"{path}, line {line}: is not UTF-8; save the file as UTF-8") from None
    except csv.Error as error:
        raise PipelineError(f"{path}, line {line + 1}: {_reason(error)}") from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}") from None
    raise PipelineError(f"{path}: is empty; expected a header line and rows")


def wrong_length(path: Path, line: int, record: Sequence[str], header: Sequence[str]) -> str:
    """The problem of a record that has not the header's number of fields."""
    has = {0: "no field (a blank line)", 1: "1 field"}.get(len(record), f"{len(record)} fields")
    return f"{path}, line {line}: has {has}, expected {len(header)} as in the header"


def _reason(error: csv.Error) -> str:
    unclosed = "opens a quote that never closes"
    return (
        str(error)
        .replace("unexpected end of data", unclosed)
        .replace("field larger than", f"{unclosed}, or has a cell that is larger than")
    )


def _line_of_bad_byte(path: Path) -> int:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not header:
        raise PipelineError(f"{path}, line 1: is blank; expected a header with column names")
    if not all(name.strip() for name in header):
        raise PipelineError(f"{path}, line 1: a column has no name; name every column")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise PipelineError(f"{path}, line 1: column {', '.join(twice)} stands there twice")
    if all(is_number(name) for name in header):
        raise PipelineError(f"{path}, line 1: only numbers, expected a header with column names")


def _column(cells: Sequence[str]) -> pa.Array:
    if all(INTEGER.fullmatch(cell) and len(cell) <= 20 and int(cell) in INT64 for cell in cells):
        return number_column(np.array([int(cell) for cell in cells], np.int64))
    if all(is_number(cell) for cell in cells):
        return number_column(np.array([float(cell) for cell in cells]))
    return pa.array(cells, pa.string())
