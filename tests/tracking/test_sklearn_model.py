"""A fitted model as scikit-learn's: what MLflow saves is loaded by skops with nothing trusted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import yaml

from pipeline.solvers.losses import sigmoid
from pipeline.tracking.entry import Fitted
from pipeline.tracking.sklearn_model import NEEDS, as_estimator, save_model
from tests.tracking.sample import fitted, rows

KINDS = [
    ("regression", None, False),
    ("regression", None, True),
    ("classification", 0.5, False),
    ("classification", 0.2, False),
]
of_libraries = pytest.mark.filterwarnings("ignore")  # of MLflow's own imports


def saved(folder: Path, model: Fitted) -> dict[str, Any]:
    """Save a model; gives what its MLmodel says."""
    save_model(folder, model, {"dataset": "sample"}, "m-1", "r" * 32)
    content: dict[str, Any] = yaml.safe_load((folder / "MLmodel").read_text())
    return content


@of_libraries
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize(("task", "threshold", "logged"), KINDS)
def test_what_is_loaded_predicts_as_the_weights_do_on_raw_units(
    task: str, threshold: float | None, logged: bool, tmp_path: Path
) -> None:
    model, X = fitted(task, threshold, logged), rows()
    saved(tmp_path, model)
    loaded = skops.io.load(tmp_path / "model.skops", trusted=[])  # nothing that must be trusted
    z = (X - model.mean) / np.array(model.scale) @ model.coef + model.intercept
    if task == "regression":
        with np.errstate(over="ignore"):
            expected = np.exp(z) if logged else z
        np.testing.assert_allclose(loaded.predict(X), expected, rtol=1e-12)
    else:
        np.testing.assert_allclose(loaded.predict_proba(X)[:, 1], sigmoid(z), rtol=1e-12)
        np.testing.assert_array_equal(loaded.predict(X), sigmoid(z) >= threshold)


@of_libraries
@pytest.mark.parametrize(("task", "threshold", "logged"), KINDS)
def test_the_model_says_what_it_takes_needs_and_is(
    task: str, threshold: float | None, logged: bool, tmp_path: Path
) -> None:
    model = fitted(task, threshold, logged)
    told = saved(tmp_path, model)
    assert [c["type"] for c in yaml.safe_load(told["signature"]["inputs"])] == ["double"] * 3
    assert (told["model_id"], told["run_id"]) == ("m-1", "r" * 32)
    assert told["flavors"]["sklearn"]["serialization_format"] == "skops"
    assert not told["flavors"]["sklearn"]["skops_trusted_types"]
    metadata = told["metadata"]
    assert (metadata["dataset"], metadata["threshold"]) == ("sample", threshold)
    assert metadata["ranges"] == {name: list(ends) for name, ends in model.ranges.items()}
    needs = (tmp_path / "requirements.txt").read_text().split()
    assert [line.split("==")[0] for line in needs] == [*NEEDS]


@pytest.mark.parametrize(("task", "threshold", "logged"), KINDS)
def test_a_model_that_fit_has_made_is_the_same(
    task: str, threshold: float | None, logged: bool
) -> None:
    """No attribute is missing, or too many, against what scikit-learn's own fit leaves."""
    import pandas as pd
    from sklearn.base import clone

    model = fitted(task, threshold, logged)
    X = pd.DataFrame(rows(), columns=model.features)
    y = np.exp(X["a"]) if task == "regression" else X["a"] > 0

    def parts(estimator: Any) -> list[Any]:
        frozen = getattr(estimator, "estimator_", estimator)
        pipeline = getattr(frozen, "estimator", frozen)
        steps = [step for _, step in pipeline.steps]
        within = [vars(steps[-1]).get(key) for key in ("regressor", "regressor_", "transformer_")]
        return [estimator, *steps, *filter(None, within)]

    ours = as_estimator(model)
    inner = ours.estimator.estimator if threshold == 0.2 else ours
    theirs = clone(inner).fit(X, y)
    for our, their in zip(parts(inner)[1:], parts(theirs)[1:], strict=True):
        of_solver = {"n_iter_", "rank_", "singular_"}  # how a solver came to the numbers
        assert vars(our).keys() == vars(their).keys() - of_solver
    if threshold == 0.2:
        again = clone(ours).fit(X, y)
        assert vars(ours).keys() == vars(again).keys()
        assert ours.feature_names_in_.tolist() == again.feature_names_in_.tolist()
