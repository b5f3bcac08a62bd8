"""Rows 1 to 26 and 31 of docs/reliability.md: how a CSV file may be written."""

import gzip
import re
import tracemalloc
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.faults.csv_files import GOOD, House

HEADER = "area_m2,price_wan\n"
SEMICOLONS = GOOD.replace(",", ";")


def test_fault_01_zero_bytes(house: House) -> None:
    house.refused(b"", "is empty; expected a header line and rows")


def test_fault_02_header_only(house: House) -> None:
    house.refused(HEADER, "has a header but no rows; add the data")


def test_fault_03_one_row(house: House) -> None:
    house.accepted_as_csv(HEADER + "50,100\n")
    code, said = house.run("split house")
    assert code == 2
    assert "datasets.house: 1 training row; a line needs 2" in said


def test_fault_04_a_field_missing(house: House) -> None:
    house.refused(HEADER + "50\n80,160\n90\n", "line 2: has 1 field, expected 2", "line 4: has 1")


def test_fault_05_a_field_too_many(house: House) -> None:
    house.refused(HEADER + "50,100\n80,160,1\n", "line 3: has 3 fields, expected 2.*'80,160,1'")


def test_fault_05_the_first_20_problems_and_a_count(house: House) -> None:
    house.refused(HEADER + "1\n" * 25, "line 21: has 1 field", r"\.\.\. and 5 more")


def test_fault_06_trailing_delimiter_on_every_record(house: House) -> None:
    house.refused(
        HEADER + "50,100,\n80,160,\n",
        "line 2: has 3 fields",
        "a delimiter stands at the end of every record; remove it",
    )


def test_fault_07_quote_never_closed(house: House) -> None:
    house.refused(
        HEADER + '50,100\n80,"160\n90,180\n', "line 3, column 2: opens a quote that never closes"
    )
    house.refused(
        HEADER + '50,100\n80,"160\n' + "90,180\n" * 40_000, "line 3, column 2: opens a quote"
    )


@pytest.mark.parametrize("cell", ['1"60', '"160"x', '160"'])
def test_fault_08_stray_quote(house: House, cell: str) -> None:
    house.refused(HEADER + f"50,100\n80,{cell}\n", "line 3, column price_wan: text stands", cell)


@pytest.mark.parametrize(("delimiter", "shown"), [(";", ";"), ("\t", r"\\t"), ("|", r"\|")])
def test_fault_09_other_delimiter(house: House, delimiter: str, shown: str) -> None:
    text = GOOD.replace(",", delimiter)
    house.refused(text, "line 1: has one column", f'declare csv: {{delimiter: "{shown}"}} \\(')
    house.declare(delimiter=delimiter)
    house.accepted(text)


@pytest.mark.parametrize(
    ("price", "declared"),
    [("210,5", r'\{delimiter: ";", decimal: ","\}'), ("1,234", r'\{delimiter: ";"\}')],
)
def test_a_file_with_decimal_commas_is_told_at_once(
    house: House, price: str, declared: str
) -> None:
    """Of 1,234 nobody knows: it may be a thousand."""
    text = GOOD.replace(",", ";").replace("210.5", price)
    house.refused(text, f"the file looks ;-separated.*: declare csv: {declared}")


def test_fault_10_space_after_the_delimiter(house: House) -> None:
    text = HEADER + GOOD.removeprefix(HEADER).replace(",", ", ")
    house.refused(text, "line 2, column price_wan: ' 100', expected a finite number")
    house.refused(
        'area_m2, "price_wan"\n50,100\n', "line 1", r"declare csv: \{strip_spaces: true\}"
    )
    house.declare(strip_spaces=True)
    house.accepted(text)


@pytest.mark.parametrize("ends", [["\r"], ["\r\n"], ["\n"], ["\r", "\n", "\r\n"]])
def test_fault_11_line_ends(house: House, ends: list[str]) -> None:
    lines = GOOD.splitlines()
    house.accepted("".join(line + ends[k % len(ends)] for k, line in enumerate(lines)))


def test_fault_12_no_final_newline(house: House) -> None:
    house.accepted(GOOD.rstrip("\n"))


def test_fault_13_blank_line(house: House) -> None:
    text = GOOD.replace("80,", "\n80,") + "\n"
    house.refused(text, "line 3: is blank; remove it", "line 6: is blank", "skip_blank_lines: true")
    house.declare(skip_blank_lines=True)
    house.write(text)
    code, said = house.read()
    assert (code, "2 blank lines skipped, as declared" in said) == (0, True)


def test_fault_14_byte_order_mark(house: House) -> None:
    house.accepted(b"\xef\xbb\xbf" + GOOD.encode())


def test_fault_15_utf_16(house: House) -> None:
    house.refused(
        GOOD.encode("utf-16"), "line 1.*is not UTF-8", 'declare csv: {encoding: "utf-16"}'
    )
    for unmarked in ("utf-16-le", "utf-16-be"):
        house.refused(GOOD.encode(unmarked), "like UTF-16 without its mark: save it as UTF-8")
    house.declare(encoding="utf-16")
    house.accepted(GOOD.encode("utf-16"))
    house.refused(GOOD.encode("utf-16")[:-1], "is not UTF-16")


def test_fault_16_a_latin_1_byte(house: House) -> None:
    text = HEADER + "50,100\n80,160\xe9\n"
    house.refused(text.encode("latin-1"), r"line 3, column price_wan: byte 7 \(0xe9\) is not UTF-8")
    house.declare(encoding="latin-1")
    house.refused(text.encode("latin-1"), "line 3, column price_wan: '160é', expected a finite")


def test_fault_17_nul_byte(house: House) -> None:
    house.refused(HEADER + "50,1\x0000\n", "line 2, column price_wan: holds a NUL byte")


def test_fault_18_preamble_or_comments(house: House) -> None:
    preamble, comments = "House prices\nof 2020\n" + GOOD, GOOD.replace("80,", "# checked\n80,")
    house.refused(preamble, "line 1: has one column, 'House prices'", "{skip_lines: 2}")
    house.refused("House prices,\n" + GOOD, "column 2 has no name", "declare csv: {skip_lines: 1}")
    house.refused(
        "House prices,\n\n" + GOOD, "column 2 has no name", "declare csv: {skip_lines: 2}"
    )
    house.declare(header=["area_m2", "price_wan"])
    house.refused("House prices\n50,100\n80,160\n", "line 1: has 1 field", "skip_lines: 1}")
    house.declare(header=["area_m2", "price_wan"], missing=[""])
    house.write("50,\n60,\n80,160\nx,y,z\n")
    code, said = house.read()
    assert (code, "line 4: has 3 fields" in said, "skip_lines" in said) == (2, True, False)
    house.declare()
    house.refused(comments, "line 3: has 1 field", 'declare csv: {comment: "#"}')
    house.declare(skip_lines=2)
    house.accepted(preamble)
    house.declare(comment="#")
    house.write(comments)
    assert "1 comments skipped, as declared" in house.read()[1]


def test_fault_19_header_over_several_rows(house: House) -> None:
    house.refused(HEADER + "m2,10000 yuan\n50,100\n", "line 2, column area_m2: 'm2', expected a")


def test_fault_20_two_tables_in_one_file(house: House) -> None:
    house.refused(GOOD + GOOD, "line 5: repeats the header: are there two tables")
    house.refused(GOOD + "\nrooms,year,price\n1,2,3\n", "line 5: is blank", "line 6: has 3 fields")
    house.refused("a,b\nx,y\na,b\n", "line 3: repeats the header")


def test_fault_21_no_header(house: House) -> None:
    text = GOOD.removeprefix(HEADER)
    house.refused(
        text, "line 1: '50' is a number, expected a header", r'csv: \{header: \["x1", "x2"\]\}'
    )
    house.refused("M,17.99\nB,3.2\n", "line 1: '17.99' is a number")
    house.declare(delimiter=";", decimal=",")
    house.refused("50,5;100,5\n80;160\n", "line 1: '50,5' is a number, expected a header")
    house.refused("a;b\n50,5\n", "line 2: has 1 field, expected 2 as in the header: '50,5'")
    house.declare(delimiter=";")
    house.refused("a;b;c\n5;0,5\n", "line 2: has 2 fields, expected 3 as in the header: '5;0,5'")
    house.declare(header=["area_m2", "price_wan"])
    house.accepted(text)


def test_fault_22_a_giant_cell(house: House) -> None:
    house.refused(
        HEADER + "50," + "9" * 200_000 + "\n", "line 2, column price_wan: has 200000 characters"
    )


@pytest.mark.slow
def test_fault_22_ten_thousand_columns(house: House) -> None:
    names = ",".join(f"c{k}" for k in range(10_000))
    house.write(names + "\n" + (",".join(["0.25"] * 10_000) + "\n") * 60)
    tracemalloc.start()
    assert house.run("ingest house") == (0, "")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * 2**20
    assert pq.ParquetFile("data/1_ingested/house.parquet").metadata.num_columns == 10_000


def test_fault_23_truncated_gzip(house: House) -> None:
    packed = gzip.compress(("area_m2,price_wan\n" + "50,100\n" * 5000).encode(), mtime=0)
    house.refused(packed, r"name it house\.csv\.gz, and its source too")
    house.name("house.csv.gz")
    house.accepted(gzip.compress(GOOD.encode(), mtime=0), "house.csv.gz")
    house.write(packed[:-20], "house.csv.gz")
    code, said = house.read()
    assert code == 2
    assert re.search(r"house\.csv\.gz, line \d{3,}: the archive is damaged or cut off", said)
    Path("data/raw/house.csv.gz").write_bytes(GOOD.encode())
    assert "house.csv.gz: is not gzip" in house.read()[1]
    house.name("house.csv")
    Path("data/raw/house.csv").unlink(missing_ok=True)
    there, said = "data/raw/house.csv.gz", house.read()[1]
    assert f"house.csv is missing; {there} is there: declare source: {there}" in said


def test_a_link_to_itself_is_refused(house: House) -> None:
    Path("data/raw/house.csv").unlink()
    Path("data/raw/house.csv").symlink_to("house.csv")
    code, said = house.read()
    assert code == 2
    assert "data/raw/house.csv: cannot be read: Too many levels of symbolic links" in said


def test_fault_24_duplicate_header(house: House) -> None:
    house.refused("area_m2,area_m2\n1,2\n", "line 1: column area_m2 stands there twice")


def test_fault_25_blank_header(house: House) -> None:
    house.refused("area_m2, \n1,2\n", "line 1: column 2 has no name")


@pytest.mark.parametrize("name", ["Area_m2", " area_m2", "area m2"])
def test_fault_26_header_that_differs_by_case_or_spaces(house: House, name: str) -> None:
    house.refused(f"{name},price_wan\n50,100\n", "is not in the schema.*did you mean area_m2")


@pytest.mark.parametrize("name", ["面积", "🏠", 'a "quoted" one', "x" * 5000, "a,b", "two\nlines"])
def test_fault_31_odd_header_names(house: House, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    house.write(f"{quoted},price_wan\n50,100\n")
    assert house.run("ingest house") == (0, "")
    assert pq.read_table("data/1_ingested/house.parquet").column_names == [name, "price_wan"]
