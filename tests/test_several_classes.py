"""A target of three classes that are words: from the file to the answers."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from ruamel.yaml import YAML
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import Verdict
from pipeline.core.params import load_params
from pipeline.report.gather import gather
from pipeline.report.pictures import PICTURES, has
from pipeline.report.texts import Texts
from pipeline.tracking.sklearn_model import save_model

Run = Callable[[str], tuple[int, str]]
COLUMNS = [*"dbca"]  # in no order, which a model has to keep
SPECIES = ["setosa", "versicolor", "virginica"]
SCHEMA = """\
schema_type: dataframe
columns:
  a: {dtype: float64}
  b: {dtype: float64}
  c: {dtype: float64}
  d: {dtype: float64}
  species: {dtype: str, isin: [setosa, versicolor, virginica]}
strict: true
unique_column_names: true
"""
BLOCK = {
    "task": "classification",
    "target": "species",
    "ingest": {"source": "data/raw/iris.csv"},
    "split": {"test_size": 0.2, "by": "random"},
    "evaluate": {"classes": SPECIES},
}
LINE = {
    **{"dataset": "iris", "trainer": "softmax", "optimizer": "momentum", "lr": 0.1, "epochs": 300},
    "weight_decay": 1 / 120,
}


def flowers() -> pd.DataFrame:
    X, y = load_iris(return_X_y=True)
    table = pd.DataFrame(X, columns=COLUMNS).assign(species=np.array(SPECIES)[y])
    return table.sample(frac=1, random_state=0).drop_duplicates()


def declare(line: dict[str, object] = LINE, **judged: object) -> None:
    yaml = YAML()
    content = yaml.load(Path("params.yaml").read_text())
    content["datasets"]["iris"] = BLOCK | {"evaluate": BLOCK["evaluate"] | judged}
    content["models"]["gradient"]["iris-softmax"] = line
    content["cross_validation"]["repeats"] = 1
    yaml.dump(content, Path("params.yaml"))


@pytest.fixture
def iris(workspace: Path) -> Path:
    flowers().to_csv("data/raw/iris.csv", index=False)
    layout.schema("iris").write_text(SCHEMA)
    declare()
    return workspace


@pytest.fixture
def trained(iris: Path, run: Run) -> Path:
    for stage in ("ingest iris", "validate iris", "split iris", "train iris softmax"):
        assert run(stage) == (0, "")
    code, said = run("evaluate iris")
    assert code == 0, said
    return iris


def predicted(run: Run) -> pd.DataFrame:
    flowers()[COLUMNS].head(20).to_csv("new.csv", index=False)
    code, said = run("predict iris new.csv --model softmax -o out.csv")
    assert code == 0, said
    return pd.read_csv("out.csv")


def test_softmax_is_judged_as_scikit_learns_model_is(trained: Path) -> None:
    scores = json.loads(layout.metrics("iris").read_text())
    table = flowers()
    cut = RepeatedStratifiedKFold(n_splits=5, n_repeats=1, random_state=0)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000))
    X, y = table[COLUMNS].to_numpy(), table["species"].map(SPECIES.index)
    for ours, name in (
        ("accuracy", "accuracy"),
        ("log_loss", "neg_log_loss"),
        ("roc_auc", "roc_auc_ovr"),
        ("macro_f1", "f1_macro"),
    ):
        expected = abs(cross_val_score(theirs, X, y, cv=cut, scoring=name).mean())
        assert scores["logistic_regression"][f"cv_{ours}"] == pytest.approx(expected, rel=1e-4)
        assert scores["softmax"][f"cv_{ours}"] == pytest.approx(expected, rel=0.02)
    shares = table["species"].value_counts(normalize=True)
    assert scores["majority"]["cv_accuracy"] == pytest.approx(shares.max(), abs=0.01)
    assert scores["majority"]["cv_log_loss"] == pytest.approx(np.log(3), abs=0.01)
    softmax = scores["softmax"]
    for name in ("accuracy", "recall_virginica", "macro_f1", "log_loss"):
        low, value, high = (softmax[f"test_{name}{end}"] for end in ("_low", "", "_high"))
        assert low <= value <= high
    found = json.loads(layout.evaluated("iris").read_text())
    assert all(audit["passed"] for audit in found["audits"])
    weights = {c["feature"]: c["value"] for c in found["judged"]["softmax"]["coefficients"]}
    written = json.loads(layout.model("iris", "softmax").read_text())["coef"]
    assert weights["a (virginica)"] == pytest.approx(written["a"][2])
    assert len(weights) == 12


def test_the_confusion_counts_every_test_row(trained: Path) -> None:
    counts = pd.read_csv(layout.plot("iris", "confusion"))
    of_one = counts[counts["trainer"] == "softmax"].pivot_table("rows", "actual", "predicted")
    assert [*of_one.index] == [*of_one.columns] == SPECIES
    right = json.loads(layout.metrics("iris").read_text())["softmax"]["test_accuracy"]
    assert np.trace(of_one) / of_one.to_numpy().sum() == pytest.approx(right)


def test_each_class_has_its_curves_and_pictures(trained: Path) -> None:
    roc = pd.read_csv(layout.plot("iris", "roc"))
    areas = [
        auc(of_one["false_positive_rate"], of_one["true_positive_rate"])
        for _, of_one in roc[roc["trainer"] == "softmax"].groupby("class")
    ]
    scores = json.loads(layout.metrics("iris").read_text())["softmax"]
    assert len(areas) == 3
    assert np.mean(areas) == pytest.approx(scores["test_roc_auc"])
    verdict = Verdict.model_construct(best="softmax", metric="accuracy")
    gathered = gather("iris", load_params(), verdict)
    names = [name for name in ("roc", "pr", "calibration") if has(gathered, f"{name}_by_class")]
    assert names == ["roc", "pr", "calibration"]
    assert not any(has(gathered, name) for name in names)
    for language in ("en", "zh"):
        for name in names:
            canvas, said = PICTURES[f"{name}_by_class"][1](gathered, Texts(language))
            [axes] = canvas.axes
            _, labels = axes.get_legend_handles_labels()
            assert (labels, said.startswith("softmax")) == (SPECIES, True)


@pytest.mark.filterwarnings("ignore")  # of MLflow's own imports
def test_mlflows_model_says_what_predict_says(
    trained: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.commands.predict.model import _load, _predictor
    from pipeline.core.artifacts.models import read_model
    from pipeline.core.artifacts.splits import read_split
    from pipeline.core.files import md5
    from pipeline.core.tables import read_table
    from pipeline.core.target import label_names
    from pipeline.tracking.entry import Fitted

    out, settings = predicted(run), load_params().dataset("iris")
    table = read_table(layout.ingested("iris"))
    split, train = read_split("iris", settings, table), layout.split_part("iris", "train")
    model = read_model(layout.model("iris", "softmax"), "softmax", split.features, md5(train))
    fitted = Fitted(
        task="classification", target="species", classes=SPECIES,
        labels=label_names(table["species"].type, SPECIES), threshold=None,
        features=[*split.features], columns=dict(split.encoding), mean=split.mean.tolist(),
        scale=split.scale.tolist(), coef=model.form.coef.tolist(),
        intercept=model.form.intercept.tolist(),
        n_train=len(split.train), ranges=split.ranges(), example=[[5.0, 3.0, 1.5, 0.2]],
    )  # fmt: skip
    save_model(trained / "saved", fitted, {"dataset": "iris"}, "m-1", "r" * 32)
    loaded = skops.io.load(trained / "saved/model.skops")
    rows = pd.read_csv("new.csv")
    shown = out[[f"probability_{name}" for name in SPECIES]].to_numpy()
    np.testing.assert_allclose(loaded.predict_proba(rows), shown, rtol=1e-10)
    assert loaded.predict(rows).tolist() == [*out["predicted_species"]] == [*out["class"]]
    back = _predictor(*_load(trained / "saved", "r"), "r")
    raw = split.raw[split.test]
    np.testing.assert_allclose(back.predict(raw), model.predict(split.part(split.test)[0]))
    import mlflow.pyfunc

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")  # of skops, too
    answers = mlflow.pyfunc.load_model(str(trained / "saved")).predict(rows)
    assert answers.tolist() == [*out["class"]]


def test_class_weights_are_a_param_of_the_model(iris: Path, run: Run) -> None:
    declare({**LINE, "class_weight": "balanced"})
    for stage in ("ingest iris", "validate iris", "split iris", "train iris softmax"):
        assert run(stage) == (0, "")
    written = json.loads(layout.model("iris", "softmax").read_text())
    assert written["params"]["class_weight"] == "balanced"
    declare()
    assert run("train iris softmax") == (0, "")
    plain = json.loads(layout.model("iris", "softmax").read_text())
    assert "class_weight" not in plain["params"]
    assert plain["coef"] != written["coef"]


@pytest.mark.parametrize(
    ("judged", "line", "said"),
    [
        ({"positive": "setosa"}, {}, "evaluate.positive: goes with two classes, and there are 3"),
        ({"threshold": 0.5}, {}, "evaluate.threshold: goes with two classes, and there are 3"),
        ({"classes": ["a", "b", "a"]}, {}, "evaluate.classes: a name stands twice"),
        ({"metric": "brier"}, {}, "expected one of accuracy, roc_auc, log_loss for 3 classes"),
        ({}, {"trainer": "bcpm"}, "bcpm is not for the 3 classes (take softmax) of iris"),
        (
            {"classes": SPECIES[:2], "positive": "setosa", "threshold": 0.5},
            {},
            "softmax is not for the 2 classes (take bcpm) of iris",
        ),
    ],
)
def test_params_that_do_not_fit_are_refused(
    judged: dict[str, object], line: dict[str, object], said: str, iris: Path, run: Run
) -> None:
    declare({**LINE, **line}, **judged)
    code, message = run("ingest iris")
    assert code == 2
    assert said in message


def test_a_class_without_a_training_row_is_refused_by_its_name(iris: Path, run: Run) -> None:
    declare(classes=[*SPECIES, "hybrid"])
    assert run("ingest iris")[0] == run("validate iris")[0] == 0
    code, message = run("split iris")
    assert (code, "training rows is of class hybrid; add rows of it" in message) == (2, True)
