import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from pipeline.core.errors import Diverged
from pipeline.solvers import bcpm
from pipeline.stages.evaluate.metrics import sigmoid


def labelled(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 3))
    chance = sigmoid(X @ np.array([1.0, -2.0, 0.5]) + 0.3)
    return X, (rng.random(200) < chance).astype(float)


def test_bcpm_reaches_unpenalized_logistic_regression() -> None:
    X, y = labelled()
    theta, _ = bcpm.fit(X, y, lr=2.0, epochs=3000, seed=1234, loss_threshold=0)
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(theta, [*theirs.coef_[0], *theirs.intercept_], atol=1e-6)


def test_history_is_binary_cross_entropy_and_falls() -> None:
    X, y = labelled()
    theta, history = bcpm.fit(X, y, lr=0.1, epochs=50, seed=1, loss_threshold=0)
    p = sigmoid(X @ theta[:-1] + theta[-1])
    assert history[-1] == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
    assert (np.diff(history) < 0).all()


def test_training_stops_at_the_threshold() -> None:
    X, y = labelled()
    _, full = bcpm.fit(X, y, lr=0.1, epochs=50, seed=1, loss_threshold=0)
    _, short = bcpm.fit(X, y, lr=0.1, epochs=50, seed=1, loss_threshold=float(full[20]))
    np.testing.assert_array_equal(short, full[:21])


def test_probability_is_the_sigmoid_of_the_logit() -> None:
    model, X = bcpm.BCPM(3, seed=5), torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(model.predict_proba(X), torch.sigmoid(model(X)))


def test_the_seed_alone_decides_and_torchs_own_generator_is_untouched() -> None:
    X, y = labelled()
    before = torch.random.get_rng_state()
    first, _ = bcpm.fit(X, y, lr=0.1, epochs=3, seed=7, loss_threshold=0)
    again, _ = bcpm.fit(X, y, lr=0.1, epochs=3, seed=7, loss_threshold=0)
    other, _ = bcpm.fit(X, y, lr=0.1, epochs=3, seed=8, loss_threshold=0)
    assert first.tobytes() == again.tobytes() != other.tobytes()
    assert torch.equal(before, torch.random.get_rng_state())


def test_divergence_is_named() -> None:
    X, y = labelled()
    with pytest.raises(Diverged, match=r"lr 1e\+308"):
        bcpm.fit(X, y, lr=1e308, epochs=10, seed=1, loss_threshold=0)
