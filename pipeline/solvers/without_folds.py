"""Least squares without each fold, by algebra: one pass for the moments of the folds, and no other.

The moments of the rows that train are the sum of those of all other folds, so nothing cancels:

    M_-k = sum_{j != k} M_j,   w_k = S_xx^-1 s_xy and b_k = mean(y) - w_k mean(x) of M_-k

and full-batch descent on the squared error needs no more than M_-k, either (`quadratic`). The Gram
matrix squares the condition number: up to `closed_form.SAFE_FOR_GRAM` weights are those of a model
that is trained anew, to 1e-8 of them; beyond it there is none here.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.core.settings.descent import Descent
from pipeline.core.tables import Array
from pipeline.core.trainers import Value
from pipeline.solvers.blocks import blocks, one_blas_thread
from pipeline.solvers.closed_form import solved_by_gram
from pipeline.solvers.manual_gd import fit_moments
from pipeline.solvers.moments import Moments, moments_of_folds
from pipeline.solvers.rows import Rows, over

DIRECT = ("closed_form", "linear_regression", "mean")
DESCENDS = ("manual_gd", "torch_sgd")
Folds = NDArray[np.intp]


class Linear(NamedTuple):
    """A model of the rows outside of a fold, on features in their own units.

    Attributes
    ----------
    coef : ndarray of shape (n_features,)
    intercept : float
    """

    coef: Array
    intercept: float


def served(trainer: str, params: Mapping[str, Value]) -> bool:
    """Whether the moments of rows are all that a trainer needs of them."""
    if trainer in DIRECT:
        return True
    one = Descent.of(**params) if trainer in DESCENDS else None
    if one is None or one.loss != "mse" or one.batch_size != "full" or one.device != "cpu":
        return False
    return trainer == "manual_gd" or one.init == "zeros"  # torch draws weights of its own


def without_each(
    trainer: str, params: Mapping[str, Value], rows: Rows, fold: Folds, count: int
) -> tuple[list[Linear], Array] | None:
    """The models without each fold, and what they say of the rows of theirs.

    Parameters
    ----------
    trainer : str
        One that is `served`.
    params : dict
    rows : Rows
        Of mean 0 and scale 1: features as they are.
    fold : ndarray of int, of shape (n_rows,)
        From 0: in which fold each row is held out.
    count : int
        The number of folds.

    Returns
    -------
    models : list of Linear
    z : ndarray of shape (n_rows,)
    None
        Instead, where the rows without some fold are too ill-conditioned.

    Raises
    ------
    Diverged
        When a descent does.
    PipelineError
        When squares overflow.
    """
    of_each = moments_of_folds(rows, fold, count)
    models = list[Linear]()
    for others in _without_each(of_each):
        found = _fitted(trainer, params, others)
        if found is None:
            return None
        models.append(found)
    centre = of_each[0].mean[:-1]
    return models, _foretold(models, rows, fold, centre)


def _without_each(of_each: Sequence[Moments]) -> list[Moments]:
    """The sum of all but each, from those before it and those after it."""
    before = [*accumulate(of_each[:-1])]
    after = [*accumulate(of_each[:0:-1])][::-1]
    inner = [a + b for a, b in zip(before[:-1], after[1:], strict=True)]
    return [after[0], *inner, before[-1]]


def _fitted(trainer: str, params: Mapping[str, Value], others: Moments) -> Linear | None:
    mean, scale = others.mean[:-1], others.spread().scale()
    if trainer == "mean":
        return Linear(np.zeros(len(mean)), float(others.mean[-1]))
    seen = others.seen(mean, scale)
    if trainer in DIRECT:
        theta = solved_by_gram(seen)
    else:
        theta = fit_moments(seen, Descent.of(**params), fit_intercept=True).theta
    if theta is None:
        return None
    coef = theta[:-1] / scale
    return Linear(coef, float(theta[-1] - mean @ coef))


@one_blas_thread
def _foretold(models: Sequence[Linear], rows: Rows, fold: Folds, centre: Array) -> Array:
    """What each row's model says of it; rows are centred first, or digits would be lost."""
    coef = np.column_stack([one.coef for one in models])
    at_centre = np.array([one.intercept for one in models]) + centre @ coef

    def of_part(part: slice) -> Array:
        X, own = rows.read(part).X, fold[part]
        return np.concatenate([of_block(X[some], own[some]) for some in blocks(len(own))])

    def of_block(X: Array, own: Folds) -> Array:
        z: Array = (X - centre) @ coef
        return z[np.arange(len(own)), own] + at_centre[own]

    return np.concatenate([*over(rows, of_part, "folds")])
