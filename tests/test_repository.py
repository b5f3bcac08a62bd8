"""The repository's own promises."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML
from sklearn.datasets import load_breast_cancer

from pipeline.commands.results import results
from pipeline.core.params import load_params
from pipeline.core.run import STAGES
from pipeline.core.settings.models import Models
from pipeline.core.settings.network import Network
from pipeline.core.trainers import TRAINERS
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


def test_every_dataset_and_model_of_params_has_its_stages() -> None:
    params = load_params()
    expected = {"params", "report", "textbook", "track"}
    for stage in ("ingest", "validate", "split", "evaluate"):
        expected |= {f"{stage}@{dataset}" for dataset in params.datasets}
    expected |= {f"train_{group}@{key}" for group, lines in params.models for key in lines}
    assert {*YAML(typ="safe").load(ROOT / "dvc.lock")["stages"]} == expected


def test_the_graph_loops_over_params_alone() -> None:
    """A dataset or a model more is no edit of dvc.yaml."""
    loops = {stage["foreach"] for stage in GRAPH["stages"].values() if "foreach" in stage}
    assert loops == {"${datasets}", *(f"${{models.{group}}}" for group in Models.model_fields)}
    assert not [name for name, stage in GRAPH["stages"].items() if "matrix" in stage]


def test_a_descent_is_run_again_for_every_param_that_reaches_it() -> None:
    for group, block in (("gradient", set()), ("network", {"hidden", *Network.model_fields})):
        of_group = [one for one in TRAINERS.values() if one.group == group]
        params = {param for one in of_group for param in one.params} - block
        # who trains in batches draws them otherwise
        others = {f"models.{group}.${{key}}", "datasets.${item.dataset}.split", "engine"}
        others |= {"network"} if block else set()
        assert params | others == set(stage(f"train_{group}")["params"])


def test_commands_hold_no_value_of_params_yaml() -> None:
    """The name of the stage, which stands in quotes, is the shell's one word."""
    assert "vars" not in GRAPH
    for name in GRAPH["stages"]:
        assert "vars" not in stage(name)
        assert stage(name)["cmd"] == 'exec python -m pipeline.core "$DVC_STAGE"'


def stage(name: str) -> dict[str, Any]:
    found: dict[str, Any] = GRAPH["stages"][name]
    return found.get("do", found)


@pytest.mark.parametrize("name", GRAPH["stages"])
def test_every_module_a_stage_imports_is_in_its_deps(name: str) -> None:
    """Else an edit would not run it again."""
    deps = {dep.split("/${")[0] for dep in stage(name)["deps"]}
    if "${item.ingest.source}" in deps:  # of those rows that are generated
        deps |= {dataset.ingest.source for dataset in load_params().datasets.values()}
    modules = {STAGES[name.split("_")[0]].module, "pipeline.core.run", "pipeline.core.__main__"}
    used = {str(path.relative_to(ROOT)) for path in reached(modules)}
    assert "pipeline/core/errors.py" in used
    covered = {path for path in used if any(path == d or path.startswith(f"{d}/") for d in deps)}
    assert used == covered


def reached(modules: set[str]) -> set[Path]:
    """The files of modules, and of all that these import, directly or not."""
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        for file in files_of(waiting.pop()):
            if file not in found:
                found.add(file)
                waiting += imported(file)
    return found


def files_of(module: str) -> list[Path]:
    """Its own file and those of the packages it is in; `pipeline.solvers.` is each solver."""
    folder = ROOT / module.replace(".", "/")
    if module.endswith("."):
        own = [name for name, one in TRAINERS.items() if one.role == "trainer"]
        return [folder / f"{name}.py" for name in (*own, "references")]
    packages = [one / "__init__.py" for one in (folder, *folder.parents)]
    return [file for file in (folder.with_suffix(".py"), *packages) if file.is_file()]


def imported(file: Path) -> Iterator[str]:
    """What a file imports, also within a function; a main imports commands there, and no stage.

    A module that is named by an f-string may be every one of its folder.
    """
    tree = ast.parse(file.read_text())
    body = [one for one in tree.body if not isinstance(one, ast.FunctionDef)]
    for part in body if file.name == "__main__.py" else [tree]:
        for node in ast.walk(part):
            match node:
                case ast.Import(names=names):
                    yield from (one.name for one in names)
                case ast.ImportFrom(module=str(module), names=names):
                    yield from (module, *(f"{module}.{one.name}" for one in names))
                case ast.Call(
                    func=ast.Name(id="import_module"),
                    args=[ast.JoinedStr(values=[ast.Constant(value=str(start)), *_])],
                ):
                    yield start


def test_breast_cancer_csv_is_scikit_learns_copy_row_by_row() -> None:
    ours = pd.read_csv(ROOT / "data/raw/breast_cancer.csv")
    theirs = load_breast_cancer(as_frame=True).frame
    theirs.columns = [name.replace(" ", "_") for name in theirs.columns]
    pd.testing.assert_frame_equal(ours, theirs)


def test_links_in_the_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / link).exists(), (page, link)


def test_the_commands_page_shows_the_committed_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    table = f"<!-- results -->\n\n{results(markdown=True)}\n\n<!-- /results -->"
    assert table in (ROOT / "docs/commands.md").read_text()
