"""Values that a schema forbids, and rows that stand there twice."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.tables import ROW_GROUP
from tests.faults.small import CLASSIFICATION, refusal, rows, write_small

Run = Callable[[str], tuple[int, str]]
FLOATS = {"x": "dtype: float64", "y": "dtype: float64"}
LABELS = {"x": "dtype: float64", "y": "dtype: int64, isin: [0, 1]"}


def refused(run: Run, workspace: Path) -> str:
    """What `validate` says of `small`; no output changes."""
    assert run("ingest small")[0] == 0
    message = refusal(run, workspace)
    assert message.startswith("error: validate: data/raw/small.csv, line ")
    return message


def test_fault_39_fraction_in_an_integer_column(run: Run, workspace: Path) -> None:
    write_small(workspace, "x,y\n1.5,0\n2,0.9999999999\n3,1\n", LABELS, CLASSIFICATION)
    message = refused(run, workspace)
    assert "line 3, column y: 0.9999999999, expected an integer\n" in message


def test_fault_41_label_outside_the_classes(run: Run, workspace: Path) -> None:
    write_small(workspace, "x,y\n1.5,0\n2,1\n3,2\n", LABELS, CLASSIFICATION)
    assert "line 4, column y: 2, expected isin([0, 1])\n" in refused(run, workspace)


@pytest.mark.parametrize("cell", ["True", "false", "yes", "T", "no"])
def test_fault_42_mixed_booleans(run: Run, workspace: Path, cell: str) -> None:
    write_small(workspace, f"x,y\n1.5,0\n2,{cell}\n3,1\n", LABELS, CLASSIFICATION)
    message = refused(run, workspace)
    assert f"line 3, column y: '{cell}', expected an integer\n" in message
    assert message.count("\n") == 2  # 0 and 1 are no problem


@pytest.mark.parametrize("row", [0, 7, ROW_GROUP - 1, ROW_GROUP, ROW_GROUP + 12])
@pytest.mark.parametrize("value", [-0.5, 10.5])
def test_fault_43_out_of_range(run: Run, workspace: Path, row: int, value: float) -> None:
    x, y = np.random.default_rng(0).uniform(0, 10, size=(2, ROW_GROUP + 13))
    x[row] = value
    bounds = "dtype: float64, in_range: {min_value: 0, max_value: 10}"
    write_small(workspace, rows("x,y", x, y), {"x": bounds, "y": "dtype: float64"})
    message = refused(run, workspace)
    assert message.splitlines()[0].endswith(
        f"line {row + 2}, column x: {value}, expected in_range(0, 10)"
    )
    assert message.count("\n") == 2


def test_fault_43_many_out_of_range_are_counted(run: Run, workspace: Path) -> None:
    x, y = np.random.default_rng(0).uniform(1, 10, size=(2, ROW_GROUP + 13))
    bounds = "dtype: float64, less_than: 0"
    write_small(workspace, rows("x,y", x, y), {"x": bounds, "y": bounds})
    *shown, rest, _ = refused(run, workspace).splitlines()
    places = [(line, column) for line in range(2, 12) for column in "xy"]
    for text, (line, column) in zip(shown, places, strict=True):
        assert f"small.csv, line {line}, column {column}: " in text
    assert rest == f"... and {2 * (ROW_GROUP + 13) - 20} more"


@pytest.mark.parametrize(
    ("rules", "table", "words"),
    [
        ("dtype: float64, unique: true", "", "column x: 1.5, expected a value that no other row"),
        ("dtype: float64", "unique: [x, y]\n", "column x: 1.5, expected a combination that no"),
    ],
)
def test_fault_44_duplicates_that_the_schema_forbids(
    run: Run, workspace: Path, rules: str, table: str, words: str
) -> None:
    """In row groups of their own."""
    x = np.arange(ROW_GROUP + 2) + 3.25
    x[[0, -1]] = 1.5
    write_small(workspace, rows("x,y", x, np.zeros(len(x))), {**FLOATS, "x": rules})
    schema = workspace / "data/schema/small.yaml"
    schema.write_text(schema.read_text() + table)
    message = refused(run, workspace)
    assert f"line 2, {words}" in message
    assert f"line {ROW_GROUP + 3}, {words}" in message


@pytest.mark.parametrize(
    ("repeats", "words"),
    [
        ({9: 3}, "1 row repeats an earlier one in all columns: line 11 as 5; remove"),
        (
            {9: 3, ROW_GROUP + 5: 3, ROW_GROUP + 6: 8},
            "3 rows repeat an earlier one in all columns: line 11 as 5, "
            f"line {ROW_GROUP + 7} as 5, line {ROW_GROUP + 8} as 10; remove",
        ),
        (dict.fromkeys(range(10, 20), 0), "line 15 as 2, line 16 as 2, 5 more; remove"),
    ],
)
def test_fault_44_duplicate_rows(
    run: Run, workspace: Path, repeats: dict[int, int], words: str
) -> None:
    x, y = np.random.default_rng(0).normal(size=(2, ROW_GROUP + 9))
    x[3], y[8] = 0, -0.0
    for row, earlier in repeats.items():
        x[row], y[row] = x[earlier], y[earlier]
    write_small(workspace, rows("x,y", x, y), FLOATS)
    assert run("ingest small")[0] == 0
    code, message = run("validate small")
    assert code == 0
    assert message.startswith("warning: validate: data/raw/small.csv: ")
    assert words in message
    report = json.loads((workspace / "data/2_validated/small/report.json").read_text())
    assert report["repeated_rows"] == len(repeats)
    assert [f"warning: validate: {text}" for text in report["warnings"]] == message.splitlines()


def test_fault_44_rows_that_share_a_cell_are_no_duplicates(run: Run, workspace: Path) -> None:
    write_small(workspace, "x,y\n1.5,2\n2,1.5\n1.5,1.5\n2,2\n", FLOATS)
    assert run("ingest small")[0] == 0
    assert run("validate small") == (0, "")
