"""Which rows train and which are held out: the folds of rows, of groups, and forward in time."""

import warnings

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
from pipeline.core.errors import PipelineError
from pipeline.core.kept import Kept
from pipeline.core.params import Params
from pipeline.core.settings.evaluate import AUTO, CrossValidation
from pipeline.core.tables import Array
from pipeline.core.trainers import Task

Rows = NDArray[np.intp]
Fold = tuple[Rows, Rows]
FEW = 30  # below this, every row is held out by itself
FEWEST = 3  # a line through one point is no model
ENOUGH = 2000  # test rows that know an accuracy to 0.02, 19 times in 20


def cuts_of(params: Params, dataset: str) -> CrossValidation:
    """How the rows of a dataset are cut: as of all, but for what it says of its own."""
    own = params.dataset(dataset).evaluate.repeats
    return params.cross_validation.model_copy(update={"repeats": own} if own else {})


def test_rows_alone(params: Params, dataset: str, test_rows: int) -> bool:
    """Whether no folds are cut: where `repeats` is auto, from 2,000 test rows on.

    Not of split.group and split.time, whose rows are not as good as that many.
    """
    split = params.dataset(dataset).split
    apart = split.group is None and split.time is None
    return apart and test_rows >= ENOUGH and cuts_of(params, dataset).repeats == AUTO


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
    splitter = cut(n_splits=settings.folds, n_repeats=settings.times, random_state=settings.seed)
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
    for _ in range(settings.times if k < count else 1):
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
