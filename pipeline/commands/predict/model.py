"""The arithmetic of a prediction: arrays in, arrays out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.tables import Array
from pipeline.solvers.losses import sigmoid


@dataclass(frozen=True)
class Predictor:
    """A linear model on standardized features that takes rows in their own units.

    Attributes
    ----------
    features : sequence of str
        The columns of X, in this order.
    mean, scale, coef : ndarray of shape (n_features,)
    low, high : ndarray of shape (n_features,)
        Smallest and largest value over the training rows.
    threshold : float
        Label 1 from this probability on; of no use in regression.
    """

    features: Sequence[str]
    mean: Array
    scale: Array
    coef: Array
    intercept: float
    low: Array
    high: Array
    threshold: float

    def predict(self, X: Array) -> Array:
        """The target, or the logit of label 1: (X - mean) / scale @ coef + intercept.

        Added a feature at a time: the digits of BLAS's product hang on how many rows there are,
        these do not.

        Returns
        -------
        ndarray of shape (n_rows,)
            Not finite where a row's values are too large.
        """
        z = np.zeros(len(X))
        with np.errstate(over="ignore", invalid="ignore"):
            for x, mean, scale, weight in zip(X.T, self.mean, self.scale, self.coef, strict=True):
                z += (x - mean) / scale * weight
            return z + self.intercept

    def labels(self, z: Array) -> NDArray[np.bool_]:
        """Whether the label is 1, of logits."""
        return sigmoid(z) >= self.threshold

    def outside(self, X: Array) -> NDArray[np.bool_]:
        """Which values lie outside the range of the training rows, shape (n_rows, n_features)."""
        return (self.low > X) | (self.high < X)


class OutOfRange:
    """What lies outside the range of the training rows, counted over the chunks."""

    def __init__(self, features: Sequence[str]) -> None:
        self._features = np.array(features, dtype=object)
        self._seen = np.zeros(len(features), dtype=bool)
        self.count, self.first = 0, 0

    @property
    def columns(self) -> list[str]:
        """The features of which a value was outside."""
        return [*self._features[self._seen]]

    def names(self, outside: NDArray[np.bool_], lines: Sequence[int]) -> list[str]:
        """For each row the features outside, joined by semicolons."""
        names = [""] * len(outside)
        for row in np.flatnonzero(outside.any(axis=1)).tolist():
            names[row] = ";".join(self._features[outside[row]])
            self.first = self.first or lines[row]
            self.count += 1
        self._seen |= outside.any(axis=0)
        return names
