"""Values as lines of YAML, for files that people read and edit: lists as blocks, comments behind.

Lists are blocks since `dvc exp run -S` rewrites others.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
PATH = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,199}")
OTHER = {"true", "false", "yes", "no", "on", "off", "null"}  # what YAML takes for no text
KEY = 1000  # characters of a key before its colon; YAML reads 1024


class Remark(NamedTuple):
    """A value with a comment behind it."""

    value: bool | float | str
    comment: str


def lines_of(block: Mapping[str, Any]) -> Iterator[str]:
    r"""A block of keys and values, without an indent.

    >>> print("\n".join(lines_of({"a": {}, "b": ["x", "no"], "c": {"d": 1e-05}, "e: f": None})))
    a: {}
    b:
    - x
    - "no"
    c:
      d: 0.00001
    "e: f": null
    """
    for name, value in block.items():
        *above, start = key(name)
        yield from above
        if isinstance(value, Mapping) and value:
            yield start
            yield from (f"  {line}" for line in lines_of(value))
        elif isinstance(value, list) and value:
            yield start
            yield from (f"- {scalar(item)}" for item in value)
        elif isinstance(value, Remark):
            yield f"{start} {scalar(value.value)}  # {value.comment}"
        else:
            yield f"{start} {value if value == {} or value == [] else scalar(value)}"


def scalar(value: bool | float | str | None) -> str:
    """A value as YAML reads it back."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return np.format_float_positional(value, trim="-")
        case str():
            plain = PATH.fullmatch(value) and value.lower() not in OTHER
            return value if plain else quoted(value)
    return str(value)


def key(name: str) -> list[str]:
    """A key, with its colon: in one line or, a long one, in two."""
    if PLAIN.fullmatch(name) and name.lower() not in OTHER:
        return [f"{name}:"]
    text = quoted(name)
    return [f"{text}:"] if len(text) < KEY else [f"? {text}", ":"]


def quoted(text: str) -> str:
    """Text as YAML reads it back, whatever is in it."""
    escaped = {'"': '\\"', "\\": "\\\\"}
    shown = (escaped.get(c, c) if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(shown)}"'
