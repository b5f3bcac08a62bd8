import re
import warnings

import numpy as np
import pytest

from pipeline.core.errors import PipelineWarning
from pipeline.core.params import load_params
from pipeline.core.settings.descent import Descent, params_of
from pipeline.core.settings.models import ModelLine
from pipeline.core.trainers import TRAINERS, measures
from pipeline.solvers.fit import fit
from pipeline.solvers.rows import ArrayRows
from tests.conftest import descent


def test_every_trainer_has_its_params_listed(workspace: object) -> None:
    params = load_params()
    for task in ("regression", "classification"):
        roles = [TRAINERS[name].role for name in measures(task)]
        assert roles == ["reference", "baseline"]
    assert {one.loss is None for one in TRAINERS.values() if not one.params} == {True}
    assert params_of("closed_form", params) == {}
    of_classes = {"class_weight"}  # not named unless it is another than none
    assert set(params_of("torch_sgd", params)) == set(Descent.model_fields) - of_classes
    assert set(params_of("bcpm", params)) == set(Descent.model_fields) - {"loss", *of_classes}
    balanced = params.model_copy(update={"class_weight": "balanced"})
    assert set(params_of("bcpm", balanced)) == set(Descent.model_fields) - {"loss"}


@pytest.mark.filterwarnings("ignore:.*still falls")
@pytest.mark.parametrize(
    "trainer", [name for name, one in TRAINERS.items() if one.role != "baseline"]
)
def test_every_trainer_fits_and_predicts(trainer: str, workspace: object) -> None:
    x = np.linspace(-1, 1, 20)[:, None]
    y = (x[:, 0] > 0).astype(float)
    params = load_params()
    if TRAINERS[trainer].form == "network":
        line = {"dataset": "breast_cancer", "trainer": trainer, "hidden": [3], "early_stopping": 0}
        params = params.descent(ModelLine.model_validate(line))
    given = {"estimator": "GaussianNB"}
    if trainer != "sklearn":
        given = params_of(trainer, params, "classification")
    model, history = fit(trainer, given, ArrayRows(x, y))
    z, weight = model.predict(x), [*model.weights, 1.0][0]
    if trainer == "softmax":
        assert weight.shape == (2,)
        z, weight = z[:, 1] - z[:, 0], weight[1] - weight[0]
    assert weight > 0
    assert np.corrcoef(z, y)[0, 1] > 0.8
    assert bool(len(history)) == ("lr" in TRAINERS[trainer].params)


ROWS = ArrayRows(np.linspace(-1, 1, 20)[:, None], np.linspace(0, 3, 20))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 1.5}, r"lr 1.5 is above 1, the largest stable lr"),
        ({"lr": 1.5}, r"the training failed: the loss grew from 3\.07895 to 36"),
        ({"batch_size": 21}, r"batch_size 21 is more than the 20 training rows"),
    ],
)
def test_settings_that_hurt_are_warned_of(changes: dict[str, object], message: str) -> None:
    settings = descent(epochs=2, loss="mse", **changes).model_dump()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit("manual_gd", settings, ROWS)
    assert any(re.search(message, str(w.message)) for w in caught)
    assert all(w.category is PipelineWarning for w in caught)


@pytest.mark.filterwarnings("ignore:.*still falls")
@pytest.mark.parametrize("optimizer", ["momentum", "rmsprop", "adam"])
def test_other_optimizers_are_not_judged_by_the_bound_of_sgd(optimizer: str) -> None:
    settings = descent(lr=1.5, optimizer=optimizer, epochs=40).model_dump()
    model, _ = fit("manual_gd", settings, ROWS)
    assert model.facts == {"stable_lr": None}
