"""Linear regression by torch: autograd for the gradient, torch's optimizers for the step."""

from functools import partial

import torch

from pipeline.core.params import Descent
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.descent import Fit, stable_lr
from pipeline.solvers.rows import Rows
from pipeline.solvers.torch_steps import ModuleLoss, linear_layer, train_module

PER_ROW = {
    "mse": partial(torch.nn.functional.mse_loss, reduction="none"),
    "mae": partial(torch.nn.functional.l1_loss, reduction="none"),
}


def fit(
    rows: Rows, settings: Descent, fit_intercept: bool = True, *, callback: Callback = no_callback
) -> Fit:
    """Descend on torch's mean squared or mean absolute error.

    Parameters
    ----------
    rows : Rows
    settings : Descent
    fit_intercept : bool, optional
    callback : callable, optional
        Is told the epochs, as in `descent.train`.

    Returns
    -------
    Fit

    Raises
    ------
    Diverged
        When the loss stops being finite.
    PipelineError
        When the device does not exist here.
    """
    layer = linear_layer(rows.n_features, settings, fit_intercept)
    objective = ModuleLoss(layer, layer, PER_ROW[settings.loss], rows, settings)
    bound = partial(stable_lr, rows, settings, settings.loss, fit_intercept)
    return Fit(*train_module(objective, settings, bound, callback=callback))
