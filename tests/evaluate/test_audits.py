"""Each audit passes on honest rows and fails on the leak it is there for."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pipeline.core.artifacts.evaluated import Audit
from pipeline.core.artifacts.models import Model
from pipeline.core.artifacts.splits import Split
from pipeline.core.forms import Linear
from pipeline.core.params import load_params
from pipeline.core.preprocessing import fit_scaler
from pipeline.evaluate.audits import audits, near_duplicates, two_nearest
from tests.evaluate.sample import split_of


def honest(task: str, n: int = 100) -> Split:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 2))
    y = X[:, 0] + rng.normal(size=n)
    if task == "classification":
        y = (y > 0).astype(float)
    train, test = np.arange(n * 4 // 5), np.arange(n * 4 // 5, n)
    return split_of(X, y, train, test)


def found(rows: Split, task: str) -> dict[str, Audit]:
    name = {"regression": "synthetic", "classification": "breast_cancer"}[task]
    trainer = "closed_form" if task == "regression" else "logistic_regression"
    models = {trainer: Model(trainer, {}, {}, Linear(np.zeros(1), 0.0))}
    trained = rows.part(rows.train)[0]
    settings = load_params().dataset(name)
    return {audit.name: audit for audit in audits(rows, trained, settings, models)}


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("n", [20, 100])
def test_honest_rows_pass(task: str, n: int, workspace: object) -> None:
    assert all(audit.passed for audit in found(honest(task, n), task).values())


def test_a_test_row_among_the_training_rows_is_counted(workspace: object) -> None:
    rows = honest("regression")
    rows.X[rows.test[:3]], rows.y[rows.test[:3]] = rows.X[rows.train[:3]], rows.y[rows.train[:3]]
    audit = found(rows, "regression")["identical_rows"]
    assert not audit.passed
    assert audit.figure == 3
    assert "3 of 20 test rows" in audit.text


@pytest.mark.parametrize("d", [2, 5, 20])
def test_rows_that_nearly_train_are_found(d: int) -> None:
    """One of twenty, with noise of a ten-thousandth of the spread."""
    draw = np.random.default_rng(d)
    X = draw.normal(size=(600, d))
    train, test = X[:480], X[480:].copy()
    test[:6] = train[:6] + draw.normal(size=(6, d)) * 1e-4
    audit = near_duplicates(train, test)
    assert not audit.passed
    assert (audit.figure or 0) >= 6
    assert "of 120 test rows lie over 100 times closer to one training row" in audit.text
    assert near_duplicates(train, X[480:]).passed


@pytest.mark.parametrize(("n", "d"), [(2, 3), (5, 1), (300, 2), (2000, 30)])
def test_the_two_nearest_are_those_of_a_tree(n: int, d: int) -> None:
    """Equal rows, and copies with noise far below the spread, among them."""
    draw = np.random.default_rng(n)
    train, test = draw.normal(size=(n, d)), draw.normal(size=(150, d))
    test[0], test[1] = train[0], train[1] + 1e-9
    expected, _ = cKDTree(train).query(test, k=2)
    np.testing.assert_allclose(two_nearest(train, test), expected, rtol=1e-12, atol=1e-300)
    assert two_nearest(train, test)[0, 0] == 0


def test_rows_that_are_near_by_chance_are_no_duplicates() -> None:
    """Dense rows, clusters, counts and rounded numbers among them."""
    draw, alarms = np.random.default_rng(0), 0
    for k in range(200):
        n, d = int(draw.integers(60, 800)), int(draw.integers(1, 12))
        X = draw.normal(size=(n, d)) ** (1 + 2 * (k % 3 == 0))
        if k % 5 == 1:
            X = X.round(1)
        if k % 5 == 2:
            X = 0.1 * X + draw.integers(0, 4, (n, 1))
        if k % 5 == 3:
            X = draw.poisson(4, (n, d)).astype(float)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        alarms += not near_duplicates(X[: n * 4 // 5], X[n * 4 // 5 :]).passed
    assert alarms <= 1


@pytest.mark.parametrize(("n_train", "n_test"), [(1, 5), (5, 0), (40, 5)])
def test_few_rows_tell_nothing_of_duplicates(n_train: int, n_test: int) -> None:
    X = np.random.default_rng(0).normal(size=(n_train + n_test, 2))
    audit = near_duplicates(X[:n_train], X[n_train:])
    assert (audit.passed, audit.figure) == (True, None)
    assert audit.text == "too few rows differ to tell"


def test_a_scaler_fitted_on_all_rows_is_noticed(workspace: object) -> None:
    rows = honest("regression")
    mean, scale = fit_scaler(rows.X)
    assert not found(replace(rows, mean=mean, scale=scale), "regression")["scaler"].passed


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_feature_that_is_the_target_is_named(task: str, workspace: object) -> None:
    rows = honest(task)
    rows.X[:, 1] = 5 - 3 * rows.y
    audit = found(rows, task)["giveaway"]
    assert not audit.passed
    assert audit.text.startswith("x1 alone has")


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("n", [25, 100])
def test_a_trainer_that_knows_held_out_targets_is_noticed(
    task: str, n: int, workspace: object
) -> None:
    rows = honest(task, n)
    rows.X[:, 1] = np.random.default_rng(0).permutation(rows.y)  # as the audit shuffles them
    audit = found(rows, task)["shuffled_labels"]
    assert not audit.passed
    assert "foretells held-out rows best" in audit.text


def test_without_a_model_of_its_own_no_labels_are_shuffled(workspace: object) -> None:
    rows, settings = honest("regression"), load_params().dataset("synthetic")
    audit = audits(rows, rows.part(rows.train)[0], settings, {})[-1]
    assert (audit.name, audit.passed, audit.figure) == ("shuffled_labels", True, None)


def of_three(n: int = 120) -> Split:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(n, 2))
    y = np.digitize(X[:, 0] + rng.normal(size=n), [-0.7, 0.7]).astype(float)
    return split_of(X, y, np.arange(n * 4 // 5), np.arange(n * 4 // 5, n))


def of_several(rows: Split) -> dict[str, Audit]:
    settings = load_params().dataset("breast_cancer")
    judged = {"classes": ["a", "b", "c"], "positive": None, "threshold": None}
    evaluate = settings.evaluate.model_copy(update=judged)
    settings = settings.model_copy(update={"evaluate": evaluate})
    models = {
        "softmax": Model("logistic_regression", {}, {}, Linear(np.zeros((2, 3)), np.zeros(3)))
    }
    trained = rows.part(rows.train)[0]
    return {audit.name: audit for audit in audits(rows, trained, settings, models)}


def test_audits_of_several_classes(workspace: object) -> None:
    assert all(audit.passed for audit in of_several(of_three()).values())
    one = of_three()
    one.X[:, 1] = one.y == 2  # tells one class from the others, as honest features do
    assert of_several(one)["giveaway"].passed
    every = of_three()
    every.X[:, 1] = np.array([5, -1, 3])[every.y.astype(int)]
    giveaway = of_several(every)["giveaway"]
    assert (giveaway.passed, giveaway.figure) == (False, 1)
    seen = of_three()
    seen.X[:] = np.eye(3)[np.random.default_rng(0).permutation(seen.y).astype(int)][:, :2]
    assert not of_several(seen)["shuffled_labels"].passed
