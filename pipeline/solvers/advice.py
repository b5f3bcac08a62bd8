"""What is said of a training: before it of lr and batch_size, after it of how its losses ended."""

import warnings
from collections.abc import Mapping
from typing import Any

from pipeline.core.errors import PipelineWarning
from pipeline.core.settings.descent import Descent
from pipeline.core.tables import Array
from pipeline.core.trainers import Ending
from pipeline.solvers.convergence import converged, small_enough
from pipeline.solvers.losses import LOSSES, max_stable_lr
from pipeline.solvers.moments import Moments, moments
from pipeline.solvers.rows import Rows


def stable_lr(
    rows: Rows,
    settings: Descent,
    loss: str,
    fit_intercept: bool = True,
    pooled: Moments | None = None,
) -> float | None:
    """The largest stable lr of a full batch; None for mae, and for other optimizers than sgd.

    Batches bear less: the rows of one may be steeper than the mean of all.

    Parameters
    ----------
    rows : Rows
    settings : Descent
    loss : str
        A key of LOSSES.
    fit_intercept : bool, optional
    pooled : Moments, optional
        Of the rows, where they are known.

    Returns
    -------
    float or None
        See `losses.max_stable_lr`.
    """
    if settings.optimizer != "sgd" or LOSSES[loss].curvature is None:
        return None
    pooled = pooled or moments(rows, centre=fit_intercept)
    return max_stable_lr(LOSSES[loss], pooled.gram(fit_intercept), settings.weight_decay)


def advise(rows: Rows, settings: Descent, stable: float | None) -> None:
    """Warn before training of an lr beyond the stable one, and of a batch_size beyond the rows."""
    if stable is not None and settings.lr > stable * (1 + 1e-6):
        too_large = "lr or weight_decay" if settings.weight_decay else "lr"
        warnings.warn(
            f"lr {settings.lr:.7g} is above {stable:.7g}, the largest stable lr on these training "
            "rows for steps on all of them (batches bear less): the loss may grow; lower "
            f"{too_large} (params.yaml)",
            PipelineWarning,
            stacklevel=2,
        )
    if settings.batch_size != "full" and settings.batch_size > rows.n_rows:
        warnings.warn(
            f"batch_size {settings.batch_size} is more than the {rows.n_rows} training rows: "
            "every step takes them all (params.yaml: batch_size)",
            PipelineWarning,
            stacklevel=2,
        )


def ending(history: Array, settings: Descent, whole: bool) -> Ending:
    """Tell how a training ended.

    Its loss `grew` where the last is above the first; in batches, where it wavers, where it has
    doubled. It is `unmoved` where there was no step to take, `unconverged` where the last epoch
    came before `tolerance` or `loss_threshold` were met. With tolerance 0 it is still `falling`
    where the last tenth of the epochs took more than a fifth of it away, or went on at more than
    half the pace of all. Else it has `settled`.

    Parameters
    ----------
    history : ndarray of shape (n,)
        The loss of each epoch.
    settings : Descent
    whole : bool
        Whether each step took all rows.
    """
    first, last, tenth = history[0], history[-1], max(1, len(history) // 10)
    if last > first * (1 + 1e-6 if whole else 2):
        return "grew"
    if whole and len(history) == 1:
        return "unmoved"
    if small_enough(history, settings.loss_threshold):
        return "settled"
    if settings.tolerance:
        rests = converged(history, settings.tolerance, whole, float(history.min()))
        return "settled" if rests else "unconverged"
    if len(history) < 2:
        return "settled"
    before, after = history[-2 * tenth : -tenth].mean(), history[-tenth:].mean()
    wavering = 1e-6 if whole else 0.05
    steady = (before - after) / tenth > (first - last) / (len(history) - 1) / 2
    if before - after > before / 5 or (steady and first - last > wavering * first):
        return "falling"
    return "settled"


def trouble(
    ended: Ending | None, history: Array, params: Mapping[str, Any], stable: float | None
) -> str | None:
    """Say what is wrong with a training that has not settled, and the remedy.

    Parameters
    ----------
    ended : str or None
    history : ndarray of shape (n,)
        The loss of each epoch.
    params : dict
        Those of its trainer.
    stable : float or None
        The largest stable lr of sgd on all rows.
    """
    if ended == "grew":
        return (
            f"the training failed: the loss grew from {history[0]:.6g} to {history[-1]:.6g}; "
            "lower lr (params.yaml: lr, of a network network.lr, or the model's own)"
        )
    if ended == "unmoved":
        return f"the training took no step: the loss is {history[0]:.6g} before the first"
    if ended not in ("falling", "unconverged"):
        return None
    by_lr = params["optimizer"] in ("adam", "rmsprop")
    hint = f", whose steps are about lr long with {params['optimizer']}" if by_lr else ""
    bound = f" (below {stable:.6g}, the largest stable one)" if stable and not by_lr else ""
    if ended == "falling":
        return (
            f"the training loss still falls steeply at the last epoch, from {history[0]:.6g} to "
            f"{history[-1]:.6g} up to then: raise epochs, or lr{hint}{bound}"
        )
    return (
        f"not converged: {params['epochs']} epochs took the training loss from {history[0]:.6g} to "
        f"{history[-1]:.6g}, and it moves by more than tolerance {params['tolerance']:g} allows: "
        f"raise epochs, or lr{hint}{bound}; where the loss wavers, lower lr"
    )


def warn_of(text: str | None) -> None:
    """Warn, where there is something to say."""
    if text:
        warnings.warn(text, PipelineWarning, stacklevel=2)
