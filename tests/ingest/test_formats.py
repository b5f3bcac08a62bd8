"""Files that are no CSV become the table that they hold, or are refused by name."""

import random
import sys
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest

from pipeline.core.dialect import Table
from pipeline.core.errors import PipelineError
from pipeline.core.settings.ingest import Ingest
from pipeline.core.tables import read_lines, read_table
from pipeline.ingest.detect_table import detect_file
from pipeline.ingest.foreign import Format
from pipeline.ingest.formats import format_of, opened_table
from pipeline.ingest.table_file import read_rows, write_rows

NOW = datetime(2024, 1, 2, 3, 4, 5, 600_000)
DATA = "@relation r\n@attribute a numeric\n@attribute b numeric\n@data\n"


def read(path: Path, **declared: Any) -> dict[str, list[Any]]:
    return read_rows(opened_table(path, table=Table(**declared))).to_pydict()


def refused(path: Path, message: str, **declared: Any) -> None:
    with pytest.raises(PipelineError, match=message):
        read(path, **declared)


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[..., Path]:
    def write(**columns: Any) -> Path:
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table(columns), path)
        return path

    return write


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[..., Path]:
    """A workbook of rows; `cells` are set afterwards."""

    def write(rows: Sequence[Sequence[Any]], name: str = "a.xlsx", **cells: Any) -> Path:
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "Prices"
        for row in rows:
            sheet.append(row)
        for cell, value in cells.items():
            sheet[cell] = value
        book.save(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    def write(files: dict[str, str]) -> Path:
        with zipfile.ZipFile(tmp_path / "a.csv.zip", "w", zipfile.ZIP_DEFLATED) as packed:
            for name, text in files.items():
                packed.writestr(name, text)
        return tmp_path / "a.csv.zip"

    return write


@pytest.mark.parametrize("beside", [{}, {"__MACOSX/._a.csv": "x", "folder/.DS_Store": "x"}])
def test_an_archive_with_one_file_is_unpacked(
    archive: Callable[..., Path], beside: dict[str, str]
) -> None:
    assert read(archive({"a.csv": "a,b\n1,x\n2,y\n", **beside})) == {"a": [1, 2], "b": ["x", "y"]}


def test_a_large_archive_is_read_as_the_file_in_it(
    archive: Callable[..., Path], tmp_path: Path
) -> None:
    draw = random.Random(0)
    text = "a,b\n" + "".join(f"{draw.random()},{draw.randint(0, 9)}\n" for _ in range(300_000))
    plain = tmp_path / "a.csv"
    plain.write_text(text)
    assert read(archive({"a.csv": text})) == read(plain)


def test_an_archive_that_is_encrypted_or_damaged_is_refused(archive: Callable[..., Path]) -> None:
    path = archive({"a.csv": "a,b\n" + "1,2\n" * 9})
    good = path.read_bytes()
    central = good.index(b"PK\x01\x02")
    for at in (6, central + 8):  # the flags of the file, and of the list of files
        path.write_bytes(path.read_bytes()[:at] + b"\x01" + path.read_bytes()[at + 1 :])
    refused(path, "'a.csv' is encrypted; pack it without a password")
    path.write_bytes(good[:37] + bytes([good[37] ^ 255]) + good[38:])
    refused(path, "the archive is damaged or cut off")
    path.write_bytes(good[:-30])
    refused(path, "is no zip archive, or damaged")


def test_parquet_keeps_values_and_gaps(parquet: Callable[..., Path]) -> None:
    path = parquet(
        whole=pa.array([9007199254740993, None]),
        truth=[True, None],
        text=["", None],
        category=pa.array(["x", None]).dictionary_encode(),
        number_of=pa.array([3, None]).dictionary_encode(),
        day=[NOW.date(), None],
        instant=pa.array([NOW, None], pa.timestamp("ns")),
        second=pa.array([NOW.replace(microsecond=0), None], pa.timestamp("us")),
        zone=pa.array([NOW, None], pa.timestamp("ms", "Asia/Tokyo")),
        clock=[NOW.time(), None],
        small=pa.array([0.5, None], pa.float32()),
        none=pa.nulls(2),
        unsigned=pa.array([7, None], pa.uint64()),
        beyond=pa.array([2**64 - 1, None], pa.uint64()),
        places=[Decimal("57.01"), None],
        no_places=pa.array([Decimal(5), None], pa.decimal128(30, 0)),
    )
    assert read(path) == {
        "whole": [9007199254740993, None],
        "truth": ["true", None],
        "text": ["", None],
        "category": ["x", None],
        "number_of": [3, None],
        "day": ["2024-01-02", None],
        "instant": ["2024-01-02T03:04:05.6", None],
        "second": ["2024-01-02T03:04:05", None],
        "zone": ["2024-01-02T03:04:05.6Z", None],
        "clock": ["03:04:05.6", None],
        "small": [0.5, None],
        "none": [None, None],
        "unsigned": [7, None],
        "beyond": ["18446744073709551615", None],
        "places": [57.01, None],
        "no_places": [5, None],
    }


def test_decimals_become_the_nearest_floats(parquet: Callable[..., Path]) -> None:
    draw = random.Random(0)
    values = [Decimal(draw.randrange(10**9)).scaleb(-2) for _ in range(5000)]
    assert read(parquet(a=values))["a"] == [float(str(value)) for value in values]


def test_a_column_that_later_rows_make_text_is_text(parquet: Callable[..., Path]) -> None:
    ids = pa.array([1] * 70_000 + [2**63], pa.uint64())
    assert read(parquet(a=ids))["a"][:: len(ids) - 1] == ["1", "9223372036854775808"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1]], "column a is of list<element: int64>, expected numbers, text"),
        ([{"b": 1}], "column a is of struct<b: int64>"),
        ([b"x"], "column a is of binary"),
        ([NOW - NOW], r"column a is of duration\[us\].*: write a number of days or seconds"),
        ([1.0, float("inf")], "row 2, column a: inf, expected a finite number or null$"),
        ([1.0, float("nan")], r'row 2, column a: nan, .* declare table: {missing: \["nan"\]}'),
    ],
)
def test_fault_114_parquet_without_a_place_is_refused(
    parquet: Callable[..., Path], values: list[Any], message: str
) -> None:
    refused(parquet(a=values, b=[1] * len(values)), message)


def test_nan_is_no_value_where_that_is_declared(parquet: Callable[..., Path]) -> None:
    path = parquet(a=[1.0, float("nan")])
    assert read(path, missing=["nan"]) == {"a": [1.0, None]}
    assert detect_file(path).declared == {"table": {"missing": ["nan"]}}


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    refused(path, "a.parquet: is missing; put it there")
    path.write_text("a,b\n1,2\n")
    refused(path, "is not a Parquet file, as its name says; it looks like text: name")
    pq.write_table(pa.table({"a": [1]}), path.with_suffix(".xlsx"))
    refused(path.with_suffix(".xlsx"), "a.xlsx: is a Parquet file: name it NAME.parquet")
    pq.write_table(pa.table({"a": [1]}), path)
    path.write_bytes(path.read_bytes()[:-20])
    refused(path, "cannot be read: .*; export it again")
    pq.write_table(pa.table({"a": [1]}), path.with_suffix(".data"))
    assert format_of(path.with_suffix(".data")) == (".parquet", Format.PARQUET)


def test_a_workbook_keeps_numbers_text_dates_and_gaps(workbook: Callable[..., Path]) -> None:
    path = workbook(
        [
            ["name", "n", "x", "day", "time", "lift", "id"],
            ["a", 1, 0.1, date(2024, 1, 2), datetime(2024, 1, 2, 3, 4), True, "007"],
            [None, None, 3, date(2024, 1, 3), datetime(2024, 1, 3), False, "8"],
            ["c", 3, 3.5, None, None, None, "9"],
        ]
    )
    assert read(path) == {
        "name": ["a", None, "c"],
        "n": [1, None, 3],
        "x": [0.1, 3.0, 3.5],
        "day": ["2024-01-02", "2024-01-03", None],
        "time": ["2024-01-02T03:04:00", "2024-01-03T00:00:00", None],
        "lift": ["true", "false", None],
        "id": ["007", "8", "9"],
    }


def test_a_time_of_the_day_is_text(workbook: Callable[..., Path]) -> None:
    assert read(workbook([["at", "n"], [time(3, 4), 1]]))["at"] == ["03:04:00"]


@pytest.mark.parametrize(
    ("cell", "value", "message"),
    [
        ("B7", "=SUM(B2:B3)", "Prices!B7: is a formula without a value"),
        ("B7", "#DIV/0!", "Prices!B7: #DIV/0!, expected a value"),
        ("D3", "aside", "Prices!D3: 'aside' stands in a column without name"),
        ("A9", "note", "row 7: is blank, and row 9 is not; remove it"),
        ("B1", None, "row 1: column 2 has no name"),
        ("B1", "a", "row 1: column a stands there twice"),
        ("B1", 2019, "row 1: '2019' is no name"),
    ],
)
def test_fault_112_a_cell_that_cannot_be_told_is_named(
    workbook: Callable[..., Path], cell: str, value: object, message: str
) -> None:
    refused(workbook([["a", "b", "c"], *([k, k, k] for k in range(5))], **{cell: value}), message)


def test_fault_112_merged_cells_are_named(workbook: Callable[..., Path], tmp_path: Path) -> None:
    path = workbook([["Title", None], ["a", "b"], [1, 2], [3, 4]])
    book = openpyxl.load_workbook(path)
    book.active.merge_cells("A1:B1")
    book.save(path)
    assert read(path, skip_lines=1) == {"a": [1, 3], "b": [2, 4]}
    book.active.merge_cells("A3:A4")
    book.save(path)
    refused(path, "Prices!A3:A4: is merged; expected a value in each cell", skip_lines=1)


def test_an_error_may_be_declared_missing(workbook: Callable[..., Path]) -> None:
    path = workbook([["a", "b"], [1, "#N/A"], [2, 3]])
    assert read(path, missing=["#N/A"]) == {"a": [1, 2], "b": [None, 3]}


def test_a_sheet_is_read_beyond_what_its_writer_states(
    workbook: Callable[..., Path], tmp_path: Path
) -> None:
    path, other = workbook([["a", "b"], [1, 2], [3, 4]]), tmp_path / "b.xlsx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b'ref="A1:B3"', b'ref="A1:A2"'))
    assert read(other) == {"a": [1, 3], "b": [2, 4]}


def test_fault_111_one_sheet_of_several_is_declared(workbook: Callable[..., Path]) -> None:
    path = workbook([["a", "b"], [1, 2]])
    book = openpyxl.load_workbook(path)
    book.create_sheet("Notes")
    book.save(path)
    refused(path, "has the sheets 'Prices', 'Notes'; choose one by --sheet, or table: sheet")
    refused(path, "has no sheet 'prices'; expected one of 'Prices', 'Notes'", sheet="prices")
    assert read(path, sheet="Prices") == {"a": [1], "b": [2]}
    assert detect_file(path, sheet="Prices").declared == {"table": {"sheet": "Prices"}}


def test_the_header_of_a_sheet_is_found(workbook: Callable[..., Path], tmp_path: Path) -> None:
    path = workbook([["Prices of 2024"], [], [None, "x", "y"], [None, 1, 2], [None, 3, "n/a"]])
    found = detect_file(path)
    assert found.declared == {"table": {"skip_lines": 2, "missing": ["n/a"]}}
    assert found.columns == {"x": True, "y": True}
    titled = workbook([[None, "Title"], ["x", "y"], [1, 2], [3, 4]], "b.xlsx")
    assert detect_file(titled).declared == {"table": {"skip_lines": 1}}
    file = opened_table(path, table=found.table)
    write_rows(tmp_path / "a", file)
    assert read_table(tmp_path / "a").to_pydict() == {"x": [1, 3], "y": [2, None]}
    assert [read_lines(tmp_path / "a")[row] for row in (0, 1)] == [4, 5]


def test_fault_111_the_only_sheet_that_is_shown_and_has_cells(
    workbook: Callable[..., Path],
) -> None:
    path = workbook([["a", "b"], [1, 2]])
    book = openpyxl.load_workbook(path)
    book.create_sheet("Empty")
    book.create_sheet("Hidden", 0).append(["lists"])
    book["Hidden"].sheet_state = "hidden"
    book.save(path)
    assert detect_file(path).declared == {"table": {"sheet": "Prices"}}


def test_the_index_that_pandas_writes_is_left_out(tmp_path: Path) -> None:
    frame, path = pd.DataFrame({"x": [1.5, 2.5], "y": ["a", None]}), tmp_path / "a.xlsx"
    frame.to_excel(path, startrow=2)
    found = detect_file(path)
    assert found.declared == {"table": {"skip_lines": 2, "row_names": True}}
    assert read_rows(opened_table(path, table=found.table)).to_pydict() == {
        "x": [1.5, 2.5],
        "y": ["a", None],
    }
    refused(path, "Sheet1!A4: '0' stands in a column without name; name it", skip_lines=2)


def test_fault_113_numbers_that_are_stored_as_text_are_told(workbook: Callable[..., Path]) -> None:
    rows = [["all", "some", "code"], ["1,5", 1, "007"], ["2,5", "2.5", "010"]]
    assert detect_file(workbook(rows)).notes == [
        "all is text: A2 holds '1,5', a number as text, and other cells such text: make it numbers",
        "some is text: B3 holds '2.5', a number as text, and other cells numbers: make it numbers",
    ]


def test_names_may_be_declared(workbook: Callable[..., Path]) -> None:
    assert read(workbook([[1, "x"], [2, "y"]]), header=["n", "t"]) == {"n": [1, 2], "t": ["x", "y"]}


def test_fault_113_what_a_workbook_may_have_changed_is_said(workbook: Callable[..., Path]) -> None:
    path = workbook([["id", "x", "day"], [1234567890123456, 1, NOW.date()], [2, "three", 45000]])
    notes = detect_file(path).notes
    assert notes[0].startswith("x is text: B3 holds 'three', and other cells numbers; --missing")
    assert notes[1].startswith("day is text: C2 holds '2024-01-02', and other cells numbers")
    assert notes[2].startswith("id: numbers of more than 15 digits; a workbook keeps 15 (Excel)")


def test_arff_is_read_as_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "a.arff"
    path.write_text(
        "% made by hand\n@relation 'two words'\n@attribute a numeric\n"
        "@ATTRIBUTE 'b c' {x,'y z'}\n@attribute s string\n@attribute d date \"yyyy-MM-dd\"\n"
        "@attribute k {1,2}\n\n@data\n1, x,'it\\'s',2024-01-31,1\n"
        "% a note\n?,'y z','a,b',?,2\n0.5,?,'?',2024-01-30,?\n"
    )
    assert read(path) == {
        "a": [1.0, None, 0.5],
        "b c": ["x", "y z", None],
        "s": ["it's", "a,b", "?"],
        "d": ["2024-01-31", None, "2024-01-30"],
        "k": ["1", "2", None],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{DATA}{{0 1}}\n", "line 5: is a sparse row"),
        (f"{DATA}1,2,3\n", "line 5: has 3 fields, expected 2"),
        ('@relation r\n@attribute a {x, y}\n@data\nx\n""\n', "line 5, column a: '', expected"),
        (f"{DATA}1,2,{{5}}\n", "line 5: has 3 fields, expected 2"),
        (f"{DATA}1,x\n", "line 5, column b: 'x', expected a finite number, as declared"),
        (f"{DATA}'1',2\n\"1\",3\n", "line 6: has quotes of another kind than line 5"),
        (f"{DATA}\n", "is empty behind line 4; expected rows"),
        ("@relation r\n@attribute a relational\n", "line 2: attribute a is relational"),
        ("a,b\n1,2\n", "line 1: 'a,b', expected @relation"),
        ("@relation r\n", "has no line @data"),
        ("@data\n1\n", "above line 1: has no columns"),
    ],
)
def test_fault_116_arff_that_cannot_be_told_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "a.arff"
    path.write_text(text)
    refused(path, message)


PEOPLE = pd.DataFrame(
    {
        "age": [30.0, 41.0, 99.0, None],
        "sex": [1.0, 2.0, 1.0, None],
        "income": [1.5, 2.5, -1.0, 3.5],
        "name": ["a", "", "ü", "d"],
        "born": [date(2024, 1, 2)] * 4,
    }
)


def test_fault_115_labels_are_values_and_missing_codes_none(tmp_path: Path) -> None:
    path = tmp_path / "a.sav"
    pyreadstat.write_sav(
        PEOPLE,
        path,
        variable_value_labels={"sex": {1: "male", 2: "female"}, "income": {-1: "refused"}},
        missing_ranges={"age": [{"lo": 97, "hi": 99}]},
    )
    found = detect_file(path)
    assert found.declared == {"table": {"labels": ["sex"]}}
    assert read(path)["sex"] == [1, 2, 1, None]
    assert read(path, labels=["sex"]) == {
        "age": [30, 41, None, None],
        "sex": ["male", "female", "male", None],
        "income": [1.5, 2.5, -1.0, 3.5],
        "name": ["a", "", "ü", "d"],
        "born": ["2024-01-02"] * 4,
    }
    assert found.notes == [
        "no values, as the file says: age (97 to 99)",
        "1 values of income have labels, and 3 have none: they stay as they are",
    ]


def test_fault_115_labels_are_what_is_declared(tmp_path: Path) -> None:
    """A file to predict may have fewer values than the one that trained, or others."""
    path, labels = tmp_path / "a.sav", {"sex": {1: "male", 2: "female"}}
    pyreadstat.write_sav(
        PEOPLE.assign(sex=[1.0, 2.0, 3.0, 1.0]), path, variable_value_labels=labels
    )
    assert detect_file(path).declared == {}
    refused(path, "row 3, column sex: 3 has no label; expected one of each", labels=["sex"])
    where = r"\(params.yaml: datasets.\*.ingest.table.labels\)"
    refused(path, f"column age has no labels; columns with labels: sex {where}", labels=["age"])
    missing = r"there is no column sx \(did you mean sex\?\); columns with labels: sex"
    refused(path, f"{missing} {where}", labels=["sx"])
    pyreadstat.write_sav(PEOPLE.head(1), path, variable_value_labels=labels)
    assert (read(path)["sex"], read(path, labels=["sex"])["sex"]) == ([1], ["male"])


def test_fault_115_labels_that_are_the_same_do_not_merge_values(tmp_path: Path) -> None:
    path = tmp_path / "a.sav"
    pyreadstat.write_sav(PEOPLE, path, variable_value_labels={"sex": {1: "yes", 2: "yes"}})
    assert detect_file(path).declared == {}
    assert read(path)["sex"] == [1, 2, 1, None]
    two = "column sex has the label 'yes' for two values; columns with labels: none"
    refused(path, two, labels=["sex"])


def test_stata_and_sas_are_read(tmp_path: Path) -> None:
    pyreadstat.write_dta(
        PEOPLE, tmp_path / "a.dta", variable_value_labels={"sex": {1: "male", 2: "female"}}
    )
    pyreadstat.write_xport(PEOPLE, tmp_path / "a.xpt")
    for name, sex in (("a.dta", ["male", "female", "male", None]), ("a.xpt", [1, 2, 1, None])):
        assert read(tmp_path / name, **detect_file(tmp_path / name).declared.get("table", {})) == {
            "age": [30, 41, 99, None],
            "sex": sex,
            "income": [1.5, 2.5, -1.0, 3.5],
            "name": ["a", None, "ü", "d"],
            "born": ["2024-01-02"] * 4,
        }


def test_a_file_of_statistics_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sav"
    pyreadstat.write_sav(PEOPLE, path)
    path.write_bytes(path.read_bytes()[:-40])
    refused(path, "cannot be read: .*; save it again")


def test_fault_117_the_extra_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.sav"
    pyreadstat.write_sav(PEOPLE, path)
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    refused(path, "needs the package pyreadstat: `pip install pyreadstat==")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            {"source": "data/raw/a.parquet", "csv": {"delimiter": ";"}},
            "csv: says nothing of .*; table does",
        ),
        (
            {"source": "data/raw/a.csv", "table": {"missing": ["NA"]}},
            "table: says nothing of .*; csv does",
        ),
        ({"source": "data/raw/a.sav", "table": {"sheet": "a"}}, "sheet go with a workbook alone"),
        ({"source": "data/raw/a.xpt", "table": {"labels": ["a"]}}, "labels go with a file of SPSS"),
        ({"source": "data/raw/a.xls"}, "expected data/raw/NAME.csv, .*xlsx"),
        ({"source": "data/raw/a.xlsx", "table": {"header": "commented"}}, "header"),
    ],
)
def test_a_declaration_goes_with_its_kind_of_file(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ingest.model_validate(block)


@pytest.mark.parametrize(
    "name", ["a.csv", "a.csv.gz", "a.csv.zip", "a.zip", "a.parquet", "a.xlsx", "a.dta", "a.arff"]
)
def test_a_source_may_be_of_any_kind(name: str) -> None:
    ingest = Ingest.model_validate({"source": f"data/raw/{name}"})
    assert ingest.is_csv == (".csv" in name or name == "a.zip")
    assert ingest.unit == ("line" if ingest.is_csv or name == "a.arff" else "row")
