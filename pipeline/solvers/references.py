"""What trainers are measured by: scikit-learn's models, and those that look at no feature.

A function each, of the trainer's name. The weights of the rows do not count.
"""

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression

from pipeline.core.tables import Array
from pipeline.core.trainers import REFERENCE_ROWS
from pipeline.solvers.descent import Fit, with_intercept
from pipeline.solvers.moments import moments
from pipeline.solvers.rows import Rows, class_counts, in_memory

MOST_STEPS = 10_000  # its own 100 end with a warning where columns are many


def linear_regression(rows: Rows) -> Fit:
    """Fit by least squares with scikit-learn's defaults, to at most 65,536 rows in memory."""
    return _of_scikit_learn(LinearRegression(), rows)


def logistic_regression(rows: Rows) -> Fit:
    """Minimize cross-entropy with scikit-learn's own penalty, |w|^2 / 2 beside C = 1 times its sum.

    Of several classes it has a row of weights for each. At most 65,536 rows are in memory.
    """
    return _of_scikit_learn(LogisticRegression(max_iter=MOST_STEPS), rows)


def mean(rows: Rows) -> Fit:
    """Predict the mean of y: the constant c of least sum_i (c - y_i)^2."""
    return _constant(rows, moments(rows).mean[-1:])


def majority(rows: Rows) -> Fit:
    """Predict the larger class; its probability is its share, which has the least log loss.

    Of two classes the intercept is the logit log(s / (1 - s)) of the share s of label 1, from 0 to
    1, both excluded: `split` refuses training rows without one of the classes. Of several it is the
    logarithm of each one's share.
    """
    counts = class_counts(rows)
    if len(counts) > 2:
        return _constant(rows, np.log(counts / counts.sum()))
    share = moments(rows).mean[-1:]
    return _constant(rows, np.log(share) - np.log1p(-share))


def _of_scikit_learn(model: LinearRegression | LogisticRegression, rows: Rows) -> Fit:
    model.fit(*in_memory(rows, REFERENCE_ROWS))
    intercept = np.atleast_1d(model.intercept_)
    return Fit(with_intercept(np.atleast_2d(model.coef_), intercept), np.empty(0))


def _constant(rows: Rows, intercept: Array) -> Fit:
    coef = np.zeros((len(intercept), rows.n_features))
    return Fit(with_intercept(coef, intercept), np.empty(0))
