"""A trainer by its name, fitted to rows; solvers are imported on use."""

from collections.abc import Mapping
from importlib import import_module

import numpy as np

from pipeline.core.artifacts.models import Model
from pipeline.core.forms import Form, Linear
from pipeline.core.settings.descent import Descent
from pipeline.core.settings.network import NetworkDescent, settings_form
from pipeline.core.tables import Array
from pipeline.core.trainers import TRAINERS, Callback, Value, logged, no_callback
from pipeline.solvers.advice import advise, ending, stable_lr, trouble, warn_of
from pipeline.solvers.descent import batch_size
from pipeline.solvers.rows import Rows, balanced_rows, logged_rows

Facts = Mapping[str, float | None]
Fitted = tuple[Form, Array, Facts]


def fit(
    trainer: str, params: Mapping[str, Value], rows: Rows, callback: Callback = no_callback
) -> tuple[Model, Array]:
    """Train on standardized rows, of a logged target on its logarithm.

    Warns, before it starts, of a learning rate above the largest stable one. A trainer that
    descends tells `callback` its epochs (`solvers.descent.train`).

    Parameters
    ----------
    trainer : str
        A key of TRAINERS.
    params : dict
        Those that the table says it takes.
    rows : Rows
    callback : callable, optional

    Returns
    -------
    model : Model
    history : ndarray of shape (n_epochs,) or (n_epochs + 1,)
        The loss, of a logged target that of the logarithm; empty where the trainer takes no steps.

    Raises
    ------
    Diverged
        When the loss stops being finite.
    PipelineError
        When a target that is to be logged is not above 0, or a trainer cannot be fitted.
    """
    one, ended = TRAINERS[trainer], None
    form: Form
    facts: Facts
    rows = logged_rows(rows) if logged(params) else rows
    if one.form == "sklearn":
        form = import_module(f"pipeline.solvers.{trainer}").fit(rows, params)
        history, facts = np.empty(0), {}
    elif one.loss is None:
        module, function = (trainer, "fit") if one.role == "trainer" else ("references", trainer)
        fitted = getattr(import_module(f"pipeline.solvers.{module}"), function)(rows)
        form, history, facts = _linear(fitted.theta), fitted.history, fitted.facts
    else:
        settings = settings_form(trainer).of(**params)
        rows = balanced_rows(rows) if settings.class_weight == "balanced" else rows
        descend = _network if isinstance(settings, NetworkDescent) else _single_layer
        form, history, facts = descend(trainer, params, rows, settings, callback)
        ended = ending(history, settings, whole=batch_size(rows, settings) is None)
        warn_of(trouble(ended, history, params, facts.get("stable_lr")))
    return Model(trainer, dict(params), dict(facts), form, ended), history


def _single_layer(
    trainer: str, params: Mapping[str, Value], rows: Rows, settings: Descent, callback: Callback
) -> Fitted:
    loss = TRAINERS[trainer].loss or ""
    stable = stable_lr(rows, settings, settings.loss if loss == "choice" else loss)
    advise(rows, settings, stable)
    solve = import_module(f"pipeline.solvers.{trainer}").fit
    theta, history, _ = solve(rows, settings, callback=callback)
    return _linear(theta), history, {"stable_lr": stable}


def _network(
    trainer: str, params: Mapping[str, Value], rows: Rows, settings: Descent, callback: Callback
) -> Fitted:
    """Of classes the params have no loss, of a regression they have."""
    advise(rows, settings, None)
    loss = settings.loss if "loss" in params else "cross_entropy"
    solve = import_module(f"pipeline.solvers.{trainer}").fit
    layers, history = solve(rows, settings, loss, callback=callback)
    return layers, history, {}


def _linear(theta: Array) -> Linear:
    return Linear(theta[..., :-1].T, theta[..., -1])
