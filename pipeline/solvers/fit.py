"""A trainer by its name, fitted to rows; solvers are imported on use."""

from collections.abc import Mapping
from importlib import import_module

import numpy as np

from pipeline.core.artifacts.models import Model
from pipeline.core.forms import Form, Linear
from pipeline.core.settings.descent import Descent
from pipeline.core.settings.network import NetworkDescent, settings_form
from pipeline.core.tables import Array
from pipeline.core.trainers import TRAINERS, Callback, Ending, Value, logged, no_callback
from pipeline.solvers import network
from pipeline.solvers.advice import advise, ending, stable_lr, trouble, warn_of
from pipeline.solvers.descent import batch_size
from pipeline.solvers.kept import Kept
from pipeline.solvers.manual_gd import fit_moments, quadratic_serves
from pipeline.solvers.moments import moments
from pipeline.solvers.rows import Rows, balanced_rows, logged_rows

Facts = Mapping[str, float | None]
Fitted = tuple[Form, Array, Facts, Ending]


def fit(
    trainer: str,
    params: Mapping[str, Value],
    rows: Rows,
    callback: Callback = no_callback,
    kept: Kept | None = None,
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
    kept : Kept, optional
        Keeps the state of a network's training, and has that of one that was killed.

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
        if isinstance(settings, NetworkDescent):
            form, history, facts, ended = _network(params, rows, settings, callback, kept)
        else:
            form, history, facts, ended = _single_layer(trainer, params, rows, settings, callback)
        warn_of(trouble(ended, history, params, facts.get("stable_lr")))
    return Model(trainer, dict(params), dict(facts), form, ended), history


def _single_layer(
    trainer: str, params: Mapping[str, Value], rows: Rows, settings: Descent, callback: Callback
) -> Fitted:
    loss = TRAINERS[trainer].loss or ""
    by_moments = trainer == "manual_gd" and quadratic_serves(rows, settings)
    pooled = moments(rows) if by_moments else None
    stable = stable_lr(rows, settings, settings.loss if loss == "choice" else loss, pooled=pooled)
    advise(rows, settings, stable)
    if pooled is not None:
        theta, history, facts = fit_moments(pooled, settings, True, callback)
    else:
        solve = import_module(f"pipeline.solvers.{trainer}").fit
        theta, history, facts = solve(rows, settings, callback=callback)
    ended = ending(history, settings, batch_size(rows, settings) is None)
    return _linear(theta), history, {"stable_lr": stable, **facts}, ended


def _network(
    params: Mapping[str, Value],
    rows: Rows,
    settings: NetworkDescent,
    callback: Callback,
    kept: Kept | None,
) -> Fitted:
    """Of classes the params have no loss, of a regression they have.

    A batch_size beyond the rows is no mistake: that of the block `network` is for tables of all
    sizes.
    """
    loss = settings.loss if "loss" in params else "cross_entropy"
    fitted = network.fit(rows, settings, loss, callback=callback, kept=kept)
    facts: dict[str, float | None] = {"on_gpu": 1.0} if fitted.on_gpu else {}
    facts |= {} if fitted.best_epoch is None else {"best_epoch": fitted.best_epoch}
    return fitted.layers, fitted.history, facts, fitted.ended


def _linear(theta: Array) -> Linear:
    return Linear(theta[..., :-1].T, theta[..., -1])
