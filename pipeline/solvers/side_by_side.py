"""Several targets of the same rows, each with a linear model of its own, trained in one pass."""

from collections.abc import Mapping

import numpy as np

from pipeline.core.preprocessing import log_target
from pipeline.core.settings.descent import Descent
from pipeline.core.tables import Array
from pipeline.core.trainers import TRAINERS, Value, logged
from pipeline.solvers import pairwise_mean
from pipeline.solvers.blocks import one_blas_thread
from pipeline.solvers.descent import RowLoss, first_weights, train
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import ArrayRows


def served(trainer: str) -> bool:
    """Whether models of the trainer can learn side by side: linear ones, with one output."""
    one = TRAINERS[trainer]
    return one.form == "linear" and one.role == "trainer" and one.classes != "several"


@one_blas_thread
def fit(trainer: str, params: Mapping[str, Value], X: Array, targets: Array) -> Array:
    """Train a model of each target.

    Losses and optimizers work on each weight by itself, so that a descent on the sum of the losses
    is one on each. What ends a descent early is looked at in that sum: no target ends before the
    others. All begin at the same weights, those that numpy draws where `init` is uniform.

    Parameters
    ----------
    trainer : str
        One that is `served`.
    params : dict
        The params that it takes.
    X : ndarray of shape (n_rows, n_features)
        Standardized.
    targets : ndarray of shape (n_rows, n_targets)

    Returns
    -------
    theta : ndarray of shape (n_targets, n_features + 1)
        Intercept last.

    Raises
    ------
    Diverged
        When the loss of one stops being finite.
    PipelineError
        When a target that is to be logged is not above 0.
    """
    targets = log_target(targets) if logged(params) else targets
    if trainer == "pairwise_mean":
        return np.array([pairwise_mean.fit(ArrayRows(X, y)).theta for y in targets.T])
    if TRAINERS[trainer].loss is None:
        return _least_squares(X, targets)
    settings = Descent.of(**params)
    rows = ArrayRows(X, targets, _balance(targets, settings.class_weight))
    rows.total_weight = float(len(X))  # of one target
    loss = settings.loss if TRAINERS[trainer].loss == "choice" else TRAINERS[trainer].loss or ""
    start = np.tile(first_weights(X.shape[1], settings), (targets.shape[1], 1))
    step = optimizer(settings.optimizer, settings.lr, settings.momentum).step
    return train(RowLoss(rows, settings, loss, True), step, start, settings, lambda: None)[0]


def _least_squares(X: Array, targets: Array) -> Array:
    """The minimum of |X w + b - y|^2 of each target; of minimum norm where columns depend."""
    mean, middle = X.mean(axis=0), targets.mean(axis=0)
    w = np.linalg.lstsq(X - mean, targets - middle)[0]
    return np.column_stack([w.T, middle - mean @ w])


def _balance(labels: Array, class_weight: str) -> Array | None:
    """Weights that let the two classes of each target count alike, or none."""
    if class_weight != "balanced":
        return None
    ones = labels.sum(axis=0)
    each = len(labels) / (2 * np.maximum([len(labels) - ones, ones], 1))
    weights: Array = np.where(labels == 1, each[1], each[0])
    return weights
