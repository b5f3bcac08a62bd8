"""scikit-learn's LogisticRegression, to measure ours by."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from pipeline.solvers.descent import Fit
from pipeline.solvers.references import in_memory
from pipeline.solvers.rows import Rows

MOST_STEPS = 10_000  # its own 100 end with a warning where columns are many


def fit(rows: Rows) -> Fit:
    """Minimize cross-entropy with scikit-learn's own penalty, |w|^2 / 2 beside C = 1 times its sum.

    Parameters
    ----------
    rows : Rows
        Labels are 0 and 1; weights do not count; all rows are read into memory.
    """
    model = LogisticRegression(max_iter=MOST_STEPS).fit(*in_memory(rows))
    return Fit(np.append(model.coef_, model.intercept_), np.empty(0))
