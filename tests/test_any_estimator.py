"""An estimator of scikit-learn as a model: its scores against scikit-learn's own, its bytes, doors.

Nightly every classifier and regressor of scikit-learn's list; in the suite a few of each kind.
"""

import csv
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from ruamel.yaml import YAML
from sklearn import metrics
from sklearn.datasets import load_iris, make_classification
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import all_estimators
from threadpoolctl import threadpool_limits

from pipeline.commands.predict.model import _load, _predictor
from pipeline.core import layout
from pipeline.core.artifacts.evaluated import read_evaluated, read_verdicts
from pipeline.core.artifacts.models import read_model, write_model
from pipeline.core.artifacts.splits import read_split
from pipeline.core.errors import PipelineError
from pipeline.core.files import md5
from pipeline.core.forms import Estimator
from pipeline.core.params import load_params
from pipeline.core.preprocessing import fit_scaler, standardized
from pipeline.core.scikit_learn import MODULES, TYPES, trusted
from pipeline.core.tables import as_arrays, read_table
from pipeline.core.trainers import Task
from pipeline.tracking.collect import _Collector
from pipeline.tracking.entry import Entry
from pipeline.tracking.provenance import origin
from pipeline.tracking.sklearn_model import save_model
from tests.conftest import ROOT

Run = Callable[[str], tuple[int, str]]
CLASSES = {name: cls for kind in ("classifier", "regressor") for name, cls in all_estimators(kind)}
EPS = np.finfo(float).eps
KINDS = {"several": "classification", "two": "classification", "number": "regression"}
# Of each family one, with params beside the usual ones.
FEW: list[tuple[str, str, dict[str, Any]]] = [
    ("two", "HistGradientBoostingClassifier", {"max_depth": 4, "max_iter": 20}),
    ("two", "KNeighborsClassifier", {"metric": "manhattan", "n_neighbors": 4}),
    ("two", "GaussianNB", {}),
    ("two", "MLPClassifier", {"hidden_layer_sizes": [5, 3], "max_iter": 1000, "alpha": 1}),
    ("several", "RandomForestClassifier", {"n_estimators": 20, "class_weight": "balanced"}),
    ("several", "QuadraticDiscriminantAnalysis", {"reg_param": 0.1}),
    ("several", "CalibratedClassifierCV", {}),
    ("several", "SGDClassifier", {"loss": "log_loss", "random_state": 3}),
    ("number", "GradientBoostingRegressor", {"n_estimators": 20}),
    ("number", "GaussianProcessRegressor", {}),
    ("number", "TweedieRegressor", {"power": 1.5}),
    ("number", "RidgeCV", {"alphas": [0.1, 1.0, 10.0]}),
    ("logged", "SVR", {}),
]


def table_of(kind: str) -> pd.DataFrame:
    if kind == "several":
        X, y = load_iris(return_X_y=True)
        names = np.array(["virginica", "setosa", "versicolor"])
        table = pd.DataFrame(X, columns=[*"dbca"]).assign(y=names[y]).drop_duplicates()
    elif kind == "apart":  # two clusters, and nothing between them
        y = np.repeat([0, 1], 60)
        X = np.random.default_rng(0).normal(size=(120, 2)) / 20 + np.where(y, 1, -1)[:, None]
        table = pd.DataFrame(X, columns=[*"ba"]).assign(y=np.array(["out", "in"])[y])
    elif kind == "gap":
        x = np.random.default_rng(0).permutation([*np.linspace(0, 1, 50), *np.linspace(9, 10, 50)])
        table = pd.DataFrame({"a": x, "y": 3 + x**2})
    elif kind == "two":
        X, y = make_classification(
            120, 4, n_informative=3, n_redundant=0, class_sep=0.8, flip_y=0.1, random_state=3
        )
        table = pd.DataFrame(X, columns=[*"dbca"]).assign(y=np.array(["out", "in"])[y])
    else:
        X = np.random.default_rng(0).normal(size=(100, 3))
        y = np.exp(np.sin(X[:, 0]) + X[:, 1] / 3)
        table = pd.DataFrame(X, columns=[*"bca"]).assign(y=y)
    return table.sample(frac=1, random_state=0)


def declare(kind: str) -> None:
    table = table_of(kind)
    table.to_csv("data/raw/many.csv", index=False)
    text = kind in ("several", "two", "apart")
    columns = {name: {"dtype": "float64"} for name in table} | {
        "y": {"dtype": "str" if text else "float64"}
    }
    yaml = YAML()
    schema = {"schema_type": "dataframe", "columns": columns, "strict": True}
    yaml.dump(schema | {"unique_column_names": True}, layout.schema("many"))
    judged: dict[str, Any] = {"metric": "accuracy" if text else "mse"}
    if text:
        judged["classes"] = ["setosa", "versicolor", "virginica"]
    if kind in ("two", "apart"):
        judged |= {"classes": ["out", "in"], "positive": "in", "threshold": 0.5}
    content = yaml.load(layout.PARAMS.read_text())
    content["datasets"] = {
        "many": {
            "task": "classification" if text else "regression",
            "target": "y",
            "ingest": {"source": "data/raw/many.csv"},
            "split": {"test_size": 0.2, "by": "random"}
            | ({"target_transform": "log"} if kind == "logged" else {}),
            "evaluate": judged,
        }
    }
    content["models"] = {"direct": {}, "gradient": {}, "network": {}, "sklearn": {}}
    content["cross_validation"]["repeats"] = 1
    yaml.dump(content, layout.PARAMS)


def line(estimator: object, params: object, **others: object) -> None:
    yaml = YAML()
    content = yaml.load(layout.PARAMS.read_text())
    one = {"dataset": "many", "trainer": "sklearn", "estimator": estimator, "params": params}
    one |= others
    content["models"]["sklearn"] = {"many-one": one}
    yaml.dump(content, layout.PARAMS)


@pytest.fixture
def split_of(
    workspace: Path, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], None]:
    """A workspace in which a dataset of this kind is split, made once for all tests."""

    def prepare(kind: str) -> None:
        kept = tmp_path_factory.getbasetemp() / f"split-{kind}"
        if not kept.exists():
            declare(kind)
            for stage in ("ingest many", "validate many", "split many"):
                assert run(stage)[0] == 0
            shutil.copytree(workspace, kept)
        shutil.copytree(kept, workspace, dirs_exist_ok=True)

    return prepare


def answer(one: Any, X: Any, classes: bool) -> Any:
    return np.clip(one.predict_proba(X), EPS, 1 - EPS) if classes else one.predict(X).reshape(-1)


def scores(y: Any, found: Any, classes: bool, logged: bool) -> dict[str, float]:
    """scikit-learn's own; of two classes label 1 from 0.5 on, as its FixedThresholdClassifier."""
    if not classes:
        found = np.exp(found) if logged else found
        return {
            "mse": metrics.mean_squared_error(y, found),
            "mae": metrics.mean_absolute_error(y, found),
        }
    two = found.shape[1] == 2
    label = (found[:, 1] >= 0.5).astype(int) if two else found.argmax(axis=1)
    every = {
        "accuracy": metrics.accuracy_score(y, label),
        "log_loss": metrics.log_loss(y, found, labels=[*range(found.shape[1])]),
    }
    if two:
        every["roc_auc"] = metrics.roc_auc_score(y, found[:, 1])
        every["brier"] = metrics.brier_score_loss(y, found[:, 1])
    return every


def expected(kind: str, estimator: str, params: dict[str, Any]) -> dict[str, float]:
    """What scikit-learn alone scores on the same standardized rows and folds."""
    settings = load_params().dataset("many")
    classes = settings.task == "classification"
    split = read_split("many", settings, read_table(layout.ingested("many")))
    made = CLASSES[estimator]
    seed = {"random_state": 0} if "random_state" in made().get_params() else {}

    def fitted(X: Any, y: Any) -> Any:
        return made(**seed | params).fit(X, y.astype(int) if classes else y)

    def target(y: Any) -> Any:
        return np.log(y) if kind == "logged" else y

    X, y = as_arrays(read_table(layout.split_part("many", "train")))
    test_X, test_y = as_arrays(read_table(layout.split_part("many", "test")))
    logged = kind == "logged"
    with threadpool_limits(1), warnings.catch_warnings(action="ignore"):
        found = answer(fitted(X, target(y)), test_X, classes)
        every = {f"test_{k}": v for k, v in scores(test_y, found, classes, logged).items()}
        cut = (StratifiedKFold if classes else KFold)(5, shuffle=True)
        by_fold = []
        cut.random_state = np.random.RandomState(0)  # as Repeated(Stratified)KFold
        for train, out in cut.split(split.X, split.y):
            mean, scale = fit_scaler(split.X[train])
            one = fitted(standardized(split.X[train], mean, scale), target(split.y[train]))
            found = answer(one, standardized(split.X[out], mean, scale), classes)
            by_fold.append(scores(split.y[out], found, classes, logged))
    means = pd.DataFrame(by_fold).mean()
    return every | {f"cv_{name}": float(value) for name, value in means.items()}


def files() -> dict[str, str]:
    path = layout.model("many", "one")
    both = path, layout.beside(path, "sklearn")
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in both}


def judged_as_scikit_learn_judges(
    kind: str, estimator: str, params: dict[str, Any], run: Run
) -> tuple[str, str]:
    """Trained, evaluated and asked twice: where it was refused, with which words."""
    for path in layout.models("many").glob("many-*"):
        path.unlink()
    line(estimator, params)
    for command in ("params", "train many one"):
        code, said = run(command)
        if code:
            assert code == 2, said
            assert not [*layout.models("many").glob("many-*")], "something was written"
            return command.split()[0], said
    first = files()
    assert run("train many one")[0] == 0
    assert files() == first
    beside = layout.beside(layout.model("many", "one"), "sklearn")
    assert {*skops.io.get_untrusted_types(file=beside)} <= {*trusted(estimator)}
    code, said = run("evaluate many")
    if code:
        assert code == 2, said
        return "evaluate", said
    found = read_evaluated("many").judged["one"].scores
    for name, value in expected(kind, estimator, params).items():
        assert found[name] == pytest.approx(value, rel=1e-7, abs=1e-9), name
    content = layout.evaluated("many").read_bytes()
    assert run("evaluate many")[0] == 0
    assert layout.evaluated("many").read_bytes() == content
    table_of(kind).drop(columns="y").to_csv("new.csv", index=False)
    assert run("predict many new.csv --model one -o out.csv")[0] == 0
    whole = Path("out.csv").read_text().splitlines()
    rows = Path("new.csv").read_text().splitlines()
    Path("new.csv").write_text("\n".join([rows[0], *rows[40:43], ""]))
    assert run("predict many new.csv --model one -o out.csv")[0] == 0
    assert Path("out.csv").read_text().splitlines() == [whole[0], *whole[40:43]]
    return "", ""


@pytest.mark.parametrize(("kind", "estimator", "params"), FEW)
def test_scores_are_scikit_learns_and_bytes_the_same(
    kind: str, estimator: str, params: dict[str, Any], split_of: Any, run: Run
) -> None:
    split_of(kind)
    assert judged_as_scikit_learn_judges(kind, estimator, params, run) == ("", "")


@pytest.mark.nightly
@pytest.mark.parametrize("task", MODULES)
@pytest.mark.filterwarnings("ignore")
def test_each_of_scikit_learns_list_is_judged_or_refused_once(
    task: str, split_of: Any, run: Run
) -> None:
    kind = "two" if task == "classification" else "number"
    split_of(kind)
    refused = {}
    for estimator in MODULES[task]:
        where, said = judged_as_scikit_learn_judges(kind, estimator, {}, run)
        if where:
            refused[estimator] = where, said
            assert said.startswith("error: ")
            assert estimator in said
    assert len(MODULES[task]) - len(refused) >= (20 if task == "classification" else 30)


def test_the_table_is_scikit_learns_list() -> None:
    kinds: dict[Task, str] = {"classification": "classifier", "regression": "regressor"}
    for task, kind in kinds.items():
        theirs = dict(all_estimators(type_filter=kind))
        assert {*MODULES[task]} == {*theirs}
        for name, module in MODULES[task].items():
            assert getattr(importlib.import_module(module), name) is theirs[name]
    assert {*TYPES} <= {*CLASSES}


@pytest.mark.filterwarnings("ignore")  # of MLflow's own imports
@pytest.mark.parametrize(
    ("kind", "estimator", "params"),
    [
        ("two", "AdaBoostClassifier", {"n_estimators": 10}),
        ("two", "KNeighborsClassifier", {"n_neighbors": 4}),  # ties at 0.5
        ("two", "KNeighborsClassifier", {"n_neighbors": 20}),  # ties at 0.35
        ("several", "HistGradientBoostingClassifier", {"max_iter": 10}),
        ("number", "RandomForestRegressor", {"n_estimators": 10}),
        ("logged", "KernelRidge", {"kernel": "rbf"}),
    ],
)
def test_mlflows_model_says_what_predict_says(
    kind: str, estimator: str, params: dict[str, Any], split_of: Any, run: Run, workspace: Path
) -> None:
    split_of(kind)
    line(estimator, params)
    if params.get("n_neighbors") == 20:
        text = layout.PARAMS.read_text()
        assert text.count("threshold: 0.5") == 1
        layout.PARAMS.write_text(text.replace("threshold: 0.5", "threshold: 0.35"))
    for command in ("train many one", "evaluate many", "report"):
        assert run(command)[0] == 0
    rows = table_of(kind).drop(columns="y")
    rows.to_csv("new.csv", index=False)
    assert run("predict many new.csv --model one -o out.csv")[0] == 0
    out = pd.read_csv("out.csv")
    verdict = read_verdicts()["many"]
    entries = _Collector("many", load_params(), verdict, origin(["many"])).entries()
    [entry] = [one for one in entries if one.name.startswith("one")]
    assert entry.params["estimator"] == estimator
    assert {f"params.{name}" for name in params} <= {*entry.params}
    entry = Entry.model_validate_json(entry.model_dump_json())  # as it waits on disk
    assert entry.model is not None
    save_model(workspace / "saved", entry.model, {"dataset": "many"}, "m-1", "r" * 32)
    model = skops.io.load(workspace / "saved/model.skops", trusted=trusted(estimator))
    assert model.feature_names_in_.tolist() == [*rows]
    if "class" in out:
        assert model.predict(rows).tolist() == out["class"].tolist()
        if params.get("n_neighbors") == 20:
            ties = np.isclose(out["probability_in"], 0.35)
            assert ties.sum() > 3
            assert {*out["class"][ties]} == {"in"}
        assert sorted(model.classes_) == sorted({*table_of(kind)["y"]})
        of = ["in"] if kind == "two" else load_params().dataset("many").evaluate.classes or []
        for name in of:
            p = model.predict_proba(rows)[:, [*model.classes_].index(name)]
            np.testing.assert_allclose(p, out[f"probability_{name}"], atol=1e-12)
    else:
        np.testing.assert_allclose(model.predict(rows), out["predicted_y"], rtol=1e-9)
    settings = load_params().dataset("many")
    split = read_split("many", settings, read_table(layout.ingested("many")))
    ours = read_model(layout.model("many", "one"), "sklearn", split.features, train_md5())
    z = _predictor(*_load(workspace / "saved", "r"), "r").predict(split.raw)
    np.testing.assert_allclose(
        z, ours.predict(split.part(np.arange(len(split.y)))[0]), rtol=1e-9, atol=1e-9
    )


def train_md5() -> str:
    return md5(layout.split_part("many", "train"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"estimator": "HistGradientBostingRegressor"}, "did you mean HistGradientBoostingReg"),
        ({"estimator": "RandomForestClassifier"}, "cannot do task: regression (did you mean Rand"),
        ({"estimator": "os.system"}, "os.system is not under packages"),
        ({"estimator": 3}, "estimator: expected string, got 3"),
        ({"params": {"max_dept": 4}}, "params.max_dept: unknown key (did you mean max_depth?)"),
        ({"params": {"max_depth": "deep"}}, "max_depth: expected an int in the range [1, inf) or"),
        ({"params": {"max_depth": -1}}, "max_depth: expected an int in the range [1, inf) or"),
        ({"params": {"n_jobs": 2}}, "params.n_jobs: changes no result"),
        ({"params": {"random_state": None}}, "params.random_state: expected a whole number"),
        ({"params": {"criterion": {"a": 1}}}, "params.criterion: expected a number, text, true"),
        ({"params": {"max_depth": float("inf")}}, "params.max_depth: expected a number, text"),
        ({"params": [4]}, "params: expected keys and values"),
        ({"max_depth": 4}, "max_depth: unknown key; sklearn takes estimator, params"),
        ({"estimator": "BaggingRegressor", "params": {"estimator": "Ridge"}}, "another estimator"),
        ({"estimator": "StackingRegressor"}, "is made of other estimators"),
        ({"estimator": "VotingRegressor"}, "is made of other estimators"),
        ({"estimator": "TransformedTargetRegressor"}, "is made of other estimators"),
        ({"estimator": "GridSearchCV"}, "GridSearchCV is made of other estimators"),
        ({"estimator": "sklearn.linear_model.Ridge"}, "expected its name alone; write Ridge"),
        ({"estimator": "sklearn.svm.SVC"}, "SVC cannot do task: regression (did you mean SVR?)"),
        ({"estimator": "LogisticRegression"}, "LogisticRegression cannot do task: regression\n"),
        (
            {"estimator": "KNeighborsRegressor", "params": {"algorithm": "x"}},
            "expected a str among {'auto', 'ball_tree', 'brute', 'kd_tree'}, got 'x'",
        ),
        (
            {"estimator": "KNeighborsRegressor", "params": {"weights": "x"}},
            "params.weights: expected a str among {'distance', 'uniform'} or None, got 'x'",
        ),
        (
            {"estimator": "LinearSVR", "params": {"fit_intercept": "x"}},
            "params.fit_intercept: expected true or false, got 'x'",
        ),
    ],
)
def test_a_line_that_cannot_be_is_refused_with_its_key(
    changes: dict[str, Any], said: str, split_of: Any, run: Run
) -> None:
    split_of("number")
    line(**{"estimator": "RandomForestRegressor", "params": {}, **changes})
    code, message = run("params")
    assert code == 2
    [text] = message.splitlines()
    assert text.startswith("error: params: params.yaml: models.sklearn.many-one.")
    assert said in f"{text}\n"


@pytest.mark.parametrize(
    ("estimator", "params", "said"),
    [
        ("RidgeClassifier", {}, "gives no probabilities (predict_proba), by which"),
        ("SVC", {}, "no probabilities (predict_proba) with these params"),
        ("SelfTrainingClassifier", {}, "is made of other estimators"),
        ("OneVsRestClassifier", {}, "is made of other estimators"),
    ],
)
def test_a_classifier_without_probabilities_is_refused(
    estimator: str, params: dict[str, Any], said: str, split_of: Any, run: Run
) -> None:
    split_of("two")
    line(estimator, params)
    for command in ("params", "train many one"):
        code, message = run(command)
        assert code == 2
        assert estimator in message
        assert said in message
    assert not [*layout.models("many").glob("many-*")]


def test_an_estimator_that_cannot_be_fitted_or_held_leaves_the_earlier_model(
    split_of: Any, run: Run
) -> None:
    split_of("two")
    line("KNeighborsClassifier", {})
    assert run("train many one")[0] == 0
    before = files()
    line("MultinomialNB", {})
    code, said = run("train many one")
    assert code == 2
    assert "MultinomialNB cannot be fitted: Negative values in data" in said
    line("KNeighborsClassifier", {"metric": "canberra"})
    code, said = run("train many one")
    assert code == 2
    assert "holds sklearn.metrics._dist_metrics.CanberraDistance64, which is not among" in said
    assert files() == before


def test_a_file_that_is_not_the_models_is_refused_before_it_is_loaded(
    split_of: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    split_of("two")
    line("DecisionTreeClassifier", {})
    assert run("train many one")[0] == 0
    path = layout.beside(layout.model("many", "one"), "sklearn")
    whole = path.read_bytes()
    monkeypatch.setattr(skops.io, "load", None)
    for content in (whole[:-1], whole.replace(b"max_depth", b"max_depth "), b""):
        path.write_bytes(content)
        code, said = run("evaluate many")
        assert code == 2
        assert "many-one.skops: damaged: it is not that of the model file beside it" in said
    path.unlink()
    code, said = run("evaluate many")
    assert code == 2
    assert "many-one.skops is missing" in said


def test_a_forged_file_with_its_checksum_loads_no_other_type(
    split_of: Any, run: Run, workspace: Path
) -> None:
    """Whoever can write both files still names no type that the estimator does not hold."""
    split_of("two")
    line("DecisionTreeClassifier", {})
    assert run("train many one")[0] == 0
    path = layout.model("many", "one")
    settings = load_params().dataset("many")
    split = read_split("many", settings, read_table(layout.ingested("many")))
    model = read_model(path, "sklearn", split.features, train_md5())
    strange = KNeighborsClassifier().fit(split.X, split.y)
    object.__setattr__(model, "form", Estimator("DecisionTreeClassifier", strange))
    vars(model.form)["content"] = skops.io.dumps(strange)
    write_model(path, split.features, model, train_md5())
    code, said = run("evaluate many")
    assert code == 2
    assert "many-one.skops: damaged" in said
    assert "KDTree" in said


def test_what_no_line_names_any_more_is_removed(split_of: Any, run: Run) -> None:
    split_of("two")
    line("GaussianNB", {})
    assert run("train many one")[0] == 0
    path = layout.beside(layout.model("many", "one"), "sklearn")
    yaml = YAML()
    content = yaml.load(layout.PARAMS.read_text())
    content["models"]["sklearn"] = {}
    yaml.dump(content, layout.PARAMS)
    assert path.exists()
    assert run("params")[0] == 0
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator",
    [
        "HistGradientBoostingRegressor",
        *(
            pytest.param(name, marks=pytest.mark.nightly)
            for name in ("GaussianProcessRegressor", "ExtraTreesRegressor", "BaggingRegressor")
        ),
    ],
)
def test_threads_and_hash_seeds_change_no_byte(estimator: str, split_of: Any) -> None:
    split_of("number")
    line(estimator, {})
    found = []
    for threads in ("1", "2", "4"):
        env = {"PIPELINE_THREADS": threads, "PYTHONHASHSEED": threads, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "pipeline", "train", "many", "one"]
        subprocess.run(command, check=True, env=os.environ | env)
        found.append(files())
    assert found[0]["many-one.skops"]
    assert found[1:] == found[:1] * 2


def test_what_scikit_learn_warns_of_is_said_once(split_of: Any, run: Run) -> None:
    split_of("two")
    line("MLPClassifier", {"max_iter": 5})
    code, said = run("train many one")
    assert code == 0
    [text] = said.splitlines()
    assert text.startswith("warning: train: MLPClassifier: Stochastic Optimizer: Maximum iter")


def test_a_champion_may_be_one_and_is_judged_by_folds(split_of: Any, run: Run) -> None:
    split_of("number")
    line("RandomForestRegressor", {"n_estimators": 5})
    champion = {
        "trainer": "sklearn",
        "params": {"estimator": "KNeighborsRegressor", "params.n_neighbors": 3},
        "features": [*"bca"],
    }
    layout.CHAMPION.write_text(json.dumps({"many": champion}))
    assert run("train many one")[0] == 0
    assert run("evaluate many") == (0, "")
    found = read_evaluated("many")
    assert found.champion == "champion"
    score = expected("number", "KNeighborsRegressor", {"n_neighbors": 3})["cv_mse"]
    assert found.judged["champion"].scores["cv_mse"] == pytest.approx(score, rel=1e-8)
    for params, said in (
        ({"estimator": "KNeighborsRegresor"}, "did you mean KNeighborsRegressor"),
        ({"estimator": "KNeighborsRegressor", "params.n_neighbors": 0}, "expected an int in the"),
        ({"estimator": "GaussianNB"}, "cannot do task: regression"),
        ({"estimator": "os.path"}, "is not under packages"),
    ):
        layout.CHAMPION.write_text(json.dumps({"many": champion | {"params": params}}))
        code, text = run("evaluate many")
        assert code == 2
        assert said in text


@pytest.mark.parametrize(
    ("params", "after"),
    [
        ({"max_depth": 2}, "params: {max_depth: 4}"),
        ({"min_samples_leaf": 2}, "params: {min_samples_leaf: 2, max_depth: 4}"),
        ({}, "params: {max_depth: 4}"),
    ],
)
def test_params_of_an_estimator_are_swept_and_the_winner_applied(
    params: dict[str, Any],
    after: str,
    split_of: Any,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    split_of("number")
    line("DecisionTreeRegressor", params)
    text = layout.PARAMS.read_text()
    at, _, behind = text.partition("  sklearn:\n")
    shown = ", ".join(f"{k}: {v}" for k, v in params.items())
    of_params = f", params: {{{shown}}}" if params else ""
    one = "many-one: {dataset: many, trainer: sklearn, estimator: DecisionTreeRegressor"
    rest = behind[behind.index("datasets:") :] if "datasets:" in behind else ""
    layout.PARAMS.write_text(f"{at}  sklearn:\n    {one}{of_params}}}\n{rest}")
    load_params()
    code, said = run("sweep many one params.max_depth=1,4 --apply")
    assert code == 0, said
    assert f"{one}, {after}}}" in layout.PARAMS.read_text()
    with Path("data/sweeps/many-one/1/table.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert rows[0]["params.max_depth"] == "4"
    assert {row["params.max_depth"] for row in rows} >= {"1", "4"}
    best = expected_in_training("DecisionTreeRegressor", params | {"max_depth": 4})
    assert float(rows[0]["cv_mse"]) == pytest.approx(best, rel=1e-8)


def expected_in_training(estimator: str, params: dict[str, Any]) -> float:
    """The mean squared error over the folds of the training rows."""
    split = read_split("many", load_params().dataset("many"), read_table(layout.ingested("many")))
    rows = split.of_training()
    cut = KFold(5, shuffle=True, random_state=np.random.RandomState(0))
    found = []
    for train, out in cut.split(rows.X, rows.y):
        mean, scale = fit_scaler(rows.X[train])
        one = CLASSES[estimator](random_state=0, **params)
        one.fit(standardized(rows.X[train], mean, scale), rows.y[train])
        answers = one.predict(standardized(rows.X[out], mean, scale))
        found.append(metrics.mean_squared_error(rows.y[out], answers))
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("params.max_dept=2,4", "one has no param 'params.max_dept' (did you mean params.max_de"),
        ("params.max_depth=0,4", "expected an int in the range [1, inf) or None, got 0"),
        ("estimator=Ridge,Lasso", "each estimator has a line of its own"),
        ("params.max_depth=2..4", "a range needs --trials"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(
    argument: str, said: str, split_of: Any, run: Run
) -> None:
    split_of("number")
    line("DecisionTreeRegressor", {})
    code, text = run(f"sweep many one {argument}")
    assert code == 2
    assert said in text


def test_a_sweep_tells_whole_numbers_from_others_and_goes_on_past_what_fails(
    split_of: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    split_of("number")
    line("ExtraTreesRegressor", {"n_estimators": 10, "max_features": 1})
    code, said = run("sweep many one params.max_features=1,1.0 --apply")
    assert code == 0, said
    with Path("data/sweeps/many-one/1/table.csv").open() as file:
        rows = {row["params.max_features"]: row for row in csv.DictReader(file)}
    assert {name: row["current"] for name, row in rows.items()} == {"1": "1", "1.0": "0"}
    for value in (1, 1.0):
        best = expected_in_training(
            "ExtraTreesRegressor", {"n_estimators": 10, "max_features": value}
        )
        assert float(rows[str(value)]["cv_mse"]) == pytest.approx(best, rel=1e-8)
    assert next(iter(rows)) == "1.0"
    assert "max_features: 1.0" in layout.PARAMS.read_text()

    line("KNeighborsRegressor", {})
    code, said = run("sweep many one params.n_neighbors=3,5000")
    assert code == 0, said
    assert "params.n_neighbors: 5000: " in said
    assert "give it other params, or take another estimator" in said
    code, said = run("sweep many one params.n_neighbors=3..4000 --trials 3")
    assert code == 0, said
    line("KNeighborsRegressor", {"n_neighbors": 5000})
    code, said = run("sweep many one params.n_neighbors=4000")
    assert code == 2
    assert said.endswith(
        "error: sweep: every point failed, as the warnings say; take other values\n"
    )

    line("RidgeCV", {})
    code, said = run("sweep many one params.alphas=[0.1,1.0],[1000.0] --apply")
    assert code == 0, said
    assert load_params().model_of("many", "one").params["params.alphas"] == [0.1, 1.0]


@pytest.mark.parametrize("kind", ["apart", "gap"])
def test_a_model_that_knows_nothing_far_from_its_rows_is_shown_and_predicts(
    kind: str, split_of: Any, run: Run
) -> None:
    split_of(kind)
    both = {"apart": "RadiusNeighborsClassifier", "gap": "RadiusNeighborsRegressor"}
    line(both[kind], {"radius": 0.5})
    for command in ("train many one", "evaluate many", "report"):
        code, said = run(command)
        assert code == 0, said
    table_of(kind).drop(columns="y")[:3].to_csv("new.csv", index=False)
    code, said = run("predict many new.csv --model one -o out.csv")
    assert code == 0, said
    assert len(pd.read_csv("out.csv")) == 3
    line(both[kind], {"radius": 1e-9})
    assert run("train many one")[0] == 0
    code, said = run("evaluate many")
    assert code == 2
    assert said.endswith("; give it other params, or take another estimator\n")


OWN = """
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

class Steps(RegressorMixin, BaseEstimator):
    def __init__(self, at=0.0):
        self.at = at

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        self.means_ = np.array([y[X[:, 0] <= self.at].mean(), y[X[:, 0] > self.at].mean()])
        return self

    def predict(self, X):
        return self.means_[(X[:, 0] > self.at).astype(int)]

no_class = Steps()
"""


@pytest.fixture
def own_package(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """An installed package `ownsteps`, and one that is not installed, `lying`."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("ownsteps", "lying"):
        (folder / f"{name}.py").write_text(OWN)
    info = folder / "own_steps-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-steps\nVersion: 1.0\n")
    (info / "RECORD").write_text("ownsteps.py,,\n")
    monkeypatch.syspath_prepend(folder)
    yield
    for name in ("ownsteps", "lying"):
        sys.modules.pop(name, None)


def packages(*names: object) -> None:
    yaml = YAML()
    content = yaml.load(layout.PARAMS.read_text())
    content["packages"] = [*names]
    yaml.dump(content, layout.PARAMS)


@pytest.mark.usefixtures("own_package")
@pytest.mark.filterwarnings("ignore")  # of MLflow's own imports
def test_an_estimator_of_an_installed_package_that_is_named(
    split_of: Any, run: Run, workspace: Path
) -> None:
    split_of("number")
    line("ownsteps.Steps", {"at": 0.1})
    code, said = run("params")
    assert code == 2
    assert "estimator: ownsteps.Steps is not under packages" in said
    assert "ownsteps" not in sys.modules
    packages("ownsteps.Steps")
    for command in ("params", "train many one", "evaluate many", "report"):
        code, said = run(command)
        assert code == 0, said
    table_of("number").drop(columns="y").to_csv("new.csv", index=False)
    assert run("predict many new.csv --model one -o out.csv")[0] == 0
    assert len({*pd.read_csv("out.csv")["predicted_y"]}) == 2
    verdict = read_verdicts()["many"]
    entries = _Collector("many", load_params(), verdict, origin(["many"])).entries()
    [entry] = [one for one in entries if one.name.startswith("one")]
    assert entry.model is not None
    save_model(workspace / "saved", entry.model, {"dataset": "many"}, "m-1", "r" * 32)
    assert "own-steps==1.0" in (workspace / "saved/requirements.txt").read_text().split()
    _predictor(*_load(workspace / "saved", "r"), "r")
    packages()  # taken away again: neither a model file nor a run names what is imported
    yaml = YAML()
    content = yaml.load(layout.PARAMS.read_text())
    content["models"]["sklearn"]["many-one"]["estimator"] = "Ridge"
    del content["models"]["sklearn"]["many-one"]["params"]
    yaml.dump(content, layout.PARAMS)
    code, said = run("evaluate many")
    assert code == 2
    assert "ownsteps.Steps: is neither scikit-learn's nor under packages of params.yaml" in said
    with pytest.raises(PipelineError, match="neither scikit-learn's nor under packages"):
        _load(workspace / "saved", "r")


@pytest.mark.usefixtures("own_package")
@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("lying.Steps", "packages: lying.Steps: lying is of no installed package; install it"),
        ("ownsteps.Stairs", "packages: ownsteps.Stairs: is no class with fit, predict"),
        ("ownsteps.no_class", "packages: ownsteps.no_class: is no class with fit, predict"),
        ("ownsteps", "packages.0: expected package.Class"),
        ("own steps.Steps", "packages.0: expected package.Class"),
    ],
)
def test_a_package_that_cannot_be_is_refused(
    package: str, said: str, split_of: Any, run: Run
) -> None:
    split_of("number")
    packages(package)  # also where no line names it
    for _ in range(2):
        code, text = run("params")
        assert code == 2
        assert said in text
        line(package, {})
    assert "lying" not in sys.modules
