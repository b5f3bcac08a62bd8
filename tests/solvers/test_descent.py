import re
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Diverged, PipelineError
from pipeline.solvers import bcpm, closed_form, manual_gd, torch_sgd
from pipeline.solvers.descent import RowLoss, first_weights, train
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import ArrayRows
from tests.conftest import descent

OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")
SEEDS = st.integers(0, 2**32 - 1)


def regression(seed: int, weighted: bool = False) -> ArrayRows:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = X @ rng.normal(size=3) + rng.normal(size=60) + 2
    return ArrayRows(X, y, rng.integers(1, 4, 60).astype(float) if weighted else None)


def classification(seed: int) -> ArrayRows:
    rows = regression(seed)
    return ArrayRows(rows.X, (rows.y > rows.y.mean()).astype(float))


@pytest.mark.parametrize(
    ("name", "size", "loss", "weighted"),
    list(product(OPTIMIZERS, ("full", 16), ("mse", "mae"), (False, True))),
)
def test_written_out_and_autograd_take_the_same_steps(
    name: str, size: int | str, loss: str, weighted: bool
) -> None:
    rows = regression(5, weighted)
    settings = descent(
        optimizer=name, batch_size=size, loss=loss, weight_decay=0.05, lr=0.02, epochs=40
    )
    ours, theirs = manual_gd.fit(rows, settings), torch_sgd.fit(rows, settings)
    np.testing.assert_allclose(ours.theta, theirs.theta, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.history, theirs.history, rtol=1e-10)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("size", ["full", 16])
def test_bcpm_takes_the_steps_of_autograd(name: str, size: int | str) -> None:
    rows = classification(3)
    settings = descent(
        optimizer=name, batch_size=size, lr=0.02, epochs=20, init="uniform", weight_decay=0.05
    )
    written_out = bcpm.fit(rows, settings)
    layer = torch_sgd.linear_layer(rows.n_features, settings)
    by_autograd = torch_sgd.train_layer(layer, bcpm.LOSS, rows, settings)
    np.testing.assert_allclose(written_out.theta, by_autograd.theta, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(written_out.history, by_autograd.history, rtol=1e-11)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_reaches_least_squares(name: str) -> None:
    rows = regression(1)
    settings = descent(optimizer=name, lr=0.01, epochs=4000)
    reached = manual_gd.fit(rows, settings).theta
    np.testing.assert_allclose(reached, closed_form.fit(rows).theta, atol=2e-2)
    if name != "rmsprop":  # its steps never shrink below about lr
        np.testing.assert_allclose(reached, closed_form.fit(rows).theta, atol=1e-8)


def test_batches_end_near_least_squares() -> None:
    rows = regression(2)
    theta, history, _ = manual_gd.fit(rows, descent(batch_size=10, lr=0.01, epochs=300))
    np.testing.assert_allclose(theta, closed_form.fit(rows).theta, atol=0.1)
    assert len(history) == 300
    assert history[-1] < history[0]


def test_mae_finds_the_median() -> None:
    y = np.array([0.0, 1, 2, 3, 100])
    rows = ArrayRows(np.zeros((5, 1)), y)
    theta, _, _ = manual_gd.fit(rows, descent(loss="mae", lr=0.01, epochs=2000))
    assert theta[1] == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize("solver", [manual_gd, torch_sgd])
def test_weight_decay_is_ridge_without_the_intercept(solver: object) -> None:
    rows = regression(4)
    theta = solver.fit(rows, descent(weight_decay=0.5, epochs=800)).theta
    A = np.column_stack([rows.X, np.ones(60)])
    ridge = 2 / 60 * A.T @ A + 0.5 * np.diag([1, 1, 1, 0])
    np.testing.assert_allclose(theta, np.linalg.solve(ridge, 2 / 60 * A.T @ rows.y), rtol=1e-9)


@pytest.mark.parametrize(("solver", "size"), list(product([manual_gd, torch_sgd], ["full", 7])))
def test_training_stops_at_the_threshold(solver: object, size: int | str) -> None:
    rows = regression(3)
    full = solver.fit(rows, descent(batch_size=size, lr=0.01, epochs=50)).history
    short = solver.fit(
        rows, descent(batch_size=size, lr=0.01, epochs=50, loss_threshold=full[20] / full[0])
    )
    np.testing.assert_array_equal(short.history, full[:21])


@pytest.mark.parametrize("solver", [manual_gd, torch_sgd])
def test_no_intercept_stays_none(solver: object) -> None:
    rows = regression(6)
    for changes in ({}, {"batch_size": 9}, {"init": "uniform"}, {"optimizer": "adam"}):
        theta = solver.fit(rows, descent(epochs=20, **changes), fit_intercept=False).theta
        assert theta[-1] == 0
        assert theta[:-1].all()


def test_the_first_weights_are_zeros_or_drawn_by_the_seed() -> None:
    assert not first_weights(4, descent()).any()
    drawn = first_weights(400, descent(init="uniform"))
    assert 0.04 < np.abs(drawn).max() <= 0.05
    again, other = (first_weights(400, descent(init="uniform", seed=s)) for s in (1234, 5))
    assert drawn.tobytes() == again.tobytes() != other.tobytes()


@given(seed=SEEDS, name=st.sampled_from(OPTIMIZERS))
def test_row_order_does_not_matter_to_a_full_batch(seed: int, name: str) -> None:
    rows = regression(seed)
    order = np.random.default_rng(seed).permutation(60)
    shuffled = ArrayRows(rows.X[order], rows.y[order])
    settings = descent(optimizer=name, epochs=15)
    np.testing.assert_allclose(
        manual_gd.fit(rows, settings).theta,
        manual_gd.fit(shuffled, settings).theta,
        rtol=1e-9,
        atol=1e-9,
    )


@given(seed=SEEDS, loss=st.sampled_from(["mse", "mae"]))
def test_integer_weights_are_repeated_rows(seed: int, loss: str) -> None:
    rows = regression(seed, weighted=True)
    times = rows.weights.astype(int)
    repeated = ArrayRows(np.repeat(rows.X, times, axis=0), np.repeat(rows.y, times))
    settings = descent(loss=loss, epochs=15)
    np.testing.assert_allclose(
        manual_gd.fit(rows, settings).theta,
        manual_gd.fit(repeated, settings).theta,
        rtol=1e-9,
        atol=1e-9,
    )


@pytest.mark.parametrize(
    ("solver", "changes", "epoch"),
    [
        (manual_gd, {}, r"[1-9]\d*"),
        (torch_sgd, {}, r"[1-9]\d*"),
        (manual_gd, {"batch_size": 8}, r"[1-9]\d*"),
        (torch_sgd, {"batch_size": 8}, r"[1-9]\d*"),
        (manual_gd, {"batch_size": 30, "lr": 1e100, "epochs": 1}, "1"),
    ],
)
def test_divergence_names_epoch_rate_and_bound(solver: object, changes: dict, epoch: str) -> None:
    settings = descent(**({"lr": 9.0, "epochs": 500} | changes))
    rate = re.escape(f"{settings.lr:g}")
    message = rf"at epoch {epoch}: .* lr {rate}; the largest stable lr .*, is 0\.\d"
    with pytest.raises(Diverged, match=message):
        solver.fit(regression(2), settings)


def test_other_optimizers_diverge_without_a_bound() -> None:
    settings = descent(optimizer="momentum", lr=9.0, epochs=500)
    with pytest.raises(Diverged, match=r"diverged at epoch \d+: .* with lr 9\. Lower it") as caught:
        manual_gd.fit(regression(2), settings)
    assert caught.value.exit_code == 3


def test_a_loss_that_starts_infinite_is_not_blamed_on_the_rate() -> None:
    rows = regression(2)
    huge = ArrayRows(rows.X, rows.y * 1e200)
    for settings in (descent(), descent(batch_size=8)):
        with pytest.raises(Diverged, match="not finite before the first step"):
            torch_sgd.fit(huge, settings)


def test_a_start_can_be_given() -> None:
    rows = regression(1)
    objective = RowLoss(rows, descent(), "mse", fit_intercept=True)
    best = closed_form.fit(rows).theta
    theta, history = train(
        objective, optimizer("sgd", 0.1, 0).step, best, descent(epochs=5), lambda: None
    )
    np.testing.assert_allclose(theta, best, atol=1e-12)
    assert len(history) == 6


@pytest.mark.parametrize("seed", [0, 1, 1234])
def test_torch_reaches_least_squares_from_any_start(seed: int) -> None:
    rows = regression(5)
    theta, history, _ = torch_sgd.fit(rows, descent(init="uniform", seed=seed, epochs=500))
    np.testing.assert_allclose(theta, closed_form.fit(rows).theta, atol=1e-9)
    assert len(history) == 501


@pytest.mark.parametrize("solver", [manual_gd, torch_sgd, closed_form])
def test_targets_too_large_to_square_are_refused(solver: object) -> None:
    rows = regression(2)
    huge = ArrayRows(rows.X, rows.y * 1e200)
    with pytest.raises(PipelineError, match="too large; rescale"):
        solver.fit(huge, *([] if solver is closed_form else [descent()]))


def test_cuda_is_used_where_it_is_and_refused_where_it_is_not() -> None:
    rows, settings = regression(1), descent(device="cuda")
    if torch.cuda.is_available():
        on_cpu = torch_sgd.fit(rows, descent()).theta
        np.testing.assert_allclose(torch_sgd.fit(rows, settings).theta, on_cpu, rtol=1e-9)
    else:
        with pytest.raises(PipelineError, match="device cuda: torch finds no CUDA device"):
            torch_sgd.fit(rows, settings)


def test_many_features_do_not_need_many_powers() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(900, 700))
    rows = ArrayRows(X, X @ rng.normal(size=700))
    settings = descent(lr=0.05, epochs=30)
    quick = manual_gd.fit(rows, settings)
    plain = manual_gd.fit(rows, descent(lr=0.05, epochs=30, optimizer="momentum", momentum=0.0))
    np.testing.assert_allclose(quick.theta, plain.theta, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(quick.history, plain.history, rtol=1e-8)


def test_fits_at_once_give_what_they_give_alone() -> None:
    """The number of threads and torch's generator belong to the process."""
    rows, settings = classification(2), descent(init="uniform", epochs=20)
    alone = bcpm.fit(rows, settings).theta.tobytes()
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: bcpm.fit(rows, settings).theta.tobytes(), range(40)))
    assert set(found) == {alone}
    assert torch.get_num_threads() == threads
