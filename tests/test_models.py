from typing import get_args

import numpy as np
import pytest

from pipeline.core.params import TrainerName, load_params
from pipeline.models import PARAMS_OF, fit, params_of


def test_every_trainer_has_its_params_listed(workspace: object) -> None:
    assert set(PARAMS_OF) == set(get_args(TrainerName))
    params = load_params()
    assert params_of("closed_form", params) == {}
    assert params_of("torch_sgd", params) == {"lr": 0.1, "epochs": 100, "seed": 1234}


@pytest.mark.parametrize("trainer", get_args(TrainerName))
def test_every_trainer_fits_and_predicts(trainer: TrainerName, workspace: object) -> None:
    x = np.linspace(-1, 1, 20)[:, None]
    y = (x[:, 0] > 0).astype(float)
    model, history = fit(trainer, params_of(trainer, load_params()), x, y)
    assert model.coef.shape == (1,)
    assert model.coef[0] > 0
    assert np.corrcoef(model.predict(x), y)[0, 1] > 0.8
    assert bool(len(history)) == ("lr" in PARAMS_OF[trainer])
