import csv
import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.dialect import Dialect
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.tables import read_lines, read_table
from pipeline.core.text import is_number
from pipeline.ingest import table_file
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.records import ENDED
from pipeline.ingest.table_file import write_rows
from tests.conftest import ROOT
from tests.csv_file import read_csv


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


def test_a_column_is_int_float_or_text_as_all_its_cells_are(file: Path) -> None:
    file.write_text('n,x,id,mixed\n1,1.5,007,1\n-2,2e-3,008,two\n+3,.5,"a,b",\n')
    table = read_csv(file)
    assert [field.type for field in table.schema] == [
        pa.int64(),
        pa.float64(),
        pa.string(),
        pa.string(),
    ]
    assert table.to_pydict() == {
        "n": [1, -2, 3],
        "x": [1.5, 0.002, 0.5],
        "id": ["007", "008", "a,b"],
        "mixed": ["1", "two", ""],
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_line_ends_and_byte_order_mark_do_not_matter(
    file: Path, newline: str, mark: bytes, last: str
) -> None:
    file.write_bytes(mark + f"a,b\n1,2\n3,4{last}".replace("\n", newline).encode())
    assert read_csv(file).to_pydict() == {"a": [1, 3], "b": [2, 4]}


def test_a_folder_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(PipelineError, match="is not a file"):
            read_csv(path)


def test_records_come_one_by_one_with_the_problem_of_each(file: Path) -> None:
    file.write_text('a,b\n1,2\n3\n4,"5')
    records = CsvFile(file).records()
    assert [next(records).cells for _ in range(2)] == [["1", "2"], ["3"]]
    last = next(records)
    assert last.line == ENDED
    assert "line 4, column 2: opens a quote that never closes" in last.problem
    assert next(records, None) is None


def test_rows_know_their_lines(file: Path, tmp_path: Path) -> None:
    file.write_text('# made by hand\na,b\n1,"two\nlines"\n\n3,4\n# the end\n5,6\n')
    dialect = Dialect(comment="#", skip_blank_lines=True)
    made = tmp_path / "a.parquet"
    with pytest.warns(PipelineWarning, match="skipped, as declared") as caught:
        write_rows(made, CsvFile(file, dialect))
    assert {str(warning.message).split(": ")[1] for warning in caught} == {
        "2 comments skipped, as declared",
        "1 blank lines skipped, as declared",
    }
    assert [read_lines(made)[row] for row in range(3)] == [3, 6, 8]
    assert read_table(made).to_pydict() == {"a": [1, 3, 5], "b": ["two\nlines", "4", "6"]}


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_what_a_column_holds_is_told_by_all_of_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """Rows that were taken for numbers at first are read again, character by character."""
    file.write_text('i,f,t\n1,1,1.0\n2,2,"2"\n3,3.5,x\n4,4,5e0\n')
    monkeypatch.setattr("pipeline.ingest.reader.BATCH", batch)
    made = tmp_path / "a.parquet"
    write_rows(made, CsvFile(file))
    assert read_table(made).to_pydict() == {
        "i": [1, 2, 3, 4],
        "f": [1.0, 2.0, 3.5, 4.0],
        "t": ["1.0", "2", "x", "5e0"],
    }
    assert read_table(made).equals(read_csv(file))


def test_a_number_of_5000_digits_is_text(file: Path) -> None:
    file.write_text("a,b\n1," + "9" * 5000 + "\n")
    assert read_csv(file)["b"].to_pylist() == ["9" * 5000]


def test_a_missing_file_is_named(file: Path) -> None:
    with pytest.raises(PipelineError, match=r"a\.csv is missing"):
        read_csv(file)


@pytest.mark.parametrize(
    "cell", ["nan", "inf", "1e400", "1_000", "0x10", "١٢", "5%", "$5", "1,5", "007", "", " 1", "1d"]
)
def test_not_a_number(cell: str) -> None:
    assert not is_number(cell)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_is_a_number(value: float) -> None:
    assert is_number(repr(value))


# The twelve cases of csv-spectrum, in words of our own.
SPECTRUM = {
    "comma in quotes": 'first,city,zip\nJohn,"Anytown, WW",08123\n',
    "empty": 'a,b,c\n1,"",""\n2,3,4\n',
    "empty, CRLF": 'a,b,c\r\n1,"",""\r\n2,3,4\r\n',
    "escaped quotes": 'a,b\n1,"ha ""ha"" ha"\n3,4\n',
    "JSON": 'key,val\n1,"{""type"": ""Point"", ""at"": [102.0, 0.5]}"\n',
    "coordinates": 'id,where\n23,"(37.79, -122.4)"\n',
    "newlines": 'a,b,c\n1,2,3\n"Once upon \na time",5,6\n7,8,9\n',
    "newlines, CRLF": 'a,b,c\r\n1,2,3\r\n"Once upon \r\na time",5,6\r\n7,8,9\r\n',
    "quotes and newlines": 'a,b\n1,"ha \n""ha"" \nha"\n3,4\n',
    "simple": "a,b,c\n1,2,3\n",
    "simple, CRLF": "a,b,c\r\n1,2,3\r\n",
    "UTF-8": "a,b,c\n1,2,3\n4,5,\u02a4\n",
}


@pytest.mark.parametrize("case", SPECTRUM)
def test_well_formed_files_are_read_as_pythons_csv_does(file: Path, case: str) -> None:
    file.write_bytes(SPECTRUM[case].encode())
    expected = csv.DictReader(io.StringIO(SPECTRUM[case], newline=""), strict=True)
    found = [{k: str(v) for k, v in row.items()} for row in read_csv(file).to_pylist()]
    assert found == [*expected]


GOODS = [
    ["date", "price", "product", "description"],
    ["28/01/2018", "74.69", "Men's Hiking Boots", '"Rugged, yet light."'],
    ["13/02/2018", "48.00", '"Pillow, Wooden Paddles"', '"A pop of fun, 5"" wide."'],
    ["18/02/2018", "78.07", '"Table, Round 48"""', "Made to last."],
    ["20/02/2018", "48.08", "Fly Rod  8 Wt.", "Amazingly crisp."],
]
STRUCTURE: dict[str, Callable[[list[str], int], list[str]]] = {
    "no delimiter": lambda cells, k: [*cells[:k], "".join(cells[k : k + 2]), *cells[k + 2 :]],
    "a delimiter": lambda cells, k: [*cells[:k], "", *cells[k:]],
    "a quote first": lambda cells, k: [*cells[:k], f'"{cells[k]}', *cells[k + 1 :]],
    "a quote last": lambda cells, k: [*cells[:k], f'{cells[k]}"', *cells[k + 1 :]],
    "another delimiter": lambda cells, k: [*cells[:k], ";".join(cells[k : k + 2]), *cells[k + 2 :]],
}


@pytest.mark.parametrize("change", STRUCTURE)
def test_one_structural_character_too_many_or_too_few_is_refused_anywhere(
    file: Path, change: str
) -> None:
    def write(lines: list[list[str]]) -> None:
        file.write_text("".join(",".join(cells) + "\n" for cells in lines))

    write(GOODS)
    assert read_csv(file)["product"].to_pylist()[2] == 'Table, Round 48"'
    for row, cells in enumerate(GOODS):
        for column in range(len(cells)):
            made = STRUCTURE[change](cells, column)
            write([*GOODS[:row], made, *GOODS[row + 1 :]])
            if made == cells:
                assert column == 3  # there is no delimiter behind the last cell
                continue
            lines = row + 1 if row else "[12]"  # a short or long header shows on the line behind
            with pytest.raises(PipelineError, match=rf"a\.csv, line {lines}\b"):
                read_csv(file)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters='\r\n\0"'), min_size=1, max_size=5)


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5))
def test_a_table_of_text_loads_equal_to_what_was_written(
    rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    lines = [["a", "b"], *[["x" + cell for cell in row] for row in rows]]
    text = "\n".join(",".join(f'"{cell}"' for cell in line) for line in lines)
    path.write_text(text, encoding="utf-8", newline="")
    assert [list(row.values()) for row in read_csv(path).to_pylist()] == lines[1:]


def packed(path: Path, line: bytes, size: int) -> Path:
    """Pack a file of so many MB of one line."""
    with gzip.open(path, "wb") as file:
        file.write(b"a,b\n")
        for _ in range(size):
            file.write(line * (2**20 // len(line)))
    return path


def test_a_file_that_would_fill_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb, made = packed(tmp_path / "a.csv.gz", b"1,2\n", 2), tmp_path / "a.parquet"
    monkeypatch.setattr(table_file, "MOST", 2**20)
    with pytest.raises(PipelineError, match=r"a\.csv\.gz: has .* unpack the file"):
        write_rows(made, CsvFile(bomb))
    assert [*tmp_path.iterdir()] == [bomb]
    unpacked = tmp_path / "a.csv"
    unpacked.write_bytes(gzip.decompress(bomb.read_bytes()))
    write_rows(made, CsvFile(unpacked))
    assert made.exists()


@pytest.mark.slow
@pytest.mark.parametrize("line", [b"1,2\n", b"\0"])
def test_memory_does_not_grow_with_what_is_unpacked(tmp_path: Path, line: bytes) -> None:
    """A line is held, up to 64 MB of it."""
    code = """
import sys
from pathlib import Path
from pipeline.core.errors import PipelineError
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.table_file import write_rows
from tests.conftest import ROOT
try:
    write_rows(Path(sys.argv[2]), CsvFile(Path(sys.argv[1])))
except PipelineError:
    pass
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""
    most = []
    for size in (70, 280):
        words = [str(packed(tmp_path / "a.csv.gz", line, size)), str(tmp_path / "a.parquet")]
        most.append(int(subprocess.check_output([sys.executable, "-c", code, *words], cwd=ROOT)))
    assert most[1] < 1.2 * most[0]
    assert most[1] < 500_000
