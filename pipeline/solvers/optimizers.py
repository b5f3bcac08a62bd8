"""Optimizers of the chapter, written out; each takes the steps of its namesake in torch.optim."""

from collections.abc import Mapping

import numpy as np

from pipeline.core.tables import Array

RMS_DECAY, FIRST_DECAY, SECOND_DECAY, TINY = 0.99, 0.9, 0.999, 1e-8  # torch's defaults


class SGD:
    """theta <- theta - lr g (formula 3-14)."""

    def __init__(self, lr: float) -> None:
        self.lr = np.array(lr)  # numpy takes 2 us less for an array than for a number

    def step(self, theta: Array, gradient: Array) -> Array:
        """The weights after one step."""
        return theta - self.lr * gradient


class Momentum:
    """v <- momentum v + g;  theta <- theta - lr v (formula 3-15)."""

    def __init__(self, lr: float, momentum: float) -> None:
        self.lr, self.momentum = lr, momentum
        self.v: Array | float = 0.0

    def step(self, theta: Array, gradient: Array) -> Array:
        """The weights after one step."""
        self.v = self.momentum * self.v + gradient
        return theta - self.lr * self.v


class RMSProp:
    """s <- 0.99 s + 0.01 g^2;  theta <- theta - lr g / (sqrt(s) + 1e-8) (formula 3-16)."""

    def __init__(self, lr: float) -> None:
        self.lr = lr
        self.s: Array | float = 0.0

    def step(self, theta: Array, gradient: Array) -> Array:
        """The weights after one step."""
        self.s = RMS_DECAY * self.s + (1 - RMS_DECAY) * gradient**2
        return theta - self.lr * gradient / (np.sqrt(self.s) + TINY)


class Adam:
    """Formula 3-17 (Kingma and Ba 2015).

    m <- 0.9 m + 0.1 g;  v <- 0.999 v + 0.001 g^2;
    theta <- theta - lr (m / (1 - 0.9^t)) / (sqrt(v / (1 - 0.999^t)) + 1e-8) at step t.
    """

    def __init__(self, lr: float) -> None:
        self.lr, self.t = lr, 0
        self.m: Array | float = 0.0
        self.v: Array | float = 0.0

    def step(self, theta: Array, gradient: Array) -> Array:
        """The weights after one step."""
        self.t += 1
        self.m = FIRST_DECAY * self.m + (1 - FIRST_DECAY) * gradient
        self.v = SECOND_DECAY * self.v + (1 - SECOND_DECAY) * gradient**2
        mean = self.m / (1 - FIRST_DECAY**self.t)
        spread = np.sqrt(self.v / (1 - SECOND_DECAY**self.t))
        return theta - self.lr * mean / (spread + TINY)


# Each turns gradients into steps; some remember the gradients before. Weights and gradients have
# shape (n_features + 1,); a step changes neither.
Optimizer = SGD | Momentum | RMSProp | Adam


def optimizer(name: str, lr: float, momentum: float) -> Optimizer:
    """The optimizer called sgd, momentum, rmsprop or adam, before its first step.

    Parameters
    ----------
    name : str
    lr : float
        Learning rate, above 0.
    momentum : float
        From 0, below 1; of the optimizer called momentum alone.
    """
    if name == "momentum":
        return Momentum(lr, momentum)
    makers: dict[str, type[SGD | RMSProp | Adam]] = {"sgd": SGD, "rmsprop": RMSProp, "adam": Adam}
    return makers[name](lr)


def state_of(one: Optimizer) -> dict[str, Array]:
    """All that it remembers, and its params, by name."""
    return {name: np.asarray(value, float) for name, value in vars(one).items()}


def restore(one: Optimizer, state: Mapping[str, Array]) -> None:
    """Put it where another was, whose state this is.

    Numbers become floats again: numpy rounds powers of an array otherwise than Python does.
    """
    for name in vars(one):
        setattr(one, name, state[name] if state[name].ndim else state[name].item())
