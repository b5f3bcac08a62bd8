"""Columns that are not those of the schema, and columns that should not be features."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.faults.small import CLASSIFICATION, REGRESSION, refusal, rows, write_small

Run = Callable[[str], tuple[int, str]]
COLUMNS = {"a": "dtype: float64", "b": "dtype: float64", "y": "dtype: float64"}
GOOD = "a,b,y\n1.5,2,3\n2,7.5,1\n3.5,1,4\n"


def refused(run: Run, workspace: Path, csv: str, columns: dict[str, str] = COLUMNS) -> str:
    """What `validate` says of a file that follows a good one; all outputs but the table stay."""
    write_small(workspace, GOOD, columns)
    for stage in ("ingest", "validate", "split"):
        assert run(f"{stage} small")[0] == 0
    (workspace / "data/raw/small.csv").write_text(csv)
    assert run("ingest small")[0] == 0
    message = refusal(run, workspace)
    assert run("split small")[0] == 2  # the earlier report opens no door
    return message


def test_fault_27_missing_column(run: Run, workspace: Path) -> None:
    message = refused(run, workspace, "a,y\n1.5,3\n2,1\n")
    assert message.startswith("error: validate: data/raw/small.csv: column b is missing\n")


def test_fault_28_column_too_many(run: Run, workspace: Path) -> None:
    message = refused(run, workspace, "a,b,c,y\n1.5,2,3,4\n2,1,2,3\n")
    assert message.startswith(
        "error: validate: data/raw/small.csv: column c is not in the schema; remove it or declare"
    )


def test_fault_29_other_order_of_columns(run: Run, workspace: Path) -> None:
    write_small(workspace, "y,b,a\n3,2,1.5\n1,7.5,2\n4,1,3.5\n", COLUMNS)
    for stage in ("ingest", "validate", "split"):
        assert run(f"{stage} small") == (0, "")
    path = workspace / "data/schema/small.yaml"
    path.write_text(path.read_text() + "ordered: true\n")
    code, message = run("validate small")
    assert code == 2
    assert "small.csv: column y stands where the schema (ordered: true) has a; reorder" in message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (range(6), "column a counts the rows, from 0 to 5"),
        (range(1, 7), "column a counts the rows, from 1 to 6"),
        ([7, 8, 9, 11, 13, 99], None),  # six values can be sorted, and be measured
        ([k * k + 5 for k in range(25)], "column a rises from row to row, from 5 to 581"),
        ([k * k + 5 for k in range(24)] + [7], None),
    ],
)
def test_fault_30_column_like_an_index(
    run: Run, workspace: Path, values: list[int], words: str | None
) -> None:
    draw = np.random.default_rng(0).normal(size=(2, len(values)))
    write_small(workspace, rows("a,b,y", values, *draw), {**COLUMNS, "a": "dtype: int64"})
    assert run("ingest small")[0] == 0
    code, message = run("validate small")
    assert code == 0
    report = json.loads((workspace / "data/2_validated/small/report.json").read_text())
    if words is None:
        assert (message, report["warnings"]) == ("", [])
    else:
        assert message.startswith(f"warning: validate: data/raw/small.csv: {words}, as an index")
        assert [f"warning: validate: {text}" for text in report["warnings"]] == message.splitlines()


@pytest.mark.parametrize(
    ("block", "given_away", "warned"),
    [
        (REGRESSION, lambda y: y, True),
        (REGRESSION, lambda y: 32 - 1.8 * y, True),  # in another unit
        (REGRESSION, lambda y: y**3, False),
        (CLASSIFICATION, lambda y: 1 - y, True),
        (CLASSIFICATION, lambda y: np.append(1 - y[0], y[1:]), False),
    ],
)
def test_fault_30_column_that_gives_the_target_away(
    run: Run,
    workspace: Path,
    block: str,
    given_away: Callable[[np.ndarray], np.ndarray],
    warned: bool,
) -> None:
    draw = np.random.default_rng(0)
    y = draw.normal(size=70_000) if block is REGRESSION else draw.integers(0, 2, size=70_000)
    columns = {**COLUMNS, "y": "dtype: float64" if block is REGRESSION else "dtype: int64"}
    csv = rows("a,b,y", given_away(y), draw.normal(size=len(y)), y)  # two row groups
    write_small(workspace, csv, columns, block)
    assert run("ingest small")[0] == 0
    code, message = run("validate small")
    assert code == 0
    assert ("column a gives the target y away: their correlation is" in message) == warned
    assert "column b" not in message
