"""The repository's own promises."""

import re
import tomllib
from importlib.metadata import version
from itertools import chain
from typing import Any

import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML
from sklearn.datasets import load_breast_cancer

from pipeline.commands.results import results
from pipeline.core.params import load_params
from tests.conftest import ROOT

GRAPH: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    return dict(line.lower().split("==") for line in lines)


def declared() -> list[Requirement]:
    texts = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    return [Requirement(text) for text in texts]


def test_the_lock_pins_all_that_is_declared() -> None:
    pins = {canonicalize_name(name): pin for name, pin in locked().items()}
    for requirement in declared():
        pin = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), requirement


def test_what_runs_here_is_what_is_locked() -> None:
    for name, pin in locked().items():
        assert version(name).split("+")[0] == pin, name


def test_params_and_graph_name_the_same_datasets_and_trainers() -> None:
    stages = GRAPH["stages"]
    datasets = load_params().datasets
    by_name = {
        name: {dataset for stage in names for dataset in stages[stage]["matrix"]["dataset"]}
        for name, names in {
            "ingest": ("ingest", "generate"),
            "validate": ("validate",),
            "split": ("split",),
            "evaluate": ("evaluate_regression", "evaluate_classification"),
        }.items()
    }
    assert all(found == set(datasets) for found in by_name.values()), by_name
    pairs = {family: stages[family]["foreach"].values() for family in TRAIN_FAMILIES}
    found = {(pair["dataset"], pair["trainer"]) for pair in chain(*pairs.values())}
    assert found == {(name, t) for name, d in datasets.items() for t in d.trainers}


TRAIN_FAMILIES = ("train_closed", "train_gradient")


def test_every_dataset_has_its_references() -> None:
    found = GRAPH["stages"]["train_reference"]["foreach"].values()
    datasets = load_params().datasets
    assert {pair["dataset"] for pair in found} == set(datasets)
    for pair in found:
        assert REFERENCES[datasets[pair["dataset"]].task] == (pair["trivial"], pair["counterpart"])


def test_trainers_stand_in_the_family_of_their_params() -> None:
    for family in TRAIN_FAMILIES:
        stage = GRAPH["stages"][family]
        for pair in stage["foreach"].values():
            assert set(PARAMS_OF[pair["trainer"]]) <= set(stage["do"].get("params", []))
            assert bool(PARAMS_OF[pair["trainer"]]) == (family == "train_gradient")


def test_commands_hold_no_value_of_params_yaml() -> None:
    """What DVC puts into a command are plain names that stand in dvc.yaml itself."""
    assert "vars" not in GRAPH
    for stage in GRAPH["stages"].values():
        assert "vars" not in stage.get("do", stage)
        rows = [*stage.get("foreach", {}).values()]
        for key, values in stage.get("matrix", {}).items():
            rows += [{key: value} for value in values]
        names = {f"${{item.{key}}}" for row in rows for key in row}
        assert all(re.fullmatch("[a-z][a-z0-9_]*", value) for row in rows for value in row.values())
        command = stage.get("do", stage)["cmd"]
        assert set(re.findall(r"\$\{[^}]*\}", command)) <= names
        plain = re.sub(r"\$\{[^}]*\}", "", command)
        assert re.fullmatch(r"exec python -m pipeline [a-z]+ *", plain)


def test_breast_cancer_csv_is_scikit_learns_copy_row_by_row() -> None:
    ours = pd.read_csv(ROOT / "data/raw/breast_cancer.csv")
    theirs = load_breast_cancer(as_frame=True).frame
    theirs.columns = [name.replace(" ", "_") for name in theirs.columns]
    pd.testing.assert_frame_equal(ours, theirs)


def test_links_in_the_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / link).exists(), (page, link)


def test_the_readme_shows_the_committed_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    table = f"<!-- results -->\n\n{results(markdown=True)}\n\n<!-- /results -->"
    assert table in (ROOT / "README.md").read_text()
