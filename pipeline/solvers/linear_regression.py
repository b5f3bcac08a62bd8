"""scikit-learn's LinearRegression, to measure ours by."""

import numpy as np
from sklearn.linear_model import LinearRegression

from pipeline.solvers.descent import Fit
from pipeline.solvers.references import in_memory
from pipeline.solvers.rows import Rows


def fit(rows: Rows) -> Fit:
    """Fit by least squares with scikit-learn's defaults.

    Parameters
    ----------
    rows : Rows
        Their weights do not count; all are read into memory.
    """
    model = LinearRegression().fit(*in_memory(rows))
    return Fit(np.append(model.coef_, model.intercept_), np.empty(0))
