"""When a training may end: by the rule, asked epoch by epoch or of many epochs at once."""

from itertools import product
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from pipeline.core.tables import Array
from pipeline.solvers import bcpm, manual_gd, torch_sgd
from pipeline.solvers.convergence import SPAN, Stop, converged
from pipeline.solvers.descent import Fit
from pipeline.solvers.quadratic import EPOCHS_AT_ONCE, descend, mean_squared_error
from pipeline.solvers.rows import ArrayRows
from tests.conftest import descent
from tests.solvers.test_descent import classification, regression
from tests.solvers.test_quadratic import problem

SEEDS = st.integers(0, 2**32 - 1)
EPOCHS = np.arange(400)


def length(history: Array, stop: Stop) -> int:
    """How many losses there are when a training that is asked after every epoch ends."""
    seen: list[float] = []
    for loss in history.tolist():
        seen.append(loss)
        if stop(seen):
            break
    return len(seen)


def by_definition(history: Array, threshold: float, tolerance: float) -> int:
    """The same, of steps on all rows, as the docstring has it."""
    share = 1 + 10 * tolerance
    for k in range(len(history)):
        if history[k] <= threshold * history[0]:
            return k + 1
        if not tolerance or k < 10:
            continue
        near = all(history[i] <= share * history[: k + 1].min() for i in range(k - 10, k + 1))
        if near and history[k] <= history[k - 10]:
            return k + 1
    return len(history)


@st.composite
def histories(draw: st.DrawFn) -> Array:
    """Losses that fall, swing, stand still, rise or jump, in some mixture."""
    generator = np.random.default_rng(draw(SEEDS))
    k = np.arange(draw(st.integers(1, 200)))
    losses = 1 + draw(st.floats(0, 10)) * draw(st.floats(0.5, 1.001)) ** k
    losses += draw(st.sampled_from([0, 1e-3, 0.1])) * np.sin(k / draw(st.floats(0.5, 30)))
    losses += draw(st.sampled_from([0, 1e-9, 1e-3])) * generator.normal(size=len(k))
    return np.round(np.abs(losses), draw(st.integers(1, 16)))


@given(
    history=histories(),
    threshold=st.sampled_from([0, 1e-5, 0.3]),
    tolerance=st.sampled_from([0, 1e-9, 1e-5, 1e-3, 0.1]),
    cut=st.integers(1, 60),
)
def test_asked_of_every_epoch_and_of_many_at_once_it_ends_where_the_definition_says(
    history: Array, threshold: float, tolerance: float, cut: int
) -> None:
    ended = by_definition(history, threshold, tolerance)
    assert length(history, Stop(threshold, tolerance, whole=True)) == ended
    stop, found = Stop(threshold, tolerance, whole=True), None
    for begin in range(0, len(history), cut):
        found = stop.first(history[: begin + cut], begin)
        if found is not None:
            break
    assert (len(history) if found is None else found + 1) == ended


@pytest.mark.parametrize(("share", "ends"), [(0.9, SPAN + 1), (1.1, len(EPOCHS))])
def test_a_fall_of_less_than_the_tolerance_an_epoch_is_convergence(share: float, ends: int) -> None:
    history = (1 + 10 * 1e-3 * share) ** (-EPOCHS / 10)
    assert length(history, Stop(0, 1e-3, whole=True)) == ends


@given(rise=st.floats(1e-12, 0.1), dip=st.integers(0, 9))
def test_a_loss_that_rises_has_not_converged(rise: float, dip: int) -> None:
    """Nor one that fell for some epochs and turned."""
    history = 1 + rise * np.maximum(EPOCHS - dip, 0)
    history[:dip] += 5
    assert length(history, Stop(0, 0.1, whole=True)) == len(history)


@pytest.mark.parametrize("period", [2, 5, 10, 20, 40, 100])
def test_a_loss_that_swings_has_not_converged_where_it_happens_to_be_what_it_was(
    period: int,
) -> None:
    swings = 1.05 + 0.05 * np.cos(2 * np.pi * EPOCHS / period)
    assert length(swings, Stop(0, 1e-4, whole=True)) == len(swings)
    dying = 1 + (swings - 1) * 0.95**EPOCHS
    ended = length(dying, Stop(0, 1e-4, whole=True))
    assert ended < len(dying)
    assert dying[ended - 1] < 1 + 10 * 1e-4


@pytest.mark.parametrize("seed", range(20))
def test_in_batches_a_plateau_that_wavers_has_converged_and_a_trend_has_not(seed: int) -> None:
    noise = 0.01 * np.random.default_rng(seed).normal(size=len(EPOCHS))
    plateau = 5 + 100 * 0.8**EPOCHS + noise
    assert length(plateau, Stop(0, 1e-4, whole=False)) < 150
    trends = [100 - 0.1 * EPOCHS + noise, 100 + 0.1 * EPOCHS + noise]
    for trend in trends:
        assert length(trend, Stop(0, 1e-4, whole=False)) == len(trend)


def test_it_takes_ten_steps_to_tell_and_in_batches_twenty_epochs() -> None:
    level = [3.0] * 30
    for whole, least in ((True, SPAN + 1), (False, 2 * SPAN)):
        told = [n for n in range(31) if converged(level[:n], 0.1, whole, 3.0)]
        assert told == [*range(least, 31)]
        assert not converged(level, 0.0, whole, 3.0)


def test_losses_too_large_to_add_up_can_be_compared() -> None:
    assert converged([1.7e308] * 20, 0.1, whole=False, lowest=inf)


@given(
    seed=SEEDS,
    share=st.floats(0.001, 1.05),
    threshold=st.sampled_from([0, 1e-3, 0.3]),
    tolerance=st.sampled_from([1e-12, 1e-7, 1e-5, 1e-3]),
)
def test_descent_by_powers_ends_at_the_epoch_at_which_stepping_would(
    seed: int, share: float, threshold: float, tolerance: float
) -> None:
    loss = mean_squared_error(ArrayRows(*problem(seed)))
    lr, most = share * loss.max_stable_lr(), 3 * EPOCHS_AT_ONCE
    _, full = descend(loss, np.zeros(4), lr, most)
    theta, short = descend(loss, np.zeros(4), lr, most, Stop(threshold, tolerance, whole=True))
    ended = length(full, Stop(threshold, tolerance, whole=True))
    np.testing.assert_array_equal(short, full[:ended])
    assert float(loss.values(theta)) == pytest.approx(full[ended - 1], rel=1e-9)


def test_descent_by_powers_converges_beyond_the_first_block_of_epochs() -> None:
    loss = mean_squared_error(ArrayRows(*problem(1)))
    stop = Stop(0, 1e-9, whole=True)
    _, history = descend(loss, np.zeros(4), 0.01 * loss.max_stable_lr(), 10**6, stop)
    assert EPOCHS_AT_ONCE < len(history) < 10**5


TRAINERS = [(manual_gd, "mse"), (manual_gd, "mae"), (torch_sgd, "mse"), (bcpm, "mse")]
STEPS = [("sgd", 0.1), ("momentum", 0.02), ("adam", 0.05)]


@pytest.mark.parametrize(
    ("trainer", "step", "size"), list(product(TRAINERS, STEPS, ["full", 16])), ids=str
)
def test_a_training_ends_where_the_same_one_without_end_has_converged(
    trainer: tuple[object, str], step: tuple[str, float], size: int | str
) -> None:
    solver, loss = trainer
    rows = classification(3) if solver is bcpm else regression(3)
    params = {"loss": loss, "optimizer": step[0], "lr": step[1], "batch_size": size}
    full = solver.fit(rows, descent(epochs=400, **params)).history
    short = solver.fit(rows, descent(epochs=400, tolerance=1e-3, **params))
    ended = length(full, Stop(0, 1e-3, whole=size == "full"))
    np.testing.assert_array_equal(short.history, full[:ended])
    assert ended < len(full)


@pytest.mark.parametrize("size", ["full", 16])
@pytest.mark.parametrize("solver", [manual_gd, torch_sgd])
@pytest.mark.parametrize("changes", [{"loss_threshold": 0.3}, {"tolerance": 1e-3}, {}], ids=str)
def test_the_unit_of_the_target_does_not_matter(
    solver: object, size: int | str, changes: dict[str, float]
) -> None:
    """A target of 0.0001, too, is learned: the powers of two of a smaller unit round nothing."""
    rows, unit = regression(2), 2.0**-14
    settings = descent(batch_size=size, lr=0.02, **changes)
    small = ArrayRows(rows.X, rows.y * unit)
    ours, theirs = (solver.fit(r, settings) for r in (small, rows))
    np.testing.assert_allclose(ours.history, theirs.history * unit**2, rtol=1e-12)
    np.testing.assert_allclose(ours.theta, theirs.theta * unit, rtol=1e-9)


@pytest.mark.parametrize("n_features", [2, 5, 20])
def test_adam_converges_to_logistic_regression(n_features: int) -> None:
    """With the settings that serve most tables of standardized features."""
    generator = np.random.default_rng(n_features)
    X = generator.normal(size=(300, n_features)) + generator.normal(size=(300, 1))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = (X[:, 0] - X[:, 1] + generator.logistic(size=300) > 0).astype(float)
    settings = descent(optimizer="adam", lr=0.2, epochs=1000, tolerance=1e-6, weight_decay=1 / 300)
    fit: Fit = bcpm.fit(ArrayRows(X, y), settings)
    theirs = LogisticRegression(C=1, tol=1e-12, max_iter=10_000).fit(X, y)
    assert len(fit.history) < 400
    np.testing.assert_allclose(fit.theta, [*theirs.coef_[0], *theirs.intercept_], atol=0.02)
    z = X @ fit.theta[:-1] + fit.theta[-1]
    assert np.mean((z > 0) != (theirs.predict(X) > 0)) < 0.005
