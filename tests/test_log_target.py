"""A regression's target that is learned as its logarithm, from params.yaml to a prediction."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import RepeatedKFold, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.commands.sweep.search import Bench
from pipeline.core import layout
from pipeline.core.artifacts.evaluated import read_verdicts
from pipeline.core.artifacts.models import read_history
from pipeline.core.params import load_params
from pipeline.core.settings.descent import params_of
from pipeline.core.trainers import TRANSFORM
from pipeline.report.verdict import give_verdicts
from pipeline.solvers.fit import fit
from pipeline.solvers.rows import ArrayRows
from pipeline.tracking.collect import _Collector
from pipeline.tracking.provenance import origin
from tests.conftest import descent, keep_datasets, made_once

Run = Callable[[str], tuple[int, str]]
LOG = {"target_transform": "log"}
SCHEMA = """\
schema_type: dataframe
columns:
  area: {dtype: float64}
  age: {dtype: float64}
  price: {dtype: float64}
strict: true
"""
DESCENDING = {"manual_gd": {"epochs": 500}, "torch_sgd": {"epochs": 200, "optimizer": "momentum"}}
TRAINERS = ["closed_form", *DESCENDING]
NEW = "area,age\n60,3\n140.5,40\n"


def flats(n: int = 90) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    area, age = rng.uniform(30, 200, n).round(1), rng.integers(0, 60, n).astype(float)
    price = np.exp(3 + 0.015 * area - 0.02 * age + rng.normal(0, 0.2, n)).round(3)
    return pd.DataFrame({"area": area, "age": age, "price": price})


def declare(**split: object) -> None:
    """Make the flats the one dataset."""
    yaml = YAML()
    content = yaml.load(Path("params.yaml").read_text())
    content["datasets"]["flats"] = {
        "task": "regression",
        "target": "price",
        "ingest": {"source": "data/raw/flats.csv"},
        "split": {"test_size": 0.2, **split},
        "evaluate": {},
    }
    line = {"dataset": "flats"}
    content["models"]["direct"]["flats-closed_form"] = line | {"trainer": "closed_form"}
    for name, own in DESCENDING.items():
        content["models"]["gradient"][f"flats-{name}"] = line | {"trainer": name} | own
    content["cross_validation"]["repeats"] = 1
    yaml.dump(content, Path("params.yaml"))
    keep_datasets(Path("params.yaml"), "flats")


def write(table: pd.DataFrame) -> None:
    table.to_csv("data/raw/flats.csv", index=False)


@pytest.fixture
def here(workspace: Path) -> Path:
    write(flats())
    layout.schema("flats").write_text(SCHEMA)
    declare(**LOG)
    return workspace


def make(run: Run, *stages: str) -> str:
    """Run stages that must succeed; gives what the last one said."""
    said = ""
    for stage in stages:
        command, *names = stage.split()
        code, said = run(" ".join([command, "flats", *names]))
        assert code == 0, said
    return said


EVERY = ("ingest", "validate", "split", f"train {' '.join(TRAINERS)}", "evaluate")


@pytest.fixture
def trained(here: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All stages have run; made once, and copied."""

    def made(folder: Path) -> None:
        make(run, *EVERY)
        give_verdicts(load_params())
        shutil.copytree(here, folder, dirs_exist_ok=True)

    shutil.copytree(made_once(tmp_path_factory, "logged", made), here, dirs_exist_ok=True)
    return here


def oracle() -> Pipeline:
    inner = TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp)
    return make_pipeline(StandardScaler(), inner)


def parts() -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = json.loads(layout.split_rows("flats").read_text())
    return flats().iloc[rows["train"]], flats().iloc[rows["test"]]


def content(path: Path) -> Any:
    return json.loads(path.read_text())


def test_least_squares_is_scikit_learns_of_the_logarithm(trained: Path) -> None:
    train, test = parts()
    theirs = oracle().fit(train[["area", "age"]], train["price"])
    inner = theirs[-1].regressor_
    for path in (layout.model("flats", "closed_form"), layout.model("flats", "linear_regression")):
        ours = content(path)
        np.testing.assert_allclose([*ours["coef"].values()], inner.coef_, rtol=1e-9)
        np.testing.assert_allclose(ours["intercept"], inner.intercept_, rtol=1e-9)
        assert ours["params"] == LOG
    predicted, scores = theirs.predict(test[["area", "age"]]), content(layout.metrics("flats"))
    for name in ("closed_form", "linear_regression"):
        found = scores[name]
        expected = {
            "test_mse": mean_squared_error(test["price"], predicted),
            "test_mae": mean_absolute_error(test["price"], predicted),
            "test_r2": r2_score(test["price"], predicted),
        }
        assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-8)
        assert found["test_mse_low"] < found["test_mse"] < found["test_mse_high"]


def test_scores_of_folds_are_in_the_units_of_the_file(trained: Path) -> None:
    table, scores = flats(), content(layout.metrics("flats"))
    cut = RepeatedKFold(n_splits=5, n_repeats=1, random_state=0)
    scoring = {"mse": "neg_mean_squared_error", "mae": "neg_mean_absolute_error"}
    theirs = cross_validate(
        oracle(), table[["area", "age"]], table["price"], cv=cut, scoring=scoring
    )
    for name in ("closed_form", "linear_regression"):
        for metric in scoring:
            expected = -theirs[f"test_{metric}"]
            assert scores[name][f"cv_{metric}"] == pytest.approx(expected.mean(), rel=1e-8)
            assert scores[name][f"cv_{metric}_sd"] == pytest.approx(expected.std(ddof=1), rel=1e-8)


def test_those_that_descend_come_to_the_same(trained: Path) -> None:
    scores = content(layout.metrics("flats"))
    for name in DESCENDING:
        assert scores[name]["cv_mse"] == pytest.approx(scores["closed_form"]["cv_mse"], rel=1e-3)
        model = content(layout.model("flats", name))
        assert model["params"][TRANSFORM] == "log"
        assert model["ending"] == "settled"


def test_the_trivial_model_stays_the_mean_of_the_target(trained: Path) -> None:
    train, test = parts()
    model = content(layout.model("flats", "mean"))
    assert (model["params"], model["intercept"]) == ({}, pytest.approx(train["price"].mean()))
    expected = mean_squared_error(test["price"], np.full(len(test), train["price"].mean()))
    assert content(layout.metrics("flats"))["mean"]["test_mse"] == pytest.approx(expected)


def test_the_plots_say_what_is_of_the_logarithm(trained: Path) -> None:
    def trainers(plot: str) -> set[str]:
        rows = csv.DictReader(layout.plot("flats", plot).read_text().splitlines())
        return {row["trainer"] for row in rows}

    assert trainers("loss") == {f"{name} (log of the target)" for name in DESCENDING}
    assert "closed_form (log of the target)" in trainers("coefficients")
    assert trainers("predictions") == {*TRAINERS, "linear_regression", "mean"}
    _, test = parts()
    rows = csv.DictReader(layout.plot("flats", "predictions").read_text().splitlines())
    actual = [float(row["actual"]) for row in rows if row["trainer"] == "closed_form"]
    assert actual == test["price"].tolist()


def test_mlflow_is_told_which_models_are_of_the_logarithm(trained: Path) -> None:
    params = load_params()
    of_dataset = _Collector("flats", params, read_verdicts()["flats"], origin(["flats"]))
    logged = {}
    for entry in of_dataset.entries():
        assert entry.model is not None
        assert entry.model.logged == (entry.params.get(TRANSFORM) == "log")
        logged[entry.model_name] = entry.model.logged
    assert logged == {**dict.fromkeys([*TRAINERS, "linear_regression"], True), "mean": False}
    losses = [read_history(layout.history("flats", name))[:, 1] for name in DESCENDING]
    expected = min(map(min, losses)) / 2, 2 * max(one[0] for one in losses)
    assert of_dataset._losses() == expected  # no score in the units of the file among them


def test_predictions_are_in_the_units_of_the_file(trained: Path, run: Run) -> None:
    train, _ = parts()
    theirs = oracle().fit(train[["area", "age"]], train["price"])
    Path("new.csv").write_text(NEW)
    for name in ("closed_form", "linear_regression"):
        make(run, f"predict new.csv --model {name} -o out.csv")
        rows = [*csv.DictReader(Path("out.csv").read_text().splitlines())]
        expected = theirs.predict(pd.read_csv("new.csv"))
        found = [float(row["predicted_price"]) for row in rows]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    Path("new.csv").write_text(f"{NEW}1e5,3\n")
    code, said = run("predict flats new.csv --model closed_form -o other.csv")
    assert code == 2
    assert "new.csv, line 4: the prediction is not finite: values are too large" in said
    assert not Path("other.csv").exists()


def test_a_sweep_is_of_the_logarithm_too(trained: Path, run: Run) -> None:
    """Which is the dataset's, and not to be swept; the closed form still has no param."""
    for command, said in {
        "manual_gd target_transform=none": "manual_gd has no param 'target_transform'; it has lr",
        "closed_form lr=1": "closed_form has no params to sweep",
    }.items():
        code, message = run(f"sweep flats {command}")
        assert (code, said in message) == (2, True), message
    params = load_params()
    bench = Bench("flats", params.model_of("flats", "manual_gd"), params)
    train, cut = parts()[0], RepeatedKFold(n_splits=5, n_repeats=1, random_state=0)
    expected = cross_val_score(
        oracle(), train[["area", "age"]], train["price"], cv=cut, scoring="neg_mean_squared_error"
    )
    found = bench.measure({"lr": 0.2}).scores["cv_mse"]
    assert found == pytest.approx(-expected.mean(), rel=1e-3)


def test_a_score_of_predictions_beyond_all_numbers_is_refused(here: Path, run: Run) -> None:
    table = flats()
    table.loc[7, "area"] = 1e7
    write(table)
    make(run, *EVERY[:4])
    code, said = run("evaluate flats")
    assert code == 2
    assert "flats: closed_form: a score is not finite: " in said
    assert "where target_transform is log, one row far from the others is enough" in said
    assert not layout.evaluated("flats").exists()


@pytest.mark.parametrize("value", [0.0, -3.5])
def test_a_target_without_a_logarithm_is_named(value: float, here: Path, run: Run) -> None:
    table = flats()
    table.loc[[4, 60], "price"] = value
    write(table)
    make(run, "ingest")
    code, said = run("validate flats")
    key = "params.yaml: datasets.flats.split.target_transform"
    problem = f"column price: {value!r}, expected above 0 for log ({key})"
    assert (code, said.count("\n")) == (2, 3)
    assert f"data/raw/flats.csv, line 6, {problem}" in said
    assert f"data/raw/flats.csv, line 62, {problem}" in said
    assert not layout.validated("flats").exists()
    declare()
    make(run, "validate")
    declare(**LOG)
    code, said = run("split flats")
    assert code == 2
    assert f"datasets.flats.target: price: {TRANSFORM}: log needs a target above 0" in said
    assert f"got {value:g}" in said
    assert not layout.split("flats").exists()


def test_a_gap_in_the_target_is_no_value_below_0(here: Path, run: Run) -> None:
    table = flats()
    table.loc[3, "price"] = np.nan
    write(table)
    layout.schema("flats").write_text(SCHEMA.replace("price: {", "price: {nullable: true, "))
    yaml = YAML()
    params = yaml.load(Path("params.yaml").read_text())
    params["datasets"]["flats"]["ingest"]["csv"] = {"missing": [""]}
    yaml.dump(params, Path("params.yaml"))
    make(run, "ingest", "validate")
    assert "price is missing in 1 row: left out" in make(run, "split")


def test_none_is_what_is_there_without_the_key(here: Path, run: Run) -> None:
    def made(**split: object) -> dict[str, bytes]:
        declare(**split)
        make(run, *EVERY)
        give_verdicts(load_params())
        folders = (layout.split("flats"), layout.models("flats"), Path("metrics"))
        files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
        files += [layout.evaluated("flats"), layout.model("flats", "linear_regression")]
        return {str(file): file.read_bytes() for file in files}

    without, logged = made(), made(**LOG)
    assert made(target_transform="none") == without
    assert TRANSFORM not in b"".join(without.values()).decode(errors="replace")
    differing = {name for name in without if without[name] != logged[name]}
    assert str(layout.split_part("flats", "train")) not in differing
    assert {str(layout.model("flats", name)) for name in TRAINERS} <= differing


@pytest.mark.parametrize(
    ("dataset", "value", "said"),
    [
        ("house", "sqrt", "split.target_transform: expected 'none' or 'log', got \"sqrt\""),
        ("breast_cancer", "log", "split.target_transform: log goes with task: regression only"),
    ],
)
def test_what_cannot_be_transformed_so_is_refused(
    dataset: str, value: str, said: str, workspace: Path, run: Run
) -> None:
    yaml = YAML()
    params = yaml.load(Path("params.yaml").read_text())
    params["datasets"][dataset]["split"][TRANSFORM] = value
    yaml.dump(params, Path("params.yaml"))
    code, message = run("params")
    assert (code, said in message) == (2, True), message


def test_a_champion_is_trained_as_it_was_promoted(trained: Path, run: Run) -> None:
    logged = content(layout.metrics("flats"))["closed_form"]
    make(run, "promote closed_form")
    assert content(layout.CHAMPION)["flats"]["params"] == LOG
    make(run, "evaluate")
    assert content(layout.evaluated("flats"))["champion"] == "closed_form"
    declare()
    make(run, *EVERY[1:])
    found = content(layout.evaluated("flats"))
    assert found["champion"] == "champion"
    assert found["judged"]["champion"]["scores"]["cv_mse"] == logged["cv_mse"]
    assert found["judged"]["closed_form"]["scores"]["cv_mse"] != logged["cv_mse"]
    give_verdicts(load_params())
    assert "the champion closed_form (target_transform log)" in layout.VERDICT.read_text()
    table = flats()
    table.loc[4, "price"] = -1.0
    write(table)
    make(run, *EVERY[:4])
    code, said = run("evaluate flats")
    assert code == 2
    assert "metrics/champion.json: flats: cross-validation of closed_form, fold" in said
    assert f"{TRANSFORM}: log needs a target above 0, got -1" in said
    champion = layout.CHAMPION.read_text()
    layout.CHAMPION.write_text(champion.replace('"log"', '"sqrt"'))
    code, said = run("evaluate flats")
    assert (code, "flats.params: closed_form takes none" in said) == (2, True)


def test_a_feature_that_is_the_logarithm_gives_the_target_away(here: Path, run: Run) -> None:
    table = flats()
    table["age"] = np.log(table["price"])
    write(table)
    make(run, *EVERY)
    audits = {one["name"]: one for one in content(layout.evaluated("flats"))["audits"]}
    assert not audits["giveaway"]["passed"]
    assert audits["giveaway"]["text"].startswith("age alone has R2 1.0000")


def test_columns_that_add_to_the_logarithm_give_the_target_away(here: Path, run: Run) -> None:
    table = flats()
    table["age"] = np.log(table["price"]) - table["area"] / 100
    write(table)
    make(run, "ingest", "validate")
    assert "columns area, age together give the target price away" in make(run, "split")
    declare()
    make(run, "validate")
    assert "give the target" not in make(run, "split")


@pytest.mark.filterwarnings("ignore::pipeline.core.errors.PipelineWarning")  # of few epochs
@given(
    st.sampled_from(["pairwise_mean", "closed_form", "manual_gd", "torch_sgd"]),
    st.sampled_from(["full", 7]),
    st.integers(0, 1000),
)
def test_to_fit_a_logged_target_is_to_fit_its_logarithm(
    trainer: str, batch_size: str | int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, 1))
    y = np.exp(0.5 * x[:, 0] + rng.normal(size=20))
    params = params_of(trainer, descent(batch_size=batch_size, epochs=5, loss_threshold=0.0))
    logged, losses = fit(trainer, {**params, **LOG}, ArrayRows(x, y))
    plain, expected = fit(trainer, params, ArrayRows(x, np.log(y)))
    np.testing.assert_array_equal(logged.form.coef, plain.form.coef)
    np.testing.assert_array_equal(logged.form.intercept, plain.form.intercept)
    np.testing.assert_array_equal(losses, expected)
    np.testing.assert_array_equal(logged.predict(x), np.exp(plain.predict(x)))
