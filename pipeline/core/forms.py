"""What a trained model computes of standardized features: linear weights, or layers of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np

from pipeline.core.tables import Array

Activation = Literal["relu", "tanh", "sigmoid"]


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


def digest(form: Linear | Layers) -> str:
    """The SHA-256 of all numbers of a model."""
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
