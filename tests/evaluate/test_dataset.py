import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import read_evaluated
from pipeline.core.artifacts.models import read_model, write_model
from pipeline.core.files import md5
from pipeline.evaluate.curves import HEADERS
from pipeline.evaluate.verdict import verdict
from tests.conftest import keep_datasets

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


def test_of_two_models_of_one_trainer_the_one_that_fails_in_a_fold_is_named(
    run: Run, prepared: Callable[[str], None], workspace: Path
) -> None:
    params, yaml = workspace / "params.yaml", YAML()
    keep_datasets(params, "house")
    content = yaml.load(params)
    line = {"dataset": "house", "trainer": "manual_gd"}
    content["models"]["direct"] = {}
    content["models"]["gradient"] = {"house-slow": line, "house-fast": {**line}}
    yaml.dump(content, params)
    prepared("house")
    assert run("train house slow fast") == (0, "")
    path, train = layout.model("house", "fast"), md5(layout.split_part("house", "train"))
    model = read_model(path, "manual_gd", ["area_m2"], train)
    write_model(path, ["area_m2"], replace(model, params=model.params | {"lr": 1e200}), train)
    code, message = run("evaluate house")
    assert code == 3
    assert message.startswith(
        "error: evaluate: house: fast: cross-validation of manual_gd, fold 1 of 6: diverged"
    )
