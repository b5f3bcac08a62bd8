"""What the reference trainers share."""

import numpy as np

from pipeline.core.tables import Array
from pipeline.solvers.descent import Fit
from pipeline.solvers.rows import Rows


def constant(n_features: int, intercept: float) -> Fit:
    """A model that looks at no feature: all weights 0, and this intercept."""
    return Fit(np.append(np.zeros(n_features), intercept), np.empty(0))


def in_memory(rows: Rows) -> tuple[Array, Array]:
    """All rows at once, standardized, as scikit-learn wants them.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    """
    parts = [rows.read(part) for part in rows.parts()]
    X = np.concatenate([part.standardized(rows.mean, rows.scale) for part in parts])
    return X, np.concatenate([part.y for part in parts])
