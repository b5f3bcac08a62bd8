import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    LeaveOneOut,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.core.errors import PipelineError
from pipeline.core.settings.descent import params_of
from pipeline.core.settings.evaluate import CrossValidation, Goal
from pipeline.evaluate.cross_validation import (
    choose_threshold,
    cross_validate,
    threshold_for,
)
from pipeline.evaluate.folds import folds
from tests.conftest import descent
from tests.evaluate.sample import numbers

CUT = CrossValidation(folds=5, repeats=2, seed=3)
NAMES = ("ill", "well")


def problem(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 3)) * [1, 100, 0.01] + [5, 0, 0]
    return X, X @ [2, 0.03, 100] + rng.normal(size=count)


@pytest.mark.parametrize(
    ("count", "theirs"),
    [(20, LeaveOneOut()), (50, RepeatedKFold(n_splits=5, n_repeats=2, random_state=3))],
)
def test_regression_folds_are_scored_as_by_scikit_learn(count: int, theirs: object) -> None:
    X, y = problem(count)
    held = cross_validate("closed_form", {}, numbers(X), y, folds(y, "regression", CUT))
    ours = [np.mean((fold.z - y[fold.rows]) ** 2) for fold in held]
    model = make_pipeline(StandardScaler(), LinearRegression())
    expected = cross_val_score(model, X, y, cv=theirs, scoring="neg_mean_squared_error")
    np.testing.assert_allclose(ours, -expected, rtol=1e-9)


def test_classification_folds_are_scored_as_by_scikit_learn() -> None:
    X, y = problem(60)
    y = (y > np.median(y)).astype(float)
    held = cross_validate("logistic_regression", {}, numbers(X), y, folds(y, "classification", CUT))
    ours = [np.mean((fold.z >= 0) == y[fold.rows]) for fold in held]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    cut = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=3)
    np.testing.assert_allclose(ours, cross_val_score(model, X, y, cv=cut))


def test_a_held_out_row_teaches_nothing() -> None:
    X, y = problem(40)
    cuts = folds(y, "regression", CUT)
    before = cross_validate("closed_form", {}, numbers(X), y, cuts)[0]
    X[before.rows], y[before.rows] = 1e6, -1e6
    after = cross_validate("closed_form", {}, numbers(X), y, cuts)[0]
    np.testing.assert_array_equal(before.coef, after.coef)


def test_two_rows_are_not_cut() -> None:
    assert folds(np.zeros(2), "regression", CUT) == []


@pytest.mark.parametrize(("task", "few"), [("regression", 40), ("classification", 4)])
def test_more_folds_than_rows_are_refused(task: str, few: int) -> None:
    y = np.zeros(40)
    y[:few] = 1
    cut = CrossValidation(folds=50 if task == "regression" else 5, repeats=1, seed=0)
    with pytest.raises(PipelineError, match=rf"cross_validation\.folds: .* got {few}"):
        folds(y, task, cut)


def test_a_fold_that_fails_is_named() -> None:
    X, y = problem(40)
    params = params_of("manual_gd", descent(lr=1e200, loss="mse"))
    with pytest.raises(
        PipelineError, match="cross-validation of manual_gd, fold 1 of 10: diverged"
    ):
        cross_validate("manual_gd", params, numbers(X), y, folds(y, "regression", CUT))


@given(
    z=st.lists(st.floats(-5, 5), min_size=4, max_size=30, unique=True),
    label=st.integers(0, 1),
    at_least=st.floats(0.05, 1, exclude_max=True),
    data=st.data(),
)
def test_the_threshold_reaches_the_recall_and_no_row_more(
    z: list[float], label: int, at_least: float, data: st.DataObject
) -> None:
    p = 1 / (1 + np.exp(-np.round(z, 3)))
    y = np.array(data.draw(st.permutations([0, 1] * (len(p) // 2) + [label] * (len(p) % 2))))
    t = threshold_for(p, y, label, at_least)
    certainty, border = (p, t) if label else (1 - p, 1 - t)
    found = (p >= t) == (label == 1)
    assert np.mean(found[y == label]) >= at_least - 1e-9
    # with the least certain row that is found lost, the goal would be missed
    last = certainty[found & (y == label)].min()
    kept = certainty[y == label] > last
    assert np.mean(kept) < at_least or np.isclose(last, border)


def test_a_goal_is_met_on_held_out_training_rows() -> None:
    X, y = problem(400)
    y = (y + np.random.default_rng(2).normal(size=400) * 2 > 10).astype(float)
    goal = Goal(recall="ill", at_least=0.97)
    t = choose_threshold(goal, "logistic_regression", {}, numbers(X), y, NAMES)
    assert t > 0.6  # label 0 must be found: label 1 is said with more care
    assert choose_threshold(0.4, "logistic_regression", {}, numbers(X), y, NAMES) == 0.4
    cuts = folds(y, "classification", CUT)
    held = cross_validate("logistic_regression", {}, numbers(X), y, cuts, goal, NAMES)
    found = np.concatenate([(1 / (1 + np.exp(-f.z)) < f.threshold)[y[f.rows] == 0] for f in held])
    assert np.mean(found) == pytest.approx(0.97, abs=0.02)
    assert len({f.threshold for f in held}) > 1  # each fold chooses its own, on its own rows


@pytest.mark.parametrize("trainer", ["bcpm", "majority"])
def test_every_classifier_can_be_judged(trainer: str) -> None:
    X, y = problem(40)
    y = (y > np.median(y)).astype(float)
    params = params_of(trainer, descent(loss="mse"))
    held = cross_validate(trainer, params, numbers(X), y, folds(y, "classification", CUT))
    assert np.isfinite(np.concatenate([fold.z for fold in held])).all()
