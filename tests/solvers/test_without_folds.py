"""Models without each fold by algebra, against those that are trained anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core import passes
from pipeline.core.settings.descent import params_of
from pipeline.core.settings.evaluate import CrossValidation
from pipeline.core.tables import Array
from pipeline.core.trainers import Value
from pipeline.evaluate import cross_validation
from pipeline.evaluate.cross_validation import OutOfFold, cross_validate
from pipeline.evaluate.folds import folds
from pipeline.solvers import blocks
from tests.conftest import descent
from tests.evaluate.sample import numbers
from tests.solvers.test_closed_form import nist

SEEDS = st.integers(0, 2**32 - 1)
DESCENT = {
    "sgd": descent(loss="mse", epochs=40),
    "momentum": descent(loss="mse", optimizer="momentum", epochs=30, weight_decay=0.1),
    "adam": descent(loss="mse", optimizer="adam", lr=0.3, tolerance=1e-6, epochs=60),
}
KINDS: list[tuple[str, dict[str, Value]]] = [
    ("closed_form", {}),
    ("linear_regression", {}),
    ("mean", {}),
    *(("manual_gd", params_of("manual_gd", one)) for one in DESCENT.values()),
    ("torch_sgd", params_of("torch_sgd", DESCENT["momentum"])),
]


def both(
    trainer: str, params: dict[str, Value], X: Array, y: Array, repeats: int = 1
) -> tuple[list[OutOfFold], list[OutOfFold]]:
    """Held-out predictions by algebra, and by models trained anew."""
    cuts = folds(y, "regression", CrossValidation(folds=4, repeats=repeats, seed=1))
    raw = numbers(X)
    found = []
    for least in (0, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cross_validation, "BY_ALGEBRA", least)
            found.append(cross_validate(trainer, params, raw, y, cuts, features=[*raw.columns][1:]))
    return found[0], found[1]


def problem(seed: int, rows: int = 90) -> tuple[Array, Array]:
    """Columns of many scales, some far from 0, one of two values."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4)) * [1, 100, 1e-3, 5] + [0, 1e4, 0, -3]
    X = np.column_stack([X, rng.integers(0, 2, rows)])
    y = X @ (rng.normal(size=5) / [1, 100, 1e-3, 5, 1])
    return X, y + rng.normal(size=rows)


@settings(max_examples=6)
@given(seed=SEEDS)
@pytest.mark.parametrize(("trainer", "params"), KINDS)
def test_models_by_algebra_are_those_trained_anew(
    trainer: str, params: dict[str, Value], seed: int
) -> None:
    X, y = problem(seed)
    ours, theirs = both(trainer, params, X, y, repeats=2)
    assert len(ours) == len(theirs) == 8
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.rows, b.rows)
        np.testing.assert_allclose(a.z, b.z, rtol=1e-8, atol=1e-8 * np.abs(y).max())
        np.testing.assert_allclose(a.coef, b.coef, rtol=1e-8, atol=1e-8 * np.abs(b.coef).max())


@given(seed=SEEDS, far=st.floats(1, 1e6))
def test_a_target_far_from_zero_keeps_its_digits(seed: int, far: float) -> None:
    X, y = problem(seed)
    ours, theirs = both("closed_form", {}, X + far, y + far)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.z - far, b.z - far, rtol=1e-7, atol=1e-7 * np.abs(y).max())


@settings(max_examples=6)
@given(seed=SEEDS, kind=st.sampled_from(["constant", "collinear", "nearly collinear"]))
@pytest.mark.parametrize("trainer", ["closed_form", "linear_regression"])
def test_what_moments_do_not_determine_is_trained_anew(trainer: str, seed: int, kind: str) -> None:
    X, y = problem(seed)
    more = {
        "constant": np.full(len(y), 0.1),
        "collinear": X[:, 0] + X[:, 3],
        "nearly collinear": X[:, 0] + 1e-5 * np.random.default_rng(1).normal(size=len(y)),
    }[kind]
    ours, theirs = both(trainer, {}, np.column_stack([X, more]), y)
    for a, b in zip(ours, theirs, strict=True):
        assert (a.z.tobytes(), a.coef.tobytes()) == (b.z.tobytes(), b.coef.tobytes())


@settings(max_examples=6)
@given(seed=SEEDS)
def test_descent_bears_constant_and_collinear_columns(seed: int) -> None:
    X, y = problem(seed)
    X = np.column_stack([X, np.full(len(y), 0.1), X[:, 0] + X[:, 3]])
    ours, theirs = both("manual_gd", params_of("manual_gd", DESCENT["sgd"]), X, y)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.z, b.z, rtol=1e-8, atol=1e-8 * np.abs(y).max())


def thrice(name: str) -> tuple[list[OutOfFold], list[OutOfFold]]:
    """Both of a table of NIST, three times over, so that no fold lacks rows."""
    X, y, _ = nist(name)
    return both("closed_form", {}, np.tile(X, (3, 1)), np.tile(y, 3))


def test_an_ill_conditioned_table_goes_the_exact_way() -> None:
    for a, b in zip(*thrice("Filip"), strict=True):
        assert a.z.tobytes() == b.z.tobytes()


def test_columns_that_are_alike_but_for_their_means_keep_their_digits() -> None:
    """Longley's have condition number 110 once they are centred and scaled."""
    for a, b in zip(*thrice("Longley"), strict=True):
        np.testing.assert_allclose(a.z, b.z, rtol=1e-12)
        np.testing.assert_allclose(a.coef, b.coef, rtol=1e-9)


def test_a_logged_target_is_foretold_in_its_own_units() -> None:
    X, y = problem(3)
    y = np.exp(y / np.abs(y).max())
    ours, theirs = both("closed_form", {"target_transform": "log"}, X, y)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.z, b.z, rtol=1e-8)


def test_the_bytes_do_not_hang_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem(5, rows=3 * blocks.ROWS + 17)
    found = []
    for threads in (1, 2, 4):
        monkeypatch.setattr(passes, "WORKERS", threads)
        cuts = folds(y, "regression", CrossValidation(folds=3, repeats=1, seed=1))
        held = cross_validate("closed_form", {}, numbers(X), y, cuts)
        found.append([one.z.tobytes() for one in held])
    assert found[0] == found[1] == found[2]


def test_folds_that_do_not_part_all_rows_are_trained_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem(2)
    forward = [(np.arange(k), np.arange(k, k + 30)) for k in (30, 60)]
    found = []
    for least in (0, 10**9):
        monkeypatch.setattr(cross_validation, "BY_ALGEBRA", least)
        held = cross_validate("closed_form", {}, numbers(X), y, forward)
        found.append([one.z.tobytes() for one in held])
    assert found[0] == found[1]
