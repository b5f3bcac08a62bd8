from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Diverged, PipelineError
from pipeline.solvers import closed_form, manual_gd, pairwise_mean, torch_sgd
from pipeline.solvers.quadratic import descend, mean_squared_error

AREA = np.array([[80.0], [95], [104], [112], [125], [135]])
PRICE = np.array([200.0, 230, 245, 247, 259, 262])


def standardized(seed: int, n_features: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, n_features))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X, X @ rng.normal(size=n_features) + rng.normal(size=40)


def test_pairwise_mean_gives_the_chapters_line() -> None:
    theta, _ = pairwise_mean.fit(AREA, PRICE)
    np.testing.assert_allclose(theta, [1.0370514514185623, 133.19792941461947], rtol=1e-13)


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=8, unique=True))
def test_pairwise_mean_is_the_mean_over_all_pairs(xs: list[int]) -> None:
    x, y = np.array(xs, float), np.array(xs, float) ** 2
    lines = [np.polyfit(x[[i, j]], y[[i, j]], 1) for i, j in combinations(range(len(x)), 2)]
    theta, _ = pairwise_mean.fit(x[:, None], y)
    np.testing.assert_allclose(theta, np.mean(lines, axis=0), rtol=1e-6, atol=1e-6)


def test_pairwise_mean_leaves_out_pairs_without_a_line() -> None:
    theta, _ = pairwise_mean.fit(np.array([[1.0], [1.0], [2.0]]), np.array([0.0, 2.0, 3.0]))
    np.testing.assert_allclose(theta, [2.0, -1.0])


@pytest.mark.parametrize(
    ("X", "message"),
    [(np.ones((3, 2)), "takes one feature, got 2"), (np.ones((3, 1)), "two rows that differ")],
)
def test_pairwise_mean_says_what_it_needs(X: np.ndarray, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        pairwise_mean.fit(X, np.arange(3.0))


@pytest.mark.parametrize("seed", [0, 1, 1234])
def test_torch_sgd_reaches_least_squares_from_any_start(seed: int) -> None:
    X, y = standardized(5)
    theta, history = torch_sgd.fit(X, y, lr=0.1, epochs=500, seed=seed)
    np.testing.assert_allclose(theta, closed_form.fit(X, y)[0], atol=1e-9)
    assert len(history) == 501


def test_torch_sgd_takes_the_steps_of_manual_descent() -> None:
    X, y = standardized(7)
    start, _ = torch_sgd.fit(X, y, lr=1e-300, epochs=1, seed=3)
    ours, losses = descend(mean_squared_error(X, y), start, 0.1, 30)
    theirs, history = torch_sgd.fit(X, y, lr=0.1, epochs=30, seed=3)
    np.testing.assert_allclose(theirs, ours, rtol=1e-10)
    np.testing.assert_allclose(history, losses, rtol=1e-10)


def test_a_loss_that_starts_infinite_is_not_blamed_on_lr() -> None:
    X, y = standardized(2)
    with pytest.raises(Diverged, match="not finite before the first step"):
        torch_sgd.fit(X, y * 1e200, lr=0.1, epochs=5, seed=1)
    for fit in (closed_form.fit, partial(manual_gd.fit, lr=0.1, epochs=5)):
        with pytest.raises(PipelineError, match="too large; rescale"):
            fit(X, y * 1e200)


@pytest.mark.parametrize("solver", [manual_gd.fit, torch_sgd.fit])
def test_divergence_names_epoch_rate_and_bound(solver: object) -> None:
    X, y = standardized(2)
    extra = {"seed": 1} if solver is torch_sgd.fit else {}
    stable = f"{mean_squared_error(X, y).max_stable_lr():.6g}"
    with pytest.raises(Diverged, match=rf"diverged at epoch \d+.*lr 9;.*{stable}") as caught:
        solver(X, y, lr=9.0, epochs=500, **extra)
    assert caught.value.exit_code == 3
