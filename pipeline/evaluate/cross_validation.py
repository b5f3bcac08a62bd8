"""Trainers on parts of the rows, judged by the others: the same parts for all of them."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core import layout
from pipeline.core.columns import PLAIN, Raw, encode, feature_names, learn
from pipeline.core.errors import PipelineError, PipelineWarning, naming
from pipeline.core.kept import Kept
from pipeline.core.preprocessing import fit_scaler, standardized
from pipeline.core.processes import apart
from pipeline.core.settings.evaluate import CrossValidation, Goal
from pipeline.core.tables import Array
from pipeline.core.trainers import TRAINERS, Value, logged
from pipeline.evaluate.folds import Fold, Rows, folds
from pipeline.solvers import without_folds
from pipeline.solvers.fit import fit
from pipeline.solvers.losses import sigmoid
from pipeline.solvers.rows import ArrayRows, logged_rows
from pipeline.solvers.rows import Rows as Rows_

BY_ALGEBRA = 30_000  # rows; of fewer, to train anew costs little, and digits stay as they were
INNER = CrossValidation(folds=5, repeats=1, seed=0)  # on which a threshold is chosen


@dataclass(frozen=True)
class OutOfFold:
    """One fold: the rows held out, and what a model of the others says of them.

    Attributes
    ----------
    z : ndarray of shape (n_held,) or (n_held, n_classes)
        The target (regression), the logit of label 1, or those of several classes.
    coef : ndarray of shape (n_features,) or (n_features, n_classes)
        Weights on features in their own units; nan on one that the fold's training rows do not
        have. Empty of what is not linear.
    threshold : float or None
        The one chosen on the other rows.
    """

    rows: Rows
    z: Array
    coef: Array
    threshold: float | None


def cross_validate(
    trainer: str,
    params: Mapping[str, Value],
    raw: Raw,
    y: Array,
    cuts: Sequence[Fold],
    threshold: float | Goal | None = None,
    classes: Sequence[str] = (),
    features: Sequence[str] = (),
    kept: Kept | None = None,
) -> list[OutOfFold]:
    """Train without each fold, with the other rows' own encoding and scaling, and predict it.

    Parameters
    ----------
    trainer : str
        A key of TRAINERS.
    params : dict
        The params that it takes.
    raw : Raw
        The columns as received.
    y : ndarray of shape (n_rows,)
    cuts : sequence of (ndarray of int, ndarray of int)
        What `folds` gives.
    threshold : float or Goal, optional
        A goal is met on inner folds of the training rows of each fold.
    classes : sequence of str, optional
        The names of label 0 and label 1, of which a goal names one.
    features : sequence of str, optional
        Those whose weights are wanted.
    kept : Kept, optional
        What the rows belong to, which the inner folds do not part either.

    Returns
    -------
    list of OutOfFold
        One for each of `cuts`.

    Raises
    ------
    PipelineError
        When a training fails; names the fold.
    """
    features = features if TRAINERS[trainer].form == "linear" else ()
    by_algebra = _by_algebra(trainer, params, raw, y, cuts, features)
    if by_algebra is not None:
        return by_algebra

    def of_fold(k: int) -> bytes:
        """What the fold gives, as numbers in a row: the threshold, the weights and z."""
        train, out = cuts[k]
        place = f"cross-validation of {trainer}, fold {k + 1} of {len(cuts)}"
        with naming(place), warnings.catch_warnings():
            warnings.simplefilter("ignore", PipelineWarning)  # training has said it already
            training = raw[train]
            encoding = learn(training)
            X = encode(training, encoding)
            mean, scale = fit_scaler(X)
            model, _ = fit(trainer, params, ArrayRows(standardized(X, mean, scale), y[train]))
            own = kept and kept.of(train)
            chosen = choose_threshold(threshold, trainer, params, training, y[train], classes, own)
        z = model.predict(standardized(encode(raw[out], encoding), mean, scale))
        weights = np.empty(0)
        if features:
            coef = dict(zip(feature_names(encoding), unscaled(model.weights, scale), strict=True))
            absent = np.full(model.weights.shape[1:], np.nan)
            weights = np.array([coef.get(name, absent) for name in features])
        first = np.nan if chosen is None else chosen
        return np.concatenate([[first], weights.ravel(), z.ravel()]).tobytes()

    held, size = [], len(cuts[0][0]) if cuts else 0
    each = apart(of_fold, len(cuts), size, f"evaluate: {trainer} in {len(cuts)} folds")
    for (_, out), found in zip(cuts, each, strict=True):
        row: Array = np.frombuffer(found)
        chosen, values = float(row[0]), row[1:]
        if (of_each := len(values) // (len(features) + len(out))) > 1:  # several classes
            values = values.reshape(-1, of_each)
        coef, z = values[: len(features)], values[len(features) :]
        held.append(OutOfFold(out, z, coef, None if threshold is None else chosen))
    return held


def _by_algebra(
    trainer: str,
    params: Mapping[str, Value],
    raw: Raw,
    y: Array,
    cuts: Sequence[Fold],
    features: Sequence[str],
) -> list[OutOfFold] | None:
    """The same from one pass over many rows in each repeat, where the models are least squares.

    None where they are not, are ill-conditioned, or learn of columns more than mean and scale.
    """
    plain = not any(raw.gaps) and all(one == PLAIN for one in raw.columns.values())
    if len(y) < BY_ALGEBRA or not plain or not without_folds.served(trainer, params):
        return None
    repeats = _repeats(cuts, len(y))
    if repeats is None:
        return None
    rows: Rows_ = ArrayRows(raw.values, y)
    rows = logged_rows(rows) if logged(params) else rows
    held, places = list[OutOfFold](), [[*raw.columns].index(name) for name in features]
    for fold in repeats:
        count = int(fold.max()) + 1
        with naming(f"cross-validation of {trainer}"):
            found = without_folds.without_each(trainer, params, rows, fold, count)
        if found is None:
            return None
        models, z = found
        with np.errstate(over="ignore"):
            z = np.exp(z) if logged(params) else z
        cut = cuts[len(held) : len(held) + count]
        held += [
            OutOfFold(out, z[out], one.coef[places], None)
            for one, (_, out) in zip(models, cut, strict=True)
        ]
    return held


def _repeats(cuts: Sequence[Fold], n: int) -> list[Rows] | None:
    """For each repeat the fold that holds each row out; None where folds are cut otherwise."""
    repeats, fold, k = list[Rows](), np.full(n, -1, np.intp), 0
    for train, out in cuts:
        if len(train) + len(out) != n or (fold[out] >= 0).any():
            return None
        fold[out], k = k, k + 1
        if (fold >= 0).all():
            repeats.append(fold)
            fold, k = np.full(n, -1, np.intp), 0
    return repeats if k == 0 and all(one.max() > 0 for one in repeats) else None


def unscaled(coef: Array, scale: Array) -> Array:
    """Weights on features in their own units, of the shape of `coef`.

    Parameters
    ----------
    coef : ndarray of shape (n_features,) or (n_features, n_classes)
        Weights on standardized features.
    scale : ndarray of shape (n_features,)
    """
    return (coef.T / scale).T


def choose_threshold(
    wanted: float | Goal | None,
    trainer: str,
    params: Mapping[str, Value],
    raw: Raw,
    y: Array,
    classes: Sequence[str],
    kept: Kept | None = None,
) -> float | None:
    """The probability of label 1 from which it is predicted; None where none is wanted.

    For a goal: of the thresholds at which held-out rows reach the recall wanted, the one that
    costs the other class least. These are 5 stratified folds of the rows given, each predicted by
    a model of the others.

    Parameters
    ----------
    wanted : float, Goal or None
        A float is the threshold itself.
    trainer, params, raw, y, classes, kept
        As in `cross_validate`; raw and y are the training rows.

    Raises
    ------
    PipelineError
        When a class has fewer rows than there are folds, or none that is held out, or a training
        fails.
    """
    if not isinstance(wanted, Goal):
        return wanted
    label = list(classes).index(wanted.recall)
    cuts = folds(y, "classification", INNER, "threshold", kept)
    z = np.full(len(y), np.nan)
    for fold in cross_validate(trainer, params, raw, y, cuts):
        z[fold.rows] = fold.z
    known = ~np.isnan(z)
    if not (y[known] == label).any():
        raise PipelineError(
            f"{layout.PARAMS}: threshold: no row of {wanted.recall} can be held out to choose "
            "it on; write a number, or add rows"
        )
    return threshold_for(sigmoid(z[known]), y[known], label, wanted.at_least)


def threshold_for(p: Array, y: Array, label: int, at_least: float) -> float:
    """The threshold on P(label 1) at which `label` is found often enough, and no more often.

    Halfway between the last row that must be found and the next one.

    Parameters
    ----------
    p, y : ndarray of shape (n_rows,)
        Out-of-fold probabilities of label 1, and labels 0 and 1.
    label : int
        The class that must be found.
    at_least : float
        The recall wanted, above 0, below 1.

    Returns
    -------
    float
        To 10 digits, within (0, 1).

    Examples
    --------
    >>> threshold_for(np.array([0.1, 0.2, 0.4, 0.6]), np.array([0, 0, 0, 1]), 0, 0.66)
    0.3
    """
    certainty = p if label == 1 else 1 - p
    of_class = np.sort(certainty[y == label])[::-1]
    last = of_class[int(np.ceil(at_least * len(of_class) - 1e-9)) - 1]
    below = certainty[certainty < last]
    least = float(last + below.max()) / 2 if len(below) else float(last) / 2
    threshold = least if label == 1 else 1 - least
    return float(np.clip(round(threshold, 10), 1e-10, 1 - 1e-10))
