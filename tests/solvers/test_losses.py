import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.solvers import bcpm
from pipeline.solvers.losses import bce_stable_lr


def test_bce_bound_is_that_of_its_steepest_hessian() -> None:
    X = np.random.default_rng(1).normal(size=(12, 3)) + 2
    A = np.column_stack([X, np.ones(12)])
    np.testing.assert_allclose(bce_stable_lr(X), 2 / np.linalg.norm(A.T @ A / 48, 2))


@given(st.integers(0, 2**32 - 1))
def test_the_loss_of_bcpm_never_rises_below_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(40, 3)), (rng.random(40) < 0.5).astype(float)
    _, history = bcpm.fit(X, y, 0.999 * bce_stable_lr(X), 30, seed=1, loss_threshold=0)
    assert (np.diff(history) <= 1e-12).all()
