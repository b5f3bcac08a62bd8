"""Linear regression by descent with the gradient written out."""

from pipeline.core.settings.descent import Descent
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers import quadratic
from pipeline.solvers.convergence import Stop
from pipeline.solvers.descent import Fit, batch_size, descend, first_weights, train
from pipeline.solvers.moments import Moments, moments
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import Rows


def fit(
    rows: Rows, settings: Descent, fit_intercept: bool = True, *, callback: Callback = no_callback
) -> Fit:
    """Descend on the mean squared or mean absolute error.

    Squared, and with all rows a step, it needs the moments of the rows alone (`quadratic`).

    Parameters
    ----------
    rows : Rows
    settings : Descent
    fit_intercept : bool, optional
    callback : callable, optional
        Is told the epochs, as in `descent.train`; of a quadratic some of them.

    Returns
    -------
    Fit

    Raises
    ------
    Diverged
        When the loss stops being finite.
    PipelineError
        When the squares of the rows overflow.
    """
    if quadratic_serves(rows, settings):
        pooled = moments(rows, centre=fit_intercept)
        return fit_moments(pooled, settings, fit_intercept, callback)
    start = first_weights(rows.n_features, settings, fit_intercept)
    return descend(rows, settings, settings.loss, start, fit_intercept, callback)


def quadratic_serves(rows: Rows, settings: Descent) -> bool:
    """Whether the moments of the rows are all that the descent needs."""
    return settings.loss == "mse" and batch_size(rows, settings) is None


def fit_moments(
    pooled: Moments, settings: Descent, fit_intercept: bool, callback: Callback = no_callback
) -> Fit:
    """Descend, all rows a step, on the mean squared error that has these moments.

    Parameters
    ----------
    pooled : Moments
        Of the standardized rows; about zero where `fit_intercept` is False.
    settings : Descent
    fit_intercept : bool
    callback : callable, optional

    Raises
    ------
    Diverged
        When the loss stops being finite.
    """
    loss = quadratic.quadratic(pooled, settings.weight_decay, fit_intercept)
    start = first_weights(len(pooled.mean) - 1, settings, fit_intercept)
    if settings.optimizer == "sgd":
        stop = Stop(settings.loss_threshold, settings.tolerance, whole=True)
        return Fit(
            *quadratic.descend(loss, start, settings.lr, settings.epochs, stop, callback=callback)
        )
    step = optimizer(settings.optimizer, settings.lr, settings.momentum).step
    return Fit(*train(loss, step, start, settings, lambda: None, callback=callback))
