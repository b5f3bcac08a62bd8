"""A table, written as programs do and read as it looks, is the one that was written, or refused."""

import csv
import io
import os
import re
import warnings
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.core.dialect import Dialect
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.ingest.detect import detect
from pipeline.ingest.numbers import MARKERS, like_data
from tests.csv_file import read_csv

MANY = int(os.environ.get("FUZZ", "1"))
NAMES = ["id", "name", "price", "when", "note"]
WORDS = st.one_of(
    st.sampled_from(
        ["a", "b c", "x, y", "p;q", 'say "hi"', "it's", "two\nlines", "O'Brien", "a|b"]
    ),
    st.text(
        st.characters(codec="latin-1", exclude_categories=["Cc"], exclude_characters="\\"),
        min_size=1,
        max_size=6,
    ),
).filter(lambda word: word == word.strip() and word not in MARKERS and not like_data(word))
NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
)
DAYS = st.dates().map(lambda day: day.isoformat() if day.year > 999 else "2020-01-01")
KINDS = {"number": NUMBERS, "word": WORDS, "day": DAYS}
PROGRAMS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        "escape": st.booleans(),
        "decimal": st.sampled_from(".,"),
        "gap": st.sampled_from([None, "", "NA", "NULL"]),
        "titles": st.integers(0, 2),
        "headed": st.booleans(),
        "rownames": st.sampled_from(["", "blank", "short"]),
        "end": st.sampled_from(["\n", "\r\n"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    }
)
GROUPS = re.compile(r"-?\d{1,3}\.\d{3}")
Table = tuple[list[str], list[list[Any]]]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds = draw(st.lists(st.sampled_from([*KINDS]), min_size=2, max_size=5))
    assume("number" in kinds)
    size = draw(st.integers(3, 8))
    columns = [draw(st.lists(KINDS[kind], min_size=size, max_size=size)) for kind in kinds]
    return NAMES[: len(kinds)], [*map(list, zip(*columns, strict=True))]


def written(table: Table, program: dict[str, Any]) -> str:
    """The text that a program makes of a table."""
    names, rows = table
    decimal, end = program["decimal"], program["end"]
    file = io.StringIO()
    writer = csv.writer(
        file,
        delimiter=program["delimiter"],
        quoting=program["quoting"],
        doublequote=not program["escape"],
        escapechar="\\" if program["escape"] else None,
        lineterminator=end,
    )

    def cell(value: object) -> object:
        is_text = isinstance(value, str) or program["quoting"] != csv.QUOTE_NONNUMERIC
        return str(value).replace(".", decimal) if isinstance(value, float) and is_text else value

    header = {"": [], "blank": [""], "short": []}[program["rownames"]] + names
    if program["headed"]:
        writer.writerow(header)
    for k, row in enumerate(rows):
        writer.writerow([*([f"r{k}"] * bool(program["rownames"])), *map(cell, row)])
    above = "".join(f"Made by hand{end}" for _ in range(program["titles"]))
    return above + file.getvalue()


@settings(max_examples=200 * MANY)
@given(table=tables(), program=PROGRAMS, gap_at=st.integers(0, 2))
def test_what_is_found_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, table: Table, program: dict[str, Any], gap_at: int
) -> None:
    names, rows = table
    assume(program["headed"] or not program["rownames"])
    column = next(k for k, cell in enumerate(rows[0]) if not isinstance(cell, str))
    if program["gap"] is not None:
        rows[gap_at][column] = program["gap"]
    # Without a header a first gap looks as the name that R leaves out above the names of rows.
    assume(program["headed"] or rows[0][0] != "")
    path = tmp_path_factory.mktemp("detect") / "a.csv"
    raw = written(table, program).encode(program["encoding"], "ignore")
    text = raw.decode(program["encoding"])
    assume(text == written(table, program))
    if program["decimal"] == ",":  # 1,125 alone may be thousands as well
        decimals = [f"{cell}" for row in rows for cell in row if isinstance(cell, float)]
        assume(not decimals or not all(GROUPS.fullmatch(cell) for cell in decimals))
    if program["encoding"] == "cp1252":  # of which some is UTF-8, too
        assume(text.isascii() or "\ufffd" in raw.decode("utf-8", "replace"))
    path.write_bytes(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PipelineWarning)
        try:
            found = detect(path)
        except PipelineError:
            return
        read = read_csv(path, found.dialect)
    if program["headed"]:
        assert read.column_names == names, found.block
    assert [[*row.values()] for row in read.to_pylist()] == [
        [None if cell in found.dialect.missing else cell for cell in row] for row in rows
    ], found.block


@pytest.mark.parametrize("declared", [Dialect(), Dialect(delimiter=";", missing=["NA"])])
@given(raw=st.one_of(st.binary(max_size=200), st.text(",;\t \n\"'#\\1a.", max_size=60)))
def test_any_bytes_are_read_as_found_or_refused_in_one_message(
    tmp_path_factory: pytest.TempPathFactory, declared: Dialect, raw: bytes | str
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "a.csv"
    path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PipelineWarning)
        try:
            found = detect(path, declared)
        except PipelineError as error:
            assert str(path) in str(error)  # noqa: PT017
            return
        assert read_csv(path, found.dialect).column_names == [*found.columns]
