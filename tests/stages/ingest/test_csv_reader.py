import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.core.numbers import is_number
from pipeline.stages.ingest.csv_reader import read_csv, read_records


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.csv: is empty"),
        (b"\n\n", r"a\.csv: is empty"),
        (b"a,b\n", r"header but no rows"),
        (b"a,b\n1,2\n3\n", r"line 3: has 1 field, expected 2"),
        (b"a,b\n1,2,3\n4,5\n6\n", r"(?s)line 2: has 3 fields.*line 4: has 1 field"),
        (b"a,b\n1,2\n\n3,4\n", r"line 3: has no field \(a blank line\)"),
        (b"a,\n1,2\n", r"line 1: a column has no name"),
        (b"a,a\n1,2\n", r"line 1: column a stands there twice"),
        (b"1,2\n3,4\n", r"line 1: only numbers, expected a header"),
        (b"a,b\n1,2\n1,\xe9\n", r"line 3: is not UTF-8"),
        (b'a,b\n1,"2\n3,4\n', r"line 2: opens a quote that never closes"),
        (b'a,b\n1,"2\n3"\n4,5\n', r"line 2: a quoted cell goes on"),
        (b"a,b\n1,\x002\n", r"line 2: holds a NUL byte"),
        (b"\na,b\n1,2\n", r"line 1: is blank; expected a header"),
        (b'a,b\n1,"2\n' + b"3,4\n" * 40_000, r"line 2: opens a quote that never closes, or has"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(PipelineError, match=message):
        read_csv(file)


def test_a_folder_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(PipelineError, match="is not a file"):
            read_csv(path)


def test_records_come_one_by_one_up_to_the_first_bad_line(file: Path) -> None:
    file.write_text('a,b\n1,2\n3\n4,"5')
    records = read_records(file)
    assert [next(records) for _ in range(3)] == [["a", "b"], ["1", "2"], ["3"]]
    with pytest.raises(PipelineError, match="line 4: opens a quote that never closes"):
        next(records)


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
