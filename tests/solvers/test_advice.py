import warnings

import numpy as np
import pytest

from pipeline.core.errors import PipelineWarning
from pipeline.core.tables import Array
from pipeline.core.trainers import Ending
from pipeline.solvers import manual_gd, torch_sgd
from pipeline.solvers.advice import advise, ending, trouble
from pipeline.solvers.rows import ArrayRows
from tests.conftest import descent
from tests.solvers.test_descent import regression


def test_no_warning_without_a_reason() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        advise(regression(1), descent(lr=0.1, batch_size=60), 0.1)
    with pytest.warns(PipelineWarning, match="largest stable lr"):
        advise(regression(1), descent(lr=0.11), 0.1)


def test_a_rate_at_the_bound_is_not_above_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        advise(regression(1), descent(lr=1), 1 - 1e-12)


def test_too_much_weight_decay_is_named() -> None:
    with pytest.warns(PipelineWarning, match="lower lr or weight_decay"):
        advise(regression(1), descent(lr=0.1, weight_decay=1e6), 2e-6)


EPOCHS = np.arange(101)


@pytest.mark.parametrize(
    ("history", "whole", "ended"),
    [
        (np.array([1.0, 1.1]), True, "grew"),
        (np.array([1.0, 0.5]), True, "falling"),  # one epoch
        (np.array([1.0]), False, "settled"),  # and in batches, of which nothing is known
        (np.array([1.0, 1.0]), True, "settled"),
        (np.array([1.0, 1.1]), False, "settled"),  # batches waver
        (np.array([1.0, 1e68]), False, "grew"),
        (5 + 100 * 0.8**EPOCHS, True, "settled"),
        (5 + 100 * 0.98**EPOCHS, True, "settled"),  # slow, and nearly there
        (100 * 0.97**EPOCHS, True, "falling"),
        (1000 - 0.01 * EPOCHS, True, "falling"),  # at the pace of the beginning, as adam's
        (1000 - 0.01 * EPOCHS, False, "settled"),  # less than batches waver by
        (1000 - 5.0 * EPOCHS, False, "falling"),
        (5 + np.sin(EPOCHS) / 100, False, "settled"),
        (np.full(101, 3.0), True, "settled"),
    ],
)
def test_a_training_settles_or_falls_or_fails(history: Array, whole: bool, ended: str) -> None:
    assert ending(history, descent(), whole) == ended


@pytest.mark.parametrize(
    ("changes", "ended"),
    [
        ({}, "falling"),
        ({"loss_threshold": 1e-3}, "settled"),
        ({"loss_threshold": 1e-3, "tolerance": 1e-3}, "settled"),
        ({"tolerance": 1e-3}, "unconverged"),
        ({"tolerance": 0.5}, "settled"),
    ],
)
def test_a_training_that_reached_its_threshold_or_converged_has_settled(
    changes: dict[str, float], ended: str
) -> None:
    assert ending(100 * 0.9**EPOCHS, descent(**changes), whole=True) == ended
    assert ending(100 * 0.9**EPOCHS, descent(**changes), whole=False) == ended


def test_epochs_too_few_to_tell_have_not_converged() -> None:
    settings = descent(tolerance=0.1, epochs=1)
    assert ending(np.array([3.0]), settings, whole=False) == "unconverged"
    assert ending(np.array([3.0, 3.0]), settings, whole=True) == "unconverged"


@pytest.mark.parametrize("solver", [manual_gd, torch_sgd])
def test_a_training_without_loss_takes_no_step(solver: object) -> None:
    rows = regression(1)
    history = solver.fit(ArrayRows(rows.X, np.zeros(60)), descent()).history
    assert ending(history, descent(), whole=True) == "unmoved"


@pytest.mark.parametrize(
    ("ended", "optimizer", "stable", "text"),
    [
        ("settled", "sgd", 1.0, None),
        (None, "sgd", None, None),
        ("grew", "sgd", 1.0, "the training failed: the loss grew from 9 to 4; lower lr (params"),
        ("falling", "sgd", 1.0, "from 9 to 4 up to then: raise epochs, or lr (below 1, the large"),
        ("falling", "adam", None, "raise epochs, or lr, whose steps are about lr long with adam"),
        ("unmoved", "sgd", 1.0, "the training took no step: the loss is 9 before the first"),
        (
            "unconverged",
            "sgd",
            1.0,
            "not converged: 70 epochs took the training loss from 9 to 4, and it moves by more "
            "than tolerance 0.001 allows: raise epochs, or lr (below 1, the largest stable one); "
            "where the loss wavers, lower lr",
        ),
    ],
)
def test_what_is_wrong_with_a_training_comes_with_its_remedy(
    ended: Ending | None, optimizer: str, stable: float | None, text: str | None
) -> None:
    params = {"optimizer": optimizer, "epochs": 70, "tolerance": 0.001}
    said = trouble(ended, np.array([9.0, 4.0]), params, stable)
    assert said == text if text is None else text in (said or "")
