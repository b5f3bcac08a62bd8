import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.solvers.optimizers import optimizer, restore, state_of
from pipeline.solvers.torch_sgd import TorchOptimizer
from tests.conftest import descent

TORCH = {
    "sgd": lambda theta, lr: torch.optim.SGD(theta, lr),
    "momentum": lambda theta, lr: torch.optim.SGD(theta, lr, momentum=0.7),
    "rmsprop": lambda theta, lr: torch.optim.RMSprop(theta, lr),
    "adam": lambda theta, lr: torch.optim.Adam(theta, lr),
}


def valley(theta: np.ndarray) -> np.ndarray:
    """The gradient of a long valley with a bend."""
    return np.array([20 * theta[0] + np.sin(theta[1]), 0.1 * theta[1] ** 3, theta[2] - 1])


@pytest.mark.parametrize("name", TORCH)
@settings(max_examples=10)
@given(lr=st.floats(1e-4, 0.05), seed=st.integers(0, 2**32 - 1))
def test_every_step_is_torchs(name: str, lr: float, seed: int) -> None:
    start = np.random.default_rng(seed).normal(size=3)
    theta, ours = start, optimizer(name, lr, momentum=0.7)
    theirs, functional = (torch.nn.Parameter(torch.tensor(start)) for _ in range(2))
    torchs = TORCH[name]([theirs], lr)
    chosen = descent(optimizer=name, lr=lr, momentum=0.7)
    called = TorchOptimizer(chosen, [functional])
    for _ in range(60):
        theta = ours.step(theta, valley(theta))
        theirs.grad = torch.tensor(valley(theirs.detach().numpy()))
        torchs.step()
        called.step([functional], [torch.tensor(valley(functional.detach().numpy()))])
        np.testing.assert_allclose(theta, theirs.detach(), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(functional.detach(), theirs.detach(), rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", TORCH)
def test_a_step_changes_no_input(name: str) -> None:
    theta, gradient = np.ones(3), np.full(3, 2.0)
    ours = optimizer(name, 0.1, 0.9)
    for _ in range(2):
        assert (ours.step(theta, gradient) < theta).all()
    assert theta.tolist() == [1, 1, 1]
    assert gradient.tolist() == [2, 2, 2]


@pytest.mark.parametrize("name", TORCH)
def test_one_that_is_restored_takes_the_same_steps_to_the_bit(name: str) -> None:
    whole, generator = optimizer(name, 0.01, 0.7), np.random.default_rng(0)
    for gradient in generator.normal(size=(300, 5)):
        restored = optimizer(name, 0.01, 0.7)
        restore(restored, {key: one.copy() for key, one in state_of(whole).items()})
        step = whole.step(np.zeros(5), gradient)
        assert restored.step(np.zeros(5), gradient).tobytes() == step.tobytes()
