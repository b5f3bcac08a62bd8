import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special
from scipy.optimize import approx_fprime

from pipeline.solvers import bcpm
from pipeline.solvers.advice import stable_lr
from pipeline.solvers.descent import Objective, RowLoss
from pipeline.solvers.losses import LOSSES, max_stable_lr, softmax
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import ArrayRows
from tests.conftest import descent

SEEDS = st.integers(0, 2**32 - 1)
TORCH = {
    "mse": torch.nn.functional.mse_loss,
    "mae": torch.nn.functional.l1_loss,
    "bce": lambda z, y, reduction: torch.nn.functional.binary_cross_entropy(
        torch.sigmoid(z), y, reduction=reduction
    ),
    "bce_with_logits": torch.nn.functional.binary_cross_entropy_with_logits,
    "cross_entropy": lambda z, y, reduction: torch.nn.functional.cross_entropy(
        z, y.long(), reduction=reduction
    ),
}


def problem(seed: int, loss: str, weighted: bool) -> ArrayRows:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(25, 3)) * [1, 10, 0.1] + [0, 5, 1]
    y = rng.normal(size=25) if loss in ("mse", "mae") else (rng.random(25) < 0.5).astype(float)
    if loss == "cross_entropy":
        y = rng.permutation(np.arange(25.0) % 3)
    weights = rng.integers(0, 4, 25).astype(float) if weighted else None
    return ArrayRows(X, y, weights, X.mean(axis=0), X.std(axis=0))


def start(loss: str) -> np.ndarray:
    """Weights of 3 features, intercept last; of 3 classes a row each."""
    theta = np.array([0.5, -0.2, 0.1, 0.3])
    return np.array([theta, 2 * theta, -theta]) if loss == "cross_entropy" else theta


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@given(seed=SEEDS)
def test_the_gradient_is_that_of_autograd_and_of_differences(
    loss: str, weighted: bool, decay: float, seed: int
) -> None:
    rows = problem(seed, loss, weighted)
    objective = RowLoss(rows, descent(weight_decay=decay), loss, fit_intercept=True)
    theta = np.random.default_rng(seed).normal(size=start(loss).shape) / 2
    value, gradient = objective.value_and_gradient(theta, None)

    Z = torch.tensor((rows.X - rows.mean) / rows.scale)
    w = torch.ones(25) if rows.weights is None else torch.tensor(rows.weights)
    traced = torch.tensor(theta, requires_grad=True)
    z = torch.nn.functional.linear(Z, traced[..., :3]) + traced[..., 3]
    each = TORCH[loss](z, torch.tensor(rows.y), reduction="none")
    theirs = (w * each).sum() / w.sum() + decay / 2 * (traced[..., :3] ** 2).sum()
    theirs.backward()
    assert value == pytest.approx(theirs.item(), rel=1e-9)
    np.testing.assert_allclose(gradient, traced.grad, rtol=1e-7, atol=1e-9)

    numeric = approx_fprime(
        theta.ravel(),
        lambda t: objective.value_and_gradient(t.reshape(theta.shape), None)[0],
        1e-7,
    ).reshape(theta.shape)
    # a difference across the kink of an absolute error is no derivative
    far = loss != "mae" or float((Z.numpy() @ theta[:3] + theta[3] - rows.y).__abs__().min()) > 1e-5
    if far:
        np.testing.assert_allclose(gradient, numeric, atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_without_intercept_its_gradient_is_zero(loss: str) -> None:
    objective = RowLoss(problem(1, loss, False), descent(), loss, fit_intercept=False)
    _, gradient = objective.value_and_gradient(start(loss), None)
    assert not gradient[..., 3].any()
    assert gradient[..., :3].all()


@pytest.mark.parametrize("loss", LOSSES)
@given(seed=SEEDS, size=st.integers(1, 30))
def test_batches_add_up_to_the_loss_of_all_rows(loss: str, seed: int, size: int) -> None:
    rows = problem(seed, loss, weighted=True)
    objective = RowLoss(rows, descent(batch_size=size), loss, fit_intercept=True)
    theta = start(loss)
    whole, gradient = objective.value_and_gradient(theta, None)
    parts = [(s, *objective.value_and_gradient(theta, b)) for b, s in objective.batches()]
    assert sum(share * value for share, value, _ in parts) == pytest.approx(whole)
    np.testing.assert_allclose(sum(s * g for s, _, g in parts), gradient, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@given(seed=SEEDS, size=st.integers(1, 24), decay=st.sampled_from([0.0, 0.3]))
def test_an_epoch_meets_the_losses_of_its_batches_one_by_one(
    loss: str, weighted: bool, seed: int, size: int, decay: float
) -> None:
    """The losses are taken for many batches at once, and are those of each to the last bit."""
    rows, settings = problem(seed, loss, weighted), descent(batch_size=size, weight_decay=decay)
    rows.weights = rows.weights if rows.weights is None else rows.weights + 1
    at_once, one_by_one = (RowLoss(rows, settings, loss, fit_intercept=True) for _ in range(2))
    theta, step = start(loss), optimizer("sgd", 1e-3, 0.0).step
    ours, theirs = at_once.epoch(theta, step), Objective.epoch(one_by_one, theta, step)
    assert ours.theta.tobytes() == theirs.theta.tobytes()
    assert (ours.values, ours.shares) == (theirs.values, theirs.shares)


def test_the_logits_form_stays_finite_where_the_chapters_does_not() -> None:
    z, y = np.array([-1000.0, 1000.0, 0.0]), np.array([1.0, 0.0, 1.0])
    chapters, logits = LOSSES["bce"], LOSSES["bce_with_logits"]
    assert chapters.value(z, y).tolist() == [np.inf, np.inf, pytest.approx(np.log(2))]
    assert chapters.slope(z, y).tolist() == [-1, 1, -0.5]
    assert logits.value(z, y).tolist() == [1000, 1000, pytest.approx(np.log(2))]
    assert logits.slope(z, y).tolist() == [-1, 1, -0.5]


@given(SEEDS)
def test_the_bound_of_bce_is_that_of_its_steepest_hessian(seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(12, 3)) + 2
    A = np.column_stack([X, np.ones(12)])
    bound = stable_lr(ArrayRows(X, np.ones(12)), descent(), "bce_with_logits")
    assert bound == pytest.approx(2 / np.linalg.norm(A.T @ A / 48, 2))


@given(SEEDS)
def test_the_bound_of_cross_entropy_holds_everywhere_and_is_met_at_one_half(seed: int) -> None:
    """Two of K classes at probability 1/2 have the steepest Hessian there is (Boehning 1992)."""
    rng = np.random.default_rng(seed)
    A = np.column_stack([rng.normal(size=(12, 3)) + 2, np.ones(12)])
    y = np.arange(12.0) % 4
    bound = stable_lr(ArrayRows(A[:, :3], y), descent(), "cross_entropy")

    def steepest(p: np.ndarray) -> float:
        each = [
            np.kron(np.diag(q) - np.outer(q, q), np.outer(a, a)) for q, a in zip(p, A, strict=True)
        ]
        return np.linalg.norm(np.mean(each, axis=0), 2)

    assert 2 / steepest(np.tile([0.5, 0.5, 0, 0], (12, 1))) == pytest.approx(bound)
    assert 2 / steepest(softmax(rng.normal(size=(12, 4)) * 3)) >= bound


@given(seed=SEEDS, decay=st.floats(0.1, 10))
def test_weight_decay_and_a_missing_intercept_move_the_bound(seed: int, decay: float) -> None:
    rows = problem(seed, "mse", weighted=True)
    for fit_intercept in (True, False):
        mean = rows.X.mean(axis=0) if fit_intercept else np.zeros(3)
        plain = ArrayRows(rows.X, rows.y, rows.weights, mean, rows.X.std(axis=0))
        Z = (rows.X - mean) / rows.X.std(axis=0)
        A = np.column_stack([Z, np.ones(25)]) if fit_intercept else Z
        share = rows.weights / rows.weights.sum()
        hessian = 2 * A.T @ (share[:, None] * A)
        hessian[:3, :3] += decay * np.eye(3)
        bound = stable_lr(plain, descent(weight_decay=decay), "mse", fit_intercept)
        assert bound == pytest.approx(2 / np.linalg.norm(hessian, 2))


def test_both_forms_of_cross_entropy_have_one_bound() -> None:
    gram = np.diag([3.0, 1.0])
    bounds = {max_stable_lr(LOSSES[name], gram) for name in ("bce", "bce_with_logits")}
    assert bounds == {8 / 3}


@given(arrays(np.float64, (4, 3), elements=st.floats(-1e300, 1e300)))
def test_cross_entropy_is_that_of_scipy_and_finite(z: np.ndarray) -> None:
    y, one = np.array([0.0, 1, 2, 1]), LOSSES["cross_entropy"]
    log_p = special.log_softmax(z, axis=1)[np.arange(4), y.astype(int)]
    np.testing.assert_allclose(one.value(z, y), -log_p, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(softmax(z), special.softmax(z, axis=1), rtol=1e-12, atol=1e-300)


def test_mae_has_no_bound() -> None:
    assert stable_lr(problem(1, "mae", False), descent(loss="mae"), "mae") is None


@given(SEEDS)
def test_the_loss_of_bcpm_never_rises_below_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = ArrayRows(rng.normal(size=(40, 3)), (rng.random(40) < 0.5).astype(float))
    bound = stable_lr(rows, descent(), "bce_with_logits")
    _, history, _ = bcpm.fit(rows, descent(lr=0.999 * bound, epochs=30))
    assert (np.diff(history) <= 1e-12).all()
