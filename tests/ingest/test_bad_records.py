"""Damaged records that are set aside: what is kept is the file without them, on its own lines."""

import re
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.dialect import Dialect
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.tables import Rejected, read_lines, read_rejected, read_table
from pipeline.ingest import bad_records, fast
from pipeline.ingest import reader as csv_reader
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.table_file import write_rows
from tests.csv_file import read_csv

HALF = Dialect.model_validate({"bad_records": {"set_aside": 0.5}})
# fmt: off
CELLS = st.sampled_from([
    "1", "0.5", "x", "", '"q"', '"a,b"', '"a""b"', '"a\nb"', 'a"b', '"a"b', '"a"b"c"', '"', ' "a"',
    "007", "\0", "\udce9", '"\udce9', "a", "b", " 1", "é", '"x', 'y"',
])
# fmt: on
LINES = st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=8)
ENDS = st.sampled_from(["\n", "\r\n", "\n\n"])


def aside(share: float) -> Dialect:
    return Dialect.model_validate({"bad_records": {"set_aside": share}})


def written(path: Path, lines: list[str]) -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
    return path


def ingested(file: Path, dialect: Dialect) -> tuple[pa.Table, list[int], list[Rejected]]:
    output = file.with_suffix(".parquet")
    write_rows(output, CsvFile(file, dialect))
    table, lines = read_table(output), read_lines(output)
    return table, [lines[row] for row in range(len(table))], read_rejected(output)


def outcome(file: Path, dialect: Dialect) -> object:
    try:
        return ingested(file, dialect)
    except PipelineError as error:
        return str(error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad")


@pytest.mark.filterwarnings("ignore::pipeline.core.errors.PipelineWarning")
@given(rows=LINES, ends=st.lists(ENDS, min_size=9, max_size=9), block=st.integers(1, 60))
@example(rows=[["1", "2"], ["3"], ["x", "4"]], ends=["\n"] * 9, block=60)
@example(rows=[["1", "2"], ["3", '"a"b'], ["x", "4"]], ends=["\n"] * 9, block=60)
def test_what_is_kept_is_the_file_without_the_bad_records_and_both_paths_agree(
    folder: Path, rows: list[list[str]], ends: list[str], block: int
) -> None:
    file = folder / "a.csv"
    text = "".join(",".join(row) + end for row, end in zip([["a", "b"], *rows], ends, strict=False))
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "BLOCK", block)
        quick = outcome(file, HALF)
        patch.setattr(csv_reader, "serves", lambda *_: False)
        assert quick == outcome(file, HALF)
    if not isinstance(quick, tuple):
        return
    table, at, rejected = quick
    lines = [*StringIO(text, newline="")]
    gone = {one.line - 1 for one in rejected}
    assert len(rejected) <= 0.5 * (len(table) + len(rejected))
    rest = [line for k, line in enumerate(lines) if k not in gone]
    file.write_bytes("".join(rest).encode(errors="surrogateescape"))
    kept, numbers, none = ingested(file, Dialect())
    assert kept == table
    assert not none
    left = [k for k in range(len(lines)) if k not in gone]
    assert at == [left[number - 1] + 1 for number in numbers]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("7", "has 1 field, expected 3 as in the header: '7'"),
        ("7,1,2,3", "has 4 fields, expected 3 as in the header: '7,1,2,3'"),
        ('7,1,5" pipe', "column c: text stands around a quote"),
        ('7,1,"a "b" c"', "column c: text stands behind the closing quote"),
        ("7,1,caf\udce9", "column c: byte 8 (0xe9) is not UTF-8"),
        ("7,1,\0", "column c: holds a NUL byte"),
        ("", "is blank"),
        (",,", "is blank but for its delimiters"),
        ("a,b,c", "repeats the header"),
    ],
)
def test_a_damaged_record_is_set_aside_with_line_reason_and_text(
    tmp_path: Path, line: str, reason: str
) -> None:
    lines = ["a,b,c", *(f"{k},{k},w{k}" for k in range(99))]
    file = written(tmp_path / "a.csv", [*lines[:50], line, *lines[50:]])
    with pytest.warns(PipelineWarning, match="1 of 100 records is damaged and set aside.*line 51"):
        table, numbers, rejected = ingested(file, aside(0.01))
    assert table == read_csv(written(tmp_path / "b.csv", lines))
    assert numbers == [*range(2, 51), *range(52, 102)]
    assert [one.line for one in rejected] == [51]
    assert rejected[0].reason.startswith(reason)
    assert rejected[0].text == line.replace("\udce9", "\\xe9").replace("\0", "\\x00")


@pytest.mark.parametrize(
    "lines",
    [
        ['1,2,"opens', '3,4,closes"x', "5,6,7"],
        ['1,2,"opens', "3,4,5", '6,7,8",9'],
        ['1,2,"a"b', "3,4,5", '6"'],
        ['1,2,"caf\udce9', "3,4,5", '6"'],
        ["1,2,3", '4,5,"never closed'],
    ],
)
def test_a_record_that_may_go_on_in_the_next_line_is_never_set_aside(
    tmp_path: Path, lines: list[str]
) -> None:
    good = [f"{k},{k},w{k}" for k in range(500)]
    file = written(tmp_path / "a.csv", ["a,b,c", *good, *lines])
    with pytest.raises(PipelineError, match=r"line 50[23].*(may go on|never closes)"):
        read_csv(file, HALF)


def test_more_than_the_share_is_refused_with_the_first_problems_and_the_count(
    tmp_path: Path,
) -> None:
    lines = [f"{k},{k}" if k % 10 else f"{k}" for k in range(1, 1000)]
    file = written(tmp_path / "a.csv", ["a,b", *lines])
    with pytest.raises(PipelineError) as refused:
        read_csv(file, aside(0.05))
    text = str(refused.value)
    assert text.startswith(f"{file}, line 11: has 1 field")
    assert "... and 79 more\n" in text
    assert "99 of 999 records are damaged, more than bad_records: {set_aside: 0.05}" in text
    assert len(read_csv(file, aside(0.1))) == 900


def test_the_texts_that_are_set_aside_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bad_records, "MOST", 1000)
    lines = [f"{k},{k}" if k % 10 else "x" * 50 for k in range(1, 1000)]
    with pytest.raises(PipelineError, match="not set aside: too many are"):
        read_csv(written(tmp_path / "a.csv", ["a,b", *lines]), HALF)


def test_where_few_records_are_bad_the_refusal_offers_to_set_them_aside(tmp_path: Path) -> None:
    lines = [f"{k},{k}" for k in range(300)]
    file = written(tmp_path / "a.csv", ["a,b", *lines, "1", *lines, "2,3,4"])
    with pytest.raises(PipelineError) as refused:
        read_csv(file)
    offer = r"records aside \(2 of 602\): declare bad_records: \{set_aside: 0.01\}"
    assert re.search(offer, str(refused.value))


@pytest.mark.parametrize(
    "lines",
    [
        [*["1,2"] * 5, "1"],  # a sixth of them
        [*["1,2"] * 500, ""],  # which has its own remedy
        [*["1,2"] * 500, '1,"2'],  # whose end is not known
        ["1;2"] * 500,  # another delimiter
    ],
)
def test_no_refusal_offers_it_otherwise(tmp_path: Path, lines: list[str]) -> None:
    file = written(tmp_path / "a.csv", ["a,b", *lines])
    with pytest.raises(PipelineError) as refused:
        read_csv(file)
    assert "aside" not in str(refused.value)


@pytest.mark.parametrize("value", ["skip", 0.5, {"set_aside": 0}, {"set_aside": 1}, {"share": 0.1}])
def test_only_refuse_or_a_share_can_be_declared(value: object) -> None:
    with pytest.raises(ValueError, match="bad_records"):
        Dialect.model_validate({"bad_records": value})
