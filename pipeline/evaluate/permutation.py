"""Whether a model tells anything of the target: its score against those on shuffled targets.

If the features say nothing of the target, each order of the target is as likely as the one that was
seen. The p value is the share of orders on which the trainer, trained and scored on the same folds,
does as well: the seen one among them, so that it is never 0 (Phipson and Smyth 2010; Ojala and
Garriga, Permutation tests for studying classifier performance, JMLR 11, 2010).
"""

from collections.abc import Iterator, Mapping, Sequence
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

from pipeline.core.artifacts.evaluated import LOWER_IS_BETTER, ByOrders
from pipeline.core.artifacts.models import Model
from pipeline.core.artifacts.splits import Split
from pipeline.core.columns import encode, learn
from pipeline.core.errors import Diverged
from pipeline.core.kept import Kept
from pipeline.core.preprocessing import fit_scaler, standardized
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.evaluate import CrossValidation, Goal, Metric
from pipeline.core.tables import Array
from pipeline.core.trainers import Value, logged
from pipeline.evaluate.folds import Fold, folds
from pipeline.evaluate.metrics import auc, of_rows
from pipeline.solvers import side_by_side

MOST_ROWS = 200  # of more the intervals are good enough, and orders cost more than they tell
MOST_ORDERS = 5040  # 7!: all of so many are tried
DRAWN = 100  # of more orders so many are drawn, or
FOR_EACH = 20  # so many for each of the models, if that is more: a smaller p has to be within reach
ALIKE = 1e-9  # scores that differ by less, as a share, are equal

Codes = NDArray[np.intp]


def by_orders(
    rows: Split, settings: Dataset, models: Mapping[str, Model], cut: CrossValidation
) -> dict[str, ByOrders]:
    """How each model's held-out score stands among those on other orders of the target.

    The folds are cut without a look at the target, else the seen order would be the only one that
    they suit; of several repeats they are the first. Of rows in groups whole groups change places.

    Parameters
    ----------
    rows : Split
    settings : Dataset
    models : dict
        The models of the dataset's own, by name.
    cut : CrossValidation

    Returns
    -------
    dict
        By name of those that can be judged so: of linear models with one output on at most 200
        rows that are not cut forward in time, whose threshold is no goal and whose scores vary.
    """
    served = {name: one for name, one in models.items() if side_by_side.served(one.trainer)}
    goal = isinstance(settings.evaluate.threshold, Goal) and settings.evaluate.metric == "accuracy"
    forward = rows.kept is not None and rows.kept.kind == "moments"
    if len(rows.y) > MOST_ROWS or goal or forward:
        return {}
    cuts = folds(
        rows.y, "regression", cut.model_copy(update={"repeats": 1}), kept=rows.kept
    )  # of a regression: without shares of classes
    if not cuts or not served:
        return {}
    wanted = max(DRAWN, FOR_EACH * len(models))
    targets, exact = orders(rows.y, rows.kept, wanted, cut.seed)
    found = {}
    for name, model in served.items():
        try:
            scores = _scores(model.trainer, model.params, rows, targets, cuts, settings)
        except Diverged:  # on an order for which lr is too large
            continue
        share = _as_good(scores, settings.evaluate.metric)
        if share is not None:
            found[name] = ByOrders(
                as_good=share, orders=len(scores), exact=exact, p=share / len(scores), holm=1.0
            )
    corrected = holm([one.p for one in found.values()])
    return {
        name: one.model_copy(update={"p": float(f"{one.p:.6g}"), "holm": float(f"{p:.6g}")})
        for (name, one), p in zip(found.items(), corrected, strict=True)
    }


def holm(p: Sequence[float]) -> list[float]:
    """P values of several tests at once: one of them below a level is a mistake no more often.

    The k-th smallest of m is multiplied by m - k + 1, and none is below one before it (Holm 1979).

    Examples
    --------
    >>> holm([0.03, 0.01, 0.04])
    [0.06, 0.03, 0.06]
    """
    corrected, least = [0.0] * len(p), 0.0
    for place, k in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - place) * p[k]))
        corrected[k] = least
    return corrected


def orders(y: Array, kept: Kept | None, wanted: int, seed: int) -> tuple[Array, bool]:
    """The target in the order that was seen, and in others.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
    kept : Kept, optional
        Groups whose rows stay together: those of another group take their places, one by one, and
        where groups are not of one size the next one's follow.
    wanted : int
        How many to draw where there are more than 5,040.
    seed : int

    Returns
    -------
    ndarray of shape (n_rows, n_orders)
        The order that was seen comes first.
    bool
        Whether these are all, each once.
    """
    unit = np.arange(len(y)) if kept is None else kept.codes
    places = np.argsort(unit, kind="stable")  # group by group
    parts = np.split(y[places], np.flatnonzero(np.diff(unit[places])) + 1)
    # Equal numbers have one order; groups, which hold several, each their own.
    codes = np.unique(y, return_inverse=True)[1] if kept is None else np.arange(len(parts))
    if exact := _count(codes) <= MOST_ORDERS:
        others = (one for one in _all(codes) if (one != codes).any())
        value = [*np.unique(y)] if kept is None else parts
        drawn = [[value[k] for k in one] for one in others]
    else:
        generator = np.random.default_rng(seed)
        some = (generator.permutation(len(parts)) for _ in range(wanted - 1))
        drawn = [[parts[k] for k in one] for one in some]
    targets = np.empty((len(y), len(drawn) + 1))
    targets[:, 0] = y
    for k, one in enumerate(drawn, start=1):
        targets[places, k] = np.hstack(one)
    return targets, exact


def _count(codes: Codes) -> int:
    """How many orders there are."""
    return factorial(len(codes)) // prod(map(factorial, np.bincount(codes).tolist()))


def _all(codes: Codes) -> Iterator[Codes]:
    """Each order once, from the smallest to the largest (Knuth, TAOCP 7.2.1.2, algorithm L)."""
    one = np.sort(codes)
    while True:
        yield one.copy()
        rising = np.flatnonzero(one[:-1] < one[1:])
        if not len(rising):
            return
        j = rising[-1]
        larger = np.flatnonzero(one > one[j])
        k = larger[larger > j][-1]
        one[j], one[k] = one[k], one[j]
        one[j + 1 :] = one[j + 1 :][::-1]


def _scores(
    trainer: str, params: Mapping[str, Value], rows: Split, targets: Array, cuts: Sequence[Fold],
    settings: Dataset,
) -> Array:  # fmt: skip
    """The mean over the folds of the score on each target, shape (n_orders,)."""
    metric, threshold = settings.evaluate.metric, settings.evaluate.threshold
    each = []
    for train, out in cuts:
        training = rows.raw[train]
        encoding = learn(training)
        X = encode(training, encoding)
        mean, scale = fit_scaler(X)
        theta = side_by_side.fit(trainer, params, standardized(X, mean, scale), targets[train])
        z = standardized(encode(rows.raw[out], encoding), mean, scale) @ theta[:, :-1].T
        z += theta[:, -1]
        z = np.exp(z) if logged(params) else z
        each.append(
            _score(metric, threshold if isinstance(threshold, float) else None, targets[out], z)
        )
    found: Array = np.nanmean(each, axis=0)
    return found


def _score(metric: Metric, threshold: float | None, y: Array, z: Array) -> Array:
    """That of each column; nan where it has none."""
    if metric == "roc_auc":
        areas = (auc(*pair) for pair in zip(y.T, z.T, strict=True))
        return np.array([np.nan if area is None else area for area in areas])
    # of_rows takes columns for classes
    of_each = of_rows(metric, y.ravel(), z.ravel(), threshold).reshape(y.shape)
    means: Array = of_each.mean(axis=0)
    return means


def _as_good(scores: Array, metric: Metric) -> int | None:
    """On how many orders the score is as good as on the first; None where all are alike."""
    errors = scores if metric in LOWER_IS_BETTER else -scores
    near = ALIKE * abs(float(errors[0]))
    if not np.isfinite(errors).all() or np.ptp(errors) <= near:
        return None
    return int(np.sum(errors <= errors[0] + near))
