"""The trainers with scikit-learn's API, for notebooks, pipelines and grid searches.

Gradient estimators standardize their features inside, as the pipeline does, so that a learning rate
means the same everywhere; `coef_` and `intercept_` are for the features as given. Without an
intercept features are scaled, not centred. Networks standardize theirs, too; their layers are for
standardized features. All params are keywords. Torch is imported by the `fit` that needs it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from pipeline.core.errors import SHOWN, PipelineWarning
from pipeline.core.preprocessing import columns_to_doubt, is_constant, standardized
from pipeline.core.settings.descent import Descent
from pipeline.core.settings.network import NetworkDescent
from pipeline.core.tables import Array
from pipeline.solvers import advice, descent, manual_gd, network, pairwise_mean
from pipeline.solvers.blocks import one_blas_thread
from pipeline.solvers.closed_form import least_squares
from pipeline.solvers.losses import LOSSES, max_stable_lr, sigmoid, softmax
from pipeline.solvers.moments import Spread, column_spread, moments
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import ArrayRows


class _Weighing(BaseEstimator):
    """An estimator whose rows may have weights."""

    def _weighted(
        self, X: Array, y: NDArray[Any], sample_weight: Any
    ) -> tuple[Array, NDArray[Any], Array | None]:
        """The rows that count, and their weights."""
        if sample_weight is None:
            return X, y, None
        weights: Array = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        if not weights.any():
            raise ValueError("sample_weight is zero everywhere; give some row a weight")
        kept = weights > 0
        return (X, y, weights) if kept.all() else (X[kept], y[kept], weights[kept])


class _Linear(_Weighing):
    """A decision X @ coef_ + intercept_ on features as given."""

    def _decide(self, X: Any) -> Array:
        check_is_fitted(self, "coef_")
        X = validate_data(self, X, reset=False, dtype=np.float64)
        decision: Array = X @ self.coef_.T + self.intercept_
        return decision

    def _keep(self, coef: Array, intercept: Array) -> None:
        self.coef_ = coef
        self.intercept_: float | Array = intercept if intercept.ndim else float(intercept)


class _Regressor(RegressorMixin, _Weighing):
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
        self._solve(*self._weighted(X, y.astype(np.float64, copy=False), sample_weight))
        return self

    def predict(self, X: Any) -> Array:
        """The target, shape (n_rows,)."""
        return self._decide(X)

    def _decide(self, X: Any) -> Array:
        raise NotImplementedError

    def _solve(self, X: Array, y: Array, weights: Array | None) -> None:
        raise NotImplementedError


class ClosedFormRegressor(_Linear, _Regressor):
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
        Intercept last; nan where there are no more rows than unknowns, or no unique solution.
    r2_ : float
        Share of the variance explained, without intercept of the squares about zero; nan for a
        constant target.

    Examples
    --------
    >>> area, price = [[80], [95], [104], [112], [125], [135]], [200, 230, 245, 247, 259, 262]
    >>> round(float(ClosedFormRegressor().fit(area, price).predict([[140]])[0]), 2)
    274.71
    """

    def __init__(self, fit_intercept: bool = True) -> None:
        self.fit_intercept = fit_intercept

    def _solve(self, X: Array, y: Array, weights: Array | None) -> None:
        solution = least_squares(ArrayRows(X, y, weights), self.fit_intercept)
        self._keep(solution.theta[:-1], solution.theta[-1, ...])
        self.rank_, self.condition_ = solution.rank, solution.condition
        self.standard_errors_, self.r2_ = solution.standard_errors, solution.r2


class PairwiseMeanRegressor(_Linear, _Regressor):
    """The mean of the lines through every pair of points (pipeline.solvers.pairwise_mean).

    For one feature; no weights.

    Attributes
    ----------
    coef_ : ndarray of shape (1,)
    intercept_ : float
    """

    def _solve(self, X: Array, y: Array, weights: Array | None) -> None:
        if weights is not None:
            raise ValueError("PairwiseMeanRegressor takes no sample_weight")
        theta = pairwise_mean.fit(ArrayRows(X, y)).theta
        self._keep(theta[:-1], theta[-1, ...])


@dataclass(eq=False, repr=False, kw_only=True)  # which writes the explicit __init__
class _Descending(_Linear):
    """What estimators that descend share: standardized rows, weights that go there and back."""

    lr: float = 0.1
    epochs: int = 100
    batch_size: int | str = "full"
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0
    init: str = "zeros"
    loss_threshold: float = 0.0
    tolerance: float = 0.0
    seed: int = 1234
    fit_intercept: bool = True

    def _settings(self) -> Descent:
        params = {k: v for k, v in self.get_params().items() if k != "fit_intercept"}
        return Descent.of(**params)

    def _mean_and_scale(self) -> tuple[Array, Array]:
        return self._spread.mean, self._spread.scale()

    def _descend(self, trainer: str, loss: str, X: Array, y: Array, weights: Array | None) -> None:
        settings = self._settings()
        self._spread = column_spread(X, weights, self.fit_intercept)
        rows = ArrayRows.standardized(X, y, weights, *self._mean_and_scale())
        _advise(rows, settings, loss, self.fit_intercept)
        _warn_of_columns(X, self._spread, self.fit_intercept)
        solver = import_module(f"pipeline.solvers.{trainer}")
        self._fitted(solver.fit(rows, settings, self.fit_intercept), rows, settings)

    def _fitted(self, fit: descent.Fit, rows: ArrayRows, settings: Descent) -> None:
        whole = descent.batch_size(rows, settings) is None
        self.loss_curve_, self.n_iter_ = fit.history, len(fit.history) - whole
        ended = advice.ending(fit.history, settings, whole)
        if ended != "falling":  # who gives no tolerance decides by `epochs`
            advice.warn_of(advice.trouble(ended, fit.history, settings.model_dump(), None))
        self._kind: tuple[str, float, float] | None = None
        self._keep_standardized(fit.theta)

    def _descend_on(self, loss: str, X: Array, y: Array, weights: Array | None) -> None:
        """One epoch more, from the weights at hand, on further rows."""
        first = not hasattr(self, "coef_")
        curve, done = (np.empty(0), 0) if first else (self.loss_curve_, self.n_iter_)
        settings = self._settings()
        seed = (settings.seed + done) % 2**32
        settings = settings.model_copy(update={"epochs": 1, "loss_threshold": 0.0, "seed": seed})
        spread = column_spread(X, weights, self.fit_intercept)
        pooled = spread if first else self._spread + spread
        mean, scale = pooled.mean, pooled.scale()
        rows = ArrayRows.standardized(X, y, weights, mean, scale)
        stable = partial(advice.stable_lr, rows, settings, loss, self.fit_intercept)
        advice.advise(rows, settings, stable())
        if first:
            theta = descent.first_weights(rows.n_features, settings, self.fit_intercept)
        else:
            coef = np.ravel(self.coef_)
            theta = np.append(coef * scale, np.ravel(self.intercept_) + mean @ coef)
        kind = (settings.optimizer, settings.lr, settings.momentum)
        if first or self._kind != kind:
            self._optimizer, self._kind = optimizer(*kind), kind
        objective = descent.RowLoss(rows, settings, loss, self.fit_intercept)
        theta, history = descent.train(objective, self._optimizer.step, theta, settings, stable)
        self._spread, self.n_iter_ = pooled, done + 1
        self.loss_curve_ = np.append(curve, history[:1])
        self._keep_standardized(theta)

    def _keep_standardized(self, theta: Array) -> None:
        mean, scale = self._mean_and_scale()
        coef = theta[..., :-1] / scale
        self._keep(coef, np.asarray(theta[..., -1] - coef @ mean))


@one_blas_thread
def _warn_of_columns(X: Array, spread: Spread, fit_intercept: bool) -> None:
    """Warn of columns, counted from 0, whose weights the rows do not determine.

    What depends on each other in all rows does so in the first of them, which costs little.
    """
    few = X[: max(1024, 4 * X.shape[1])]
    constant = [k for k in np.flatnonzero(is_constant(few)).tolist() if is_constant(X[:, k])]
    _, dependent, _ = columns_to_doubt(standardized(few, spread.mean, spread.scale()))
    if dependent and len(X) > len(few):
        _, dependent, _ = columns_to_doubt(standardized(X, spread.mean, spread.scale()))
    problems = []
    if fit_intercept and constant:  # without one, a constant feature takes its place
        problems.append(f"features {_shown(constant)} are constant; nothing is learned from them")
    if len(X) <= X.shape[1]:
        problems.append(
            f"{len(X)} rows do not determine {X.shape[1]} features and an intercept: of many "
            "solutions that fit, one is taken"
        )
    elif dependent:
        problems.append(
            f"features {_shown(dependent)} depend on each other: their weights are not determined"
        )
    for problem in problems:
        warnings.warn(problem, PipelineWarning, stacklevel=5)


def _shown(columns: list[int]) -> str:
    return ", ".join(map(str, columns[:SHOWN]))


def _advise(rows: ArrayRows, settings: Descent, loss: str, fit_intercept: bool) -> None:
    """Warn of a rate above the stable one; which costs a pass, so first by a bound without one.

    No eigenvalue of the Gram matrix of standardized rows is above its trace, n_features + 1.
    """
    steepest = (LOSSES[loss].curvature or 0.0) * (rows.n_features + 1) + settings.weight_decay
    sure = fit_intercept and settings.lr * steepest <= 2
    stable = None if sure else advice.stable_lr(rows, settings, loss, fit_intercept)
    advice.advise(rows, settings, stable)


@dataclass(eq=False, repr=False, kw_only=True)
class GradientDescentRegressor(_Descending, _Regressor):
    """Descent with the gradient written out (pipeline.solvers.manual_gd).

    Parameters
    ----------
    lr : float, default 0.1
        Learning rate, on standardized features.
    epochs : int, default 100
        Passes over the rows.
    batch_size : "full" or int, default "full"
        Rows a step, drawn in a new order each epoch.
    optimizer : "sgd", "momentum", "rmsprop" or "adam", default "sgd"
    momentum : float in [0, 1), default 0.9
        Of the optimizer called momentum.
    weight_decay : float, default 0
        Adds weight_decay / 2 |w|^2 to the loss; w on standardized features, without intercept.
    loss : "mse" or "mae", default "mse"
    init : "zeros" or "uniform", default "zeros"
        The first weights; uniform within 1 / sqrt(n_features), drawn from `seed`.
    loss_threshold : float, default 0
        Training stops once the loss is at or below this share of the first.
    tolerance : float, default 0
        Training stops once it has converged: over ten epochs the loss fell by at most this share of
        itself an epoch (pipeline.solvers.convergence). One that has not is warned of. 0: off.
    seed : int, default 1234
        Of the order of the rows, and of the first weights where these are drawn.
    fit_intercept : bool, default True

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    loss_curve_ : ndarray of shape (epochs + 1,) or (epochs,)
        The loss before each step and after the last; in batches the loss that each epoch met.
    n_iter_ : int
    """

    loss: str = "mse"

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch over these rows, from the weights at hand; mean and scale are of all seen."""
        first = not hasattr(self, "coef_")
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, reset=first)
        y = y.astype(np.float64, copy=False)
        self._descend_on(self.loss, *self._weighted(X, y, sample_weight))
        return self

    def _solve(self, X: Array, y: Array, weights: Array | None) -> None:
        settings, rows = self._settings(), ArrayRows(X, y, weights)
        if not manual_gd.quadratic_serves(rows, settings):
            self._descend("manual_gd", self.loss, X, y, weights)
            return
        pooled = moments(rows, centre=self.fit_intercept)  # serves for the scale, too
        self._spread = pooled.spread()
        pooled = pooled.seen(*self._mean_and_scale())
        gram = pooled.gram(self.fit_intercept)
        sgd = settings.optimizer == "sgd"
        stable = max_stable_lr(LOSSES["mse"], gram, settings.weight_decay) if sgd else None
        advice.advise(rows, settings, stable)
        _warn_of_columns(X, self._spread, self.fit_intercept)
        fit = manual_gd.fit_moments(pooled, settings, self.fit_intercept)
        self._fitted(fit, rows, settings)


@dataclass(eq=False, repr=False, kw_only=True)
class TorchSGDRegressor(_Descending, _Regressor):
    """Linear regression by torch's autograd and optimizers (pipeline.solvers.torch_sgd).

    Parameters
    ----------
    lr : float, default 0.1
        Learning rate, on standardized features.
    epochs : int, default 100
        Passes over the rows.
    batch_size : "full" or int, default "full"
        Rows a step, drawn in a new order each epoch.
    optimizer : "sgd", "momentum", "rmsprop" or "adam", default "sgd"
    momentum : float in [0, 1), default 0.9
        Of the optimizer called momentum.
    weight_decay : float, default 0
        Adds weight_decay / 2 |w|^2 to the loss; w on standardized features, without intercept.
    loss : "mse" or "mae", default "mse"
    init : "zeros" or "uniform", default "zeros"
        The first weights; uniform within 1 / sqrt(n_features), drawn from `seed`.
    loss_threshold : float, default 0
        Training stops once the loss is at or below this share of the first.
    tolerance : float, default 0
        Training stops once it has converged: over ten epochs the loss fell by at most this share of
        itself an epoch (pipeline.solvers.convergence). One that has not is warned of. 0: off.
    seed : int, default 1234
        Of the order of the rows, and of the first weights where these are drawn.
    device : "cpu", "cuda" or "auto", default "cpu"
        Where torch computes; auto: on CUDA where torch finds it.
    fit_intercept : bool, default True

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    loss_curve_ : ndarray of shape (epochs + 1,) or (epochs,)
        The loss before each step and after the last; in batches the loss that each epoch met.
    n_iter_ : int
    """

    loss: str = "mse"
    device: str = "cpu"

    def _solve(self, X: Array, y: Array, weights: Array | None) -> None:
        self._descend("torch_sgd", self.loss, X, y, weights)


@dataclass(eq=False, repr=False, kw_only=True)
class BCPMClassifier(ClassifierMixin, _Descending):
    """The chapter's breast cancer model: a linear layer and a sigmoid (pipeline.solvers.bcpm).

    Parameters
    ----------
    lr : float, default 0.1
        Learning rate, on standardized features.
    epochs : int, default 100
        Passes over the rows.
    batch_size : "full" or int, default "full"
        Rows a step, drawn in a new order each epoch.
    optimizer : "sgd", "momentum", "rmsprop" or "adam", default "sgd"
    momentum : float in [0, 1), default 0.9
        Of the optimizer called momentum.
    weight_decay : float, default 0
        Adds weight_decay / 2 |w|^2 to the loss; w on standardized features, without intercept.
    init : "zeros" or "uniform", default "zeros"
        The first weights; uniform within 1 / sqrt(n_features), drawn from `seed`.
    loss_threshold : float, default 0
        Training stops once the loss is at or below this share of the first.
    tolerance : float, default 0
        Training stops once it has converged: over ten epochs the loss fell by at most this share of
        itself an epoch (pipeline.solvers.convergence). One that has not is warned of. 0: off.
    seed : int, default 1234
        Of the order of the rows, and of the first weights where these are drawn.
    device : "cpu", "cuda" or "auto", default "cpu"
        Where torch computes; auto: on CUDA where torch finds it.
    fit_intercept : bool, default True

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    coef_ : ndarray of shape (1, n_features)
    intercept_ : ndarray of shape (1,)
    loss_curve_ : ndarray of shape (epochs + 1,) or (epochs,)
        Binary cross-entropy in nats, before each step and after the last; in batches that which
        each epoch met.
    n_iter_ : int
    """

    device: str = "cpu"

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
        X, y = validate_data(self, X, y, dtype=np.float64)
        X, y, weights = self._weighted(X, y, sample_weight)
        self.classes_ = _two_classes(np.unique(y))
        labels = (y == self.classes_[1]).astype(np.float64)
        self._descend("bcpm", "bce_with_logits", X, labels, weights)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One epoch over these rows, from the weights at hand; mean and scale are of all seen.

        Parameters
        ----------
        classes : array-like of shape (2,)
            Needed in the first call.
        """
        first = not hasattr(self, "coef_")
        X, y = validate_data(self, X, y, dtype=np.float64, reset=first)
        if first:
            if classes is None:
                raise ValueError("classes must be given in the first call of partial_fit")
            self.classes_ = _two_classes(np.unique(classes))
        elif classes is not None and set(np.ravel(classes)) != set(self.classes_):
            raise ValueError(f"classes were {self.classes_} in the first call, now {classes}")
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y holds {str(unknown[0])!r}, which is not one of {self.classes_}")
        labels = (y == self.classes_[1]).astype(np.float64)
        self._descend_on("bce_with_logits", *self._weighted(X, labels, sample_weight))
        return self

    def decision_function(self, X: Any) -> Array:
        """The logit of the second class, shape (n_rows,)."""
        return self._decide(X)[:, 0]

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of both classes, shape (n_rows, 2)."""
        logit = self.decision_function(X)
        return np.column_stack([sigmoid(-logit), sigmoid(logit)])

    def predict(self, X: Any) -> NDArray[Any]:
        """The class whose probability is above one half, shape (n_rows,)."""
        above = self.decision_function(X) > 0
        return np.take(self.classes_, above)

    def _keep(self, coef: Array, intercept: Array) -> None:
        self.coef_, self.intercept_ = coef[None, :], intercept[None]


@dataclass(eq=False, repr=False, kw_only=True)
class SoftmaxClassifier(ClassifierMixin, _Descending):
    """Softmax regression: a linear layer with an output a class (pipeline.solvers.softmax).

    Parameters
    ----------
    lr : float, default 0.1
        Learning rate, on standardized features.
    epochs : int, default 100
        Passes over the rows.
    batch_size : "full" or int, default "full"
        Rows a step, drawn in a new order each epoch.
    optimizer : "sgd", "momentum", "rmsprop" or "adam", default "sgd"
    momentum : float in [0, 1), default 0.9
        Of the optimizer called momentum.
    weight_decay : float, default 0
        Adds weight_decay / 2 |w|^2 to the loss; w on standardized features, without intercept.
    init : "zeros" or "uniform", default "zeros"
        The first weights; uniform within 1 / sqrt(n_features), drawn from `seed`.
    loss_threshold : float, default 0
        Training stops once the loss is at or below this share of the first.
    tolerance : float, default 0
        Training stops once it has converged: over ten epochs the loss fell by at most this share of
        itself an epoch (pipeline.solvers.convergence). One that has not is warned of. 0: off.
    seed : int, default 1234
        Of the order of the rows, and of the first weights where these are drawn.
    device : "cpu", "cuda" or "auto", default "cpu"
        Where torch computes; auto: on CUDA where torch finds it.
    fit_intercept : bool, default True

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coef_ : ndarray of shape (n_classes, n_features)
    intercept_ : ndarray of shape (n_classes,)
    loss_curve_ : ndarray of shape (epochs + 1,) or (epochs,)
        Cross-entropy in nats, before each step and after the last; in batches that which each epoch
        met.
    n_iter_ : int
    """

    device: str = "cpu"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to the rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
            Two classes or more.
        sample_weight : array-like of shape (n_rows,), optional
            A row of weight k counts as k equal rows.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        X, y, weights = self._weighted(X, y, sample_weight)
        self.classes_, labels = _classes_and_labels(y)
        self._descend("softmax", "cross_entropy", X, labels, weights)
        return self

    def decision_function(self, X: Any) -> Array:
        """The logits, shape (n_rows, n_classes); of two classes that of the second, (n_rows,)."""
        z = self._decide(X)
        if len(self.classes_) > 2:
            return z
        of_second: Array = z[:, 1] - z[:, 0]
        return of_second

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, shape (n_rows, n_classes)."""
        return softmax(self._decide(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class, shape (n_rows,)."""
        best = self._decide(X).argmax(axis=1)
        labels: NDArray[Any] = np.take(self.classes_, best)
        return labels


@dataclass(eq=False, repr=False, kw_only=True)  # which writes the explicit __init__
class _Network(_Weighing):
    """What networks share: standardized rows, layers on these, and their curve."""

    hidden: Sequence[int] = (100,)
    activation: str = "relu"
    dropout: float = 0.0
    early_stopping: float = 0.1
    lr: float = 0.01
    epochs: int = 300
    batch_size: int | str = 64
    optimizer: str = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.001
    loss_threshold: float = 0.0
    tolerance: float = 0.0
    seed: int = 1234
    device: str = "cpu"

    def _learn(self, loss: str, X: Array, y: Array, weights: Array | None) -> None:
        params = self.get_params()
        hidden = params["hidden"]
        params["hidden"] = [*hidden] if isinstance(hidden, tuple) else hidden
        settings = NetworkDescent.of(**params)
        spread = column_spread(X, weights)
        mean, scale = spread.mean, spread.scale()
        rows = ArrayRows(standardized(X, mean, scale), y, weights)
        fitted = network.fit(rows, settings, loss)
        if fitted.ended != "falling":  # who gives no tolerance decides by `epochs`
            text = advice.trouble(fitted.ended, fitted.history, settings.model_dump(), None)
            advice.warn_of(text)
        self.layers_, self._mean, self._scale = fitted.layers, mean, scale
        self.loss_curve_ = fitted.history
        self.n_iter_ = len(fitted.history) - (descent.batch_size(rows, settings) is None)

    def _decide(self, X: Any) -> Array:
        check_is_fitted(self, "layers_")
        X = validate_data(self, X, reset=False, dtype=np.float64)
        with one_blas_thread:
            return self.layers_(standardized(X, self._mean, self._scale))


@dataclass(eq=False, repr=False, kw_only=True)
class NetworkRegressor(_Network, _Regressor):
    """A network of several layers, by backpropagation (pipeline.solvers.network).

    Parameters
    ----------
    hidden : sequence of int, default (100,)
        The units of each hidden layer.
    activation : "relu", "tanh" or "sigmoid", default "relu"
    dropout : float in [0, 1), default 0
        The share of each hidden layer's units that a step leaves out.
    early_stopping : float in [0, 0.5], default 0.1
        The share of the rows that is held out: training stops when their loss has not fallen for
        10 epochs, and keeps the best weights. 0, or fewer than 10 rows: none.
    lr : float, default 0.01
        Learning rate, on standardized features and a standardized target.
    epochs : int, default 300
        Passes over the rows.
    batch_size : "full" or int, default 64
        Rows a step, drawn in a new order each epoch.
    optimizer : "sgd", "momentum", "rmsprop" or "adam", default "adam"
    momentum : float in [0, 1), default 0.9
        Of the optimizer called momentum.
    weight_decay : float, default 0.001
        Adds weight_decay / 2 |w|^2 to the loss; w of all layers, without biases.
    loss : "mse" or "mae", default "mse"
    loss_threshold : float, default 0
        Training stops once the loss is at or below this share of the first.
    tolerance : float, default 0
        Training stops once it has converged (pipeline.solvers.convergence). 0: off.
    seed : int, default 1234
        Of the first weights, the rows held out, the order of the others and the units left out.
    device : "cpu", "cuda" or "auto", default "cpu"
        Where gradients are taken; auto: on CUDA where torch finds it.

    Attributes
    ----------
    layers_ : Layers
        Weights and biases, on standardized features.
    loss_curve_ : ndarray of shape (epochs,) or (epochs + 1,)
        The loss that each epoch met; on full batches before each step and after the last.
    n_iter_ : int

    Examples
    --------
    >>> x = np.linspace(0, 6, 200)
    >>> X, y = x[:, None], 1000 * np.sin(x)
    >>> NetworkRegressor(hidden=(16, 8)).fit(X, y).score(X, y) > 0.99
    True
    """

    loss: str = "mse"

    def _solve(self, X: Array, y: Array, weights: Array | None) -> None:
        self._learn(self.loss, X, y, weights)


@dataclass(eq=False, repr=False, kw_only=True)
class NetworkClassifier(ClassifierMixin, _Network):
    """A network of several layers, by backpropagation (pipeline.solvers.network).

    Parameters
    ----------
    hidden : sequence of int, default (100,)
        The units of each hidden layer.
    activation : "relu", "tanh" or "sigmoid", default "relu"
    dropout : float in [0, 1), default 0
        The share of each hidden layer's units that a step leaves out.
    early_stopping : float in [0, 0.5], default 0.1
        The share of the rows that is held out, of each class alike: training stops when their loss
        has not fallen for 10 epochs, and keeps the best weights. 0, or fewer than 10 rows: none.
    lr : float, default 0.01
        Learning rate, on standardized features.
    epochs : int, default 300
        Passes over the rows.
    batch_size : "full" or int, default 64
        Rows a step, drawn in a new order each epoch.
    optimizer : "sgd", "momentum", "rmsprop" or "adam", default "adam"
    momentum : float in [0, 1), default 0.9
        Of the optimizer called momentum.
    weight_decay : float, default 0.001
        Adds weight_decay / 2 |w|^2 to the loss; w of all layers, without biases.
    loss_threshold : float, default 0
        Training stops once the loss is at or below this share of the first.
    tolerance : float, default 0
        Training stops once it has converged (pipeline.solvers.convergence). 0: off.
    seed : int, default 1234
        Of the first weights, the rows held out, the order of the others and the units left out.
    device : "cpu", "cuda" or "auto", default "cpu"
        Where gradients are taken; auto: on CUDA where torch finds it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    layers_ : Layers
        Weights and biases, on standardized features; of two classes with one output.
    loss_curve_ : ndarray of shape (epochs,) or (epochs + 1,)
        Cross-entropy in nats that each epoch met; on full batches before each step and after the
        last.
    n_iter_ : int
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to the rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
            Two classes or more.
        sample_weight : array-like of shape (n_rows,), optional
            A row of weight k counts as k equal rows.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        X, y, weights = self._weighted(X, y, sample_weight)
        self.classes_, labels = _classes_and_labels(y)
        self._learn("cross_entropy", X, labels, weights)
        return self

    def decision_function(self, X: Any) -> Array:
        """The logits, shape (n_rows, n_classes); of two classes that of the second, (n_rows,)."""
        return self._decide(X)

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, shape (n_rows, n_classes)."""
        z = self._decide(X)
        return softmax(z) if z.ndim == 2 else np.column_stack([sigmoid(-z), sigmoid(z)])

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class, shape (n_rows,)."""
        z = self._decide(X)
        labels: NDArray[Any] = np.take(self.classes_, z.argmax(axis=1) if z.ndim == 2 else z > 0)
        return labels


def _classes_and_labels(y: NDArray[Any]) -> tuple[NDArray[Any], Array]:
    """The classes, and each row's place among them."""
    check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("expected rows of two classes, got 1 class")
    return classes, labels.astype(np.float64)


def _two_classes(classes: NDArray[Any]) -> NDArray[Any]:
    check_classification_targets(classes)
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported. The type of the target is multiclass "
            f"with {len(classes)} classes."
        )
    if len(classes) < 2:
        raise ValueError("expected rows of two classes, got 1 class")
    return classes
