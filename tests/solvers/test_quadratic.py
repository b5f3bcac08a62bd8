import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from pipeline.core.errors import Diverged
from pipeline.core.params import load_params
from pipeline.core.settings.descent import params_of
from pipeline.solvers.convergence import Stop
from pipeline.solvers.fit import fit
from pipeline.solvers.quadratic import (
    EPOCHS_AT_ONCE,
    analytic_iterate,
    descend,
    mean_squared_error,
)
from pipeline.solvers.rows import ArrayRows, Block, ChangedRows

AREA = np.array([[80.0], [95], [104], [112], [125], [135]])
PRICE = np.array([200.0, 230, 245, 247, 259, 262])
SEEDS = st.integers(0, 2**32 - 1)


def problem(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 3)) + np.array([0, 1, -2])
    return X, X @ rng.normal(size=3) + rng.normal(size=30)


def plain_descent(
    X: np.ndarray, y: np.ndarray, lr: float, epochs: int
) -> tuple[np.ndarray, np.ndarray]:
    """The definition, over the rows: theta <- theta - lr 2/n A'(A theta - y)."""
    A = np.column_stack([X, np.ones(len(y))])
    theta, history = np.zeros(A.shape[1]), []
    for _ in range(epochs + 1):
        history.append(np.mean((A @ theta - y) ** 2))
        last, theta = theta, theta - lr * 2 / len(y) * A.T @ (A @ theta - y)
    return last, np.array(history)


@given(seed=SEEDS, at=st.floats(-3, 3))
def test_value_and_gradient_are_those_of_the_rows(seed: int, at: float) -> None:
    X, y = problem(seed)
    loss, theta = mean_squared_error(ArrayRows(X, y)), np.full(4, at)
    A = torch.tensor(np.column_stack([X, np.ones(30)]))
    traced = torch.tensor(theta, requires_grad=True)
    value = ((A @ traced - torch.tensor(y)) ** 2).mean()
    value.backward()
    assert loss.values(theta) == pytest.approx(value.item())
    ours, gradient = loss.value_and_gradient(theta, None)
    assert ours == pytest.approx(value.item())
    np.testing.assert_allclose(gradient, traced.grad, rtol=1e-8, atol=1e-8)
    numeric = approx_fprime(theta, lambda t: float(loss.values(t)), 1e-7)
    np.testing.assert_allclose(gradient, numeric, atol=1e-3)


@given(seed=SEEDS, share=st.floats(0.01, 0.99), epochs=st.integers(1, 60))
def test_iterated_plain_and_analytic_descent_agree(seed: int, share: float, epochs: int) -> None:
    X, y = problem(seed)
    loss = mean_squared_error(ArrayRows(X, y))
    lr = share * loss.max_stable_lr()
    theta, history = descend(loss, np.zeros(4), lr, epochs)
    plain, losses = plain_descent(X, y, lr, epochs)
    np.testing.assert_allclose(theta, plain, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(history, losses, rtol=1e-9, atol=1e-12)
    analytic = analytic_iterate(loss, np.zeros(4), lr, epochs)
    np.testing.assert_allclose(theta, analytic, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("epochs", [1, EPOCHS_AT_ONCE, EPOCHS_AT_ONCE + 1, 3 * EPOCHS_AT_ONCE])
def test_the_seams_between_blocks_of_epochs_do_not_show(epochs: int) -> None:
    X, y = problem(1)
    loss = mean_squared_error(ArrayRows(X, y))
    lr = 0.01 * loss.max_stable_lr()
    theta, history = descend(loss, np.zeros(4), lr, epochs)
    plain, losses = plain_descent(X, y, lr, epochs)
    np.testing.assert_allclose(theta, plain, rtol=1e-9)
    np.testing.assert_allclose(history, losses, rtol=1e-9)


def test_five_million_epochs_of_the_chapter() -> None:
    """Listing 3-5: the loss before, the weights after epoch 1, 2, 3, 4 and 5 million."""
    loss = mean_squared_error(ArrayRows(AREA, PRICE))
    theta, history = descend(loss, np.ones(2), 1e-5, 5_000_000)
    printed = [f"{history[k * 10**6 - 1]:.4f}" for k in range(1, 6)]
    assert printed == ["178.3555", "87.8729", "57.8181", "47.8351", "44.5191"]
    weights = [analytic_iterate(loss, np.ones(2), 1e-5, k * 10**6) for k in range(1, 6)]
    assert [f"{w:.4f} {b:.4f}" for w, b in weights] == [
        "1.7144 52.5560",
        "1.4481 82.2635",
        "1.2947 99.3849",
        "1.2062 109.2525",
        "1.1553 114.9396",
    ]
    np.testing.assert_allclose(theta, weights[-1], rtol=1e-9)


def test_the_chapters_largest_stable_rate() -> None:
    loss = mean_squared_error(ArrayRows(AREA, PRICE))
    assert loss.max_stable_lr() == pytest.approx(8.26e-5, rel=1e-3)


@given(SEEDS)
def test_descent_shrinks_below_the_stable_rate_and_grows_above_it(seed: int) -> None:
    loss = mean_squared_error(ArrayRows(*problem(seed)))
    stable = loss.max_stable_lr()
    _, below = descend(loss, np.full(4, 10.0), 0.999 * stable, 50)
    _, above = descend(loss, np.full(4, 10.0), 1.1 * stable, 400)
    assert below[-1] <= below[0]
    assert above[-1] > above[0]


def test_integer_weights_are_repeated_rows() -> None:
    X, y = problem(4)
    weights = np.random.default_rng(4).integers(0, 4, 30)
    repeated = mean_squared_error(ArrayRows(np.repeat(X, weights, axis=0), np.repeat(y, weights)))
    weighted = mean_squared_error(ArrayRows(X, y, weights.astype(float)))
    np.testing.assert_allclose(weighted.hessian, repeated.hessian)
    np.testing.assert_allclose(weighted.minimizer, repeated.minimizer)


@pytest.mark.parametrize("epochs", [500, 5000])
def test_the_epoch_of_divergence_is_named(epochs: int) -> None:
    X, y = problem(2)
    loss = mean_squared_error(ArrayRows(X, y))
    with np.errstate(over="ignore", invalid="ignore"):
        _, losses = plain_descent(X, y, 9.0, 500)
    first = int(np.flatnonzero(~np.isfinite(losses))[0])
    with pytest.raises(Diverged, match=r"diverged at epoch (\d+)") as caught:
        descend(loss, np.zeros(4), 9.0, epochs)
    named = int(str(caught.value).split("epoch ")[1].split(":")[0])
    assert abs(named - first) <= 1


def test_descent_stops_at_the_threshold() -> None:
    loss = mean_squared_error(ArrayRows(*problem(3)))
    lr = 0.1 * loss.max_stable_lr()
    _, full = descend(loss, np.zeros(4), lr, 3000)
    for k in (1, 5, 1024, 1500):
        threshold = float(full[k] / full[0])
        if full[k] <= threshold * full[0] < full[k - 1]:
            theta, short = descend(loss, np.zeros(4), lr, 3000, Stop(threshold, 0, whole=True))
            np.testing.assert_array_equal(short, full[: k + 1])
            np.testing.assert_allclose(theta, analytic_iterate(loss, np.zeros(4), lr, k), rtol=1e-9)


def test_a_training_that_knows_its_largest_stable_lr_reads_its_rows_once() -> None:
    X, y = problem(1)
    params = params_of("manual_gd", load_params())
    alone = fit("manual_gd", params, ArrayRows(X, y))[0]
    met = list[int]()

    def noted(block: Block) -> Block:
        met.append(len(block))
        return block

    model, _ = fit("manual_gd", params, ChangedRows(ArrayRows(X, y), noted))
    assert met == [len(y)]
    np.testing.assert_array_equal(model.weights, alone.weights)
    assert model.facts["stable_lr"] == pytest.approx(
        mean_squared_error(ArrayRows(X, y)).max_stable_lr()
    )
