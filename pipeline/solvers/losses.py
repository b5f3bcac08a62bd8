"""The largest stable learning rate of a loss, from its training rows."""

import numpy as np

from pipeline.core.tables import Array
from pipeline.solvers.moments import moments


def bce_stable_lr(X: Array) -> float:
    """A bound for binary cross-entropy: its Hessian A'DA/n has D <= 1/4, A = [X, 1].

    Below 2 / lambda_max of A'A/4n no step of full-batch descent raises the loss.
    """
    pooled = moments(X, np.zeros(len(X)))
    mean = np.append(pooled.mean[:-1], 1.0)
    gram = np.outer(mean, mean)
    gram[:-1, :-1] += pooled.scatter[:-1, :-1] / pooled.weight
    return float(8 / np.linalg.eigvalsh(gram)[-1])
