import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import read_evaluated
from pipeline.evaluate.comparison import verdict
from pipeline.evaluate.curves import HEADERS

Run = Callable[[str], tuple[int, str]]


def without_models(workspace: Path, dataset: str) -> None:
    """Its lines under `models` taken away."""
    path = workspace / "params.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if f"    {dataset}-" not in line))


@pytest.mark.parametrize(
    ("dataset", "reference", "of_the_other_task"),
    [
        ("synthetic", "linear_regression", ["confusion", "roc", "pr", "calibration"]),
        ("breast_cancer", "logistic_regression", ["predictions", "residuals"]),
    ],
)
def test_a_dataset_that_has_no_model_yet_is_judged_and_undecided(
    dataset: str,
    reference: str,
    of_the_other_task: list[str],
    run: Run,
    prepared: Callable[[str], None],
    workspace: Path,
) -> None:
    without_models(workspace, dataset)
    prepared(dataset)
    assert run(f"evaluate {dataset}")[0] == 0
    evaluated = read_evaluated(dataset)
    assert [one.role for one in evaluated.judged.values()] == ["reference", "baseline"]
    found = verdict(evaluated, 0, "")
    assert (found.best, found.verdict) == (reference, "undecided")
    assert "models has no model of this dataset yet" in found.reason
    for name in ("loss", "cv", "coefficients", *HEADERS):
        with layout.plot(dataset, name).open(newline="") as file:
            header, *rows = csv.reader(file)
        assert "trainer" in header
        assert bool(rows) != (name in (*of_the_other_task, "loss"))
