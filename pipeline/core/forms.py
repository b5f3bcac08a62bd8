"""What a trained model computes of standardized features.

Linear weights, layers of them, or an estimator of scikit-learn.
"""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast, get_args

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.skops_bytes import dumped, loaded
from pipeline.core.tables import Array

Activation = Literal["relu", "tanh", "sigmoid"]
EPS = float(np.finfo(float).eps)
TIED = 64 * EPS  # of a probability: through a logit it loses up to 20 of these
AT_ONCE = 1024  # rows that an estimator predicts together
OTHERWISE = "give it other params, or take another estimator"


@dataclass(frozen=True)
class Linear:
    """z = X @ coef + intercept.

    Attributes
    ----------
    coef : ndarray of shape (n_features,) or (n_features, n_classes)
    intercept : float, or ndarray of shape (n_classes,)
    """

    coef: Array
    intercept: float | Array

    @property
    def arrays(self) -> dict[str, Array]:
        """All its numbers, by name."""
        return {"coef": self.coef, "intercept": np.asarray(self.intercept)}

    def __call__(self, X: Array) -> Array:
        """z, of shape (n_rows,) or (n_rows, n_classes)."""
        z: Array = X @ self.coef + self.intercept
        return z

    def by_row(self, X: Array) -> Array:
        """z, whose digits do not hang on how many rows there are, as those of `__call__` do."""
        return _by_feature(X, self.coef) + self.intercept


@dataclass(frozen=True)
class Layers:
    """A network: z = a(a(X @ W1 + b1) @ W2 + b2) @ W3 + b3, with the activation a.

    Attributes
    ----------
    weights : sequence of ndarray of shape (n_inputs, n_outputs)
        One of each layer; the last is of shape (n_inputs,) where there is one output.
    biases : sequence of ndarray of shape (n_outputs,) or ()
    activation : str
        `relu`, `tanh` or `sigmoid`.
    """

    weights: Sequence[Array]
    biases: Sequence[Array]
    activation: Activation

    @property
    def arrays(self) -> dict[str, Array]:
        """All its numbers, by name: weights_0, bias_0, weights_1, ..."""
        layers = enumerate(zip(self.weights, self.biases, strict=True))
        return {f"{name}_{k}": one for k, (w, b) in layers for name, one in _named(w, b)}

    def __call__(self, X: Array) -> Array:
        """z, of shape (n_rows,) or (n_rows, n_classes)."""
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            X = activate(self.activation, X @ weights + bias)
        return np.asarray(X @ self.weights[-1] + self.biases[-1])

    def by_row(self, X: Array) -> Array:
        """z, whose digits do not hang on how many rows there are, as those of `__call__` do."""
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            X = activate(self.activation, _by_feature(X, weights) + bias)
        return _by_feature(X, self.weights[-1]) + self.biases[-1]


@dataclass(frozen=True)
class Estimator:
    """A fitted estimator of scikit-learn.

    Attributes
    ----------
    name : str
        As params.yaml names it.
    estimator : object
        Of classes, it was fitted to labels from 0 to K - 1.
    """

    name: str
    estimator: Any

    @cached_property
    def content(self) -> bytes:
        """The bytes of its file, in skops' format: the same for the same fitted estimator.

        Raises
        ------
        PipelineError
            When skops cannot hold it, or its types are not those that are known of it.
        """
        return dumped(self.name, self.estimator)

    @property
    def arrays(self) -> dict[str, Array]:
        """None: it holds what only its own class knows."""
        return {}

    def __call__(self, X: Array) -> Array:
        """The target, the logit of label 1, or the logarithms of the probabilities of several.

        Probabilities are clipped to [eps, 1 - eps], as scikit-learn's `log_loss` clips them.

        Raises
        ------
        PipelineError
            When it cannot predict these rows, or no number for some of them.
        """
        z = self._z(X)
        strange = int((~np.isfinite(z.reshape(len(z), -1))).any(axis=1).sum())
        if strange:
            raise PipelineError(
                f"{self.name} predicts no number for {strange} of {len(z)} rows; {OTHERWISE}"
            )
        return z

    def _z(self, X: Array) -> Array:
        by_probability = hasattr(self.estimator, "classes_")
        ask = self.estimator.predict_proba if by_probability else self.estimator.predict
        with of_estimator(f"{self.name} cannot predict"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as that a row is far from all others: it is no number
            found: Array = np.asarray(ask(X), dtype=float)
        if not by_probability:
            return found.reshape(len(X))
        z: Array = np.log(np.clip(found, EPS, 1 - EPS))
        return z if z.shape[1] > 2 else z[:, 1] - z[:, 0]

    def by_row(self, X: Array) -> Array:
        """z, whose digits do not hang on how many rows there are; nan of rows not finite.

        Rows are predicted so many at a time; of the last block some are predicted again.
        """
        known = np.flatnonzero(np.isfinite(X).all(axis=1))
        classes = len(getattr(self.estimator, "classes_", ()))
        z = np.full((len(X), classes) if classes > 2 else len(X), np.nan)
        for begin in range(0, len(known), AT_ONCE):
            rows = known[begin : begin + AT_ONCE]
            z[rows] = self._z(X[np.resize(rows, AT_ONCE)])[: len(rows)]
        return z


Form = Linear | Layers | Estimator


def least(threshold: float) -> float:
    """The least probability at which label 1 is predicted: a threshold, less what rounding takes.

    Of an estimator's probabilities many meet a threshold exactly; as logits, or as a mean of votes,
    they may come out some digits of the last place below it.
    """
    return threshold * (1 - TIED)


def read_estimator(name: str, content: bytes) -> Estimator:
    """The estimator of the bytes that `Estimator.content` gives.

    Raises
    ------
    ValueError
        When they are damaged, or hold another type than those that are known of it.
    """
    form = Estimator(name, loaded(name, content))
    vars(form)["content"] = content
    return form


@contextmanager
def of_estimator(what: str) -> Iterator[None]:
    """Compute on one thread, whose sums have one order; what is raised ends with one message."""
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1):
            yield
    except (PipelineError, MemoryError):
        raise
    except Exception as error:  # what an estimator raises is not foreseeable
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise PipelineError(f"{what}: {said[:300]}; {OTHERWISE}") from None


def layers_of(arrays: dict[str, Array], activation: str) -> Layers:
    """The network of the arrays that `Layers.arrays` gives.

    Raises
    ------
    ValueError
        When there are others, their shapes do not fit together, or the activation is unknown.
    """
    n = len(arrays) // 2
    names = [f"{name}_{k}" for k in range(n) for name in ("weights", "bias")]
    if n == 0 or {*arrays} != {*names}:
        raise ValueError(f"holds {', '.join(arrays) or 'nothing'}, no layers of a network")
    weights, biases = ([arrays[f"{name}_{k}"] for k in range(n)] for name in ("weights", "bias"))
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        inputs = w.shape[0] if k == 0 else (*weights[k - 1].shape, 0)[1]
        fits = w.ndim in (1, 2) and w.shape == (inputs, *b.shape)
        if not fits or {w.dtype, b.dtype} != {np.dtype(float)}:
            raise ValueError(f"weights_{k} and bias_{k} do not fit the layer before, or each other")
    if activation not in get_args(Activation):
        raise ValueError(f"{activation} is no activation of a network")
    return Layers(weights, biases, cast(Activation, activation))


def activate(activation: Activation, z: Array, out: Array | None = None) -> Array:
    """The activation of each number; `out`: where to put it, z itself for one."""
    if activation == "relu":
        return np.maximum(z, 0, out=out)
    if activation == "tanh":
        return np.tanh(z, out=out)
    a: Array = np.multiply(0.5, z, out=out)  # 1 / (1 + exp(-z)) is 1/2 + tanh(z / 2) / 2
    np.tanh(a, out=a)
    a *= 0.5
    a += 0.5
    return a


def digest(form: Form) -> str:
    """The SHA-256 of all numbers of a model."""
    if isinstance(form, Estimator):
        return hashlib.sha256(form.content).hexdigest()
    found = hashlib.sha256()
    for one in form.arrays.values():
        found.update(np.ascontiguousarray(one).tobytes())
    return found.hexdigest()


def _named(weights: Array, bias: Array) -> list[tuple[str, Array]]:
    return [("weights", weights), ("bias", bias)]


def _by_feature(X: Array, weights: Array) -> Array:
    """X @ weights, added a feature at a time."""
    z = np.zeros((len(X), *weights.shape[1:]))
    for x, weight in zip(X.T, weights, strict=True):
        z += np.multiply.outer(x, weight)
    return z
