"""Trainers on parts of the rows, judged by the others: the same parts for all of them."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    LeaveOneGroupOut,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
)

from pipeline.core import layout
from pipeline.core.columns import Raw, encode, feature_names, learn
from pipeline.core.errors import PipelineError, PipelineWarning, naming
from pipeline.core.kept import Kept
from pipeline.core.preprocessing import fit_scaler, standardized
from pipeline.core.processes import apart
from pipeline.core.settings.evaluate import CrossValidation, Goal
from pipeline.core.tables import Array
from pipeline.core.trainers import Task, Value
from pipeline.solvers.fit import fit
from pipeline.solvers.losses import sigmoid
from pipeline.solvers.rows import ArrayRows

Rows = NDArray[np.intp]
Fold = tuple[Rows, Rows]
FEW = 30  # below this, every row is held out by itself
FEWEST = 3  # a line through one point is no model
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
        have.
    threshold : float or None
        The one chosen on the other rows.
    """

    rows: Rows
    z: Array
    coef: Array
    threshold: float | None


def folds(
    y: Array,
    task: Task,
    settings: CrossValidation,
    where: str = "cross_validation.folds",
    kept: Kept | None = None,
) -> list[Fold]:
    """Training and held-out rows of each fold: repeated k-fold, or leave-one-out below 30 rows.

    Classes are held out in equal shares. Of rows that belong together see `_group_folds` and
    `_forward_folds`.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        The target, or labels.
    task : str
        `regression` or `classification`.
    settings : CrossValidation
    where : str, optional
        The key of params.yaml that an error names.
    kept : Kept, optional
        What the rows belong to.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Row numbers; empty below three rows.

    Raises
    ------
    PipelineError
        When there are more folds than rows, or than rows of the smaller class.
    """
    n = len(y)
    if n < FEWEST:
        return []
    if kept is not None:
        cut_kept = _group_folds if kept.kind == "groups" else _forward_folds
        return cut_kept(y, task, settings, kept, where)
    smallest = n if task == "regression" else int(np.unique(y, return_counts=True)[1].min())
    need = 2 if n < FEW else settings.folds
    if smallest < need:
        raise PipelineError(
            f"{layout.PARAMS}: {where}: {n if n < FEW else settings.folds} folds need at least "
            f"{need} rows{' of each class' * (task == 'classification')}, got {smallest}"
        )
    if n < FEW:
        every = np.arange(n)
        return [(np.delete(every, row), every[[row]]) for row in range(n)]
    cut = RepeatedKFold if task == "regression" else RepeatedStratifiedKFold
    splitter = cut(n_splits=settings.folds, n_repeats=settings.repeats, random_state=settings.seed)
    return list(splitter.split(np.zeros((n, 1)), y))


def _group_folds(
    y: Array, task: Task, settings: CrossValidation, kept: Kept, where: str
) -> list[Fold]:
    """Whole groups are held out, each once in a repeat; below 30 rows, or with few, one by one.

    Raises
    ------
    PipelineError
        When there is one group, or the others of a fold have no row of a class.
    """
    count, labels = int(kept.codes.max()) + 1, task == "classification"
    if count < 2:
        raise PipelineError(
            f"{layout.PARAMS}: {where}: all {len(y)} rows are of one group, which cannot be held "
            "out: see split.group"
        )
    most = int(np.unique(y, return_counts=True)[1].max()) if labels else len(y)
    k = count if len(y) < FEW else min(settings.folds, count, most)
    generator, cuts = np.random.RandomState(settings.seed), list[Fold]()
    for _ in range(settings.repeats if k < count else 1):
        seed = int(generator.randint(2**31))
        splitter: BaseCrossValidator = LeaveOneGroupOut()
        if k < count:
            of = StratifiedGroupKFold if labels else GroupKFold
            splitter = of(n_splits=k, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of classes of few rows
            cuts += splitter.split(y, y, kept.codes)
    cuts = [(train, out) for train, out in cuts if len(train) > 1 and len(out)]
    for train, out in cuts if labels else ():
        if absent := {*np.unique(y[out])} - {*np.unique(y[train])}:
            raise PipelineError(
                f"{layout.PARAMS}: {where}: label {min(absent):g}, counted from 0, is in so few "
                "groups (split.group) that a fold trains without any; add groups that have it"
            )
    return cuts


def _forward_folds(
    y: Array, task: Task, settings: CrossValidation, kept: Kept, where: str
) -> list[Fold]:
    """The rows of some moments are held out, and those of all moments before them train.

    The moments are cut as scikit-learn's TimeSeriesSplit cuts rows, once. A fold whose training
    rows are fewer than two, or lack a class, is left out.

    Raises
    ------
    PipelineError
        When no fold is left.
    """
    moments = int(kept.codes.max()) + 1
    k = min(settings.folds, moments - 1)
    size = moments // (k + 1)
    classes = len(np.unique(y)) if task == "classification" else 1
    cuts = list[Fold]()
    for begin in range(moments - k * size, moments, size):
        train = np.flatnonzero(kept.codes < begin)
        out = np.flatnonzero((begin <= kept.codes) & (kept.codes < begin + size))
        if len(train) > 1 and len(np.unique(y[train])) >= classes:
            cuts.append((train, out))
    if not cuts:
        raise PipelineError(
            f"{layout.PARAMS}: {where}: the {len(y)} rows are of {moments} "
            f"moment{'s' * (moments != 1)} (split.time), and none of them has rows before it that "
            "can train"
        )
    return cuts


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
        coef = dict(zip(feature_names(encoding), unscaled(model.coef, scale), strict=True))
        absent = np.full(model.coef.shape[1:], np.nan)
        weights = np.array([coef.get(name, absent) for name in features])
        first = np.nan if chosen is None else chosen
        return np.concatenate([[first], weights.ravel(), z.ravel()]).tobytes()

    held = []
    for (_, out), found in zip(cuts, apart(of_fold, len(cuts)), strict=True):
        row: Array = np.frombuffer(found)
        chosen, values = float(row[0]), row[1:]
        if (of_each := len(values) // (len(features) + len(out))) > 1:  # several classes
            values = values.reshape(-1, of_each)
        coef, z = values[: len(features)], values[len(features) :]
        held.append(OutOfFold(out, z, coef, None if threshold is None else chosen))
    return held


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
