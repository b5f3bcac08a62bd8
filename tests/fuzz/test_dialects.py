"""A table, written in any dialect and read as declared, is the table that was written."""

import csv
import gzip
import io
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.core.dialect import Dialect
from pipeline.core.errors import PipelineError
from pipeline.core.text import is_number
from tests.csv_file import read_csv

WORDS = st.text(
    st.characters(codec="latin-1", exclude_characters="\0\r\n#", exclude_categories=["Cc"]),
    max_size=8,
).filter(lambda word: word == word.strip() and not is_number(word.replace(",", ".")))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
KINDS = {"text": WORDS, "float": NUMBERS, "int": INTEGERS}
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "quote": st.sampled_from(['"', "'", None]),
        "encoding": st.sampled_from(["utf-8", "utf-16", "latin-1"]),
        "decimal": st.sampled_from(".,"),
        "strip_spaces": st.booleans(),
        "skip_lines": st.integers(0, 2),
        "missing": st.sampled_from([[], ["NA", ""]]),
    }
).filter(lambda dialect: dialect["delimiter"] != dialect["decimal"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[str], list[list[Any]]]:
    kinds = draw(st.lists(st.sampled_from([*KINDS]), min_size=2, max_size=4))
    columns = [draw(st.lists(KINDS[kind], min_size=3, max_size=3)) for kind in kinds]
    return (
        [f"column {k}" for k in range(len(kinds))],
        kinds,
        [*map(list, zip(*columns, strict=True))],
    )


@given(
    table=tables(), written=DIALECTS, gz=st.booleans(), end=st.sampled_from(["\n", "\r\n", "\r"])
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    table: tuple[list[str], list[str], list[list[Any]]],
    written: dict[str, Any],
    gz: bool,
    end: str,
) -> None:
    names, kinds, rows = table
    assume(
        all(map(any, ([str(cell) for cell in row] for row in rows)))
    )  # a row of nothing is refused
    missing = set(written["missing"])

    def cell(value: object) -> str:
        return value if isinstance(value, str) else repr(value).replace(".", written["decimal"])

    lines = [names, *([cell(value) for value in row] for row in rows)]
    file = io.StringIO()
    writer = csv.writer(
        file,
        delimiter=written["delimiter"],
        quotechar=written["quote"],
        quoting=csv.QUOTE_MINIMAL if written["quote"] else csv.QUOTE_NONE,
        lineterminator=end,
    )
    assume(
        written["quote"] or not any(written["delimiter"] in cell for row in lines for cell in row)
    )
    writer.writerows(lines)
    text = f"above{end}" * written["skip_lines"] + file.getvalue()
    raw = text.encode(written["encoding"])
    path = tmp_path_factory.mktemp("dialect") / ("a.csv.gz" if gz else "a.csv")
    path.write_bytes(gzip.compress(raw) if gz else raw)
    read = read_csv(path, Dialect(**written))
    assert read.column_names == names
    for column, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        values = [row[column] for row in rows]
        if kind == "text":
            values = [None if value in missing else value for value in values]
        assert read[name].to_pylist() == values


@given(raw=st.binary(max_size=200), written=DIALECTS, names=st.booleans(), gz=st.booleans())
def test_any_bytes_are_a_table_or_one_message(
    tmp_path_factory: pytest.TempPathFactory,
    raw: bytes,
    written: dict[str, Any],
    names: bool,
    gz: bool,
) -> None:
    path = tmp_path_factory.mktemp("bytes") / ("a.csv.gz" if gz else "a.csv")
    path.write_bytes(raw)
    try:
        read_csv(path, Dialect(**written | ({"header": ["a", "b"]} if names else {})))
    except PipelineError as error:
        assert str(path) in str(error) or "params.yaml" in str(error)  # noqa: PT017
