"""Arrow's parser, after the look at the bytes, and the records one by one: the same table."""

import gzip
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.dialect import Dialect
from pipeline.core.errors import PipelineError
from pipeline.ingest import fast
from pipeline.ingest import reader as csv_reader
from tests.csv_file import read_csv

# fmt: off
CELLS = st.sampled_from([
    "1", "-2", "0", "0.5", "-0.25", "1e5", "1e-05", ".5", "3.", "x", "true", "2020-01-01", "", " 1",
    "007", "-007", "0x10", "+1", "nan", "inf", "1e400", "9" * 19, "9" * 25, '"q"', '"a\nb"', "é",
    "\ufeff", "\ufeff1", "-", "-0", "1_0", "a b", "\t1", "1:30", "N/A", "0e1", "00", "NA", '""',
    '"1"', '" 1"', '"1 "', '"007"', '"-0x1"', '"+1"', '"NA"', '"a,b"', '"a ""b"" c"', '"""a"""',
    '"a\r"', '"a\r\nb"', '"\n"', '"0,5"', '"a"b', 'a"b', '"', '"a""', '"a" ', ' "a"', '"b"',
    "b", "a", "0,5",
])
UNCERTAIN = [
    "1,2\r3,4", "", "1,\x002", '1,2"', '1,"2"3', '1,"2" ', '1, "2"', '1,"2', '"1",2"', '"a"\r,1',
]
# fmt: on
LINES = st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=6)
REGULAR = st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=6)
DECLARED = st.fixed_dictionaries(
    {
        "missing": st.sampled_from([[], [""], ["NA"], ["", "NA", "1", "-"], [" 1"]]),
        "quoted_missing": st.booleans(),
        "quote": st.sampled_from(['"', '"', '"', "'"]),
        "delimiter": st.sampled_from([",", ",", ";", "\t"]),
        "decimal": st.sampled_from([".", ".", ","]),
    }
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\n", "\r\n", "\r", "\n\n"])


def outcome(path: Path, dialect: Dialect) -> pa.Table | str:
    try:
        return read_csv(path, dialect)
    except PipelineError as error:
        return str(error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fast")


@given(
    rows=LINES | REGULAR,
    ends=st.lists(ENDS, min_size=7, max_size=7),
    block=st.integers(1, 60),
    declared=DECLARED | st.just({}),
)
@example(rows=[["1", "2"], ["3", "-007"]], ends=["\n"] * 7, block=60, declared={})
@example(rows=[["1", "2"], ["x", "1"], ["2", "a"]], ends=["\n"] * 7, block=4, declared={})
@example(rows=[["a", "b"], ["a", "b"]], ends=["\n"] * 7, block=60, declared={})
@example(rows=[["1", "2", "3"]], ends=["\n"] * 7, block=60, declared={"decimal": ","})
def test_both_paths_agree(
    folder: Path,
    rows: list[list[str]],
    ends: list[str],
    block: int,
    declared: dict[str, Any],
) -> None:
    dialect = Dialect(**declared)
    path, cut = folder / "a.csv", dialect.delimiter
    lines = [cut.join(row) + end for row, end in zip([["a", "b"], *rows], ends, strict=False)]
    path.write_bytes("".join(lines).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "BLOCK", block)
        quick = outcome(path, dialect)
        patch.setattr(csv_reader, "serves", lambda *_: False)
        precise = outcome(path, dialect)
    if isinstance(quick, str) or isinstance(precise, str):
        assert quick == precise
    else:
        assert quick.schema == precise.schema
        assert quick.equals(precise)


def test_both_paths_read_integers_that_no_float_holds(folder: Path) -> None:
    path = folder / "large.csv"
    for quote in ("", '"'):
        path.write_text("a,b\n" + f"9007199254740993,{quote}1{quote}\n" * 10_000 + "0.5,1\n")
        assert read_csv(path)["a"].to_pylist() == [9007199254740992.0] * 10_000 + [0.5]


@pytest.mark.parametrize("last", ["34", "34\r", "34\r56", "34\r56\r", "34\n56", "34\r\n56"])
def test_lines_are_cut_wherever_a_block_ends(folder: Path, last: str) -> None:
    path = folder / "ends.csv"
    rows = f"12\r{last}"
    expected = [int(line) for line in rows.splitlines()]
    for behind in range(len(rows) + 2):
        name = "a" * (8192 - behind)  # Python's text files are read in blocks of 8192 bytes
        path.write_bytes(f"{name}\r{rows}".encode())
        assert read_csv(path)[name].to_pylist() == expected


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("above", [0, 1, 2])
@pytest.mark.parametrize("rows", [b"1,2\n3,4\n", b"007,2\n3,4\n", b" 1,2\n3,4\n"])
def test_both_paths_begin_where_the_rows_do(
    folder: Path, mark: bytes, above: int, rows: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "headless.csv"
    path.write_bytes(mark + b"9,9\n" * above + rows)
    dialect = Dialect(header=["a", "b"], skip_lines=above)
    quick = read_csv(path, dialect)
    assert len(quick) == 2
    monkeypatch.setattr(csv_reader, "serves", lambda *_: False)
    assert quick.equals(read_csv(path, dialect))


def test_an_archive_is_refused_where_it_is_cut_off(folder: Path) -> None:
    lines = "".join(f"{k},{k * k % 9973}\n" for k in range(150_000))
    packed = gzip.compress(f"a,b\n{lines}".encode(), mtime=0)
    path = folder / "a.csv.gz"
    path.write_bytes(packed[:-2000])
    with pytest.raises(PipelineError, match=r"a\.csv\.gz, line \d{5,}: the archive is damaged"):
        read_csv(path)


def test_an_archive_that_is_damaged_anywhere_is_refused(folder: Path) -> None:
    draws = Random(0)
    lines = "".join(f"{k},{draws.random()}\n" for k in range(600))
    packed = gzip.compress(f"a,b\n{lines}".encode(), mtime=0)
    path = folder / "a.csv.gz"
    for at in range(10, len(packed) - 20, 200):  # behind gzip's own header
        path.write_bytes(packed[:at] + draws.randbytes(20) + packed[at + 20 :])
        with pytest.raises(PipelineError, match=r"a\.csv\.gz, line \d+"):
            read_csv(path)
        path.write_bytes(packed[:at])
        with pytest.raises(PipelineError, match=r"a\.csv\.gz, line \d+: the archive is damaged"):
            read_csv(path)


def test_a_mark_may_come_in_pieces(folder: Path) -> None:
    path = folder / "a.csv.gz"
    path.write_bytes(gzip.compress(b"\xef") + gzip.compress(b"\xbb\xbfa,b\n1,2\n"))
    assert read_csv(path).to_pydict() == {"a": [1], "b": [2]}


@pytest.mark.parametrize("row", UNCERTAIN)
def test_what_arrow_would_cut_otherwise_is_left_to_records(row: str) -> None:
    for text in (f"{row}\n1,2\n", f"1,2\n{row}\n", "1,2\n" * 40_000 + f"{row}\n"):
        assert fast.look(text.encode(), Dialect()) is None


NUMBERS = ["1", "10", "0", "-0", "0.5", "-0.5", "0e1", "-0E1", ".5", "-.5", "5.", "1e-400"]
OTHERS = [
    *("007", "-007", "00", "-00", "0x1", "-0X2", "+1", "+0.5", "nan", "-inf", "1e400", " 1", "1 "),
    *("", "-", "1_0", "true"),
]


SURE = st.lists(st.sampled_from([*NUMBERS, None]))


@given(above=SURE, other=st.sampled_from(OTHERS), below=SURE)
def test_cells_are_judged_wherever_they_stand(
    above: list[str | None], other: str, below: list[str | None]
) -> None:
    texts = pa.chunked_array([pa.array([*above, other, *below], pa.string())])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "column", lambda *_: "judged")
        assert fast._typed(texts, pa.null(), Dialect(), "a") == "judged"


@given(cells=SURE)
def test_numbers_need_no_judging(cells: list[str | None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "column", None)
        texts = pa.chunked_array([pa.array(cells, pa.string())])
        found = fast._typed(texts, pa.null(), Dialect(), "a").to_pylist()
    assert found == [None if cell is None else float(cell) for cell in cells]


@given(
    rows=st.lists(st.tuples(*[st.sampled_from(NUMBERS)] * 2), min_size=1, max_size=6),
    odd=st.sampled_from(["007", "-007", "00", "0x1", "-0X2", "+1", "+0.5", " 1", "1 ", "-01e5"]),
    place=st.integers(0, 11),
    tile=st.integers(1, 9),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_lines_are_sure_without_an_odd_cell(
    rows: list[tuple[str, str]], odd: str, place: int, tile: int, delimiter: str, end: str
) -> None:
    dialect, cells = Dialect(delimiter=delimiter), [cell for row in rows for cell in row]

    def sure() -> bool:
        pairs = zip(cells[::2], cells[1::2], strict=True)
        return fast.sure("".join(delimiter.join(row) + end for row in pairs).encode(), dialect)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "TILE", tile)
        assert sure()
        cells[place % len(cells)] = odd
        assert not sure()


def test_columns_known_as_numbers_are_read_as_numbers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = folder / "known.csv", list[int]()
    path.write_text("a,b,c\n" + "1,-0.5,x\n2,,y\n" * 1000 + "3,nan,z\n")
    certain = fast._certain

    def counted(texts: pa.Array, numbers: pa.Array) -> bool:
        read.append(len(texts))
        return certain(texts, numbers)

    monkeypatch.setattr(fast, "BLOCK", 512)
    monkeypatch.setattr(fast, "_certain", counted)
    group = next(csv_reader.CsvFile(path, Dialect(missing=["", "nan"])).groups())
    assert group["b"].to_pylist() == [-0.5, None] * 1000 + [None]
    assert sum(read) < 200  # the first block alone
    assert read_csv(path, Dialect(missing=[""]))["b"].to_pylist() == ["-0.5", None] * 1000 + ["nan"]


def test_lines_are_told_from_records() -> None:
    text = "0,0.5\n-0.5,1e-05\n0e5,-0E-5\n10,-10\nword,two words\n2020-01-01,10:00\n"
    text += '"a ""b"", c","d\ne"\n"","1"\n'
    for lines in (text, text.replace("\n", "\r\n")):
        seen = fast.look(lines.encode(), Dialect())
        assert seen is not None
        assert seen.lines == [(0, 7), (8, 1)]


def test_a_plain_file_does_not_need_records(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "b.csv"
    path.write_text("a,b\n" + '"1, ""2""\n",0.5\n"",NA\n' * 1000)
    monkeypatch.setattr(fast, "BLOCK", 512)
    monkeypatch.setattr(csv_reader, "column", None)
    found = read_csv(path, Dialect(missing=["NA", ""], quoted_missing=False))
    assert found["a"].to_pylist() == ['1, "2"\n', ""] * 1000
    assert found["b"].to_pylist() == [0.5, None] * 1000


@pytest.mark.parametrize("cell", ["007", "+1", "01.02.2024"])
def test_a_column_that_is_no_numbers_to_us_leaves_the_others_to_arrow(
    cell: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "c.csv"
    path.write_text("a,b\n" + f"1,0.5\n2,{cell}\n" * 1000)
    monkeypatch.setattr(fast, "BLOCK", 512)
    precise = read_csv(path, Dialect(comment="#"))  # which goes by records
    monkeypatch.setattr(csv_reader.CsvFile, "records", lambda *_: iter(()))
    assert read_csv(path).equals(precise)


@pytest.mark.parametrize("filled", [(0, 0), (0, 900), (9000, 10_000)])
def test_a_column_may_be_empty_for_many_lines(folder: Path, filled: tuple[int, int]) -> None:
    path, (begin, end) = folder / "s.csv", filled
    draw = Random(1)
    rows = (f"{draw.random():.6f},{k % 9 if begin <= k < end else ''}\n" for k in range(10_000))
    path.write_text("x,y\n" + "".join(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "BLOCK", 2**15)
        patch.setattr(fast, "PIECE", 2**12)
        found = read_csv(path, Dialect(missing=[""]))
    assert found.equals(read_csv(path, Dialect(missing=[""], comment="#")))
