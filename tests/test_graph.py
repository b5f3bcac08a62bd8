"""What params.yaml names and dvc.yaml has no stage for, and the other way round."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.params import load_params
from pipeline.graph import unconnected
from tests.conftest import ROOT

Run = Callable[[str], tuple[int, str]]
INGEST = (
    "    matrix:\n      dataset: [house, breast_cancer]\n    cmd: exec python -m pipeline ingest "
)
LACKS = "dvc.yaml: has no stage that runs"


@pytest.fixture
def graph(workspace: Path) -> Path:
    shutil.copy(ROOT / "dvc.yaml", workspace)
    return workspace / "dvc.yaml"


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def found() -> list[str]:
    return [*unconnected(load_params())]


def test_the_committed_files_fit_together(graph: Path) -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "      synthetic-torch_sgd: {dataset: synthetic, trainer: torch_sgd}\n",
            "",
            [
                f"{LACKS} `train synthetic torch_sgd`; add it, or take it from "
                "datasets.synthetic.trainers"
            ],
        ),
        (
            "dataset: [house, synthetic]\n    cmd: exec python -m pipeline evaluate",
            "dataset: [house]\n    cmd: exec python -m pipeline evaluate",
            [f"{LACKS} `evaluate synthetic`; add synthetic there"],
        ),
        (
            "dataset: [house, breast_cancer]",
            "dataset: [hose, breast_cancer]",
            [
                f"{LACKS} `ingest house`; add house there",
                "dvc.yaml: works on hose (did you mean house?), which is not in params.yaml: "
                "datasets; add it, or remove the stages",
            ],
        ),
        (
            "house: {dataset: house, counterpart: linear_regression, trivial: mean}",
            "house: {dataset: house, counterpart: linear_regression, trivial: majority}",
            [
                f"{LACKS} `train house mean`; add it",
                "dvc.yaml: has a stage that runs `train house majority`; house takes "
                "pairwise_mean, closed_form, manual_gd, torch_sgd, linear_regression, mean",
            ],
        ),
    ],
)
def test_a_dataset_or_trainer_without_a_stage_is_named(
    graph: Path, old: str, new: str, expected: list[str]
) -> None:
    changed(graph, old, new)
    assert found() == expected


def test_a_trainer_taken_out_of_params_is_named_first(run: Run, graph: Path) -> None:
    changed(graph.with_name("params.yaml"), "manual_gd, torch_sgd]", "manual_gd]")
    code, message = run("params")
    assert code == 2
    assert message == (
        "error: params: dvc.yaml: has a stage that runs `train house torch_sgd`, which is not in "
        "params.yaml: datasets.house.trainers; add it, or remove the stage\n"
    )


@pytest.mark.parametrize(
    "stage",
    [
        "    foreach: [house, breast_cancer]\n    do:\n      cmd: -m pipeline ingest ${item}",
        "    foreach: {house: 1, breast_cancer: 2}\n    do:\n      cmd: -m pipeline ingest ${key}",
        "    matrix:\n      d: [{name: house}, {name: breast_cancer}]\n"
        "    cmd: python -m pipeline ingest ${ item.d.name }",
        "    cmd:\n      - python -m  pipeline ingest 'house' > log.txt\n"
        "      - true && python -m pipeline ingest breast_cancer;true",
    ],
)
def test_every_form_of_a_stage_is_read(graph: Path, stage: str) -> None:
    changed(graph, f"{INGEST}${{item.dataset}}", stage)
    assert found() == []
    changed(graph, "breast_cancer", "breast")
    assert f"{LACKS} `ingest breast_cancer`; add breast_cancer there" in found()


@pytest.mark.parametrize("name", ["${item[dataset]}", "${vars_own}"])
def test_what_only_dvc_can_fill_in_is_left_to_dvc(graph: Path, name: str) -> None:
    changed(graph, f"{INGEST}${{item.dataset}}", f"{INGEST}{name}")
    changed(graph, "      house-closed_form: {dataset: house, trainer: closed_form}\n", "")
    assert found() == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "steps: {}", "stages: [1]", "stages: {a: 1}", "stages: {a: {}}", "a: [", "\0"],
)
def test_what_is_no_file_of_stages_is_refused(graph: Path, text: str) -> None:
    graph.write_text(text)
    with pytest.raises(PipelineError, match=r"dvc\.yaml: cannot be read; expected stages"):
        found()
