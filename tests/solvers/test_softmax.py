from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from pipeline.core.errors import Diverged
from pipeline.core.tables import number_table, write_table
from pipeline.solvers import references, softmax
from pipeline.solvers.advice import stable_lr
from pipeline.solvers.fit import fit
from pipeline.solvers.losses import softmax as probabilities
from pipeline.solvers.rows import ArrayRows, ParquetRows, class_counts
from pipeline.solvers.torch_sgd import linear_layer, train_layer
from tests.conftest import descent

SEEDS = st.integers(0, 2**32 - 1)


def labelled(seed: int = 3, n: int = 240, n_classes: int = 4) -> ArrayRows:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    z = X @ rng.normal(size=(3, n_classes)) + rng.gumbel(size=(n, n_classes))
    return ArrayRows(X, z.argmax(axis=1).astype(float))


@pytest.mark.parametrize("C", [10.0, 1.0, 0.01])
def test_softmax_reaches_logistic_regression(C: float) -> None:
    """scikit-learn minimizes C sum(loss) + |w|^2 / 2: our weight_decay is 1 / (C n)."""
    rows = labelled()
    theta, _, _ = softmax.fit(rows, descent(lr=2.0, epochs=3000, weight_decay=1 / (C * 240)))
    theirs = LogisticRegression(C=C, tol=1e-12, max_iter=10_000).fit(rows.X, rows.y)
    np.testing.assert_allclose(theta[:, :-1], theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(theta[:, -1], theirs.intercept_, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
@pytest.mark.parametrize("size", ["full", 32])
@pytest.mark.parametrize("init", ["zeros", "uniform"])
def test_it_takes_the_steps_of_autograd(optimizer: str, size: int | str, init: str) -> None:
    rows = labelled()
    rows = ArrayRows.standardized(rows.X, rows.y, None, rows.X.mean(axis=0), rows.X.std(axis=0))
    settings = descent(
        lr=0.05, epochs=20, optimizer=optimizer, batch_size=size, init=init, weight_decay=0.1
    )
    ours = softmax.fit(rows, settings)
    theirs = train_layer(linear_layer(3, settings, outputs=4), softmax.LOSS, rows, settings)
    np.testing.assert_allclose(ours.theta, theirs.theta, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.history, theirs.history, rtol=1e-10)


def test_history_is_cross_entropy_and_falls() -> None:
    rows = labelled()
    theta, history, _ = softmax.fit(rows, descent(epochs=50))
    p = probabilities(rows.X @ theta[:, :-1].T + theta[:, -1])
    assert history[-1] == pytest.approx(-np.mean(np.log(p[np.arange(240), rows.y.astype(int)])))
    assert history[0] == pytest.approx(np.log(4))
    assert (np.diff(history) < 0).all()


@given(SEEDS)
def test_weights_from_zeros_add_up_to_zero_over_the_classes(seed: int) -> None:
    theta = softmax.fit(labelled(seed), descent(epochs=20, optimizer="momentum")).theta
    np.testing.assert_allclose(theta.sum(axis=0), 0, atol=1e-12)


@given(SEEDS)
def test_other_names_of_the_labels_move_the_rows_of_weights(seed: int) -> None:
    rows = labelled()
    other = np.random.default_rng(seed).permutation(4)
    renamed = ArrayRows(rows.X, other[rows.y.astype(int)].astype(float))
    ours, theirs = (softmax.fit(r, descent(epochs=10)).theta for r in (rows, renamed))
    np.testing.assert_allclose(ours, theirs[other], rtol=1e-10, atol=1e-14)


@given(SEEDS)
def test_the_loss_never_rises_below_the_stable_rate(seed: int) -> None:
    rows = labelled(seed)
    bound = stable_lr(rows, descent(), softmax.LOSS)
    history = softmax.fit(rows, descent(lr=0.999 * bound, epochs=30)).history
    assert (np.diff(history) <= 1e-12).all()


@given(SEEDS)
def test_a_row_of_weight_k_counts_as_k_equal_rows(seed: int) -> None:
    rows, rng = labelled(), np.random.default_rng(seed)
    counts = rng.integers(1, 4, 240)
    weighted = ArrayRows(rows.X, rows.y, counts.astype(float))
    repeated = ArrayRows(np.repeat(rows.X, counts, axis=0), np.repeat(rows.y, counts))
    ours, theirs = (softmax.fit(r, descent(epochs=10)).theta for r in (weighted, repeated))
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)


def test_divergence_is_named() -> None:
    with pytest.raises(Diverged, match=r"lr 1e\+308"):
        softmax.fit(labelled(), descent(lr=1e308, epochs=10))


@pytest.mark.parametrize("trainer", ["softmax", "bcpm"])
@pytest.mark.parametrize("from_file", [False, True])
def test_balanced_classes_are_those_of_scikit_learn(
    trainer: str, from_file: bool, tmp_path: Path
) -> None:
    rows = labelled(n_classes=2 if trainer == "bcpm" else 4)
    rare = np.flatnonzero((rows.y > 0) | (rows.X[:, 0] > 0))  # fewer rows of label 0
    X, y = rows.X[rare], rows.y[rare]
    write_table(tmp_path / "train.parquet", number_table(["a", "b", "c", "y"], [*X.T, y]))
    rows = ParquetRows(tmp_path / "train.parquet") if from_file else ArrayRows(X, y)
    settings = descent(lr=2.0, epochs=3000, weight_decay=1 / len(y)).model_dump()
    model, _ = fit(trainer, settings | {"class_weight": "balanced"}, rows)
    theirs = LogisticRegression(class_weight="balanced", tol=1e-12, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(np.atleast_2d(model.form.coef.T), theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(np.atleast_1d(model.form.intercept), theirs.intercept_, atol=1e-6)
    batches = settings | {"class_weight": "balanced", "batch_size": 32, "epochs": 200, "lr": 0.05}
    model, _ = fit(trainer, batches, rows)
    np.testing.assert_allclose(np.atleast_2d(model.form.coef.T), theirs.coef_, atol=0.3)


def test_the_references_know_several_classes(tmp_path: Path) -> None:
    rows = labelled()
    names = ["a", "b", "c", "y"]
    write_table(tmp_path / "train.parquet", number_table(names, [*rows.X.T, rows.y]))
    read = ParquetRows(tmp_path / "train.parquet")
    shares = np.bincount(rows.y.astype(int)) / 240
    np.testing.assert_array_equal(class_counts(read), 240 * shares)
    theta = references.majority(read).theta
    np.testing.assert_allclose(probabilities(theta[:, -1:].T)[0], shares)
    assert not theta[:, :-1].any()
    theirs = LogisticRegression(max_iter=10_000).fit(rows.X, rows.y)
    theta = references.logistic_regression(read).theta
    np.testing.assert_allclose(theta, np.column_stack([theirs.coef_, theirs.intercept_]))
