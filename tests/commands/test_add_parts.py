"""`add` makes a dataset of a folder of parts, or of several files, or changes nothing."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.commands.add import add
from pipeline.commands.add.files import files_of, staged
from pipeline.commands.add.plan import planned
from pipeline.core.errors import PipelineError
from pipeline.core.params import load_params
from tests.commands.conftest import Cli
from tests.commands.test_add import every_file, flats
from tests.faults.test_file_system import full_disk

HEADER = "area,rooms,lift,price\n"
ROWS = [",".join(map(str, row)) + "\n" for row in flats(90)]


@pytest.fixture
def parts(workspace: Path) -> Path:
    """A folder of three CSV files of 30 rows each, outside of data/raw."""
    (workspace / "flats").mkdir()
    for k in range(3):
        text = HEADER + "".join(ROWS[30 * k : 30 * k + 30])
        (workspace / f"flats/p{k}.csv").write_text(text)
    return Path("flats")


@pytest.fixture
def unchanged(parts: Path) -> Iterator[None]:
    """Nothing in the workspace is another when the test has ended, but for the parts."""

    def files() -> dict[Path, bytes]:
        return {path: held for path, held in every_file().items() if path.parent != parts}

    before = files()
    yield
    assert files() == before
    assert not [*Path("data/raw").glob(".*")]


def test_a_folder_is_a_dataset(cli: Cli, parts: Path) -> None:
    (parts / "_SUCCESS").touch()
    before = Path("params.yaml").read_text()
    code, said, errors = cli("add", f"{parts}/", "--target", "price")
    assert (code, errors) == (0, "warning: add: flats: _SUCCESS: no part, and left out\n")
    assert said.startswith("flats: 3 parts, 90 rows, 4 columns\n")
    assert "files       data/raw/flats, data/schema/flats.yaml, params.yaml" in said
    held = {path.name: path.read_bytes() for path in Path("data/raw/flats").iterdir()}
    assert held == {f"p{k}.csv": (parts / f"p{k}.csv").read_bytes() for k in range(3)}
    assert load_params().datasets["flats"].ingest.source == "data/raw/flats"
    for stage in ("params", "ingest flats", "validate flats", "split flats"):
        assert cli(*stage.split())[0] == 0
    report = json.loads(Path("data/2_validated/flats/report.json").read_text())
    assert (report["rows"], report["written"].split(";")[0]) == (90, "commas between cells")
    assert cli("remove", "flats")[0] == 0
    assert Path("params.yaml").read_text() == before
    assert not Path("data/raw/flats").exists()


def test_parts_of_parquet_are_declared_by_an_empty_table(cli: Cli, workspace: Path) -> None:
    (workspace / "flats").mkdir()
    for k in range(2):
        rows = flats(90)[45 * k : 45 * k + 45]
        columns = dict(
            zip(HEADER.strip().split(","), map(list, zip(*rows, strict=True)), strict=True)
        )
        pq.write_table(pa.table(columns), workspace / f"flats/p{k}.parquet")
    assert cli("add", "flats", "--target", "price")[0] == 0
    assert "      table: {}\n" in Path("params.yaml").read_text()
    for stage in ("params", "ingest flats", "validate flats"):
        assert cli(*stage.split())[0] == 0
    report = json.loads(Path("data/2_validated/flats/report.json").read_text())
    assert (report["rows"], report["written"]) == (90, "as .parquet")


def test_a_folder_in_data_raw_stays_where_it_is(cli: Cli, parts: Path) -> None:
    parts.rename("data/raw/years")
    states = files_of(Path("data/raw/years"))
    assert cli("add", "data/raw/years", "--target", "price", "--name", "flats")[0] == 0
    assert load_params().datasets["flats"].ingest.source == "data/raw/years"
    assert files_of(Path("data/raw/years")) == states


def test_what_dvc_has_by_import_url_is_left_to_it(parts: Path) -> None:
    """`dvc add` would take from the .dvc file where its data come from."""
    parts.rename("data/raw/flats")
    known = Path("data/raw/flats.dvc")
    known.write_text("frozen: true\n")
    add(planned(Path("data/raw/flats"), "price"), large=0)
    assert known.read_text() == "frozen: true\n"


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["flats/p*.csv"], 3),
        (["flats/*"], 3),
        (["flats/p[02].csv"], 2),
        (["flats/p2.csv", "flats/p0.csv", "flats/p2.csv"], 2),
        (["flats/p1*"], 1),
    ],
)
def test_several_files_are_parts(cli: Cli, parts: Path, words: list[str], count: int) -> None:
    (parts / "_SUCCESS").touch()
    code, said, _ = cli("add", *words, "--target", "price")
    several = f"{count} parts, " * (count > 1)
    assert (code, said.split("\n")[0]) == (0, f"flats: {several}{30 * count} rows, 4 columns")
    held = {path.name: path.read_bytes() for path in Path("data/raw/flats").iterdir()}
    assert len(held) == count
    assert all((parts / name).read_bytes() == content for name, content in held.items())
    assert not any(path.is_symlink() for path in Path("data/raw/flats").iterdir())


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["flats/q*.csv"], "flats/q*.csv: no file fits; expected parts there"),
        (["flats/p0.csv", "flats/p9.csv"], "flats/p9.csv: is missing"),
        (["flats/p0.csv", "data/raw/house.csv"], "data/raw/house.csv: lies elsewhere than flats"),
        (["data/raw"], "data/raw/breast_cancer.py: is no part: expected NAME.csv"),
        (["flats", "--sheet", "a"], "--sheet a: flats is a CSV file, and has no sheets"),
        (["flats", "--missing", "-7"], "--missing=-7: no cell of flats holds that"),
        ([], "expected a FILE, or --query"),
        (["flats", "--query", "select 1"], "expected a FILE, or --query"),
    ],
)
def test_fault_122_files_that_are_no_parts_are_said(
    cli: Cli, words: list[str], message: str
) -> None:
    code, _, errors = cli("add", *words, "--target", "price")
    assert (code, errors.startswith(f"error: add: {message}")) == (2, True), errors


def _other_columns(parts: Path) -> str:
    (parts / "p1.csv").write_text("area,rooms,price\n1,2,3\n")
    return "flats/p1.csv, line 1: has no column 'lift'"


def _torn(parts: Path) -> str:
    (parts / "p1.csv").write_text(HEADER + "1,2,0,3\n1,2\n")
    return "flats/p1.csv, line 3: has 2 fields, expected 4"


def _total(parts: Path) -> str:
    for k in range(3):
        lines = (parts / f"p{k}.csv").read_text().splitlines()[1:]
        named = [f"flat {30 * k + n},{line}" for n, line in enumerate(lines)]
        (parts / f"p{k}.csv").write_text("\n".join([f"name,{HEADER.strip()}", *named, ""]))
    sums = [sum(column) for column in zip(*flats(90), strict=True)]
    with (parts / "p2.csv").open("a") as file:
        file.write(",".join(["total", *map(repr, sums)]) + "\n")
    return "flats/p2.csv, line 32: 'total' is the sum of the rows above"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("some", [False, True])
@pytest.mark.parametrize("damage", [_other_columns, _torn, _total])
def test_fault_120_and_121_parts_that_cannot_be_read_are_named(
    cli: Cli, parts: Path, damage: Callable[[Path], str], some: bool
) -> None:
    """Also where links to some files of a folder are read."""
    message = damage(parts)
    files = [parts]
    if some:
        (parts / "other.txt").touch()
        files = [*parts.glob("*.csv")]
    code, _, errors = cli("add", *files, "--target", "price")
    assert (code, errors.startswith(f"error: add: {message}")) == (2, True), errors


@pytest.mark.usefixtures("unchanged")
def test_fault_123_a_part_that_changed_since_it_was_read_is_refused(parts: Path) -> None:
    plan = planned(parts, "price")
    with (parts / "p1.csv").open("a") as file:
        file.write("1,2,3,4\n")
    with pytest.raises(PipelineError, match=r"flats/p1.csv: was changed while it was read"):
        add(plan)


@pytest.mark.usefixtures("unchanged")
def test_another_folder_of_the_name_is_not_overwritten(cli: Cli, parts: Path) -> None:
    other = Path("data/raw/flats")
    other.mkdir()
    for path in parts.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    (other / "p1.csv").write_text(HEADER)
    code, _, errors = cli("add", parts, "--target", "price")
    assert (code, "data/raw/flats is there already; choose another name" in errors) == (2, True)
    (other / "p1.csv").write_bytes((parts / "p1.csv").read_bytes())
    (other / "p3.csv").write_text("")
    assert cli("add", parts, "--target", "price")[0] == 2
    for path in other.iterdir():
        path.unlink()
    other.rmdir()


def test_what_a_killed_add_has_left_is_taken_up_or_cleared(cli: Cli, parts: Path) -> None:
    left, done = Path("data/raw/.flats.999999.part"), Path("data/raw/flats")
    for folder in (left, done):
        folder.mkdir()
        for path in parts.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
    with staged("flats") as folder:
        assert folder.is_dir()
    assert not left.exists()
    assert not folder.exists()
    assert cli("add", parts, "--target", "price")[0] == 0


def test_a_full_disk_leaves_nothing_of_parts(cli: Cli, parts: Path, workspace: Path) -> None:
    params = Path("params.yaml").read_bytes()
    for path in Path("data/raw").iterdir():
        path.unlink()
    Path("data/raw").rmdir()
    with full_disk(workspace / "data/raw"):
        code, _, errors = cli("add", parts, "--target", "price")
        left = [path.name for path in Path("data/raw").iterdir()]
    assert (code, left) == (2, ["full"])
    assert errors.startswith("error: add: data/raw/flats: cannot be written: No space left")
    assert Path("params.yaml").read_bytes() == params


def test_later_stages_name_part_and_line(cli: Cli, parts: Path) -> None:
    lines = (parts / "p1.csv").read_text().splitlines()
    lines[16] = lines[16].rpartition(",")[0] + ",999"
    lines[20] = ROWS[4].strip()
    (parts / "p1.csv").write_text("\n".join([*lines, ""]))
    assert cli("add", parts, "--target", "price")[0] == 0
    assert cli("ingest", "flats")[0] == 0
    code, _, errors = cli("validate", "flats")
    assert code == 0
    assert "1 row repeats an earlier one in all columns: line 21 of p1.csv as 6 of p0.csv" in errors
    schema = Path("data/schema/flats.yaml")
    text = schema.read_text()
    schema.write_text(re.sub(r"(price:[^}]+max_value: )[^}]+", r"\g<1>500", text))
    code, _, errors = cli("validate", "flats")
    assert code == 2
    assert (
        "error: validate: data/raw/flats/p1.csv, line 17, column price: 999.0, expected" in errors
    )


def test_a_target_without_value_is_told_by_its_part(cli: Cli, parts: Path) -> None:
    lines = (parts / "p2.csv").read_text().splitlines()
    lines[4] = lines[4].rpartition(",")[0] + ","
    (parts / "p2.csv").write_text("\n".join([*lines, ""]))
    code, _, errors = cli("add", parts, "--target", "price")
    assert (code, "no value in 1 row, first on line 5 of p2.csv" in errors) == (0, True), errors


def test_a_schema_is_drafted_of_parts(cli: Cli, parts: Path) -> None:
    assert cli("schema", "draft", parts, "-o", "drafted.yaml")[0] == 0
    assert "drafted from its 90 rows" in Path("drafted.yaml").read_text()
