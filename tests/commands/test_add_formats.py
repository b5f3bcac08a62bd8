"""`add` takes files of other kinds as they are; they go through the stages, and rows to predict."""

import json
import random
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest

from pipeline.core import layout
from pipeline.core.params import load_params
from pipeline.core.tables import read_table
from pipeline.ingest.table_file import TableFile
from tests.commands.conftest import Cli


def flats(count: int = 60) -> dict[str, list[Any]]:
    """Area, with a gap, city, whether there is a lift, and the price."""
    draw = random.Random(0)
    areas = [draw.randint(300, 1500) / 10 for _ in range(count)]
    return {
        "area": [None, *areas[1:]],
        "city": [("Bonn", "Rome", "Lyon")[k % 3] for k in range(count)],
        "lift": [k % 2 == 0 for k in range(count)],
        "price": [round(2 * a + 5 * (k % 2) + draw.gauss(0, 5), 3) for k, a in enumerate(areas)],
    }


def as_parquet(path: Path, table: dict[str, list[Any]]) -> None:
    pq.write_table(pa.table(table), path)


def as_workbook(path: Path, table: dict[str, list[Any]]) -> None:
    book = openpyxl.Workbook()
    for row in (["Flats of 2024"], [], [*table], *zip(*table.values(), strict=True)):
        book.active.append(row)
    book.save(path)


def as_zip(path: Path, table: dict[str, list[Any]]) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("flats.csv", pd.DataFrame(table).to_csv(index=False))


def as_spss(path: Path, table: dict[str, list[Any]]) -> None:
    frame = pd.DataFrame(table).assign(lift=[float(one) for one in table["lift"]])
    pyreadstat.write_sav(frame, path, variable_value_labels={"lift": {0: "no", 1: "yes"}})


KINDS = {
    "flats.parquet": (as_parquet, "", "a Parquet file"),
    "Flats.xlsx": (as_workbook, "table: {skip_lines: 2}", "an Excel workbook; header in row 3"),
    "flats.csv.zip": (as_zip, 'csv: {missing: [""]}', "commas between cells"),
    "flats.sav": (as_spss, "", "a file of SPSS"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_any_kind_is_a_dataset(cli: Cli, tmp_path: Path, name: str) -> None:
    write, _, said = KINDS[name]
    file = tmp_path / name
    write(file, flats())
    code, out, errors = cli("add", file, "--target", "price")
    assert (code, errors) == (0, "")
    assert said in out
    source = Path("data/raw") / name.lower()
    assert source.read_bytes() == file.read_bytes()
    assert load_params().dataset("flats").ingest.path == source
    for stage in ("ingest", "validate", "split"):
        code, _, errors = cli(stage, "flats")
        assert code == 0, errors
    table = read_table(Path("data/1_ingested/flats.parquet")).to_pydict()
    assert table["price"] == flats()["price"]
    assert table["area"] == flats()["area"]
    assert {*table["lift"]} in ({"true", "false"}, {"True", "False"}, {"yes", "no"})


def test_dates_of_a_workbook_are_features_and_texts_of_another_form_are_not(
    cli: Cli, tmp_path: Path
) -> None:
    days = [datetime(2024, 1 + k % 12, 1 + k % 28, k % 24) for k in range(40)]
    table: dict[str, list[Any]] = {
        "at": days,
        "told": [day.strftime("%d.%m.%Y") for day in days],
        "y": [k * k for k in range(40)],
    }
    pd.DataFrame(table).to_excel(tmp_path / "new.xlsx", index=False)
    code, said, errors = cli("add", tmp_path / "new.xlsx", "--target", "y")
    assert (code, errors) == (0, "")
    told = " ".join(said.split())
    assert "dates 1: at (2024-01-" in told
    assert (
        "told: dates written as %d.%m.%Y: taken where they are dates, or text of ISO 8601" in told
    )
    for stage in ("ingest", "validate", "split"):
        assert cli(stage, "new")[0] == 0
    learned = json.loads(Path("data/3_split/new/columns.json").read_text())
    assert learned == {"at": {"kind": "date", "days": {"kind": "number"}}}


def test_a_row_that_breaks_the_schema_is_named(cli: Cli, tmp_path: Path) -> None:
    for name, row in (("flats.parquet", 4), ("flats.xlsx", 7)):
        write = KINDS[name.replace("flats.x", "Flats.x")][0]
        write(tmp_path / name, flats())
        dataset = name.replace(".", "_")
        assert cli("add", tmp_path / name, "--target", "price", "--name", dataset)[0] == 0
        worse = flats()
        worse["area"][3] = -5.0
        write(Path("data/raw") / f"{dataset}{Path(name).suffix}", worse)
        assert cli("ingest", dataset)[0] == 0
        code, _, errors = cli("validate", dataset)
        assert code == 2
        assert f"{Path(name).suffix}, row {row}, column area: -5.0, expected" in errors


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_damaged_later_leaves_the_table_before(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    KINDS[name][0](tmp_path / name, flats())
    assert cli("add", tmp_path / name, "--target", "price")[0] == 0
    assert cli("ingest", "flats")[0] == 0
    source, folder = Path("data/raw") / name.lower(), Path("data/1_ingested")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    source.write_bytes(source.read_bytes()[:-200])
    code, out, errors = cli("ingest", "flats")
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(f"error: ingest: {source}: ")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_is_said_of_rows_counts_them_as_the_file_does(cli: Cli, tmp_path: Path) -> None:
    gaps, lines = flats(), flats()
    gaps["price"][3:5] = [None, None]
    for name, unit in (("flats.parquet", "row 4"), ("flats.csv.zip", "line 5")):
        KINDS[name][0](tmp_path / name, gaps)
        code, _, errors = cli("add", tmp_path / name, "--target", "price", "--dry-run")
        text = f"target price has no value in 2 rows, first on {unit}: left out by `split`"
        assert (code, errors) == (0, f"warning: add: {text}\n")
    total = {"area": None, "city": "Total", "lift": None, "price": sum(lines["price"])}
    as_workbook(tmp_path / "Flats.xlsx", {n: [*cells, total[n]] for n, cells in lines.items()})
    code, _, errors = cli("add", tmp_path / "Flats.xlsx", "--target", "price")
    assert (code, errors.split("Flats.xlsx, ")[1]) == (
        2,
        "row 64: 'Total' is the sum of the rows above in price: a total is no observation; "
        "remove the row\n",
    )


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_read_once(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    read, groups = list[TableFile](), TableFile.groups

    def counted(file: TableFile) -> Iterator[pa.Table]:
        read.append(file)
        return groups(file)

    monkeypatch.setattr(TableFile, "groups", counted)
    KINDS[name][0](tmp_path / name, flats())
    assert cli("add", tmp_path / name, "--target", "price")[0] == 0
    assert len(read) == 1


def test_damaged_records_of_an_archive_are_set_aside(cli: Cli, tmp_path: Path) -> None:
    as_zip(tmp_path / "flats.csv.zip", flats())
    assert cli("add", tmp_path / "flats.csv.zip", "--target", "price")[0] == 0
    text = f"{pd.DataFrame(flats()).to_csv(index=False)}damaged\n"
    with zipfile.ZipFile("data/raw/flats.csv.zip", "w") as packed:
        packed.writestr("flats.csv", text)
    code, _, errors = cli("ingest", "flats")
    assert (code, "declare bad_records: {set_aside: 0.05}" in errors) == (2, True)
    params, csv = Path("params.yaml"), "      csv:\n"
    declared = f"{csv}        bad_records: {{set_aside: 0.05}}\n"
    params.write_text(params.read_text().replace(csv, declared))
    assert [cli(stage, "flats")[0] for stage in ("ingest", "validate")] == [0, 0]
    assert layout.rejected("flats").read_text().splitlines()[1].endswith(",damaged")


def test_one_sheet_of_several_is_chosen(cli: Cli, tmp_path: Path) -> None:
    as_workbook(tmp_path / "a.xlsx", flats())
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    book.create_sheet("Notes").append(["none"])
    book.save(tmp_path / "a.xlsx")
    code, _, errors = cli("add", tmp_path / "a.xlsx", "--target", "price")
    assert code == 2
    assert "has the sheets 'Sheet', 'Notes'; choose one by --sheet" in errors
    code, out, errors = cli("add", tmp_path / "a.xlsx", "--target", "price", "--sheet", "Sheet")
    assert (code, errors) == (0, "")
    assert "sheet 'Sheet'; header in row 3" in out


def test_a_target_that_is_text_says_why(cli: Cli, tmp_path: Path) -> None:
    table = flats()
    as_workbook(tmp_path / "a.xlsx", table | {"price": ["EUR", *table["price"][1:]]})
    code, out, errors = cli("add", tmp_path / "a.xlsx", "--target", "price")
    assert (code, out) == (2, "")
    assert errors.splitlines()[1].startswith("price is text: D4 holds 'EUR', and other cells")


def test_the_index_of_a_frame_is_no_feature(cli: Cli, tmp_path: Path) -> None:
    frame = pd.DataFrame(flats()).sample(frac=1, random_state=0)
    frame.to_parquet(tmp_path / "a.parquet")
    assert "__index_level_0__" in pq.read_schema(tmp_path / "a.parquet").names
    code, out, _ = cli("add", tmp_path / "a.parquet", "--target", "price")
    assert (code, "__index_level_0__: row numbers" in out) == (0, True)


def test_rows_to_predict_are_of_the_same_kind_or_csv(cli: Cli, tmp_path: Path) -> None:
    as_parquet(tmp_path / "flats.parquet", flats())
    assert cli("add", tmp_path / "flats.parquet", "--target", "price")[0] == 0
    for stage in ("ingest", "validate", "split"):
        assert cli(stage, "flats")[0] == 0
    trainers = ["closed_form", "linear_regression", "mean"]
    assert cli("train", "flats", *trainers)[0] == 0
    rows = {name: values[:20] for name, values in flats().items() if name != "price"}
    as_parquet(tmp_path / "new.parquet", rows)
    frame = pd.DataFrame(rows).assign(lift=[str(one).lower() for one in rows["lift"]])
    frame.to_csv(tmp_path / "new.csv", index=False)
    model = ("--model", "closed_form")
    code, of_parquet, errors = cli("predict", "flats", tmp_path / "new.parquet", *model)
    assert code == 0, errors
    assert cli("predict", "flats", tmp_path / "new.csv", *model)[1] == of_parquet
    as_parquet(tmp_path / "new.parquet", rows | {"area": [1.0] * 9 + [float("inf")] * 11})
    code, out, errors = cli("predict", "flats", tmp_path / "new.parquet", *model)
    assert (code, out) == (2, "")
    assert "new.parquet, row 10, column area: inf, expected a finite number" in errors


@pytest.mark.parametrize("name", ["Flats.xlsx", "flats.csv"])
def test_titles_above_the_table_may_stand_above_rows_to_predict_or_not(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    def write(path: Path, titles: list[list[str]], table: dict[str, list[Any]]) -> None:
        rows = [*titles, [*table], *zip(*table.values(), strict=True)]
        if path.suffix == ".csv":
            path.write_text("".join(f"{','.join(map(str, row))}\n" for row in rows))
        else:
            plain_workbook(path, [[*row] for row in rows])

    titles, table = [["Flats of 2024"], ["all of them"]], flats()
    table["area"][0] = 50.0
    write(tmp_path / name, titles, table)
    assert cli("add", tmp_path / name, "--target", "price")[0] == 0
    for stage in (["ingest"], ["validate"], ["split"], ["train"]):
        assert cli(*stage, "flats", *["closed_form"] * (stage == ["train"]))[0] == 0
    new = {column: cells[:9] for column, cells in table.items() if column != "price"}
    answers = []
    for above in (titles, []):
        write(tmp_path / name, above, new)
        code, out, errors = cli("predict", "flats", tmp_path / name, "--model", "closed_form")
        assert (code, errors) == (0, "")
        answers.append(out)
    assert answers[0] == answers[1]
    assert answers[0].count("\n") == 10
    area = new.pop("area")
    for count in (0, 1, 9):
        for other, problem in (
            ({"aria": area}, "aria is not in the schema (did you mean area?)"),
            ({"area": area, "more": area}, "more is not in the schema"),
            ({}, "area is missing\n"),
        ):
            cells = {column: cells[:count] for column, cells in (other | new).items()}
            write(tmp_path / name, [], cells)
            code, _, errors = cli("predict", "flats", tmp_path / name, "--model", "closed_form")
            assert (code, f"{name}: column {problem}" in errors) == (2, True), errors
    if name == "flats.csv":
        write(tmp_path / name, [], {"aria": area[:1]})
        code, _, errors = cli("predict", "flats", tmp_path / name, "--model", "closed_form")
        assert (code, ": is empty behind line 2; expected a header line" in errors) == (
            2,
            True,
        )


def test_rows_in_place_of_titles_are_warned_of_where_no_header_tells(
    cli: Cli, tmp_path: Path
) -> None:
    rows = [f"{day + 1}.{month + 1}.2024" for month in range(12) for day in range(5)]
    file = tmp_path / "days.csv"
    file.write_text("day,y\n" + "".join(f"{row},{k * k}\n" for k, row in enumerate(rows)))
    assert cli("add", file, "--target", "y")[0] == 0
    params, csv = Path("params.yaml"), "      csv:\n"
    declared = f"{csv}        skip_lines: 1\n        header: [day, y]\n"
    params.write_text(params.read_text().replace(csv, declared))
    for stage in (["ingest"], ["validate"], ["split"], ["train"]):
        assert cli(*stage, "days", *["closed_form"] * (stage == ["train"]))[0] == 0
    new, model = tmp_path / "new.csv", ("--model", "closed_form")
    new.write_text("day\n1.2.2024\n2.2.2024\n")
    code, out, errors = cli("predict", "days", new, *model)
    assert (code, errors, out.count("\n")) == (0, "", 3)
    new.write_text("1.2.2024\n2.2.2024\n")
    code, out, errors = cli("predict", "days", new, *model)
    assert (code, out.count("\n")) == (0, 2)
    assert f"{new}, line 1: looks like a row, and is skipped as declared (skip_lines: 1)" in errors


def plain_workbook(path: Path, rows: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_numbers_beside_words_are_the_same_categories_in_rows_to_predict(
    cli: Cli, tmp_path: Path
) -> None:
    draw = random.Random(1)
    codes = [draw.choice([1, 2, 2.5, "A"]) for _ in range(80)]
    rows = [[code, draw.random()] for code in codes]
    file = plain_workbook(tmp_path / "codes.xlsx", [["code", "y"], *rows])
    assert cli("add", file, "--target", "y")[0] == 0
    for stage in (["ingest"], ["validate"], ["split"], ["train"]):
        assert cli(*stage, "codes", *["closed_form"] * (stage == ["train"]))[0] == 0
    new = plain_workbook(tmp_path / "new.xlsx", [["code"], [2], [2.5], [1]])
    (tmp_path / "new.csv").write_text("code\n2\n2.5\n1\n")
    code, found, errors = cli("predict", "codes", new, "--model", "closed_form")
    assert (code, errors) == (0, "")
    assert cli("predict", "codes", tmp_path / "new.csv", "--model", "closed_form")[1] == found


def test_rows_to_predict_of_a_workbook_without_a_header_lack_the_target(
    cli: Cli, tmp_path: Path
) -> None:
    draw = random.Random(2)
    rows = [[draw.random(), k % 5 + draw.random()] for k in range(40)]
    file = plain_workbook(tmp_path / "plain.xlsx", [["a", "b"], *rows])
    assert cli("add", file, "--target", "b")[0] == 0
    plain_workbook(Path("data/raw/plain.xlsx"), rows)
    params = layout.PARAMS.read_text()
    source = "      source: data/raw/plain.xlsx\n"
    header = "      table:\n        header: [a, b]\n"
    layout.PARAMS.write_text(params.replace(source, source + header))
    for stage in (["ingest"], ["validate"], ["split"], ["train"]):
        assert cli(*stage, "plain", *["closed_form"] * (stage == ["train"]))[0] == 0
    new = plain_workbook(tmp_path / "new.xlsx", [[0.5], [0.25]])
    code, found, errors = cli("predict", "plain", new, "--model", "closed_form")
    assert (code, errors, len(found.splitlines())) == (0, "", 3)


@pytest.mark.slow
def test_labels_are_classes_and_rows_to_predict_lack_them(cli: Cli, tmp_path: Path) -> None:
    as_spss(tmp_path / "flats.sav", flats())
    code, out, errors = cli("add", tmp_path / "flats.sav", "--target", "lift")
    assert (code, errors) == (0, "")
    assert "a file of SPSS; the labels are the values of lift" in out
    for stage in (["ingest"], ["validate"], ["split"], ["train"], ["evaluate"]):
        models = ["bcpm", "logistic_regression", "majority"] * (stage == ["train"])
        assert cli(*stage, "flats", *models)[0] == 0
    new = pd.DataFrame(flats()).head(5).drop(columns="lift")
    pyreadstat.write_sav(new, tmp_path / "new.sav")
    new.to_csv(tmp_path / "new.csv", index=False)
    code, found, errors = cli("predict", "flats", tmp_path / "new.sav", "--model", "bcpm")
    assert code == 0, errors
    assert {line.split(",")[-3] for line in found.splitlines()[1:]} <= {"yes", "no"}
    assert cli("predict", "flats", tmp_path / "new.csv", "--model", "bcpm")[1] == found
