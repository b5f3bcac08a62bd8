"""The trivial classifier: the share of label 1 among the training rows, whatever the features."""

import numpy as np

from pipeline.solvers.descent import Fit
from pipeline.solvers.moments import moments
from pipeline.solvers.references import constant
from pipeline.solvers.rows import Rows


def fit(rows: Rows) -> Fit:
    """Predict the larger class; its probability is its share, which has the least log loss.

    The intercept is the logit log(s / (1 - s)) of the share s of label 1, from 0 to 1, both
    excluded: `split` refuses training rows of one class.
    """
    share = float(moments(rows).mean[-1])
    return constant(rows.n_features, float(np.log(share) - np.log1p(-share)))
