"""How two versions of a file differ: in which number, and by how much."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SHOWN = 60
HASH = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{64})\b")  # MD5 or SHA-256
VALUE = re.compile(rf"({HASH.pattern}|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
Cell = tuple[str, Any]


def difference(path: str, old: bytes | None, new: bytes | None) -> str:
    r"""Where two versions first differ; where only numbers do, how far they are apart at most.

    >>> difference("a.json", b'{"w": [1.0, 2.0]}', b'{"w": [1.0, 2.5]}')
    'w[1]: 2.0, now 2.5; all else agrees, numbers to a relative 2.0e-01'
    >>> difference("a.csv", b"x,y\n1,a\n", b"x,y\n1,b\n")
    "line 2, y: 'a', now 'b'"
    >>> difference("a.svg", b"<a>\n<b>\n", b"<a>\n<c>\n")
    "line 2: '<b>', now '<c>'"

    A hash is passed over where values differ: it differs because they do.
    """
    if old is None:
        return "differs; what was committed is not in DVC's cache here"
    if new is None:
        return "is not made any more"
    first, apart, hashes = "", 0.0, 0
    end: Cell = ("end", None)
    for (place, a), (other, b) in zip_longest(cells(path, old), cells(path, new), fillvalue=end):
        if (place, a) == (other, b):
            continue
        if place == other and _is_hash(a) and _is_hash(b):
            hashes += 1
            continue
        where = place if place == other else f"{place}, now {other}"
        first = first or f"{where}: {_short(a)}, now {_short(b)}"
        x, y = _number(a), _number(b)
        if place != other or x is None or y is None:
            return f"{where}: {_short(a)}, now {_short(b)}"
        apart = max(apart, abs(x - y) / (max(abs(x), abs(y)) or 1))
    if first:
        return f"{first}; all else agrees, numbers to a relative {apart:.1e}"
    return "hashes of what differs elsewhere" if hashes else "the same values in other bytes"


def cells(path: str, content: bytes) -> Iterator[Cell]:
    """Every value of a JSON, CSV or Parquet file, with its place; of text its parts."""
    if path.endswith(".json"):
        yield from _leaves("", json.loads(content))
    elif path.endswith(".csv"):
        yield from _csv_cells(content)
    elif path.endswith(".parquet"):
        table = pq.read_table(pa.BufferReader(content))
        for name in table.column_names:
            for row, value in enumerate(table[name].to_pylist()):
                yield f"{name}, row {row}", value
    else:
        for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), start=1):
            for part in VALUE.split(line):
                yield f"line {number}", part


def _leaves(place: str, value: Any) -> Iterator[Cell]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{place}.{key}" if place else key, inner)
    elif isinstance(value, list):
        for k, inner in enumerate(value):
            yield from _leaves(f"{place}[{k}]", inner)
    else:
        yield place, value


def _csv_cells(content: bytes) -> Iterator[Cell]:
    header: list[str] = []
    for number, record in enumerate(csv.reader(io.StringIO(content.decode("utf-8"))), start=1):
        header = header or record
        for name, cell in zip_longest(header, record, fillvalue=""):
            yield f"line {number}, {name}", cell


def _number(value: Any) -> float | None:
    """The finite number that this is, or that stands in this text."""
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
    return number if number is not None and math.isfinite(number) else None


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and bool(HASH.fullmatch(value))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
