"""Records that ingest has set aside: in validate's report and file, and never in predict."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

from tests.faults.small import REGRESSION, rows, write_small

Run = Callable[[str], tuple[int, str]]
DECLARED = "{source: data/raw/small.csv, csv: {bad_records: {set_aside: 0.05}}}"
BLOCK = REGRESSION.replace("{source: data/raw/small.csv}", DECLARED)
COLUMNS = dict.fromkeys(("x", "y"), "dtype: float64")


def text(damaged: str = "") -> str:
    return (
        rows("x,y", [k + 0.5 for k in range(40)], [k * 7 % 40 + 0.5 for k in range(40)]) + damaged
    )


def test_they_are_counted_warned_of_and_listed(run: Run, workspace: Path) -> None:
    folder = workspace / "data/2_validated/small"
    write_small(workspace, text("=1,2,3\n"), COLUMNS, BLOCK)
    code, said = run("ingest small")
    assert code == 0
    assert "1 of 41 records is damaged and set aside, as declared: line 42: has 3 fields" in said
    code, said = run("validate small")
    assert code == 0
    assert "set aside, as declared" in said
    report = json.loads((folder / "report.json").read_text())
    assert (report["rows"], report["set_aside"]) == (40, 1)
    assert "set aside" in report["warnings"][0]
    assert "1 damaged record set aside\n" in (folder / "report.txt").read_text()
    with (folder / "rejected.csv").open() as file:
        reason = "has 3 fields, expected 2 as in the header: '=1,2,3'"
        assert [*csv.reader(file)] == [["line", "reason", "text"], ["42", reason, "'=1,2,3"]]
    write_small(workspace, text(), COLUMNS, BLOCK)
    assert (run("ingest small"), run("validate small")) == ((0, ""), (0, ""))
    assert "set_aside" not in json.loads((folder / "report.json").read_text())
    assert not (folder / "rejected.csv").exists()


def test_a_schema_failure_behind_one_names_its_own_line(run: Run, workspace: Path) -> None:
    write_small(workspace, text("1\n7,z\n"), COLUMNS, BLOCK)
    assert run("ingest small")[0] == 0
    code, said = run("validate small")
    assert code == 2
    assert "data/raw/small.csv, line 43, column y: 'z'" in said


def test_predict_refuses_them_always(run: Run, workspace: Path) -> None:
    write_small(workspace, text("1\n"), COLUMNS, BLOCK)
    for command in ("ingest small", "validate small", "split small", "train small closed_form"):
        assert run(command)[0] == 0
    file = workspace / "new.csv"
    file.write_text("x\n" + "1.5\n" * 99 + "1,2\n")
    code, said = run(f"predict small {file} --model closed_form -o {workspace / 'out.csv'}")
    assert code == 2
    assert "line 101: has 2 fields" in said
    assert "bad_records" not in said
