"""Rows that stay on a device: the same losses, gradients and weights; and who asks for which one.

The code of the GPU runs here on the CPU, too, which is a device of torch like another. What needs a
GPU is skipped where there is none.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.settings.network import NetworkDescent
from pipeline.solvers import bcpm, network, softmax, torch_sgd
from pipeline.solvers.descent import Fit, train
from pipeline.solvers.network import NetworkLoss
from pipeline.solvers.on_device import TOLERANCE, Held, device_of, fits, moved
from pipeline.solvers.rows import ArrayRows
from pipeline.solvers.torch_network import HeldNetworkLoss
from pipeline.solvers.torch_sgd import HeldLoss, LayerLoss, TorchOptimizer, linear_layer, weights_of
from tests.conftest import descent

CPU = torch.device("cpu")
OUTPUTS = {"mse": 1, "mae": 1, "bce_with_logits": 1, "cross_entropy": 3}
THERE = torch.cuda.is_available()
needs_cuda = pytest.mark.skipif(not THERE, reason="torch finds no CUDA device here")
without_cuda = pytest.mark.skipif(THERE, reason="torch finds a CUDA device here")
LAYERED = {"activation": "tanh", "dropout": 0.0, "early_stopping": 0.0, "hidden": [8, 4]}


def rows_for(loss: str, n_rows: int = 200, weighted: bool = False) -> ArrayRows:
    """Raw features, to be seen standardized."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n_rows, 4)) * [1, 2, 3, 4] + 5
    y = (X - 5) @ rng.normal(size=4) + rng.normal(size=n_rows)
    if loss == "cross_entropy":
        y = np.digitize(y, [-1, 1]).astype(float)
    elif loss == "bce_with_logits":
        y = (y > 0).astype(float)
    weights = rng.integers(1, 4, n_rows).astype(float) if weighted else None
    return ArrayRows.standardized(X, y, weights, X.mean(axis=0), X.std(axis=0))


def settings(**changes: object) -> NetworkDescent:
    return NetworkDescent.of(**descent().model_dump() | LAYERED | changes)


@pytest.mark.parametrize(("loss", "weighted"), list(product(OUTPUTS, (False, True))))
def test_rows_that_stay_give_the_same_loss_and_gradient(loss: str, weighted: bool) -> None:
    rows, ours = rows_for(loss, weighted=weighted), descent(init="uniform", weight_decay=0.05)
    layer = linear_layer(rows.n_features, ours, outputs=OUTPUTS[loss])
    theta = list(layer.parameters())
    value, gradient = HeldLoss(layer, loss, rows, ours).value_and_gradient(theta, None)
    expected, its_gradient = LayerLoss(layer, loss, rows, ours).value_and_gradient(theta, None)
    assert value == pytest.approx(expected, rel=1e-12)
    for one, other in zip(gradient, its_gradient, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "weighted", "activation"),
    list(product(OUTPUTS, (False, True), ("relu", "tanh", "sigmoid"))),
)
def test_a_network_on_a_device_has_the_gradient_written_out(
    loss: str, weighted: bool, activation: str
) -> None:
    ours = settings(weight_decay=0.05, activation=activation)
    given = rows_for(loss, weighted=weighted), ours, loss, OUTPUTS[loss]
    held, written_out = HeldNetworkLoss(*given, CPU), NetworkLoss(*given)
    theta = written_out.first()
    value, gradient = held.value_and_gradient(theta, None)
    expected, its_gradient = written_out.value_and_gradient(theta, None)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, its_gradient, rtol=1e-10, atol=1e-13)


def test_an_epoch_meets_every_row_once_in_an_order_of_its_seed() -> None:
    held = moved(rows_for("mse"), CPU)

    def met(seed: int) -> list[float]:
        each = [*held.batches(32, seed)]
        assert [len(batch) for batch, _ in each] == [32] * 6 + [8]
        assert sum(share for _, share in each) == pytest.approx(1)
        return torch.cat([batch.y for batch, _ in each]).tolist()

    assert met(1) == met(1) != met(2)
    assert sorted(met(1)) == sorted(held.y.tolist())


def test_units_left_out_are_made_up_for() -> None:
    given = rows_for("mse", 4000), settings(dropout=0.4, hidden=[30]), "mse", 1
    held = HeldNetworkLoss(*given, CPU)
    theta = torch.from_numpy(held.first())
    held.begin_epoch()
    left_out = torch.stack([held._decision(theta, held.held.X) for _ in range(200)])
    held.settings = settings(hidden=[30])
    torch.testing.assert_close(
        left_out.mean(), held._decision(theta, held.held.X).mean(), rtol=0.05, atol=0.01
    )
    assert left_out.std(dim=0).min() > 0


@pytest.mark.parametrize("size", ["full", 32])
def test_a_network_learns_by_the_gradients_of_a_device(size: int | str) -> None:
    rows = rows_for("bce_with_logits")
    ours = settings(batch_size=size, epochs=60, lr=0.02, optimizer="adam")
    losses = [
        one(rows, ours, "bce_with_logits", 1, *given)
        for one, given in ((HeldNetworkLoss, [CPU]), (NetworkLoss, []))
    ]
    histories = []
    for one in losses:
        optimizer = network.optimizer(ours.optimizer, ours.lr, ours.momentum)
        _, history = train(one, optimizer.step, one.first(), ours, lambda: None)
        histories.append(history)
    if size == "full":
        np.testing.assert_allclose(*histories, rtol=1e-9)
    assert all(history[-1] < 0.7 * history[0] for history in histories)
    np.testing.assert_allclose(histories[0][-1], histories[1][-1], rtol=0.1)


def held_fit(rows: ArrayRows, loss: str, ours: NetworkDescent) -> Fit:
    """As on a GPU, but on the CPU."""
    layer = linear_layer(rows.n_features, ours)
    theta = list(layer.parameters())
    step = TorchOptimizer(ours, theta).step
    _, history = train(HeldLoss(layer, loss, rows, ours), step, theta, ours, lambda: None)
    return Fit(weights_of(layer), history)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_full_batches_of_rows_that_stay_lead_to_the_same_weights(optimizer: str) -> None:
    rows, ours = rows_for("bce_with_logits", 2000), settings(optimizer=optimizer, epochs=200)
    found, expected = held_fit(rows, bcpm.LOSS, ours), bcpm.fit(rows, ours)
    largest = np.abs(expected.theta).max()
    np.testing.assert_allclose(found.theta, expected.theta, rtol=0, atol=TOLERANCE * largest)
    np.testing.assert_allclose(found.history, expected.history, rtol=TOLERANCE)


def test_batches_of_rows_that_stay_come_as_near_the_minimum() -> None:
    rows = rows_for("bce_with_logits", 2000)
    ours = settings(batch_size=50, epochs=30, lr=0.02)
    found, expected = held_fit(rows, bcpm.LOSS, ours), bcpm.fit(rows, ours)
    np.testing.assert_allclose(found.history[-1], expected.history[-1], rtol=0.01)


FITS: list[tuple[ModuleType, str]] = [
    (torch_sgd, "mse"),
    (bcpm, "bce_with_logits"),
    (softmax, "cross_entropy"),
]


def test_auto_is_cuda_where_torch_finds_it() -> None:
    assert device_of("auto").type == ("cuda" if THERE else "cpu")
    assert device_of("cpu") == CPU
    assert not fits(rows_for("mse"), CPU)


@without_cuda
@pytest.mark.parametrize(("solver", "loss"), FITS)
def test_auto_has_the_bytes_of_the_cpu_where_there_is_no_other(
    solver: ModuleType, loss: str
) -> None:
    rows = rows_for(loss)
    found, expected = (solver.fit(rows, descent(device=one)) for one in ("auto", "cpu"))
    assert found.theta.tobytes() == expected.theta.tobytes()
    assert (found.facts, expected.facts) == ({}, {})


@without_cuda
def test_auto_of_a_network_has_the_bytes_of_the_cpu() -> None:
    rows = rows_for("bce_with_logits")
    found, expected = (
        network.fit(rows, settings(device=one), "cross_entropy") for one in ("auto", "cpu")
    )
    for one, other in zip(found.layers.weights, expected.layers.weights, strict=True):
        assert one.tobytes() == other.tobytes()
    assert not found.on_gpu


@without_cuda
@pytest.mark.parametrize(("solver", "loss"), FITS)
def test_cuda_is_refused_where_there_is_none(solver: ModuleType, loss: str) -> None:
    with pytest.raises(PipelineError, match="device cuda: torch finds no CUDA device here"):
        solver.fit(rows_for(loss), descent(device="cuda"))
    with pytest.raises(PipelineError, match="set device: cpu"):
        network.fit(rows_for(loss), settings(device="cuda"), "mse")


@without_cuda
def test_a_stage_that_asks_for_cuda_ends_with_a_message_and_keeps_the_model(
    run: Callable[[str], tuple[int, str]], prepared: Callable[[str], None], workspace: Path
) -> None:
    prepared("house")
    assert run("train house torch_sgd")[0] == 0
    path = layout.model("house", "torch_sgd")
    before, params = path.read_bytes(), layout.PARAMS.read_text()
    layout.PARAMS.write_text(params.replace("device: cpu", "device: cuda"))
    code, said = run("train house torch_sgd")
    assert code == 2
    assert "device cuda: torch finds no CUDA device here; set device: cpu" in said
    assert path.read_bytes() == before
    layout.PARAMS.write_text(params.replace("device: cpu", "device: auto"))
    assert run("train house torch_sgd")[0] == 0
    assert b'"device": "auto"' in path.read_bytes()
    assert b"on_gpu" not in path.read_bytes()


@needs_cuda
@pytest.mark.parametrize(("solver", "loss"), FITS)
def test_a_gpu_has_the_weights_of_the_cpu_and_says_so(solver: ModuleType, loss: str) -> None:
    rows = rows_for(loss, 5000)
    found, expected = (solver.fit(rows, descent(device=one)) for one in ("cuda", "cpu"))
    largest = np.abs(expected.theta).max()
    np.testing.assert_allclose(found.theta, expected.theta, rtol=0, atol=TOLERANCE * largest)
    assert (found.facts, expected.facts) == ({"on_gpu": 1.0}, {})


@needs_cuda
def test_a_gpu_takes_ten_million_rows() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_000_000, 30))
    w = rng.normal(size=30)
    rows = ArrayRows(X, (X @ w + rng.normal(size=len(X)) > 0).astype(float))
    ours = partial(settings, device="cuda", epochs=20, lr=1.0)
    theta = bcpm.fit(rows, ours()).theta
    assert np.corrcoef(theta[:-1], w)[0, 1] > 0.999
    small = partial(ours, batch_size=65_536, epochs=2, lr=0.01, optimizer="adam")
    fitted = network.fit(rows, small(hidden=[64, 32]), "cross_entropy")
    assert fitted.on_gpu
    assert fitted.history[-1] < 0.5 * np.log(2)


def test_some_of_the_rows_keep_their_weights() -> None:
    held = moved(rows_for("mse", weighted=True), CPU)
    some = held.take(torch.tensor([5, 2]))
    assert isinstance(some, Held)
    assert some.weights is not None
    assert held.weights is not None
    assert some.weights.tolist() == held.weights[[5, 2]].tolist()
