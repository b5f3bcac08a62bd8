"""What the chapter asks its readers to try, measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import RepeatedStratifiedKFold

from pipeline.core.errors import Diverged
from pipeline.core.preprocessing import draw_features, fit_scaler, split_rows, standardized
from pipeline.core.tables import Array
from pipeline.core.trainers import no_callback
from pipeline.solvers import manual_gd
from pipeline.solvers.descent import descend as descend_on_rows
from pipeline.solvers.descent import first_weights
from pipeline.solvers.quadratic import descend, mean_squared_error
from pipeline.solvers.rows import ArrayRows
from pipeline.textbook.house import AREA, PRICE
from pipeline.textbook.synthetic import SETTINGS

Changes = Mapping[str, float | int | str]
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
CHAPTER = SETTINGS.model_copy(update={"init": "zeros", "seed": 1234})
VARIANTS: tuple[Changes, ...] = (
    {},
    {"lr": 0.01},
    {"lr": 1.0},
    {"epochs": 20},
    {"epochs": 1000},
    {"lr": 1.0, "epochs": 1000},
    {"loss_threshold": 0.1443},  # the chapter's is absolute: 0.1 of a first loss of ln 2
    {"batch_size": 32},
    {"batch_size": 32, "weight_decay": 0.001},
    {"batch_size": 32, "weight_decay": 0.003},
    {"batch_size": 32, "weight_decay": 0.01},
    {"optimizer": "momentum"},
    {"optimizer": "rmsprop", "lr": 0.01},
    {"optimizer": "adam", "lr": 0.01},
    {"weight_decay": 0.01, "epochs": 1000},
    {"weight_decay": 0.1, "epochs": 1000},
)
OPTIMIZERS, STEPS = ("sgd", "momentum", "rmsprop", "adam"), (0.01, 0.1, 0.5, 1.5, 10.0)
THRESHOLDS = (0.3, 0.5, 0.7)
MIDDLE = 1  # the one at which the chapter predicts
FEATURES, DRAWS = (2, 5, 10, 15, 20, 25, 30), 20


@dataclass(frozen=True)
class Measured:
    """Accuracy over the folds of repeated cross-validation on the 455 training rows.

    Attributes
    ----------
    what : str
        The params that differ from the chapter's, in Markdown: what one types stands as code.
    mean, deviation : float
        Over the folds, or over the draws of features.
    """

    what: str
    mean: float
    deviation: float


def training_rows() -> tuple[Array, Array]:
    """The chapter's training rows; its 114 test rows decide nothing here.

    Returns
    -------
    X : ndarray of shape (455, 30)
    y : ndarray of shape (455,)
        0 is malignant, 1 benign.
    """
    X, y = load_breast_cancer(return_X_y=True)
    train, _ = split_rows(len(y), 0.2, 1234)
    return X[train], y[train].astype(np.float64)


def variants() -> Iterator[Measured]:
    """Exercise 1: BCPM with other params, 5 x 5 folds each.

    Yields
    ------
    Measured
        One for each entry of VARIANTS, then one for each of THRESHOLDS.
    """
    X, y = training_rows()
    for changes in VARIANTS:
        accuracy = _over_folds(X, y, 5, changes)[MIDDLE]
        typed = " ".join(f"-S {k}={v}" for k, v in changes.items())
        yield _measured(f"`{typed}`" if typed else "(none)", accuracy)
    for threshold, accuracy in zip(THRESHOLDS, _over_folds(X, y, 5, {}), strict=True):
        yield _measured(f"label 1 from probability {threshold}", accuracy)


def feature_counts() -> Iterator[Measured]:
    """Exercise 2: BCPM on features drawn at random, 20 draws for each count, 5 folds each.

    Yields
    ------
    Measured
        One for each of FEATURES; mean and deviation are over the draws.
    """
    X, y = training_rows()
    for count in FEATURES:
        draws = [draw_features(X.shape[1], count, seed) for seed in range(DRAWS)]
        means = [_over_folds(X[:, drawn], y, 1, {})[MIDDLE].mean() for drawn in draws]
        yield _measured(f"`-S 'datasets.breast_cancer.split.features={{random: {count}}}'`", means)


def optimizers() -> Iterator[tuple[str, list[float]]]:
    """Exercise on optimizers: where 100 epochs on the standardized house prices end.

    Yields
    ------
    name : str
        Of the optimizer.
    losses : list of float
        The mean squared error at the end, by STEPS; infinity where it stops being finite.
    """
    for name in OPTIMIZERS:
        yield name, [_last_loss(name, rate) for rate in STEPS]


def _last_loss(name: str, rate: float) -> float:
    changes = {"optimizer": name, "lr": rate, "momentum": 0.9, "loss": "mse"}
    try:
        return float(manual_gd.fit(_flats(), CHAPTER.model_copy(update=changes)).history[-1])
    except Diverged:
        return float("inf")


def _flats() -> ArrayRows:
    """The six flats, their area standardized."""
    X = AREA[:, None]
    return ArrayRows(standardized(X, *fit_scaler(X)), PRICE)


def rate_curves(rates: Array, epochs: int = 100) -> tuple[list[Array], float]:
    """Exercise on the learning rate: descent on the standardized house prices from zeros.

    Parameters
    ----------
    rates : ndarray of shape (n,)
        Learning rates.
    epochs : int
        Steps of each descent.

    Returns
    -------
    histories : list of ndarray
        Mean squared error before each step and after the last, by rate; infinity alone where the
        loss stops being finite.
    bound : float
        The largest stable rate, 2 / (largest eigenvalue of the Hessian).
    """
    loss = mean_squared_error(_flats())

    def losses(rate: float) -> Array:
        try:
            return descend(loss, np.zeros(2), rate, epochs)[1]
        except Diverged:
            return np.array([np.inf])

    return [losses(float(rate)) for rate in rates], loss.max_stable_lr()


def accuracies(X: Array, y: Array, fold: Fold, changes: Changes) -> list[float]:
    """Accuracy on the held-out rows at each threshold; scaled by the others alone.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
    y : ndarray of shape (n,)
        Labels, 0 or 1.
    fold : pair of ndarray
        Positions of the rows to train on and of those held out.
    changes : mapping
        Params that differ from the chapter's.

    Returns
    -------
    list of float
        Label 1 is predicted where p >= t, that is log-odds >= log(t / (1 - t)); by THRESHOLDS.
    """
    train_rows, test_rows = fold
    mean, scale = fit_scaler(X[train_rows])
    rows = ArrayRows(standardized(X[train_rows], mean, scale), y[train_rows])
    settings = CHAPTER.model_copy(update=dict(changes))
    start = first_weights(rows.n_features, settings)
    theta, *_ = descend_on_rows(rows, settings, "bce_with_logits", start, True, no_callback)
    z = standardized(X[test_rows], mean, scale) @ theta[:-1] + theta[-1]
    return [float(np.mean((z >= np.log(t / (1 - t))) == y[test_rows])) for t in THRESHOLDS]


def _over_folds(X: Array, y: Array, repeats: int, changes: Changes) -> Array:
    """Accuracy by threshold and fold, shape (3, 5 * repeats)."""
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=repeats, random_state=0).split(X, y)
    return np.array([accuracies(X, y, fold, changes) for fold in folds]).T


def _measured(what: str, accuracy: Array | list[float]) -> Measured:
    return Measured(what, float(np.mean(accuracy)), float(np.std(accuracy)))
