"""Networks: gradients, what they learn, what is held out, and what is refused."""

import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits, make_circles
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from pipeline.core.errors import Diverged, PipelineError, PipelineWarning
from pipeline.core.params import parse_params
from pipeline.core.settings.network import NetworkDescent
from pipeline.core.tables import number_table
from pipeline.core.trainers import LAYERS
from pipeline.solvers.fit import fit
from pipeline.solvers.held_out import hold_out
from pipeline.solvers.network import NetworkLoss
from pipeline.solvers.network import fit as solve
from pipeline.solvers.rows import ArrayRows, ParquetRows, balanced_rows
from tests.conftest import ROOT

ACTIVATIONS = ("relu", "tanh", "sigmoid")
OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")
OUTPUTS = {"mse": 1, "mae": 1, "bce_with_logits": 1, "cross_entropy": 3}


def settings(**changes: object) -> NetworkDescent:
    """The settings of params.yaml, but for `changes`."""
    params = parse_params((ROOT / "params.yaml").read_text(), "params.yaml")
    ours = params.model_dump() | params.network.model_dump() | {"hidden": [16, 8]}
    return NetworkDescent.of(**{name: ours[name] for name in LAYERS} | changes)


def rows_for(loss: str, n_rows: int = 40, weighted: bool = False) -> ArrayRows:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n_rows, 4))
    y = X @ rng.normal(size=4) + rng.normal(size=n_rows)
    if OUTPUTS[loss] == 3 or loss == "bce_with_logits":
        y = np.digitize(y, [-0.5, 0.5] if OUTPUTS[loss] == 3 else [0]).astype(float)
    return ArrayRows(X, y, rng.integers(1, 4, n_rows).astype(float) if weighted else None)


def numeric(objective: NetworkLoss, theta: np.ndarray, batch: object) -> np.ndarray:
    """The gradient by central differences."""
    slopes, by = np.empty_like(theta), 1e-5
    for k in range(len(theta)):
        there = [theta + sign * by * (np.arange(len(theta)) == k) for sign in (1, -1)]
        ahead, behind = (objective.value_and_gradient(one, batch)[0] for one in there)
        slopes[k] = (ahead - behind) / (2 * by)
    return slopes


@pytest.mark.parametrize(
    ("activation", "loss", "weighted", "decay", "hidden"),
    list(product(ACTIVATIONS, OUTPUTS, (False, True), (0.0, 0.3), ([5], [5, 3, 2]))),
)
def test_gradients_are_the_numeric_ones(
    activation: str, loss: str, weighted: bool, decay: float, hidden: list[int]
) -> None:
    rows = rows_for(loss, weighted=weighted)
    ours = settings(hidden=hidden, activation=activation, weight_decay=decay, batch_size=16)
    objective = NetworkLoss(rows, ours, loss, OUTPUTS[loss])
    theta = objective.first()
    theta += np.random.default_rng(8).normal(0, 0.3, len(theta))  # biases, too
    for batch in (None, rows.read(slice(3, 19))):
        value, gradient = objective.value_and_gradient(theta, batch)
        assert np.isfinite(value)
        found = numeric(objective, theta, batch)
        assert np.abs(gradient - found).max() <= 1e-6 * max(1, np.abs(found).max())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_under_dropout_are_those_of_the_units_left_in(activation: str) -> None:
    rows = rows_for("mse")
    objective = NetworkLoss(rows, settings(activation=activation, dropout=0.4), "mse", 1)
    theta = objective.first()
    theta += np.random.default_rng(8).normal(0, 0.3, len(theta))

    def at(theta: np.ndarray) -> tuple[float, np.ndarray]:
        objective.passed = 4  # the same draws each time
        return objective.value_and_gradient(theta, None)

    _, gradient = at(theta)
    by = 1e-5 * np.eye(len(theta))
    found = np.array([(at(theta + one)[0] - at(theta - one)[0]) / 2e-5 for one in by])
    np.testing.assert_allclose(gradient, found, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", OUTPUTS)
def test_the_layers_answer_what_the_loss_was_taken_of(activation: str, loss: str) -> None:
    rows = rows_for(loss)
    objective = NetworkLoss(
        rows, settings(activation=activation, weight_decay=0), loss, OUTPUTS[loss]
    )
    theta = objective.first()
    z = objective.layers(theta)(rows.X)
    assert z.shape == ((40, 3) if OUTPUTS[loss] == 3 else (40,))
    value, _ = objective.value_and_gradient(theta, None)
    assert value == pytest.approx(objective.loss.value(z, rows.y).mean())


def test_chunks_of_a_large_batch_add_up() -> None:
    rows = rows_for("cross_entropy", 5000, weighted=True)
    objective = NetworkLoss(rows, settings(), "cross_entropy", 3)
    theta = objective.first()
    whole, gradient = objective.value_and_gradient(theta, None)
    values, gradients = zip(
        *(
            objective.value_and_gradient(theta, rows.read(slice(k, k + 500)))
            for k in range(0, 5000, 500)
        ),
        strict=True,
    )
    assert np.mean(values) == pytest.approx(whole)
    np.testing.assert_allclose(np.mean(gradients, axis=0), gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_parts_rings_that_no_line_parts(activation: str) -> None:
    X, y = make_circles(1000, noise=0.05, factor=0.5, random_state=0)
    X = StandardScaler().fit_transform(X)
    right = np.empty(1000, bool)
    for train, out in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        rows = ArrayRows(X[train], y[train].astype(float))
        found = solve(rows, settings(activation=activation), "cross_entropy")
        right[out] = (found.layers(X[out]) > 0) == y[out]
    assert right.mean() >= 0.99


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("hidden", "least"), [([100], 0.975), ([64, 32], 0.965)])
def test_digits_as_well_as_scikit_learns_network(hidden: list[int], least: float) -> None:
    X, y = load_digits(return_X_y=True)
    ours, theirs = np.empty(len(y), bool), np.empty(len(y), bool)
    for train, out in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        scaler = StandardScaler().fit(X[train])
        seen, held = scaler.transform(X[train]), scaler.transform(X[out])
        found = solve(
            ArrayRows(seen, y[train].astype(float)), settings(hidden=hidden), "cross_entropy"
        )
        ours[out] = found.layers(held).argmax(axis=1) == y[out]
        theirs[out] = (
            MLPClassifier(hidden, random_state=1).fit(seen, y[train]).predict(held) == y[out]
        )
    assert ours.mean() >= least
    assert ours.mean() >= theirs.mean() - 0.005


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_units_of_the_target_do_not_matter(unit: float) -> None:
    x = np.random.default_rng(0).uniform(-1.7, 1.7, 300)
    y = np.exp(np.sin(2 * x))
    one, other = (
        solve(ArrayRows(x[:, None], y * u + 3 * u), settings(), "mse") for u in (1.0, unit)
    )
    np.testing.assert_allclose(other.layers(x[:, None]) / unit, one.layers(x[:, None]), rtol=1e-6)
    np.testing.assert_allclose(other.history / unit**2, one.history, rtol=1e-6)
    assert np.mean((other.layers(x[:, None]) / unit - 3 - y) ** 2) < 0.01 * y.var()


@pytest.mark.parametrize("size", [16, "full"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns(optimizer: str, size: int | str) -> None:
    rows = rows_for("mse", 400)
    lr = 0.05 if optimizer in ("sgd", "momentum") else 0.01
    for loss in ("mse", "mae"):
        ours = settings(optimizer=optimizer, lr=lr, batch_size=size, early_stopping=0, epochs=100)
        found = solve(rows, ours, loss)
        assert found.history[-1] < 0.6 * found.history[0]
        assert len(found.history) == 100 + (size == "full")
        assert found.best_epoch is None


@pytest.mark.parametrize("size", [16, "full"])
def test_a_training_is_the_same_bytes_again_and_another_with_another_seed(size: int | str) -> None:
    rows = rows_for("cross_entropy", 200)
    made = [
        solve(rows, settings(seed=seed, batch_size=size, dropout=0.2, epochs=12), "cross_entropy")
        for seed in (1, 1, 2)
    ]
    first, again, other = (
        b"".join(one.tobytes() for one in found.layers.arrays.values()) for found in made
    )
    assert first == again != other


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_rows_held_out_have_each_class_in_its_share_and_leave_one(share: float) -> None:
    y = np.repeat([0.0, 1.0, 2.0, 3.0], [200, 99, 1, 2])
    rows = ArrayRows(np.arange(302.0)[:, None], y, np.arange(1.0, 303))
    parted = hold_out(rows, share, True, np.random.default_rng(0))
    assert parted is not None
    training, held = parted
    assert isinstance(training, ArrayRows)
    assert sorted([*training.X[:, 0], *held.X[:, 0]]) == [*range(302)]
    counts = np.bincount(held.y.astype(int), minlength=4)
    assert counts.tolist() == [200 * share, round(99 * share), 0, min(1, round(2 * share))]
    assert (held.weights == held.X[:, 0] + 1).all()
    assert training.total_weight == training.X[:, 0].sum() + training.n_rows
    assert hold_out(rows, 0.02, True, np.random.default_rng(0)) is None  # too few


def test_it_ends_when_the_rows_held_out_say_so_and_keeps_the_best_weights() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    rows = ArrayRows(X, X[:, 0] + 2 * rng.normal(size=300))
    told: list[tuple[int, float]] = []
    ours = settings(hidden=[64], weight_decay=0)
    found = solve(rows, ours, "mse", callback=lambda k, loss: told.append((k, loss)))
    assert found.ended == "settled"
    assert found.best_epoch == len(found.history) - 10 < ours.epochs - 10
    assert told == [*enumerate(found.history.tolist(), 1)]
    # the same training up to the best epoch has these weights at its end
    until = solve(rows, ours.model_copy(update={"epochs": found.best_epoch}), "mse")
    for a, b in zip(found.layers.weights, until.layers.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    free = solve(rows, settings(hidden=[64], weight_decay=0, early_stopping=0), "mse")
    fresh = rng.normal(size=(5000, 5))
    worse, better = (np.mean((one.layers(fresh) - fresh[:, 0]) ** 2) for one in (free, found))
    assert better < worse


@pytest.mark.parametrize("size", [32, "full"])
def test_training_from_a_file_learns_what_training_in_memory_does(
    tmp_path: Path, size: int | str
) -> None:
    rows = rows_for("cross_entropy", 900)
    path = tmp_path / "train.parquet"
    names = [*"abcd", "y"]
    pq.write_table(number_table(names, [*rows.X.T, rows.y]), path, row_group_size=400)
    from_file = solve(ParquetRows(path), settings(batch_size=size), "cross_entropy")
    assert from_file.best_epoch is not None
    assert np.mean(from_file.layers(rows.X).argmax(axis=1) == rows.y) > 0.7
    ours = settings(batch_size="full", early_stopping=0, epochs=30)
    one, other = (solve(them, ours, "cross_entropy") for them in (ParquetRows(path), rows))
    np.testing.assert_allclose(one.history, other.history, rtol=1e-9)


def test_balanced_classes_count_alike_also_where_rows_are_held_out() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    y = (X[:, 0] + rng.normal(size=2000) > 2).astype(float)  # few are 1
    plain, balanced = (
        solve(rows, settings(), "cross_entropy").layers(X)
        for rows in (ArrayRows(X, y), balanced_rows(ArrayRows(X, y)))
    )
    assert np.mean(plain[y == 1] > 0) < 0.5 < 0.7 < np.mean(balanced[y == 1] > 0)


@pytest.mark.parametrize("loss", ["mse", "mae", "cross_entropy"])
def test_rows_of_weight_k_are_k_rows_on_full_batches(loss: str) -> None:
    rows = rows_for(loss, 60, weighted=True)
    assert rows.weights is not None
    times = rows.weights.astype(int)
    ours = settings(batch_size="full", early_stopping=0, epochs=40)
    weighted = solve(rows, ours, loss)
    repeated = solve(ArrayRows(rows.X.repeat(times, axis=0), rows.y.repeat(times)), ours, loss)
    np.testing.assert_allclose(weighted.layers(rows.X), repeated.layers(rows.X), rtol=1e-7)


def test_a_loss_that_stops_being_finite_is_no_model() -> None:
    rows = rows_for("mse", 200)
    for size, optimizer in product((16, "full"), ("sgd", "momentum")):
        with pytest.raises(Diverged, match=r"diverged at epoch \d+: .* with lr 1e\+06. Lower it"):
            solve(rows, settings(lr=1e6, batch_size=size, optimizer=optimizer), "mse")


def test_targets_too_large_to_square_are_refused() -> None:
    rows = rows_for("mse", 200)
    with pytest.raises(PipelineError, match="values of the target are too large; rescale it"):
        solve(ArrayRows(rows.X, rows.y * 1e200), settings(), "mse")


@pytest.mark.parametrize(("size", "first"), [("full", 0), (300, 0), (299, 1), (250, 1)])
def test_epochs_are_counted_by_all_rows_also_where_some_are_held_out(
    size: int | str, first: int
) -> None:
    told: list[int] = []
    rows = rows_for("mse", 300)  # of which 270 train
    ours = settings(batch_size=size, epochs=5)
    found = solve(rows, ours, "mse", callback=lambda epoch, _: told.append(epoch))
    assert told == [*range(first, 6)]
    assert len(found.history) == len(told)


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_a_constant_target_is_learned(loss: str) -> None:
    rows = ArrayRows(rows_for("mse", 200).X, np.full(200, 1234.5))
    found = solve(rows, settings(), loss)
    np.testing.assert_allclose(found.layers(rows.X), 1234.5, atol=0.5)


def test_six_rows_all_train_and_a_warning_says_so() -> None:
    rows = ArrayRows(np.linspace(-1, 1, 6)[:, None], np.arange(6.0))
    with pytest.warns(PipelineWarning, match=r"6 training rows are too few to hold out") as caught:
        found = solve(rows, settings(), "mse")
    assert len(caught) == 1
    assert found.best_epoch is None
    np.testing.assert_allclose(found.layers(rows.X), rows.y, atol=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solve(rows, settings(early_stopping=0), "mse")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": []}, r"hidden: expected .*at least 1 item"),
        ({"hidden": [0]}, r"hidden.0: expected greater than or equal to 1, got 0"),
        ({"hidden": "16"}, r"hidden: expected list, got \"16\""),
        ({"hidden": [2.5]}, r"hidden.0: expected integer, got 2.5"),
        ({"dropout": 1.0}, r"dropout: expected less than 1, got 1"),
        ({"early_stopping": 0.6}, r"early_stopping: expected less than or equal to 0.5, got 0.6"),
        ({"activation": "gelu"}, r"activation: expected 'relu', 'tanh' or 'sigmoid', got \"gelu\""),
    ],
)
def test_impossible_settings_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(**changes)


def test_a_model_says_at_which_epoch_it_was_best() -> None:
    rows = rows_for("cross_entropy", 300)
    params = {name: getattr(settings(), name) for name in LAYERS if name != "loss"}
    model, history = fit("network", params, rows)
    assert 1 <= model.facts["best_epoch"] <= len(history)
    assert model.ending == "settled"
