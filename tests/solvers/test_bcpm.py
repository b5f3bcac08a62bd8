import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from pipeline.core.errors import Diverged
from pipeline.solvers import bcpm
from pipeline.solvers.losses import sigmoid
from pipeline.solvers.rows import ArrayRows
from pipeline.solvers.torch_sgd import linear_layer
from tests.conftest import descent


def labelled(seed: int = 3) -> ArrayRows:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 3))
    chance = sigmoid(X @ np.array([1.0, -2.0, 0.5]) + 0.3)
    return ArrayRows(X, (rng.random(200) < chance).astype(float))


@pytest.mark.parametrize("C", [np.inf, 1.0, 0.01])
def test_bcpm_reaches_logistic_regression(C: float) -> None:
    """scikit-learn minimizes C sum(loss) + |w|^2 / 2: our weight_decay is 1 / (C n)."""
    rows = labelled()
    theta, _, _ = bcpm.fit(rows, descent(lr=2.0, epochs=2000, weight_decay=1 / (C * 200)))
    theirs = LogisticRegression(C=C, tol=1e-12, max_iter=10_000).fit(rows.X, rows.y)
    np.testing.assert_allclose(theta, [*theirs.coef_[0], *theirs.intercept_], atol=1e-6)


def test_history_is_binary_cross_entropy_and_falls() -> None:
    rows = labelled()
    theta, history, _ = bcpm.fit(rows, descent(epochs=50))
    p, y = sigmoid(rows.X @ theta[:-1] + theta[-1]), rows.y
    assert history[-1] == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
    assert history[0] == pytest.approx(np.log(2))
    assert (np.diff(history) < 0).all()


@pytest.mark.parametrize("size", ["full", 32])
def test_training_stops_at_the_threshold(size: int | str) -> None:
    full = bcpm.fit(labelled(), descent(epochs=50, batch_size=size)).history
    threshold = float(full[20] / full[0])
    short = bcpm.fit(labelled(), descent(epochs=50, batch_size=size, loss_threshold=threshold))
    np.testing.assert_array_equal(short.history, full[:21])


@pytest.mark.parametrize("size", ["full", 32])
def test_the_seed_alone_decides_and_torchs_own_generator_is_untouched(size: int | str) -> None:
    before = torch.random.get_rng_state()
    settings = [descent(init="uniform", epochs=3, batch_size=size, seed=s) for s in (7, 7, 8)]
    first, again, other = (bcpm.fit(labelled(), s).theta.tobytes() for s in settings)
    assert first == again != other
    assert torch.equal(before, torch.random.get_rng_state())


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    rows = labelled()
    order = np.random.default_rng(seed).permutation(200)
    shuffled = ArrayRows(rows.X[order], rows.y[order])
    ours, theirs = (bcpm.fit(r, descent(epochs=10)).theta for r in (rows, shuffled))
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_divergence_is_named() -> None:
    with pytest.raises(Diverged, match=r"lr 1e\+308"):
        bcpm.fit(labelled(), descent(lr=1e308, epochs=10))


@given(seed=st.integers(0, 2**32 - 1), n_features=st.integers(1, 40))
def test_a_uniform_start_is_that_of_torch(seed: int, n_features: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        theirs = torch.nn.Linear(n_features, 1, dtype=torch.float64)
    ours = linear_layer(n_features, descent(init="uniform", seed=seed))
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-15, atol=0)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-15, atol=0)
