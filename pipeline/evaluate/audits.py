"""Checks for leakage: test rows, or the target, that reached the training."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, ndtri

from pipeline.core.artifacts.evaluated import Audit
from pipeline.core.artifacts.models import Model
from pipeline.core.artifacts.splits import Split
from pipeline.core.columns import Raw, learn
from pipeline.core.errors import naming
from pipeline.core.kept import Kept
from pipeline.core.preprocessing import (
    fit_scaler,
    is_constant,
    log_target,
    standardized,
    thinned,
)
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.evaluate import CrossValidation
from pipeline.core.tables import Array
from pipeline.evaluate.cross_validation import OutOfFold, cross_validate
from pipeline.evaluate.folds import folds
from pipeline.evaluate.intervals import area, wilson
from pipeline.evaluate.metrics import auc, predicted_labels
from pipeline.solvers.blocks import blocks

GIVEN_AWAY = 0.999  # R2, or AUC, of one feature alone
SURE = 0.999  # one alarm in a thousand by chance
NEAR = 100  # times closer
UNLIKELY = 1e-4  # so many of such rows by chance
FEWEST = 10  # rows that tell how they are spread
# Rows that are looked at: for copies, for what one feature tells, and on shuffled targets.
MOST_TESTED, MOST_NEAR, MOST_TELLING, MOST_SHUFFLED = 1000, 20_000, 5000, 2000
AT_ONCE, CANDIDATES = 64, 4  # test rows whose distances are in memory; training rows near each


def audits(
    rows: Split, trained: Array, settings: Dataset, models: Mapping[str, Model]
) -> list[Audit]:
    """All of them, for the trainers and params of these models, by name.

    Parameters
    ----------
    rows : Split
    settings : Dataset
    models : dict
        The dataset's own models; without one no target is shuffled.
    trained : ndarray of shape (n_train, n_features)
        The standardized rows that the trainers read.
    """
    X, y = rows.X[rows.train], rows.y[rows.train]
    learned = [y, log_target(y)] if settings.logged else [y]
    return [
        *([_kept_apart(rows, rows.kept)] if rows.kept else []),
        _identical_rows(rows),
        near_duplicates(*(rows.part(some)[0] for some in (rows.train, rows.test))),
        _scaler(X, rows, trained),
        _giveaway(X, learned, rows.features, settings),
        shuffled_labels(rows.raw, rows.y, settings, models),
    ]


def _kept_apart(rows: Split, kept: Kept) -> Audit:
    train, test = kept.codes[rows.train], kept.codes[rows.test]
    if kept.kind == "groups":
        found = len(np.intersect1d(train, test))
        text = f"{found} of {kept.codes.max() + 1} groups have training and test rows"
    else:
        found = int(np.sum(test <= train.max()))
        text = f"{found} of {len(test)} test rows are not later than all that train"
    return Audit(name="kept_apart", passed=not found, figure=float(found), text=text)


def _identical_rows(rows: Split) -> Audit:
    every = np.column_stack([rows.raw.values, rows.y]) + 0.0  # -0.0 is 0.0
    known = {row.tobytes() for row in every[rows.train]}
    return identical(sum(row.tobytes() in known for row in every[rows.test]), len(rows.test))


def identical(found: int, of: int) -> Audit:
    """So many of the test rows equal a training row."""
    return Audit(
        name="identical_rows",
        passed=not found,
        figure=float(found),
        text=f"{found} of {of} test rows equal a training row in all columns used"
        if of
        else "there are no test rows",
    )


def near_duplicates(train: Array, test: Array) -> Audit:
    """Test rows that lie far closer to one training row than to all others.

    Where rows are spread over d dimensions, the distance to the second nearest is more than m times
    that to the nearest with probability m^-d, however dense they are (Facco et al., Estimating the
    intrinsic dimension of datasets by a minimal neighborhood information, Scientific Reports 7,
    2017); d follows from the median of that ratio. More such rows than chance has were
    entered twice, or belong together: to a patient, say.

    Parameters
    ----------
    train, test : ndarray of shape (n_rows, n_features)
        Standardized. Of many, evenly spaced ones are looked at. Equal rows do not count.
    """
    text, found = "too few rows differ to tell", None
    tested = test[thinned(len(test), MOST_TESTED)]
    if len(train) > 1 and len(tested):
        distances = two_nearest(train[thinned(len(train), MOST_NEAR)], tested)
        nearest, second = distances[distances[:, 0] > 0].T
        if len(nearest) >= FEWEST and (median := np.median(second / nearest)) > 1:
            found, n = int(np.sum(second > NEAR * nearest)), len(nearest)
            chance = NEAR ** -float(np.log(2) / np.log(median))
            text = (
                f"{found} of {n} test rows lie over {NEAR} times closer to one training row than "
                f"to any other; by chance {n * chance:.2g}"
            )
            if found and bdtrc(found - 1, n, chance) < UNLIKELY:
                text += ". What belongs together stays so by split.group"
                return Audit(name="near_duplicates", passed=False, figure=float(found), text=text)
    figure = None if found is None else float(found)
    return Audit(name="near_duplicates", passed=True, figure=figure, text=text)


def two_nearest(train: Array, test: Array) -> Array:
    """How far each test row is from the nearest training row, and from the one after it.

    |a - b|^2 = |a|^2 - 2 a.b + |b|^2 finds a few candidates by one matrix product, a quarter of
    the time of a tree in 30 dimensions; their distances are then taken from the differences, since
    nothing is left of the digits of those that lie close.

    Returns
    -------
    ndarray of shape (n_test, 2)
    """
    squares, found = np.einsum("ij,ij->i", train, train), np.empty((len(test), 2))
    for part in blocks(len(test), AT_ONCE):
        far = squares - 2 * (test[part] @ train.T)
        every, near = np.arange(len(far)), list[NDArray[np.intp]]()
        for _ in range(min(CANDIDATES, len(train))):
            near.append(far.argmin(axis=1))
            far[every, near[-1]] = np.inf
        between = test[part, None] - train[np.column_stack(near)]
        found[part] = np.sort(np.sqrt(np.square(between).sum(axis=2)), axis=1)[:, :2]
    return found


def _scaler(X: Array, rows: Split, trained: Array) -> Audit:
    """What is in use of columns and scale, and the rows trained on, against the training rows."""
    if learn(rows.raw[rows.train]) != rows.encoding:
        return unlearned()
    mean, scale = fit_scaler(X)
    gaps = (
        (rows.mean - mean) / scale,
        rows.scale / scale - 1,
        trained - standardized(X, mean, scale),
    )
    return scaled(float(max(np.abs(each).max() for each in gaps)), 1e-12)


def unlearned() -> Audit:
    """The training rows teach other things of the columns than those in use."""
    text = "columns.json is not what the training rows alone teach of the columns"
    return Audit(name="scaler", passed=False, figure=None, text=text)


def scaled(gap: float, limit: float) -> Audit:
    """What is in use differs by `gap` from what training rows give, which `limit` allows or not."""
    return Audit(
        name="scaler",
        passed=gap < limit,
        figure=float(f"{gap:.3g}"),
        text="mean, scale and the rows trained on differ from what the training rows alone give by "
        f"at most {gap:.3g} standard deviations",
    )


def _giveaway(
    X: Array, targets: Sequence[Array], features: Sequence[str], settings: Dataset
) -> Audit:
    """What each feature says."""
    return giveaway([tells(x, targets, settings) for x in X.T], features, settings)


def tells(x: Array, targets: Sequence[Array], settings: Dataset) -> float:
    """What one feature says about the target, or about its logarithm; 5,000 rows tell."""
    rows = thinned(len(x), MOST_TELLING)
    tell = _r2 if settings.task == "regression" else _auc
    return max(tell(x[rows], y[rows]) for y in targets)


def giveaway(of: Sequence[float], features: Sequence[str], settings: Dataset) -> Audit:
    """The feature that alone says most about the target: `of` has what each says."""
    regression = settings.task == "regression"
    unit = "R2" if regression else "AUC of any two classes" if settings.evaluate.several else "AUC"
    best = int(np.argmax(of))
    return Audit(
        name="giveaway",
        passed=of[best] < GIVEN_AWAY,
        figure=float(f"{of[best]:.6g}"),
        text=f"{features[best]} alone has {unit} {of[best]:.4f} on the "
        f"training rows; from {GIVEN_AWAY} on it would give the target away",
    )


def _r2(x: Array, y: Array) -> float:
    if is_constant(x) or is_constant(y) or len(y) < 3:
        return 0.0
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    return float(np.mean(x * y) ** 2)


def _auc(x: Array, y: Array) -> float:
    """Of two classes; of several that of the two which the feature tells apart least.

    One class against the rest would not do: many an honest feature tells one class from all others.
    """
    return min((_of_two(x, y, *two) for two in combinations(np.unique(y), 2)), default=0.5)


def _of_two(x: Array, y: Array, a: float, b: float) -> float:
    rows = (y == a) | (y == b)
    found = auc((y[rows] == b).astype(float), x[rows])
    return 0.5 if found is None else max(found, 1 - found)


def shuffled_labels(raw: Raw, y: Array, settings: Dataset, models: Mapping[str, Model]) -> Audit:
    """Trainers on a shuffled target: whoever foretells held-out rows there has seen them.

    Of more than 2,000 rows so many, evenly spaced. The figure is what the best of them surely has
    beyond chance: of AUC - 0.5, of several classes of accuracy, or of the correlation of prediction
    and target.
    """
    if not models:
        return Audit(
            name="shuffled_labels",
            passed=True,
            figure=None,
            text="there is no model of this dataset's own to train on shuffled targets",
        )
    some = _of_each_kind(y, settings)
    raw, y = raw[some], y[some]
    shuffled = np.random.default_rng(0).permutation(y)
    counts = [len(y)] if settings.task == "regression" else np.unique(y, return_counts=True)[1]
    if min(counts) < 2:  # as may be of moments
        text = "a class has one row, and no fold can hold it out and train on it"
        return Audit(name="shuffled_labels", passed=True, figure=None, text=text)
    cut = CrossValidation(folds=max(2, min(5, int(min(counts)))), repeats=1, seed=0)
    cuts = folds(shuffled, settings.task, cut)
    beyond = dict[str, float]()
    for name, one in models.items():
        with naming(f"{name} on shuffled targets"):
            held = cross_validate(one.trainer, one.params, raw, shuffled, cuts)
        beyond[name] = _beyond_chance(held, shuffled, settings)
    best = max(beyond, key=lambda name: float(f"{beyond[name]:.4g}"))  # not by the last digits
    unit = "correlation" if settings.task == "regression" else "AUC - 0.5"
    if settings.evaluate.several:
        unit = "accuracy - chance"
    return Audit(
        name="shuffled_labels",
        passed=beyond[best] <= 0,
        figure=float(f"{beyond[best]:.4g}"),
        text=f"of trainers on shuffled targets {best} foretells held-out rows best: {unit} is at "
        f"least {beyond[best]:.3g} ({100 * SURE:g} % sure); above 0 it would have seen them",
    )


def _of_each_kind(y: Array, settings: Dataset) -> NDArray[np.intp]:
    """At most 2,000 rows, evenly spaced, of classes within each; all where one would be lost."""
    every = np.arange(len(y))
    if len(y) <= MOST_SHUFFLED:
        return every
    order = every if settings.task == "regression" else np.argsort(y, kind="stable")
    some = np.sort(order[thinned(len(y), MOST_SHUFFLED)])
    whole = settings.task == "regression" or len(np.unique(y[some])) == len(np.unique(y))
    return some if whole else every


def _beyond_chance(held: Sequence[OutOfFold], y: Array, settings: Dataset) -> float:
    """The lower end of the interval of AUC - 0.5, or of the correlation; 0 where there is none."""
    if len(held) < 2 or len(y) < 5:
        return 0.0
    rows, z = (np.concatenate([getattr(fold, key) for fold in held]) for key in ("rows", "z"))
    if settings.evaluate.several:
        return _beyond_chance_of_several(predicted_labels(z, None), y[rows])
    if settings.task == "classification":
        interval = area(y[rows], z, SURE)
        return interval[0] - 0.5 if interval else 0.0
    if is_constant(z) or is_constant(y):
        return 0.0
    r = np.clip(np.corrcoef(z, y[rows])[0, 1], -1 + 1e-12, 1 - 1e-12)
    return float(np.tanh(np.arctanh(r) - ndtri(SURE) / np.sqrt(len(y) - 3)))  # Fisher 1915


def _beyond_chance_of_several(label: NDArray[np.intp], y: Array) -> float:
    """The lower end of the interval of the accuracy, less that of as many labels at random."""
    n, classes = len(y), np.unique(y)
    chance = sum(float(np.mean(label == k) * np.mean(y == k)) for k in classes)
    low, _ = wilson(int(np.sum(label == y)), n, SURE) or (0.0, 1.0)
    return low - chance
