"""The three commands, as typed, with real dvc and mlflow, in a fresh clone."""

import json
import re
import sqlite3
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, Clone, copied, first_repro

pytestmark = pytest.mark.slow

GRADIENT = {
    ("house", "manual_gd"),
    ("house", "torch_sgd"),
    ("synthetic", "manual_gd"),
    ("synthetic", "torch_sgd"),
    ("breast_cancer", "bcpm"),
}
DIRECT = {("house", "pairwise_mean"), ("house", "closed_form"), ("synthetic", "closed_form")}
REFERENCES = {
    ("house", "linear_regression"),
    ("house", "mean"),
    ("synthetic", "linear_regression"),
    ("synthetic", "mean"),
    ("breast_cancer", "logistic_regression"),
    ("breast_cancer", "majority"),
}


def stages_run(output: str) -> set[str]:
    return set(re.findall(r"Running stage '([^']+)'", output))


def runs(clone: Clone) -> list[dict[str, str]]:
    """Every run of a trainer in the store of the clone: its tags, status and artifact folder."""
    return [run for run in all_runs(clone) if run["experiment"] != "report"]


def all_runs(clone: Clone) -> list[dict[str, str]]:
    with sqlite3.connect(clone.folder / "mlflow.db") as db:
        rows = db.execute(
            "select run_uuid, status, artifact_uri, experiments.name from runs "
            "join experiments using (experiment_id) where runs.lifecycle_stage = 'active'"
        ).fetchall()
        return [
            dict(db.execute("select key, value from tags where run_uuid = ?", (id_,)).fetchall())
            | {"id": id_, "status": status, "artifacts": artifacts, "experiment": experiment}
            for id_, status, artifacts, experiment in rows
        ]


def pairs(found: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(run["dataset"], run["trainer"]) for run in found}


def metric(clone: Clone, dataset: str, trainer: str, name: str) -> float:
    scores = json.loads((clone.folder / f"metrics/{dataset}.json").read_text())
    return float(scores[trainer][name])


def back_to_the_start(clone: Clone) -> None:
    clone.ok("git checkout -q -- . && dvc checkout -q")


@pytest.fixture(scope="module")
def clone(reproduced: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of the reproduced clone, with a store of its own."""
    clone = copied(reproduced, tmp_path_factory.mktemp("main job"))
    assert stages_run(clone.ok("dvc repro")) == {"track"}
    return clone


def test_a_fresh_clone_runs_every_stage_and_reproduces_every_byte(reproduced: Clone) -> None:
    said, status = first_repro(reproduced)
    locked = YAML(typ="safe").load(ROOT / "dvc.lock")["stages"]
    # params has nothing to make: the lock alone says that this very params.yaml was checked;
    # all that textbook makes is in git
    assert stages_run(said) == set(locked) - {"params", "textbook"}
    assert status == ""


def test_a_second_repro_runs_nothing(clone: Clone) -> None:
    assert stages_run(clone.ok("dvc repro")) == set()


@pytest.mark.parametrize(
    ("dataset", "trainer", "name", "figure", "within"),
    [
        ("house", "closed_form", "train_mse", 42.869848, 1e-6),
        ("house", "pairwise_mean", "train_mse", 70.894645, 1e-5),
        ("house", "manual_gd", "train_mse", 42.869848, 1e-6),
        ("house", "torch_sgd", "train_mse", 42.869848, 1e-3),
        ("synthetic", "closed_form", "test_mse", 759.279519, 1e-5),
        ("synthetic", "manual_gd", "test_mse", 759.279519, 1e-3),
        ("synthetic", "torch_sgd", "test_mse", 759.279519, 1e-3),
        ("breast_cancer", "bcpm", "test_accuracy", 0.95, 0.03),
        ("breast_cancer", "bcpm", "test_roc_auc", 0.99, 0.01),
        ("house", "closed_form", "loo_mse", 149.8961, 1e-4),
        ("breast_cancer", "bcpm", "cv_accuracy", 0.9775, 0.0025),
        ("breast_cancer", "bcpm", "cv_roc_auc", 0.9975, 0.0025),
    ],
)
def test_figures(
    clone: Clone, dataset: str, trainer: str, name: str, figure: float, within: float
) -> None:
    assert metric(clone, dataset, trainer, name) == pytest.approx(figure, abs=within)


def test_every_trainer_is_a_run_in_mlflow_complete(clone: Clone) -> None:
    found = runs(clone)
    assert len(found) == 14
    assert pairs(found) == GRADIENT | DIRECT | REFERENCES
    for run in found:
        assert run["status"] == "FINISHED"
        assert {"fingerprint", "git_commit", "data_md5"} <= set(run)
        assert run["artifacts"].startswith((clone.folder / "mlartifacts").as_uri())
        with sqlite3.connect(clone.folder / "mlflow.db") as db:
            query = "select key from metrics where run_uuid = ?"
            logged = {key for (key,) in db.execute(query, (run["id"],))}
        pair = (run["dataset"], run["trainer"])
        if pair in GRADIENT | DIRECT and run["trainer"] != "pairwise_mean":
            assert ({"stable_lr"} if pair in GRADIENT else {"rank", "condition"}) <= logged
        if run["dataset"] == "breast_cancer":
            assert {"cv_accuracy", "cv_accuracy_low", "test_recall_malignant_high"} <= logged
    assert len(list((clone.folder / "mlartifacts").rglob("model.skops"))) == 14
    assert not list((clone.folder / "mlartifacts").rglob("*.pkl"))


def test_the_report_is_a_run_with_its_pictures(clone: Clone) -> None:
    (run,) = [run for run in all_runs(clone) if run["experiment"] == "report"]
    assert run["status"] == "FINISHED"
    folder = Path(run["artifacts"].removeprefix("file://").replace("%20", " "))
    assert (folder / "report.html").read_bytes() == (
        clone.folder / "metrics/report.html"
    ).read_bytes()
    shown = {path.name for path in (clone.folder / "metrics/report").iterdir()}
    assert {path.name for path in (folder / "pictures").iterdir()} == shown
    assert {"house_fit.svg", "synthetic_loss.svg", "breast_cancer_roc.svg"} <= shown


def test_breast_cancer_is_at_scikit_learns_level(clone: Clone) -> None:
    verdict = json.loads((clone.folder / "metrics/verdict.json").read_text())["datasets"]
    (contest,) = [
        one["words"]
        for one in verdict["breast_cancer"]["comparisons"]
        if {one["a"], one["b"]} == {"bcpm", "logistic_regression"}
    ]
    assert contest == "not distinguishable"
    assert verdict["breast_cancer"]["verdict"] == "accepted"
    scores = json.loads((clone.folder / "metrics/breast_cancer.json").read_text())["bcpm"]
    assert scores["cv_recall_malignant_low"] < scores["cv_recall_malignant"] < 1


def test_the_generators_noise_lies_in_the_interval_and_the_draw_is_called_unlucky(
    clone: Clone,
) -> None:
    scores = json.loads((clone.folder / "metrics/synthetic.json").read_text())["closed_form"]
    assert scores["cv_mse_low"] < 20**2 < scores["cv_mse_high"]
    verdict = json.loads((clone.folder / "metrics/verdict.json").read_text())["datasets"]
    (note,) = [note for note in verdict["synthetic"]["notes"] if "draw" in note]
    assert "20 rows gives closed_form mse 759.3: an unlucky draw" in note
    assert note in (clone.folder / "metrics/report.html").read_text()


def test_a_logged_model_answers_where_this_package_is_not_installed(
    clone: Clone, tmp_path: Path
) -> None:
    id_ = next(r["id"] for r in runs(clone) if r["mlflow.runName"] == "closed_form"
               and r["dataset"] == "house")  # fmt: skip
    script = tmp_path / "load.py"
    script.write_text(
        "import mlflow, pandas, sys\n"
        f"mlflow.set_tracking_uri('sqlite:///{clone.folder / 'mlflow.db'}')\n"
        f"model = mlflow.pyfunc.load_model('runs:/{id_}/model')\n"
        "assert 'pipeline' not in sys.modules and model.metadata.signature\n"
        "print('@@', model.predict(pandas.DataFrame({'area_m2': [140.0]}))[0])\n"
    )
    output = clone.ok(f"cd / && python '{script}'", MLFLOW_DISABLE_TELEMETRY="true")
    assert float(output.split("@@")[1]) == pytest.approx(274.70697, abs=1e-5)


def test_the_chapter_comes_out_as_committed(clone: Clone) -> None:
    assert "textbook" in stages_run(clone.ok("dvc repro -f -s textbook"))
    assert clone.ok("git status --porcelain") == ""


def test_an_experiment_reruns_what_depends_on_lr_and_adds_its_runs(clone: Clone) -> None:
    before = runs(clone)
    output = clone.ok("dvc exp run -S lr=0.01 --name slow")
    kinds = {stage.split("@")[0] for stage in stages_run(output)} - {"params", "track"}
    assert kinds == {"train_gradient", "evaluate", "report"}
    assert metric(clone, "house", "manual_gd", "train_mse") > 900
    added = [run for run in runs(clone) if run["id"] not in {run["id"] for run in before}]
    assert len(added) == 5
    assert pairs(added) == GRADIENT
    assert {run["dvc_experiment"] for run in added} == {"slow"}
    shown = clone.ok("dvc exp show --no-pager --md")
    assert "slow" in shown
    assert "house/manual_gd" not in shown  # short names
    assert "lr" in clone.ok("dvc params diff")
    assert "house.manual_gd.train_mse" in clone.ok("dvc metrics diff")
    back_to_the_start(clone)


def test_the_other_commands_of_the_readme(clone: Clone) -> None:
    assert "train_gradient@house-manual_gd" in clone.ok("dvc dag")
    assert "bcpm" in clone.ok("dvc metrics show")
    assert "bcpm" in clone.ok("python -m pipeline results")
