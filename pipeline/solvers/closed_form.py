"""Least squares, solved directly: by the Gram matrix where that is safe, by QR where it is not."""

import warnings
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.core.errors import SHOWN, PipelineWarning
from pipeline.core.tables import Array
from pipeline.solvers.blocks import one_blas_thread
from pipeline.solvers.descent import Fit
from pipeline.solvers.moments import Moments, moments, spread
from pipeline.solvers.rows import Rows, over

# The Gram matrix squares the condition number: up to here it leaves 10 digits, and
# refinement brings back the others.
SAFE_FOR_GRAM = 1e3


@dataclass(frozen=True)
class LeastSquares:
    """The minimum of |W^1/2 (A theta - y)|^2 with A = [X, 1], and how far to trust it.

    Attributes
    ----------
    theta : ndarray of shape (n_features + 1,)
        Intercept last (0 without one). Of minimum norm, on scaled features, where columns depend
        on each other.
    rank : int
        Of the centred, scaled features.
    condition : float
        Of these columns at unit length: their largest singular value over the smallest; inf where
        the rank is not full.
    standard_errors : ndarray of shape (n_features + 1,)
        nan where there are no more rows (of weight k: k rows) than unknowns, and for features that
        are constant or depend on others.
    r2 : float
        nan for a constant target; without intercept of the squares about zero, as NIST has it.
    """

    theta: Array
    rank: int
    condition: float
    standard_errors: Array
    r2: float


def fit(rows: Rows) -> Fit:
    """Minimize |A theta - y|^2, A = [X, 1]; the facts are rank and condition number."""
    solution = least_squares(rows)
    condition = solution.condition if np.isfinite(solution.condition) else None
    return Fit(solution.theta, np.empty(0), {"rank": solution.rank, "condition": condition})


@one_blas_thread
def least_squares(rows: Rows, fit_intercept: bool = True) -> LeastSquares:
    """Solve weighted least squares in passes over blocks of rows; memory does not grow with rows.

    The columns are centred and scaled. From the condition number then measured, the factor of the
    normal equations is the Gram matrix, or the triangle of a block-wise QR and its singular values
    (Golub and Van Loan, ch. 5). Refinement by the residuals follows (Bjorck 1987): once, or twice
    in long double where the problem is ill-conditioned.

    Warns where columns depend on each other. The rows' own mean and scale must be 0 and 1.
    """
    pooled = moments(rows, centre=fit_intercept)
    spreads, scale, gram = _scaled(pooled)
    values, vectors = np.linalg.eigh(gram)
    unit = np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))
    if values[-1] < SAFE_FOR_GRAM**2 * values[0]:
        singular = np.sqrt(values)
        condition = np.linalg.cond(gram / np.outer(unit, unit)) ** 0.5
        beta = vectors @ (vectors.T @ (pooled.scatter[:-1, -1] / scale) / values)
    else:
        triangle = _triangle(rows, pooled, scale)
        left, singular, right = np.linalg.svd(triangle[:-1, :-1])
        vectors = right.T
        condition = np.linalg.cond(triangle[:-1, :-1] / unit)
        kept = singular > singular[0] * np.finfo(float).eps * max(rows.n_rows, len(scale))
        singular, vectors = singular[kept], vectors[:, kept]
        beta = vectors @ ((left.T @ triangle[:-1, -1])[kept] / singular)
    full = len(singular) == len(scale)
    safe = full and singular.max() < SAFE_FOR_GRAM * singular.min()
    for _ in range(1 if safe else 2):
        at = (beta / scale).astype(np.float64 if safe else np.longdouble)
        gradient, rest, rss = _residuals(rows, pooled, at)
        step = vectors @ (vectors.T @ (gradient / scale) / singular**2)
        beta = at.astype(np.longdouble) * scale + step
    rss = max(rss - float(step @ (gradient / scale)), 0.0)  # of a quadratic at its next point
    w, means, rank = beta / scale, pooled.mean[:-1], len(singular)
    # Where the mean was rounded, the residuals keep the difference.
    gap = pooled.mean[-1] - w @ means + rest / pooled.weight
    intercept = float(gap) if fit_intercept else 0.0
    free = pooled.weight - rank - fit_intercept
    variance = rss / free if free > 0 else np.nan
    root = vectors / singular / scale[:, None]  # root @ root' is the inverse of Xc'WXc
    at_zero = 1 / pooled.weight + np.sum((means @ root) ** 2) if fit_intercept else 0.0
    errors = np.sqrt(variance * np.append((root**2).sum(axis=1), at_zero))
    if not full:
        undetermined = np.flatnonzero((vectors**2).sum(axis=1) < 1 - 1e-8)
        errors[[*undetermined, *([-1] if fit_intercept else [])]] = np.nan
        names, counted = rows.features, "" if rows.features else " (counted from 0)"
        shown = ", ".join(names[k] if names else str(k) for k in undetermined[:SHOWN])
        warnings.warn(
            f"rank {rank} of {len(scale)}: features {shown}{counted} are constant or "
            "depend on each other; of all solutions this is the one of least norm",
            PipelineWarning,
            stacklevel=3,
        )
    total = float(spreads[-1] ** 2)
    return LeastSquares(
        theta=np.append(w.astype(np.float64), intercept),
        rank=rank,
        condition=float(condition) if full else np.inf,
        standard_errors=errors,
        r2=1 - rss / total if total > 0 else np.nan,
    )


def solved_by_gram(pooled: Moments) -> Array | None:
    """The minimum of |A theta - y|^2 by the moments of the rows alone, without refinement.

    Parameters
    ----------
    pooled : Moments

    Returns
    -------
    theta : ndarray of shape (n_features + 1,)
        Intercept last.
    None
        Where the columns are ill-conditioned, or depend on each other.
    """
    _, scale, gram = _scaled(pooled)
    values, vectors = np.linalg.eigh(gram)
    if not values[-1] < SAFE_FOR_GRAM**2 * values[0]:
        return None
    w = vectors @ (vectors.T @ (pooled.scatter[:-1, -1] / scale) / values) / scale
    return np.append(w, pooled.mean[-1] - w @ pooled.mean[:-1])


def _scaled(pooled: Moments) -> tuple[Array, Array, Array]:
    """Spreads of [X, y]; scales of X, powers of two, which round nothing; and its Gram matrix."""
    spreads = spread(np.diag(pooled.scatter), pooled.weight, pooled.mean)
    scale = np.where(spreads > 0, np.exp2(np.frexp(spreads)[1]), 1.0)[:-1]
    return spreads, scale, pooled.scatter[:-1, :-1] / np.outer(scale, scale)


def _centred(
    rows: Rows, part: slice, pooled: Moments, precision: DTypeLike
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows of sqrt(w) ([X, y] - mean), and sqrt(w)."""
    block = rows.read(part)
    Z: NDArray[Any] = np.empty((len(block), rows.n_features + 1), dtype=precision)
    Z[:, :-1], Z[:, -1] = block.X, block.y
    Z -= pooled.mean
    if block.weights is None:
        return Z, np.ones(len(block))
    root = np.sqrt(block.weights)
    return Z * root[:, None], root


def _triangle(rows: Rows, pooled: Moments, scale: Array) -> Array:
    """R of the QR factorization of the centred, scaled [X, y], shape (n_features + 1,) * 2."""
    by = np.append(scale, 1.0)

    def of_block(part: slice) -> Array:
        return _r(_centred(rows, part, pooled, np.float64)[0] / by)

    parts = over(rows, of_block, "orthogonal factor")
    return reduce(lambda a, b: _r(np.vstack([a, b])), parts, np.zeros((len(by), len(by))))


def _r(A: Array) -> Array:
    return np.asarray(np.linalg.qr(A, mode="r"), dtype=np.float64)


def _residuals(rows: Rows, pooled: Moments, w: NDArray[Any]) -> tuple[Array, float, float]:
    """Xc' W r, 1' W r and r' W r of r = yc - Xc w, in the precision of w."""

    def of_block(part: slice) -> Array:
        Z, root = _centred(rows, part, pooled, w.dtype)
        r = Z[:, -1] - Z[:, :-1] @ w
        return np.concatenate([r @ Z[:, :-1], [root @ r, r @ r]])

    total = reduce(np.add, over(rows, of_block, "residuals")).astype(np.float64)
    return total[:-2], float(total[-2]), float(total[-1])
