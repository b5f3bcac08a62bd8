"""Checks for leakage: test rows, or the target, that reached the training."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.core.params import CrossValidation, Dataset, ModelName
from pipeline.core.tables import Array
from pipeline.intervals import resampled
from pipeline.judged import Audit
from pipeline.models import Value
from pipeline.splitting import fit_scaler
from pipeline.stages.evaluate.cross_validation import Fold, Held, cross_validate, folds
from pipeline.stages.evaluate.judge import Rows
from pipeline.stages.evaluate.metrics import auc

GIVEN_AWAY = 0.999  # R2, or AUC, of one feature alone
SURE = 0.999  # one alarm in a thousand by chance


def audits(
    rows: Rows, trained: Array, settings: Dataset, params: Mapping[ModelName, Mapping[str, Value]]
) -> list[Audit]:
    """All of them, for the trainers with these params.

    Parameters
    ----------
    trained : ndarray of shape (n_train, n_features)
        The standardized rows that the trainers read.
    """
    X, y = rows.X[rows.train], rows.y[rows.train]
    return [
        _identical_rows(rows),
        _scaler(X, rows, trained),
        _giveaway(X, y, rows.features, settings),
        _shuffled_labels(rows.X, rows.y, settings, params),
    ]


def _identical_rows(rows: Rows) -> Audit:
    known = {row.tobytes() for row in rows.X[rows.train]}
    found = sum(row.tobytes() in known for row in rows.X[rows.test])
    return Audit(
        name="identical_rows",
        passed=not found,
        figure=float(found),
        text=f"{found} of {len(rows.test)} test rows have the features of a training row",
    )


def _scaler(X: Array, rows: Rows, trained: Array) -> Audit:
    """Mean and scale in use, and the rows trained on, against those of the training rows."""
    mean, scale = fit_scaler(X)
    gaps = (rows.mean - mean) / scale, rows.scale / scale - 1, trained - (X - mean) / scale
    gap = float(max(np.abs(each).max() for each in gaps))
    return Audit(
        name="scaler",
        passed=gap < 1e-12,
        figure=float(f"{gap:.3g}"),
        text="mean, scale and the rows trained on differ from what the training rows alone give by "
        f"at most {gap:.3g} standard deviations",
    )


def _giveaway(X: Array, y: Array, features: Sequence[str], settings: Dataset) -> Audit:
    """The feature that alone says most about the target."""
    regression = settings.task == "regression"
    of = [_r2(x, y) if regression else _auc(x, y) for x in X.T]
    best = int(np.argmax(of))
    return Audit(
        name="giveaway",
        passed=of[best] < GIVEN_AWAY,
        figure=float(f"{of[best]:.6g}"),
        text=f"{features[best]} alone has {'R2' if regression else 'AUC'} {of[best]:.4f} on the "
        f"training rows; from {GIVEN_AWAY} on it would give the target away",
    )


def _r2(x: Array, y: Array) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0 or len(y) < 3:
        return 0.0
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    return float(np.mean(x * y) ** 2)


def _auc(x: Array, y: Array) -> float:
    area = _area(y, x)
    return max(area, 1 - area)


def _area(y: Array, z: Array) -> float:
    area = auc(y, z)
    return 0.5 if area is None else area


def _shuffled_labels(
    X: Array, y: Array, settings: Dataset, params: Mapping[ModelName, Mapping[str, Value]]
) -> Audit:
    """Trainers on a shuffled target: whoever beats chance there has seen what it should not.

    The figure is the gain over the trivial model that is beyond chance, of the trainer that has
    most of it; none when it is not above 0.
    """
    shuffled = np.random.default_rng(0).permutation(y)
    cuts = folds(shuffled, settings.task, CrossValidation(folds=5, repeats=1, seed=0))
    sure = {
        name: _gain(cross_validate(name, given, X, shuffled, cuts), cuts, shuffled, settings)
        for name, given in params.items()
    }
    best = max(sure, key=lambda name: sure[name])
    unit = "mse" if settings.task == "regression" else "AUC"
    return Audit(
        name="shuffled_labels",
        passed=sure[best] <= 0,
        figure=float(f"{sure[best]:.4g}"),
        text=f"on shuffled targets {best} does best: its gain over the trivial model is at least "
        f"{sure[best]:.3g} {unit} ({100 * SURE:g} % sure); above 0 it knows what it should not",
    )


def _gain(held: Sequence[Held], cuts: Sequence[Fold], y: Array, settings: Dataset) -> float:
    """The lower end of the interval of the gain over the trivial model."""
    gains = []
    for fold, (train, out) in zip(held, cuts, strict=True):
        if settings.task == "regression":
            trivial = np.mean((y[train].mean() - y[out]) ** 2)
            gains.append(float(trivial - np.mean((fold.z - y[out]) ** 2)))
        else:
            gains.append(_area(y[out], fold.z) - 0.5)
    interval = resampled(gains, len(cuts), SURE)
    return interval[0] if interval else 0.0
