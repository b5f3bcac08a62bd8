"""A trainer by its name, fitted to rows; solvers are imported on use."""

from collections.abc import Mapping
from importlib import import_module

from pipeline.core.artifacts.models import Model
from pipeline.core.settings.descent import Descent
from pipeline.core.tables import Array
from pipeline.core.trainers import TRAINERS, Callback, Value, logged, no_callback
from pipeline.solvers.advice import advise, ending, stable_lr, trouble, warn_of
from pipeline.solvers.descent import batch_size
from pipeline.solvers.rows import Rows, balanced_rows, logged_rows


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
    module, function = (trainer, "fit") if one.role == "trainer" else ("references", trainer)
    solve = getattr(import_module(f"pipeline.solvers.{module}"), function)
    rows = logged_rows(rows) if logged(params) else rows
    if one.loss is None:
        theta, history, facts = solve(rows)
    else:
        settings = Descent.of(**params)
        rows = balanced_rows(rows) if settings.class_weight == "balanced" else rows
        stable = stable_lr(rows, settings, settings.loss if one.loss == "choice" else one.loss)
        advise(rows, settings, stable)
        theta, history, _ = solve(rows, settings, callback=callback)
        ended = ending(history, settings, whole=batch_size(rows, settings) is None)
        warn_of(trouble(ended, history, params, stable))
        facts = {"stable_lr": stable}
    w, b = theta[..., :-1].T, theta[..., -1]
    return Model(trainer, dict(params), dict(facts), w, b, ended), history
