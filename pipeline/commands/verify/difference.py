"""How two versions of a file differ: in which number, and by how much."""

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SHOWN = 60
HASH = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{64})\b")  # MD5 or SHA-256
VALUE = re.compile(rf"({HASH.pattern}|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
Place = tuple[str, int]  # what is shown, and which of the values there


def difference(path: str, old: bytes | None, new: bytes | None) -> str:
    r"""Say where two versions first differ; where only numbers do, how far they are apart at most.

    The first value that is no number is told, else the first number. A hash is passed over where
    values differ: it differs because they do.

    Parameters
    ----------
    path : str
        Its suffix tells how the content is read: .json, .csv, .parquet or lines of text.
    old, new : bytes or None
        The two contents; None where there is none.

    Returns
    -------
    text : str
        Place, old value and new; |old - new| / max(|old|, |new|) at most over all numbers.

    Examples
    --------
    >>> difference("a.json", b'{"w": [1.0, 2.0]}', b'{"w": [1.0, 2.5]}')
    'w[1]: 2.0, now 2.5; all else agrees, numbers to a relative 2.0e-01'
    >>> difference("a.csv", b"x,y\n1,a\n", b"x,y\n1,b\n")
    "line 2, y: 'a', now 'b'"
    >>> difference("a.svg", b"<a>\n<b>\n", b"<a>\n<c>\n")
    "line 2: '<b>', now '<c>'"
    """
    if old is None:
        return "differs; what was committed is not in DVC's cache here"
    if new is None:
        return "is not made any more"
    before, after = values(path, old), values(path, new)
    pairs = {place: (before.get(place, ...), after.get(place, ...)) for place in before | after}
    changed = {place: pair for place, pair in pairs.items() if repr(pair[0]) != repr(pair[1])}
    told = {place: pair for place, pair in changed.items() if not all(map(_is_hash, pair))}
    if not told:
        return "hashes of what differs elsewhere" if changed else "the same values in other bytes"
    gaps = {place: _gap(*pair) for place, pair in told.items()}
    place = next((place for place, gap in gaps.items() if gap is None), next(iter(told)))
    text = "{}: {}, now {}".format(place[0], *map(_short, told[place]))
    numbers = [gap for gap in gaps.values() if gap is not None]
    if len(numbers) < len(gaps):
        return text
    return f"{text}; all else agrees, numbers to a relative {max(numbers):.1e}"


def values(path: str, content: bytes) -> dict[Place, Any]:
    """Give every value of a JSON, CSV or Parquet file by its place; of text its parts."""
    found: dict[Place, Any] = {}
    seen: Counter[str] = Counter()
    for place, value in _values(Path(path).suffix, content):
        found[place, seen[place]] = value
        seen[place] += 1
    return found


def _values(suffix: str, content: bytes) -> Iterator[tuple[str, Any]]:
    if suffix == ".json":
        yield from _leaves("", json.loads(content))
    elif suffix == ".csv":
        header, *_ = records = [*csv.reader(io.StringIO(content.decode("utf-8")))] or [[]]
        for number, record in enumerate(records, start=1):
            for name, cell in zip_longest(header, record, fillvalue=""):
                yield f"line {number}, {name}", cell
    elif suffix == ".parquet":
        for name, column in pq.read_table(pa.BufferReader(content)).to_pydict().items():
            yield from ((f"{name}, row {row}", value) for row, value in enumerate(column))
    else:
        for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), start=1):
            yield from ((f"line {number}", part) for part in VALUE.split(line))


def _leaves(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{place}.{key}" if place else key, inner)
    elif isinstance(value, list):
        for k, inner in enumerate(value):
            yield from _leaves(f"{place}[{k}]", inner)
    else:
        yield place, value


def _gap(a: Any, b: Any) -> float | None:
    """|a - b| over the larger of the two; None where one is no finite number, nor text of one."""
    if isinstance(a, bool) or isinstance(b, bool):
        return None
    try:
        x, y = float(a), float(b)
    except (TypeError, ValueError):
        return None
    return abs(x - y) / (max(abs(x), abs(y)) or 1) if math.isfinite(x + y) else None


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and bool(HASH.fullmatch(value))


def _short(value: Any) -> str:
    text = "nothing" if value is ... else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
