"""The trainers with scikit-learn's API, for notebooks, pipelines and grid searches.

Gradient estimators standardize their features inside, as the pipeline does, so that a learning rate
means the same everywhere; `coef_` and `intercept_` are for the features as given.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from pipeline.core.tables import Array
from pipeline.solvers.moments import moments
from pipeline.stages.evaluate.metrics import sigmoid


class _Linear(BaseEstimator):
    """A decision X @ coef_ + intercept_ on features as given."""

    def _decide(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        decision: Array = X @ np.ravel(self.coef_) + np.ravel(self.intercept_)
        return decision

    def _weights(self, sample_weight: Any, X: Array) -> Array | None:
        if sample_weight is None:
            return None
        weights: Array = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        if not weights.any():
            raise ValueError("sample_weight is zero everywhere; give some row a weight")
        return weights


class _Regressor(RegressorMixin, _Linear):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to the rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
        sample_weight : array-like of shape (n_rows,), optional
            A row of weight k counts as k equal rows.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._solve(X, y.astype(np.float64, copy=False), self._weights(sample_weight, X))
        return self

    def predict(self, X: Any) -> Array:
        """X @ coef_ + intercept_, shape (n_rows,)."""
        return self._decide(X)

    def _solve(self, X: Array, y: Array, weights: Array | None) -> None:
        raise NotImplementedError


class ClosedFormRegressor(_Regressor):
    """Least squares, solved directly (pipeline.solvers.closed_form).

    Parameters
    ----------
    fit_intercept : bool, default True

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    rank_ : int
        Of the centred, scaled features.
    condition_ : float
        Their condition number.
    standard_errors_ : ndarray of shape (n_features + 1,)
        Intercept last; nan where there are no more rows than unknowns.

    Examples
    --------
    >>> area, price = [[80], [95], [104], [112], [125], [135]], [200, 230, 245, 247, 259, 262]
    >>> round(float(ClosedFormRegressor().fit(area, price).predict([[140]])[0]), 2)
    274.71
    """

    def __init__(self, fit_intercept: bool = True) -> None:
        self.fit_intercept = fit_intercept

    def _solve(self, X: Array, y: Array, weights: Array | None) -> None:
        from pipeline.solvers.closed_form import least_squares

        solution = least_squares(X, y, weights, self.fit_intercept)
        self.coef_, self.intercept_ = solution.theta[:-1], float(solution.theta[-1])
        self.rank_, self.condition_ = solution.rank, solution.condition
        self.standard_errors_ = solution.standard_errors


class GradientDescentRegressor(_Regressor):
    """Full-batch gradient descent on the mean squared error (pipeline.solvers.quadratic).

    Parameters
    ----------
    lr : float, default 0.1
        Learning rate, on standardized features.
    epochs : int, default 100

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    loss_curve_ : ndarray of shape (epochs + 1,)
        Mean squared error before each step and after the last.
    n_iter_ : int
    """

    def __init__(self, lr: float = 0.1, epochs: int = 100) -> None:
        self.lr = lr
        self.epochs = epochs

    def _solve(self, X: Array, y: Array, weights: Array | None) -> None:
        from pipeline.solvers.quadratic import descend, quadratic

        pooled = moments(X, y, weights)
        scale = pooled.scale()[:-1]
        loss = quadratic(pooled.standardized())
        theta, self.loss_curve_ = descend(loss, np.zeros(len(scale) + 1), self.lr, self.epochs)
        self.coef_, self.intercept_ = _unscaled(theta, pooled.mean[:-1], scale)
        self.n_iter_ = self.epochs


class TorchSGDRegressor(_Regressor):
    """Linear regression by torch's autograd and SGD (pipeline.solvers.torch_sgd).

    Parameters
    ----------
    lr : float, default 0.1
        Learning rate, on standardized features.
    epochs : int, default 100
    seed : int, default 1234
        Draws the first weights.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    loss_curve_ : ndarray of shape (epochs + 1,)
    n_iter_ : int
    """

    def __init__(self, lr: float = 0.1, epochs: int = 100, seed: int = 1234) -> None:
        self.lr = lr
        self.epochs = epochs
        self.seed = seed

    def _solve(self, X: Array, y: Array, weights: Array | None) -> None:
        from pipeline.solvers import torch_sgd

        pooled = moments(X, y, weights)
        mean, scale = pooled.mean[:-1], pooled.scale()[:-1]
        theta, self.loss_curve_ = torch_sgd.fit(
            (X - mean) / scale, y, self.lr, self.epochs, self.seed, weights
        )
        self.coef_, self.intercept_ = _unscaled(theta, mean, scale)
        self.n_iter_ = self.epochs


class BCPMClassifier(ClassifierMixin, _Linear):
    """The chapter's breast cancer model: a linear layer and a sigmoid (pipeline.solvers.bcpm).

    Parameters
    ----------
    lr : float, default 0.1
        Learning rate, on standardized features.
    epochs : int, default 100
    loss_threshold : float, default 0
        Training stops once the loss is at or below it.
    seed : int, default 1234
        Draws the first weights.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    coef_ : ndarray of shape (1, n_features)
    intercept_ : ndarray of shape (1,)
    loss_curve_ : ndarray of shape (steps + 1,)
        Binary cross-entropy, in nats.
    n_iter_ : int
    """

    def __init__(
        self, lr: float = 0.1, epochs: int = 100, loss_threshold: float = 0.0, seed: int = 1234
    ) -> None:
        self.lr = lr
        self.epochs = epochs
        self.loss_threshold = loss_threshold
        self.seed = seed

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to the rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
            Two classes.
        sample_weight : array-like of shape (n_rows,), optional
            A row of weight k counts as k equal rows.
        """
        from pipeline.solvers import bcpm

        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        weights = self._weights(sample_weight, X)
        self.classes_, labels = np.unique(y, return_inverse=True)
        seen = len(np.unique(labels if weights is None else labels[weights > 0]))
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass "
                f"with {len(self.classes_)} classes."
            )
        if seen < 2:
            raise ValueError(f"expected rows of two classes, got {seen} class")
        pooled = moments(X, labels.astype(np.float64), weights)
        mean, scale = pooled.mean[:-1], pooled.scale()[:-1]
        theta, self.loss_curve_ = bcpm.fit(
            (X - mean) / scale,
            labels.astype(np.float64),
            lr=self.lr,
            epochs=self.epochs,
            seed=self.seed,
            loss_threshold=self.loss_threshold,
            weights=weights,
        )
        coef, intercept = _unscaled(theta, mean, scale)
        self.coef_, self.intercept_ = coef[None, :], np.array([intercept])
        self.n_iter_ = len(self.loss_curve_) - 1
        return self

    def decision_function(self, X: Any) -> Array:
        """The logit of the second class, shape (n_rows,)."""
        return self._decide(X)

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of both classes, shape (n_rows, 2)."""
        logit = self._decide(X)
        return np.column_stack([sigmoid(-logit), sigmoid(logit)])

    def predict(self, X: Any) -> NDArray[Any]:
        """The class whose probability is above one half, shape (n_rows,)."""
        above = self._decide(X) > 0
        predicted: NDArray[Any] = self.classes_[above.astype(int)]
        return predicted


def _unscaled(theta: Array, mean: Array, scale: Array) -> tuple[Array, float]:
    """Weights for standardized features as weights for the features as given."""
    coef = theta[:-1] / scale
    return coef, float(theta[-1] - mean @ coef)
