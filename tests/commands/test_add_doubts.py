"""What `add` cannot be sure of it says, with what to type; it guesses at nothing."""

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.commands.add.kinds import kind, with_dates
from pipeline.commands.contents import Column, contents
from pipeline.core import layout
from pipeline.core.params import load_params
from tests.commands.conftest import Cli
from tests.faults.test_file_system import read_only

COUNT = 60
ROWS = range(COUNT)


def table(**columns: Callable[[int], object]) -> dict[str, list[Any]]:
    """Columns, each a function of the number of the row, beside a target y."""
    return {name: [*map(of, ROWS)] for name, of in columns.items()} | {"y": [k * k for k in ROWS]}


def written(delimiter: str = ",", **columns: Callable[[int], object]) -> Path:
    """A CSV file of such a table."""
    path, found = Path("new.csv"), table(**columns)
    lines = [[*found], *zip(*found.values(), strict=True)]
    path.write_text("".join(f"{delimiter.join(map(str, line))}\n" for line in lines))
    return path


def column_of(cells: Sequence[object], name: str = "a") -> Column:
    groups = [pa.table({name: pa.array(cells)}).slice(k, 7) for k in range(0, len(cells), 7)]
    return contents(groups)[name]


def every_file() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("delimiter", "cells", "asked", "message"),
    [
        (
            ",", lambda k: -999.0 if k % 9 == 0 else k / 2, "-999",
            "--missing=-999: no cell of new.csv holds that; column a has '-999.0' in 7 cells: give "
            "--missing=-999.0",
        ),
        (
            ";", lambda k: "-999,0" if k % 9 == 0 else f"{k},5", "-999",
            "--missing=-999: no cell of new.csv holds that; column a has '-999,0' in 7 cells: give "
            "--missing=-999,0",
        ),
        (
            ",", lambda k: "Not known" if k % 9 == 0 else k, "not known",
            "--missing 'not known': no cell of new.csv holds that; column a has 'Not known' in 7 "
            "cells: give --missing 'Not known'",
        ),
        (
            ",", lambda k: k, "none at all",
            "--missing 'none at all': no cell of new.csv holds that; leave it out, params.yaml may "
            "declare it for rows to come",
        ),
    ],
)  # fmt: skip
def test_a_marker_that_no_cell_holds_is_refused_with_what_stands_there(
    cli: Cli, delimiter: str, cells: Callable[[int], object], asked: str, message: str
) -> None:
    file = written(delimiter, a=cells)
    before = every_file()
    code, said, errors = cli("add", file, "--target", "y", f"--missing={asked}")
    assert (code, said, errors) == (2, "", f"error: add: {message}\n")
    assert every_file() == before


def test_what_the_refusal_says_can_be_typed(cli: Cli) -> None:
    file = written(a=lambda k: -999.0 if k % 9 == 0 else k / 2)
    code, said, errors = cli("add", file, "--target", "y", "--missing=-999.0")
    assert (code, errors) == (0, "")
    assert "missing     '-999.0': 7 cells" in said


def test_what_is_as_good_as_a_marker_that_is_there_is_warned_of(cli: Cli) -> None:
    file = written(a=lambda k: -999 if k % 9 == 0 else k, b=lambda k: -999.0 if k == 3 else k / 4)
    code, _, errors = cli("add", file, "--target", "y", "--missing", "-999")
    text = (
        "--missing=-999: column b has '-999.0' in 1 cell: give --missing=-999.0, if it is no value"
    )
    assert (code, errors) == (0, f"warning: add: {text}, either\n")


def test_markers_of_other_files_are_texts(cli: Cli) -> None:
    book = openpyxl.Workbook()
    for row in (["a", "b", "y"], *([-999 if k % 9 == 0 else k, "xyz"[k % 3], k * k] for k in ROWS)):
        book.active.append(row)
    book.save("new.xlsx")
    for file, what in (("new.parquet", "a Parquet file"), ("new.xlsx", "an Excel workbook")):
        if file.endswith("parquet"):
            columns = table(a=lambda k: -999 if k % 9 == 0 else k, b=lambda k: "xyz"[k % 3])
            pq.write_table(pa.table(columns), file)
        code, _, errors = cli("add", file, "--target", "y", "--missing", "-999")
        assert (code, errors) == (
            2,
            f"error: add: --missing=-999: no cell of {file} holds that; column a has the number "
            f"-999 in 7 cells, which cannot be declared in {what}: write no value there\n",
        )
        code, said, errors = cli("add", file, "--target", "y", "--missing", "z", "--dry-run")
        assert (code, errors, "'z': 20 cells" in said) == (0, "", True)


def test_a_range_that_lets_a_suspect_in_is_said(cli: Cli) -> None:
    file = written(a=lambda k: -999 if k % 9 == 0 else k / 2, b=lambda k: k / 4)
    code, said, _ = cli("add", file, "--target", "y")
    seen = "-999 stands in 7 of 60 cells, all others lie in 0.5 to 29.5:"
    told = " ".join(said.split())
    how = "if that is no value, add --missing with the cell as the file writes it"
    assert (code, f"note a: {seen} {how}" in told) == (0, True)
    schema = Path("data/schema/new.yaml").read_text()
    remedy = "if it is no value, declare it as missing, and narrow the range, which lets it in"
    assert f"different, none missing\n  # {seen}\n  # {remedy}\n  a:\n" in schema
    assert schema.count(remedy) == 1


def day(k: int) -> str:
    return f"{k % 28 + 1:02}.{k % 12 + 1:02}.2024"


def test_one_impossible_date_is_named_and_can_be_left_out(cli: Cli) -> None:
    file = written(sold=lambda k: "31.02.2024" if k == 17 else day(k), b=lambda k: k / 4)
    code, said, errors = cli("add", file, "--target", "y", "--dry-run")
    assert (code, errors) == (
        0,
        "warning: add: new.csv, line 19, column sold: '31.02.2024' is no date as %d.%m.%Y as "
        "others are: it is left out; mend the cell, or take it for no value by --missing "
        "31.02.2024\n",
    )
    assert "left out    sold: dates as %d.%m.%Y, but for 1 of 60: '31.02.2024'" in said
    code, said, errors = cli("add", file, "--target", "y", "--missing", "31.02.2024")
    assert (code, errors) == (0, "")
    assert "dates       1: sold (as %d.%m.%Y; 2024-01-01 to 2024-12-" in said
    assert [cli(stage, "new")[0] for stage in ("ingest", "validate", "split")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("cells", "forms", "others", "row", "cell"),
    [
        (["x", *["1.2.2024"] * 20], ["%d.%m.%Y"], 1, 0, "x"),
        ([*["1.2.2024"] * 20, None, "30.2.2024", "x"], ["%d.%m.%Y"], 2, 21, "30.2.2024"),
        ([*["2024-01-31"] * 20, "2024-02-30"], [r"^\d{4}-\d\d-\d\d$"], 1, 20, "2024-02-30"),
        ([*["31/1/2024"] * 20, "1/31/2024"], ["%d/%m/%Y"], 1, 20, "1/31/2024"),
        ([*["1/2/2024"] * 20, "31/1/2024", "x"], ["%d/%m/%Y"], 1, 21, "x"),
        ([*["1/2/2024"] * 20, "x"], ["%d/%m/%Y", "%m/%d/%Y"], 1, 20, "x"),
        ([*["1.2.2024"] * 20, *["x"] * 3], [], 0, None, ""),
        (["1.2.2024"] * 20, [], 0, None, ""),
        ([f"w{k}" for k in range(20)], [], 0, None, ""),
    ],
)
def test_the_cells_that_are_no_dates_are_known_where_they_are_few(
    cells: Sequence[str], forms: Sequence[str], others: int, row: int | None, cell: str
) -> None:
    found = column_of(cells).nearly
    assert [*found] == forms
    assert {one[1:] for one in found.values()} == ({(others, row, cell)} if forms else set())


def test_a_stray_cell_is_none_in_each_form_that_the_others_may_have(cli: Cli) -> None:
    file = written(
        a=lambda k: "n.b." if k == 30 else f"{k % 12 + 1}/{k % 7 + 1}/2024",
        b=lambda k: {30: "31/1/2024", 40: "1/31/2024"}.get(k, f"{k % 12 + 1}/{k % 7 + 1}/2024"),
        c=lambda k: k / 4,
    )
    code, said, errors = cli("add", file, "--target", "y", "--dry-run")
    told = " ".join(said.split())
    assert code == 0
    assert "a: dates as %d/%m/%Y or %m/%d/%Y, but for 1 of 60: 'n.b.' " in told
    each = "as %d/%m/%Y, but for 1 of 60: '1/31/2024'; or as %m/%d/%Y, but for 1 of 60: '31/1/2024'"
    assert f"b: dates {each}" in told
    assert [line.split(": it is left")[0] for line in errors.splitlines()] == [
        f"warning: add: new.csv, line {place}: {cell} is no date as {form} as others are"
        for place, cell, form in (
            ("32, column a", "'n.b.'", "%d/%m/%Y or %m/%d/%Y"),
            ("42, column b", "'1/31/2024'", "%d/%m/%Y"),
            ("32, column b", "'31/1/2024'", "%m/%d/%Y"),
        )
    ]


def test_dates_that_stand_for_none_are_said_by_add_and_by_validate(cli: Cli) -> None:
    def dated(none: str, form: str) -> Callable[[int], str]:
        first = datetime.date(2001, 1, 1)
        return lambda k: (
            none if k % 5 == 0 else (first + datetime.timedelta(days=31 * k)).strftime(form)
        )

    file = written(
        a=dated("9999-12-31", "%Y-%m-%d"),
        b=dated("01.01.1900 00:00", "%d.%m.%Y 08:30"),
        c=dated("19000101", "%Y%m%d"),
        d=dated("2001-01-01", "%Y-%m-%d"),
    )
    code, said, errors = cli("add", file, "--target", "y")
    told = " ".join(said.split())
    assert (code, errors) == (0, "")
    ends = "2001-02-01 to 2006-01-04"
    days = {"a": "9999-12-31", "b": "1900-01-01", "c": "1900-01-01"}
    for name, none in days.items():
        seen = f"{none} stands in 12 of 60 cells, all but such lie in {ends}"
        how = "if that is no value, add --missing with the cell as the file writes it"
        assert f"note {name}: {seen}: {how}" in told
    assert told.count(" note ") == 3
    assert cli("ingest", "new")[0] == 0
    code, _, errors = cli("validate", "new")
    warned = [line for line in errors.splitlines() if line.endswith("[sentinel]")]
    assert (code, len(warned)) == (0, 3)
    for (name, none), line in zip(days.items(), warned, strict=True):
        assert f"column {name}: 12 of 60 dates are {none}, all but such lie in {ends}: if" in line


@pytest.mark.parametrize(
    ("name", "year", "doubt"),
    [
        ("sold", lambda k: 15 + k % 10, ""),
        ("born", lambda k: 70 + k % 25, "they seem to be of births"),
        ("Geburtsdatum", lambda k: 70 + k % 25, "they seem to be of births"),
        ("sold", lambda k: 29 - k % 5, ""),  # whatever day it is
        ("sold", lambda k: 30 + k % 5, "they go to 2034-"),
        ("entered", lambda k: 69 + k % 30, ""),
    ],
)
def test_dates_of_another_century_are_left_out(
    name: str, year: Callable[[int], int], doubt: str
) -> None:
    cells = [f"{k % 28 + 1:02}.{k % 12 + 1:02}.{year(k):02}" for k in ROWS]
    found = kind(name, column_of(cells, name))
    declare = f'declare in ingest.csv dates: {{"{name}": "%d.%m.%y"}}, and say date here'
    assert (found.name, doubt in found.why) == ("drop" if doubt else "date", True)
    assert not doubt or "00 to 68 as 2000 to 2068; write four digits or, if that is" in found.why
    assert not doubt or found.why.endswith(declare)


def test_two_digits_that_are_declared_are_warned_of_where_they_cannot_be(cli: Cli) -> None:
    file = written(
        sold=lambda k: f"{k % 28 + 1}.3.2021", born=lambda k: f"{k % 28 + 1}.3.{60 + k % 30}"
    )
    assert cli("add", file, "--target", "y")[0] == 0
    params = Path("params.yaml")
    text = params.read_text().replace("born: drop", "born: date")
    params.write_text(
        text.replace('sold: "%d.%m.%Y"', 'sold: "%d.%m.%Y"\n          born: "%d.%m.%y"')
    )
    schema = layout.schema("new")
    schema.write_text(schema.read_text().replace("    isin:", "    # isin:"))
    assert cli("ingest", "new")[0] == 0
    code, _, errors = cli("validate", "new")
    assert code == 0
    assert (
        "warning: validate: data/raw/new.csv: column born: dates as %d.%m.%y, and they go to "
        "2068-03-"
    ) in errors
    assert "beyond 2021-03-28: 69 to 99 are read as 1969 to 1999, 00 to 68 as 2000" in errors
    muted = params.read_text().replace(
        "      source: data/raw/new.csv\n",
        "      source: data/raw/new.csv\n      mute: [century]\n",
    )
    params.write_text(muted)
    assert "born" not in cli("validate", "new")[2]


def test_numbers_with_a_unit_are_numbers_and_of_several_units_are_not(cli: Cli) -> None:
    file = written(
        a=lambda k: f"{k} kg",
        b=lambda k: f"{k}.5m\u00b2",
        c=lambda k: f"{k} {'kg' if k % 2 else 'g'}",
        d=lambda k: f"{k}a",
        e=lambda k: f"{k} m" if k % 2 else k,
        f=lambda k: f"{k % 30} {'kg' if k % 7 else 'lb'}",
        g=lambda k: ("16 GB", "32 GB", "1 TB")[k % 3],
        h=lambda k: f"{k} m2",
        i=lambda k: f"{2020 + k % 5}Q{k % 4 + 1}",
    )
    code, said, errors = cli("add", file, "--target", "y")
    assert (code, errors) == (0, "")
    units = {"a": "kg", "b": "m\u00b2", "h": "m2"}
    assert load_params().dataset("new").ingest.csv.units == units
    told = " ".join(said.split())
    assert "kg, m\u00b2, m2 beside numbers" in told
    assert "numbers 3: a, b, h categories 2: g (3), i (20)" in told
    mend = "write all in one, or the numbers alone"
    assert f"c: numbers with several units (g, kg): {mend}, or say category here" in told
    assert "d: an identifier: another text in each row" in told
    assert f"e: numbers with a unit (m) and without one: {mend}, or say category here" in told
    assert f"f: numbers with several units (kg, lb): {mend}, or say category here" in told
    few = f"a category, since few are different; {mend}, where they are amounts"
    assert f"note g: numbers with several units (GB, TB): {few}" in told
    assert [cli(stage, "new")[0] for stage in ("ingest", "validate", "split")] == [0, 0, 0]
    found = pq.read_table("data/1_ingested/new.parquet")
    assert found["a"].to_pylist() == [*ROWS]
    assert found["b"].to_pylist() == [k + 0.5 for k in ROWS]
    assert found["h"].to_pylist() == [*ROWS]


def test_a_unit_that_comes_late_in_a_long_file_is_said(cli: Cli) -> None:
    """Its head, of some 64 KB, proposes what it is."""
    cells = [f"{k % 250} kg" for k in range(12_000)]
    cells[11_000], cells[11_002] = "0", "0 lb"
    lines = (f"{cell},{k % 1000 / 8},{k}\n" for k, cell in enumerate(cells))
    Path("new.csv").write_text("a,b,y\n" + "".join(lines))
    code, said, _ = cli("add", "new.csv", "--target", "y", "--dry-run")
    told = " ".join(said.split())
    assert code == 0
    assert (
        "left out a: numbers with several units (kg, lb) and without one: write all in one" in told
    )
    assert (
        "note column a is text: '0' is no finite number with kg beside it, nor are '0 lb'" in told
    )


@pytest.mark.parametrize(
    ("cells", "units"),
    [
        ([f"{k} kg" for k in range(60)], {"kg"}),
        ([f"{k} {'kg' if k < 50 else 'lb'}" for k in range(60)], {"kg", "lb"}),
        (["7", None, "7 kg"], {"", "kg"}),
        ([*(f"{k} kg" for k in range(30)), "kg", *(f"{k} kg" for k in range(30))], set()),
        ([None] * 8 + ["1 kg"], {"kg"}),
        ([f"{k} kg" for k in range(20_000)], {"kg"}),
    ],
)
def test_the_units_of_a_column_are_known(cells: Sequence[str | None], units: set[str]) -> None:
    table = pa.table({"a": pa.array(cells, pa.string())})
    size = max(7, len(cells) // 3)
    groups = [table.slice(k, size) for k in range(0, len(cells), size)]
    assert contents(groups)["a"].units == units


def test_letters_of_a_code_are_no_units() -> None:
    """Dutch postcodes."""
    letters = [f"{chr(65 + k % 26)}{chr(65 + k // 7 % 26)}" for k in range(600)]
    cells = [f"{1000 + k % 20} {letters[k % 50]}" for k in range(600)]
    assert kind("a", column_of(cells)).name == "drop"
    assert kind("a", column_of(cells)).why.startswith("free text: 100 different")
    assert kind("a", column_of(cells * 4)).name == "category"


@pytest.mark.parametrize(
    "words",
    [("1 yes", "2 no"), ("1. yes", "2. no"), ("1st", "2nd", "3rd", "4th"), ("1 am", "3 pm")],
)
def test_numbered_words_are_categories_without_a_note(words: Sequence[str]) -> None:
    assert kind("a", column_of(words * 20)) == ("category", "", "")


def test_whole_numbers_that_are_days_are_dates(cli: Cli) -> None:
    file = written(
        day=lambda k: f"2024{k % 12 + 1:02}{k % 28 + 1:02}",
        until=lambda k: 99991231 if k % 20 == 0 else f"2025{k % 12 + 1:02}{k % 28 + 1:02}",
        b=lambda k: k / 4,
    )
    code, said, errors = cli("add", file, "--target", "y")
    assert code == 0
    assert "dates       1: day (as %Y%m%d; 2024-01-01 to 2024-12-" in said
    assert "left out    until: dates as %Y%m%d, but for 3 of 60: '99991231'" in said
    assert errors == (
        "warning: add: new.csv, column until: '99991231' (the first of 3) is no date as %Y%m%d, "
        "or one of 1900 to 2099, as others are: it is left out; mend the cell, or take it for no "
        "value by --missing 99991231\n"
    )
    assert load_params().dataset("new").ingest.csv.dates == {"day": "%Y%m%d"}
    for stage in ("ingest", "validate", "split"):
        assert cli(stage, "new")[0] == 0
    found = pq.read_table("data/1_ingested/new.parquet")["day"].to_pylist()
    assert found == [f"2024-{k % 12 + 1:02}-{k % 28 + 1:02}" for k in ROWS]


@pytest.mark.parametrize(
    ("name", "cells", "dates"),
    [
        ("a", [20240101 + k for k in range(28)], True),
        ("a", [20240101 + k for k in range(40)], False),
        ("a", [20240101, 20240102] * 20, False),
        ("id", [20240101 + k for k in range(28)], False),
        ("a", [18240101 + k for k in range(28)], False),
        ("a", [20240101.5 + k for k in range(28)], False),
        ("a", [20_000_000 + 9_973 * k for k in range(28)], False),
    ],
)
def test_numbers_are_days_only_if_nearly_all_are(
    name: str, cells: Sequence[float], dates: bool
) -> None:
    column = with_dates({name: column_of(cells, name)})[name]
    assert (column.form == "%Y%m%d", kind(name, column).name == "date") == (dates, dates)


@pytest.mark.parametrize("folder", ["data/raw", "data/schema", "metrics"])
def test_nothing_is_removed_where_something_cannot_be(cli: Cli, folder: str) -> None:
    assert cli("add", written(a=lambda k: k / 4), "--target", "y")[0] == 0
    layout.metrics("new").write_text("{}")
    before = every_file()
    with read_only(Path(folder)):
        code, said, errors = cli("remove", "new")
    assert (code, said, errors.count("\n")) == (2, "", 1)
    assert f": cannot be removed: {folder} is read-only; nothing was removed\n" in errors
    assert every_file() == before
    assert cli("remove", "new")[0] == 0
    assert not layout.schema("new").exists()
