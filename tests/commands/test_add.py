"""`add` makes a dataset of a file or changes nothing; `remove` takes all of it away."""

import csv
import gzip
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.commands.add.kinds import kind
from pipeline.commands.add.plan import named, planned
from pipeline.commands.contents import contents
from pipeline.core import layout
from pipeline.core.dates import ISO
from pipeline.core.dvc_lock import LOCK, outputs
from pipeline.core.params import load_params
from tests.commands.conftest import Cli
from tests.conftest import ROOT, Clone, copied
from tests.faults.test_file_system import full_disk, read_only

Rows = Sequence[Sequence[object]]


def write(path: Path, names: str, rows: Rows, delimiter: str = ",") -> Path:
    """A CSV file; names stand behind one another."""
    lines = [names.split(), *rows]
    path.write_text("".join(f"{delimiter.join(map(str, line))}\n" for line in lines))
    return path


def flats(count: int = 60) -> Rows:
    """Area, rooms, whether there is a lift, and the price."""
    draw = random.Random(0)
    areas = [draw.randint(300, 1500) / 10 for _ in range(count)]
    return [(a, k % 5, k % 2, round(2 * a + draw.gauss(0, 5), 3)) for k, a in enumerate(areas)]


def every_file() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.fixture
def unchanged(workspace: Path) -> Iterator[None]:
    """Nothing in the workspace is another when the test has ended."""
    yield
    lines = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    names = {path.relative_to(workspace) for path in lines} - {Path("new.csv")}
    of_root = {
        p.relative_to(ROOT) for f in ("raw", "schema") for p in (ROOT / "data" / f).iterdir()
    }
    assert names == of_root | {Path("params.yaml"), Path("metrics/champion.json")}
    assert Path("params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_a_table_of_numbers_is_a_dataset(cli: Cli, tmp_path: Path) -> None:
    file, params = (
        write(tmp_path / "Flats.csv", "area rooms lift price", flats()),
        Path("params.yaml"),
    )
    before = params.read_text()
    code, said, errors = cli("add", file, "--target", "price")
    assert (code, errors) == (0, "")
    assert said.splitlines()[1:] == [
        'written     commas between cells; decimal points; quotes ", doubled inside; UTF-8',
        "header      line 1",
        "missing     none",
        "target      price: regression (numbers of many values); 61.225 to 300.095, mean 186.519",
        "numbers     3: area, rooms, lift",
        "models      closed_form, manual_gd, beside linear_regression and mean; 20% of the rows "
        "are kept for testing",
        "files       data/raw/flats.csv, data/schema/flats.yaml, params.yaml: datasets.flats",
        "next        dvc repro",
    ]
    assert Path("data/raw/flats.csv").read_bytes() == file.read_bytes()
    added = set(params.read_text().splitlines()) - set(before.splitlines())
    assert "    flats-closed_form: {dataset: flats, trainer: closed_form}" in added
    for stage in ("params", "ingest flats", "validate flats", "split flats"):
        assert cli(*stage.split())[0] == 0
    assert cli("remove", "flats")[0] == 0
    assert params.read_text() == before
    file.unlink()


@pytest.mark.parametrize(
    ("rows", "target", "task", "classes"),
    [
        ([(k, k % 2) for k in range(40)], "b", "classification", ["0", "1"]),
        ([(k, 1 + k % 2) for k in range(40)], "b", "classification", ["1", "2"]),
        ([(k, 2 * (k % 2) - 1) for k in range(40)], "b", "classification", ["-1", "1"]),
        ([(k, "MR"[k % 3 > 0]) for k in range(40)], "b", "classification", ["R", "M"]),
        ([(k, "Yes" if k % 3 else "No") for k in range(40)], "b", "classification", ["No", "Yes"]),
        ([(k, k % 7 + 0.5) for k in range(40)], "b", "regression", None),
        ([(k, k**2) for k in range(40)], "b", "regression", None),
    ],
)
def test_the_target_tells_the_task(
    workspace: Path, rows: Rows, target: str, task: str, classes: list[str] | None
) -> None:
    plan = planned(write(workspace / "new.csv", "a b", rows), target)
    assert (plan.told.target.task, [*plan.told.target.classes] or None) == (task, classes)


@pytest.mark.parametrize(
    ("least", "of", "skewed"),
    [(0.0, "exp", True), (-0.2, "exp", False), (10.0, "tanh", False)],
)
def test_a_target_with_a_long_tail_may_be_logged(
    cli: Cli, tmp_path: Path, least: float, of: str, skewed: bool
) -> None:
    """Where its logarithm has none, which takes values above 0."""
    y = least + getattr(np, of)(np.random.default_rng(0).normal(0, 1.2, 200))
    file = write(tmp_path / "new.csv", "x y", zip(range(200), y.tolist(), strict=True))
    code, said, _ = cli("add", file, "--target", "y", "--dry-run")
    hint = "; skewed: split.target_transform: log may fit better"
    assert (code, hint in " ".join(said.split())) == (0, skewed)


def test_the_task_may_be_asked_for(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path / "new.csv", "a b", [(k, k % 2) for k in range(40)])
    assert cli("add", file, "--target", "b", "--task", "regression", "--name", "two")[0] == 0
    found = load_params().datasets["two"]
    assert (found.task, found.evaluate.metric, found.evaluate.classes) == (
        "regression",
        "mse",
        None,
    )


ROWS = [(k, (k * 37) % 41, k % 3) for k in range(40)]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("names", "rows", "words", "message"),
    [
        ("a b c", ROWS, ["--target", "bb"], "there is no column 'bb' (did you mean b?)"),
        ("a b c", ROWS, [], "name the column to predict, --target COLUMN:\n  a: numbers"),
        ("a b c", ROWS, ["--target", "b", "--name", "house"], "there is a dataset house already"),
        ("a b c", ROWS, ["--target", "b", "--name", "champion"], "the name champion is taken"),
        ("a b c", ROWS, ["--target", "b", "--name", "A b"], "--name A b: expected a-z, 0-9 and _"),
        ("a b c", ROWS[:1], ["--target", "b"], "the file has 1 row; 3 are the fewest"),
        ("a id c", ROWS, ["--target", "id"], "target id cannot be predicted: an identifier"),
        ("a b c", [(k, 7, k) for k in range(40)], ["--target", "b"], "target b has one class: 7"),
        (
            "a b c", [(k, k % 3, k == 5) for k in range(40)], ["--target", "c"],
            "target c: class 'True' has 1 of 40 rows, and 5 folds need 5 of each class",
        ),
        (
            "a b c", [(k, k % 3, int(k == 5)) for k in range(40)], ["--target", "c"],
            "target c: class '1' has 1 of 40 rows, and 5 folds need 5 of each class",
        ),
        (
            "a b", [(7, k) for k in range(40)], ["--target", "b"],
            "no column is left to predict b by: a: 7 in all rows",
        ),
        (
            "a b", [(2**64 + k, k) for k in range(40)], ["--target", "b"],
            "no column is left to predict b by: a: one number beyond 2^53, or several that floats",
        ),
        (
            "a b", [(f"w{k // 2}", k) for k in range(60)], ["--target", "b"],
            "no column is left to predict b by: a: free text: 30 different in 60 rows",
        ),
        (
            "rownames b", [(k, k * k) for k in range(60)], ["--target", "b"],
            "no column is left to predict b by: rownames: row numbers",
        ),
        (
            "id b", [(2**53 + k, k * k) for k in range(60)], ["--target", "b"],
            "no column is left to predict b by: id: an identifier: another number in each row",
        ),
        ("a b", [(k, f"w{k}") for k in range(40)], ["--target", "b"], "target b cannot be pre"),
        (
            "a b", [(k, "2e308" if k == 7 else k / 2) for k in range(40)], ["--target", "b"],
            "target b cannot be predicted: an identifier: another text in each row\n"
            "column b is text: '2e308' is no finite number",
        ),
        (
            "a b", [(["-?-", "n.k.", "1e"][k] if k < 3 else k / 2, k) for k in range(40)],
            ["--target", "b"],
            "no column is left to predict b by: a: an identifier: another text in each row\n"
            "column a is text: '-?-' is no finite number, nor are '1e', 'n.k.' (where it means",
        ),
        (
            "a b", [(k, k**2 if k < 2 else "") for k in range(40)], ["--target", "b"],
            "target b has a value in 2 of 40 rows; 3 are the fewest",
        ),
        (
            "a b", [(k, "xy"[k % 2]) for k in range(40)], ["--target", "b", "--task", "regression"],
            "target b is text, and a regression predicts numbers",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_added_is_said_in_one_message(
    cli: Cli, names: str, rows: Rows, words: list[str], message: str
) -> None:
    code, said, errors = cli("add", write(Path("new.csv"), names, rows), *words)
    assert (code, said) == (2, "")
    assert errors.startswith(f"error: add: {message}")


def test_a_target_with_gaps_is_taken_and_they_are_said(cli: Cli) -> None:
    rows = [(k, "" if k % 20 == 7 else k * k) for k in range(45)]
    code, _, errors = cli("add", write(Path("new.csv"), "a b", rows), "--target", "b")
    text = "target b has no value in 2 rows, first on line 9: left out by `split`"
    assert (code, errors) == (0, f"warning: add: {text}\n")
    for stage in ("ingest", "validate", "split"):
        code, _, errors = cli(stage, "new")
        assert code == 0
    assert "b is missing in 2 rows: left out" in errors
    assert pq.read_table("data/3_split/new/train.parquet").num_rows == 34


def test_a_target_alone_is_taken_with_a_warning(cli: Cli) -> None:
    code, _, errors = cli(
        "add", write(Path("new.csv"), "a", [[k * k] for k in range(40)]), "--target", "a"
    )
    text = "there is no column but the target a: no model can be trained; add others to the file"
    assert (code, errors) == (0, f"warning: add: {text}\n")


@pytest.mark.parametrize(
    ("name", "cells", "seems"),
    [
        ("X", range(40), "row numbers"),
        ("no", range(1, 41), "row numbers"),
        ("id", range(90, 50, -1), "an identifier: another number in each row"),
    ],
)
def test_numbers_that_count_rows_are_taken_where_nothing_else_is_left(
    cli: Cli, name: str, cells: Sequence[int], seems: str
) -> None:
    rows = [(cell, 7, 5.5 * k * k) for k, cell in enumerate(cells)]
    code, said, errors = cli("add", write(Path("new.csv"), f"{name} a b", rows), "--target", "b")
    text = (
        f"column {name} is taken, though it seems to be {seems}: no other is left to predict b by"
    )
    assert (code, errors) == (0, f"warning: add: {text}\n")
    assert "left out    a: 7 in all rows" in said
    assert load_params().datasets["new"].split.columns == {"a": "drop"}
    for stage in ("ingest", "validate", "split"):
        assert cli(stage, "new")[0] == 0
    assert pq.read_table("data/3_split/new/train.parquet").column_names == [name, "b"]


def test_it_is_left_out_where_another_column_is_left(cli: Cli) -> None:
    rows = [(k, k * k % 7, k * k) for k in range(1, 41)]
    code, said, errors = cli("add", write(Path("new.csv"), "no a b", rows), "--target", "b")
    assert (code, errors) == (0, "")
    assert "left out    no: row numbers" in said


def test_a_row_of_totals_is_refused(cli: Cli) -> None:
    rows = [(k + 0.5, "xy"[k % 2], k * k % 13) for k in range(40)]
    total = ("Total", "", sum(row[2] for row in rows))
    before = every_file()
    code, _, errors = cli("add", write(Path("new.csv"), "a b c", [*rows, total]), "--target", "c")
    Path("new.csv").unlink()
    text = "new.csv, line 42: 'Total' is the sum of the rows above in c: a total is no observation"
    assert (code, errors) == (2, f"error: add: {text}; remove the line\n")
    assert every_file() == before
    other = write(Path("new.csv"), "a b c", [*rows, (7, "Total", 5)])
    assert cli("add", other, "--target", "a")[0] == 0


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Ödd  Names (v1.2).CSV", "odd_names_v1_2"), ("a.b.csv.gz", "a_b"),
        ("2024.csv", "data_2024"), ("日本.csv", "data"), ("--x--.tsv", "x"), ("${x}.csv", "x"),
        ("IRIS", "iris"),
    ],
)  # fmt: skip
def test_a_dataset_is_called_as_its_file(file: str, name: str) -> None:
    assert named(Path(file)) == name


def test_a_file_whose_name_is_taken_needs_another(cli: Cli) -> None:
    file = write(Path("Champion.csv"), "a b c", ROWS)
    code, _, errors = cli("add", file, "--target", "b")
    assert (code, "the name champion is taken" in errors, "--name" in errors) == (2, True, True)
    assert cli("add", file, "--target", "b", "--name", "other")[0] == 0


def test_a_word_among_numbers_is_said_with_the_option_for_it(cli: Cli) -> None:
    rows = [(k % 7 + 0.5 if k != 9 else "closed", k % 5, k * k) for k in range(40)]
    file = write(Path("new.csv"), "a b c", rows)
    code, said, _ = cli("add", file, "--target", "c", "--dry-run")
    assert (code, "note        column a is text: 'closed' is no finite" in said) == (0, True)
    assert "note        `add` with --missing TEXT declares it" in said
    _, said, _ = cli("add", file, "--target", "c", "--missing", "closed")
    assert "numbers     2: a (1 missing), b" in said


def test_a_very_long_name_is_cut_where_it_is_told(cli: Cli) -> None:
    long = "l" * 1500
    code, said, _ = cli("add", write(Path("new.csv"), f"{long} b c", ROWS), "--target", "b")
    assert (code, f"numbers     2: {'l' * 40}..., c" in said) == (0, True)
    assert [cli(stage, "new")[0] for stage in ("ingest", "validate", "split")] == [0, 0, 0]


def test_of_a_target_alone_two_values_are_enough(cli: Cli) -> None:
    Path("new.csv").write_text("x\n0.5\n\n0.25\n")
    code, _, errors = cli("add", "new.csv", "--target", "x")
    assert (code, errors.count("warning: add: ")) == (0, 2)


def test_nothing_is_said_of_the_values_of_columns_that_are_left_out(cli: Cli) -> None:
    rows = [(k, k * k % 97 / 7, 3 * k * k, k * k) for k in range(1, 46)]
    file = write(Path("new.csv"), "rownames a c b", rows)
    assert cli("add", file, "--target", "b")[0] == cli("ingest", "new")[0] == 0
    code, _, errors = cli("validate", "new")
    assert (code, "column rownames" in errors, "column c gives the target b away" in errors) == (
        0, False, True,
    )  # fmt: skip


@pytest.mark.usefixtures("unchanged")
def test_a_dry_run_writes_nothing(cli: Cli) -> None:
    code, said, errors = cli(
        "add", write(Path("new.csv"), "a b c", ROWS), "--target", "b", "--dry-run"
    )
    assert (code, errors) == (0, "")
    assert "dry run     nothing is written; else data/raw/new.csv" in said


@pytest.mark.parametrize(("file", "named"), [("none.csv", "none.csv"), ("data", "data/raw")])
def test_no_file_is_said(cli: Cli, file: str, named: str) -> None:
    code, _, errors = cli("add", file, "--target", "b")
    assert (code, errors[: errors.index(": is ")]) == (2, f"error: add: {named}")


def test_a_file_that_cannot_be_read_changes_nothing(cli: Cli) -> None:
    Path("new.csv").write_text("a,b\n1,2\n3\n")
    before = every_file()
    code, said, errors = cli("add", "new.csv", "--target", "b")
    assert (code, said) == (2, "")
    assert errors.startswith("error: add: new.csv, line 3")
    assert every_file() == before


@pytest.mark.parametrize("end", [1000, 4000])
def test_half_a_params_yaml_changes_nothing(cli: Cli, end: int) -> None:
    params, file = Path("params.yaml"), write(Path("new.csv"), "a b c", ROWS)
    params.write_text(params.read_text()[:end])
    before = every_file()
    for words in (("add", file, "--target", "b"), ("remove", "house")):
        code, said, errors = cli(*words)
        assert (code, said) == (2, "")
        assert errors.startswith(f"error: {words[0]}: params.yaml")
    assert every_file() == before


@pytest.mark.parametrize("folder", ["data/raw", "data/schema"])
@pytest.mark.parametrize("broken", [full_disk, read_only])
def test_a_disk_that_refuses_leaves_all_as_it_was(
    cli: Cli, folder: str, broken: Callable[[Path], AbstractContextManager[None]]
) -> None:
    file = write(Path("new.csv"), "a b c", [(k, k * k % 97, k % 3) for k in range(2000)])
    Path(folder).rename("elsewhere")
    before = every_file()
    with broken(Path(folder)):
        code, said, errors = cli("add", file, "--target", "b")
        left = {path.name for path in Path(folder).iterdir()}
    assert (code, said) == (2, "")
    assert errors.startswith(f"error: add: {folder}/new.")
    assert errors.count("\n") == 1
    assert left <= {"full"}
    Path(folder).rmdir()
    assert every_file() == before


def test_what_a_killed_add_has_left_is_taken(cli: Cli) -> None:
    file, params = write(Path("new.csv"), "a b c", ROWS), Path("params.yaml")
    before = params.read_bytes()
    assert cli("add", file, "--target", "b")[0] == 0
    after = params.read_bytes()
    params.write_bytes(before)  # which gets its name last
    assert cli("add", file, "--target", "b")[0] == 0
    assert params.read_bytes() == after


@pytest.mark.parametrize("path", ["data/raw/new.csv", "data/schema/new.yaml"])
def test_another_file_of_the_name_stays(cli: Cli, path: str) -> None:
    file = write(Path("new.csv"), "a b c", ROWS)
    Path(path).write_text("mine")
    before = every_file()
    code, _, errors = cli("add", file, "--target", "b")
    assert (code, errors) == (
        2,
        f"error: add: {path} is there already; choose another name by --name\n",
    )
    assert every_file() == before


def test_a_file_in_data_raw_stays_where_it_is(cli: Cli) -> None:
    file = write(Path("data/raw/other.csv"), "a b c", ROWS)
    assert cli("add", file, "--target", "b", "--name", "new")[0] == 0
    assert load_params().datasets["new"].ingest.source == "data/raw/other.csv"
    assert not Path("data/raw/new.csv").exists()


def test_gzip_stays_gzip(cli: Cli) -> None:
    text = write(Path("new.csv"), "a b c", ROWS).read_bytes()
    Path("new.csv.gz").write_bytes(gzip.compress(text))
    assert cli("add", "new.csv.gz", "--target", "b")[0] == 0
    assert gzip.decompress(Path("data/raw/new.csv.gz").read_bytes()) == text
    assert cli("ingest", "new")[0] == 0


def test_how_the_file_is_written_is_declared(cli: Cli) -> None:
    rows = [(f"{k},5", f"{k * k},25", ["?", -999][k % 2] if k % 9 == 2 else k) for k in range(40)]
    file = write(Path("new.txt"), "a b c", rows, ";")
    code, said, errors = cli("add", file, "--target", "b", "--missing", "-999")
    assert (code, errors) == (0, "")
    assert "written     semicolons between cells; decimal commas" in said
    assert "missing     '-999', '?': 5 cells" in said
    csv = load_params().datasets["new"].ingest.csv
    assert (csv.delimiter, csv.decimal, csv.missing) == (";", ",", ["-999", "?"])
    assert "    nullable: true\n" in Path("data/schema/new.yaml").read_text()


@pytest.mark.parametrize(
    ("name", "cells", "why"),
    [
        ("rownames", [3, 1, 2] * 10, "row numbers"),
        ("X", range(1, 31), "row numbers"),
        ("PassengerId", range(30, 0, -1), "an identifier: another number in each row"),
        ("fluid", range(30, 0, -1), ""),
        ("time", range(1, 31), ""),
        ("a", [7] * 30, "7 in all rows"),
        ("a", [None] * 30, "without any value"),
        ("a", [2**53, *range(29)], "integers beyond 2^53, of which floats lose digits"),
        ("a", [f"2024-01-{k:02}" for k in range(1, 31)], ""),
        (
            "a",
            [f"{k % 24}:30" for k in range(30)],
            "times of day: write them as numbers, of hours say, or say category here",
        ),
        (
            "a",
            [f"{k % 24}:30" if k else "1.2.24" for k in range(30)],
            "times of day, or dates of several forms",
        ),
        ("a", ["2024-01-31", "31.01.2024"] * 15, "times of day, or dates of several forms"),
        (
            "a",
            ["2024-01-31T12:00", "2024-01-31T12:00Z"] * 15,
            "times of day, or dates of several forms",
        ),
        ("a", [f"w{k}" for k in range(30)], "an identifier: another text in each row"),
        ("a", [*(f"w{k}" for k in range(29)), "w1"], "free text: 29 different in 30 rows"),
        ("a", ["yes", None] * 15, ""),
        ("a", ["TRUE", "FALSE", None] * 10, ""),
    ],
)
def test_a_column_that_tells_nothing_is_left_out(
    name: str, cells: Sequence[object], why: str
) -> None:
    import pyarrow as pa

    table = pa.table({name: pa.array([*cells], None if any(cells) else pa.float64())})
    column = contents([table.slice(k, 7) for k in range(0, 30, 7)])[name]
    assert kind(name, column).why == why


US, EUROPE = "%m/%d/%Y", "%d/%m/%Y"


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["2024-01-31", "2024-02-01"], ISO[0]),
        (["2024-01-31", "2024-02-01 12:30:15.5"], ISO[1]),
        (["2024-01-31T12:30Z", "2024-01-31 12:30:00+02:00"], ISO[2]),
        (["1/2/2024", "3/31/2024"], US),
        (["1/2/2024", "31/3/2024"], EUROPE),
        (["1/2/2024", "3/12/2024"], None),
        (["1/1/2024", "2/2/2024"], None),
        (["31/1/2024", "1/31/2024"], None),
        (["2024-1-2", "2024-11-12"], "%Y-%m-%d"),
        (["31.12.24 9:05", "1.2.24 19:30"], "%d.%m.%y %H:%M"),
        (["01-02-03", "04-05-06"], None),
        (["01-02-33", "04-05-06"], None),
        (["31-02-03", "04-05-06"], "%y-%m-%d"),
        (["12/31/2024 1:05 PM", "1/2/2024 11:59 AM"], "%m/%d/%Y %I:%M %p"),
        (["05JAN2020", "29feb2020"], "%d%b%Y"),
        (["January 5, 2020", "May 6, 2020"], "%B %d, %Y"),
        (["30.2.2024", "1.2.2024"], None),
        (["1.2.2024", "3.12.2024"], "%d.%m.%Y"),
        (["1.31.2024", "3.12.2024"], "%m.%d.%Y"),
        (["01.02.21", "04.05.23"], "%d.%m.%y"),
        (["01.01.21", "01.01.23"], "%d.%m.%y"),
        (["23.12.14", "24.01.25"], None),
        (["01.02.70", "04.05.95"], "%d.%m.%y"),
        (["a", "2024-01-31"], None),
    ],
)
def test_the_form_of_dates_is_found_where_it_is_certain(
    cells: Sequence[str], form: str | None
) -> None:
    import pyarrow as pa

    for order in (cells, cells[::-1]):
        table = pa.table({"a": [*order, None]})
        column = contents([table.slice(k, 1) for k in range(3)])["a"]
        assert column.form == form
        whole = contents([table])["a"]
        assert (whole.form, whole.dates) == (form, column.dates)


def test_dates_are_features_and_an_ambiguous_column_waits_for_its_form(cli: Cli) -> None:
    days = [f"2024-{k % 12 + 1:02}-{k % 28 + 1:02}" for k in range(60)]
    rows = [
        (
            *(day, f"{day[8:]}.{day[5:7]}.{day[:4]}" if k % 9 else "NA"),
            *(f"{k % 12 + 1}/{k % 5 + 1}/2024", k * k),
        )
        for k, day in enumerate(days)
    ]
    code, said, errors = cli("add", write(Path("new.csv"), "day de us y", rows), "--target", "y")
    assert (code, errors) == (0, "")
    told = " ".join(said.split())
    assert "dates 2: day (2024-01-01 to 2024-12-24), de (as %d.%m.%Y; 2024-01-13 to " in told
    assert "7 missing) left out us: dates written as %d/%m/%Y or %m/%d/%Y: declare in" in told
    block = load_params().datasets["new"]
    assert block.ingest.csv.dates == {"de": "%d.%m.%Y"}
    assert block.split.columns == {"day": "date", "de": "date", "us": "drop"}
    text = Path("params.yaml").read_text()
    assert (
        "us: drop  # dates written as %d/%m/%Y or %m/%d/%Y: declare in ingest.csv which, "
        'dates: {"us": "%d/%m/%Y"} or dates: {"us": "%m/%d/%Y"}, and say date here\n'
    ) in text
    schema = Path("data/schema/new.yaml").read_text()
    assert schema.count(r'str_matches: "^\\d{4}-\\d\\d-\\d\\d$"') == 2
    for stage in ("ingest", "validate", "split"):
        assert cli(stage, "new")[0] == 0
    asked = text.replace("us: drop", "us: date").replace(
        'de: "%d', 'us: "%m/%d/%Y"\n          de: "%d'
    )
    Path("params.yaml").write_text(asked)
    for stage in ("ingest", "validate", "split"):
        code, _, errors = cli(stage, "new")
        assert code == 0, errors
    assert "us" in json.loads(Path("data/3_split/new/columns.json").read_text())


def test_dates_of_what_came_later_and_row_names_are_no_features(cli: Cli) -> None:
    """A date of death that most have not tells who died."""
    rows = [
        (f"2024-01-{k % 28 + 1:02}", f"2025-02-{k % 28 + 1:02}" if k % 2 else "NA", k, k * k)
        for k in range(59)
    ]
    file = write(Path("new.csv"), "rownames died a y", rows)
    assert cli("add", file, "--target", "y")[0] == 0
    text = Path("params.yaml").read_text()
    assert "died: drop  # dates that 30 of 59 rows do not have; say date here if they are" in text
    assert "rownames: drop  # row names; under another name these dates are taken" in text
    assert [cli(stage, "new")[0] for stage in ("ingest", "validate", "split")] == [0, 0, 0]
    only = write(Path("only.csv"), "rownames y", [(row[0], row[3]) for row in rows])
    code, _, said = cli("add", only, "--target", "y")
    assert code == 2
    assert "no column is left to predict y by: rownames: row names; under another name" in said


@pytest.mark.parametrize("form", ["%d%b%Y", "%B %d, %Y", "%m/%d/%y %I:%M %p", "%Y-%m-%dT%H:%M"])
def test_gaps_between_dates_are_found(form: str, cli: Cli) -> None:
    days = [datetime(2024, 1 + k % 12, 28, k % 24) for k in range(40)]
    cells = ["NA" if k % 7 == 3 else f'"{day.strftime(form)}"' for k, day in enumerate(days)]
    rows = [(cell, k, k * k) for k, cell in enumerate(cells)]
    code, said, errors = cli("add", write(Path("new.csv"), "day a y", rows), "--target", "y")
    assert (code, errors) == (0, "")
    assert "missing     'NA': 6 cells" in said
    assert load_params().datasets["new"].split.columns == {"day": "date"}
    assert cli("ingest", "new")[0] == 0
    table = pq.read_table("data/1_ingested/new.parquet")
    assert table["day"].null_count == 6
    expected = [day.isoformat(timespec="minutes") for k, day in enumerate(days) if k % 7 != 3]
    size = 16 if "%M" in form else 10
    assert [day[:size] for day in table["day"].drop_null().to_pylist()] == [
        day[:size] for day in expected
    ]


def test_a_draft_of_declared_dates_accepts_the_file(cli: Cli) -> None:
    rows = [(f"{k % 28 + 1}.{k % 12 + 1}.2024", f"2024-01-{k % 9 + 1:02}", k) for k in range(40)]
    assert cli("add", write(Path("new.csv"), "de iso y", rows), "--target", "y")[0] == 0
    drafted = Path("data/schema/new.yaml").read_text()
    Path("data/schema/new.yaml").unlink()
    code, _, errors = cli("schema", "draft", "data/raw/new.csv")
    assert (code, errors) == (0, "")
    assert Path("data/schema/new.yaml").read_text() == drafted
    rows[7] = ("7.8.2024", "2024-1-7", 1)
    write(Path("data/raw/new.csv"), "de iso y", rows)
    assert cli("ingest", "new")[0] == 0
    code, _, errors = cli("validate", "new")
    assert code == 2
    assert "data/raw/new.csv, line 9, column iso: '2024-1-7', expected a date of ISO 8601" in errors


def test_a_date_is_no_target(cli: Cli) -> None:
    rows = [(f"2024-01-{k % 28 + 1:02}", k, k * k) for k in range(40)]
    file = write(Path("new.csv"), "day a b", rows)
    code, _, errors = cli("add", file, "--target", "day")
    assert (code, errors) == (2, "error: add: target day cannot be predicted: dates\n")
    code, _, errors = cli("add", file)
    assert (code, "day:" in errors) == (2, False)


def test_remove_names_what_there_is(cli: Cli) -> None:
    code, _, errors = cli("remove", "hous")
    assert code == 2
    assert "unknown dataset 'hous' (did you mean house?)" in errors


def test_metrics_go_though_nothing_else_was_made_of_a_dataset(cli: Cli) -> None:
    layout.metrics("synthetic").write_text("{}")  # as a clone has them, without data
    assert cli("remove", "synthetic")[0] == 0
    assert not layout.metrics("synthetic").exists()


def test_the_last_dataset_stays(cli: Cli) -> None:
    assert cli("remove", "synthetic")[0] == cli("remove", "breast_cancer")[0] == 0
    code, _, errors = cli("remove", "house")
    assert (code, errors) == (
        2,
        "error: remove: house is the only dataset; params.yaml needs one: add another\n",
    )


def test_a_file_of_two_datasets_goes_with_the_second(cli: Cli) -> None:
    file = write(Path("data/raw/new.csv"), "a b c", ROWS)
    for name in ("one", "two"):
        assert cli("add", file, "--target", "b", "--name", name)[0] == 0
    assert cli("remove", "one")[0] == 0
    assert file.exists()
    assert cli("remove", "two")[0] == 0
    assert not file.exists()


def test_generated_rows_keep_the_code_that_makes_them(cli: Cli) -> None:
    generator = Path("pipeline/ingest/make_regression.py")
    generator.parent.mkdir(parents=True)
    generator.touch()
    assert cli("remove", "synthetic")[0] == 0
    assert generator.exists()
    assert not Path("data/schema/synthetic.yaml").exists()


def test_a_champion_goes_with_its_dataset(cli: Cli) -> None:
    entry = {"trainer": "closed_form", "params": {}, "features": ["area_m2"]}
    Path("metrics/champion.json").write_text(json.dumps({"house": entry, "synthetic": entry}))
    assert cli("remove", "house")[0] == 0
    assert json.loads(Path("metrics/champion.json").read_text()) == {"synthetic": entry}


@pytest.fixture(scope="module")
def clone(house_alone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return copied(house_alone, tmp_path_factory.mktemp("add"))


@pytest.mark.slow
def test_from_a_file_to_a_tracked_model_in_two_commands(clone: Clone) -> None:
    before = stages(clone)
    write(clone.folder / "../new flats.csv", "area rooms lift price", flats())
    clone.ok("python -m pipeline add '../new flats.csv' --target price")
    assert "new_flats" in clone.ok("dvc repro")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "results", "--json"],
        cwd=clone.folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""
    found = json.loads(done.stdout, parse_constant=pytest.fail)
    roles = {one["model"]: one["role"] for one in found if one["dataset"] == "new_flats"}
    assert roles == {
        "closed_form": "trainer", "manual_gd": "trainer", "linear_regression": "reference",
        "mean": "baseline",
    }  # fmt: skip
    mean = {one["model"]: one["mean"] for one in found if one["dataset"] == "new_flats"}
    assert mean["closed_form"] < mean["manual_gd"] < mean["mean"] / 10  # which has a penalty
    assert clone.ok("git status --porcelain data/raw data/schema params.yaml").splitlines() == [
        " M params.yaml",
        "?? data/raw/new_flats.csv",
        "?? data/schema/new_flats.yaml",
    ]
    clone.ok("python -m pipeline remove new_flats")
    assert clone.ok("git status --porcelain data params.yaml dvc.yaml") == ""
    assert not [*clone.folder.glob("data/*/new_flats*")]
    assert stages(clone) == before
    clone.ok("dvc repro")
    assert clone.ok("git status --porcelain") == ""


def stages(clone: Clone) -> list[str]:
    return [output.stage for output in outputs(clone.folder / LOCK)]


ODD = (
    "${x}", "a.b", "x: y", "q\"uo'te", "l" * 1500, "ünï", "#c", "{a}", "%d", "a,b", "- dash", "yes",
    "null", "&a", "*b", "!t", "|", "a\tb", "$(touch gone)", "`id`", "${item.key}", "rownames",
    "targ${et}",
)  # fmt: skip


@pytest.mark.slow
def test_odd_names_pass_through_dvc(clone: Clone) -> None:
    draw, words = random.Random(0), ["u${v}", "v: w", "x#y", "$(touch gone)"]
    with (clone.folder / "../Ödd  Names (v1.2).csv").open(
        "w", newline="", encoding="utf-8"
    ) as file:
        rows = csv.writer(file)
        rows.writerow(ODD)
        for k in range(60):
            numbers = [round(draw.gauss(), 3) for _ in ODD[3:]]
            rows.writerow([*draw.choices(words, k=3), *numbers[:-2], k, words[k % 2]])
    clone.ok("python -m pipeline add '../Ödd  Names (v1.2).csv' --target 'targ${et}'")
    clone.ok("dvc repro evaluate@odd_names_v1_2")
    assert "cv accuracy" in clone.ok("dvc repro report && python -m pipeline results")
    assert not (clone.folder / "gone").exists()
    page = (clone.folder / "metrics/report.html").read_text(encoding="utf-8")
    assert "made of 21 columns: 3 of categories." in page
    assert "Left out, 1: rownames." in page
    clone.ok("python -m pipeline remove odd_names_v1_2")
    assert clone.ok("git status --porcelain data params.yaml dvc.yaml") == ""
    clone.ok("git checkout -q dvc.lock metrics")
    assert clone.ok("git status --porcelain") == ""


@pytest.mark.slow
def test_a_large_file_goes_to_dvc(clone: Clone) -> None:
    rows = [(k * 0.001, (k * 7919) % 10007, k % 3) for k in range(700_000)]
    write(clone.folder / "../large.csv", "a b c", rows)
    assert "next        dvc repro" in clone.ok("python -m pipeline add ../large.csv --target b")
    assert clone.ok("git status --porcelain data").splitlines() == [
        "?? data/raw/.gitignore",
        "?? data/raw/large.csv.dvc",
        "?? data/schema/large.yaml",
    ]
    clone.ok("dvc status data/raw/large.csv.dvc")
    clone.ok("python -m pipeline remove large")
    assert clone.ok("git status --porcelain") == ""
    assert not [*clone.folder.glob("data/*/*large*")]


@pytest.mark.slow
def test_where_dvc_refuses_all_is_as_it_was(clone: Clone) -> None:
    write(clone.folder / "../large.csv", "a b c", [(k * 0.001, k % 99, k) for k in range(900_000)])
    clone.ok("mv .dvc ../away")
    done = clone.run("python -m pipeline add ../large.csv --target b")
    clone.ok("mv ../away .dvc")
    assert done.returncode == 2
    assert done.stdout.startswith("error: add: dvc add data/raw/large.csv: ")
    assert clone.ok("git status --porcelain") == ""
    assert not [*clone.folder.glob("data/*/*large*")]


@pytest.mark.parametrize(("rows", "repeats"), [(29, None), (30, "auto"), (6000, "auto")])
def test_rows_are_held_out_once(cli: Cli, rows: int, repeats: str | None) -> None:
    file = write(Path("new.csv"), "a b", [(k * 37 % 101, k * k % 17 + k) for k in range(rows)])
    assert cli("add", file, "--target", "b")[0] == 0
    assert load_params().datasets["new"].evaluate.repeats == repeats


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["new.csv", "--connection", "X"], "--connection goes with --query"),
        (["--query", "select 1", "--sheet", "A"], "--sheet goes with a workbook"),
    ],
)
def test_an_option_without_a_use_is_refused(cli: Cli, words: list[str], message: str) -> None:
    code, _, errors = cli("add", *words)
    assert (code, errors.startswith(f"error: add: {message}")) == (2, True), errors
