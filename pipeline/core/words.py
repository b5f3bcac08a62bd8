"""A dialect in words, and as the block of params.yaml that declares it."""

import json
from collections.abc import Iterator

from pipeline.core.dialect import COMMENTED, WHITESPACE, Dialect

CALLED = {
    ",": "commas",
    ";": "semicolons",
    "\t": "tabs",
    WHITESPACE: "runs of blanks and tabs",
    "|": "bars",
}
DELIMITERS = {"\t": "tab", WHITESPACE: "blank"}


def block(dialect: Dialect) -> str:
    """What a dialect declares, as YAML in one line."""
    declared = dialect.model_dump(exclude_defaults=True)
    if "header" in dialect.model_fields_set:  # true is another thing than nothing
        declared["header"] = dialect.header
    inside = ", ".join(f"{key}: {inline(value)}" for key, value in declared.items())
    return f"csv: {{{inside}}}"


def inline(value: object) -> str:
    """A value as YAML in one line of printable characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def looks(dialect: Dialect) -> list[str]:
    """What differs from a plain file."""
    d = dialect
    said = {
        f"{DELIMITERS.get(d.delimiter, d.delimiter)}-separated": d.delimiter != ",",
        f"to be in {d.encoding}": d.encoding != "utf-8",
        f"to begin on line {d.skip_lines + 1}": d.skip_lines,
        "to have no header": d.names,
        f"to have its header behind {d.comment}": d.header == COMMENTED,
    }
    having = {
        f"comments behind {d.comment}": d.comment and d.header != COMMENTED,
        "row names": d.row_names,
        f"lines below the header that are no data ({d.skip_after_header})": d.skip_after_header,
        "blank lines": d.skip_blank_lines,
        "spaces beside its delimiters": d.strip_spaces,
        f"quotes of {d.quote}" if d.quote else "no quotes": d.quote != '"',
        f"quotes escaped by {d.escape}": d.escape,
        "decimal commas": d.decimal == ",",
        f"thousands in groups by {d.thousands!r}": d.thousands,
        "U+2212 for minus": d.minus != "-",
        f"{', '.join(dict.fromkeys(d.units.values()))} beside numbers": d.units,
        f"dates as {', '.join(dict.fromkeys(d.dates.values()))}": d.dates,
        f"{', '.join(map(repr, d.missing))} for missing values": d.missing,
        "empty text in quotes": not d.quoted_missing,
    }
    parts = [part for part, there in said.items() if there]
    if others := ", ".join(part for part, there in having.items() if there):
        parts.append(f"{'with' if parts else 'to have'} {others}")
    return parts


def written(dialect: Dialect) -> Iterator[str]:
    """How a file is written, all of it; missing values and header aside."""
    d = dialect
    yield f"{CALLED.get(d.delimiter, d.delimiter)} between cells"
    yield f"decimal {'commas' if d.decimal == ',' else 'points'}"
    escaped = f"escaped by {d.escape}" if d.escape else "doubled inside"
    yield f"quotes {d.quote}, {escaped}" if d.quote else "no quotes"
    yield d.encoding.upper()
    others = {
        f"thousands in groups by {d.thousands!r}": d.thousands,
        "U+2212 for minus": d.minus != "-",
        f"{', '.join(dict.fromkeys(d.units.values()))} beside numbers": d.units,
        f"comments behind {d.comment}": d.comment and d.header != COMMENTED,
        "blank lines skipped": d.skip_blank_lines,
        "spaces beside cells left out": d.strip_spaces,
    }
    yield from (text for text, there in others.items() if there)
