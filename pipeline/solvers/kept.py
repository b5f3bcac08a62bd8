"""The state of a training that goes on where it was killed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from pipeline.core.tables import Array
from pipeline.solvers.optimizers import Optimizer, restore, state_of

OF_OPTIMIZER = "optimizer_"


class Kept(Protocol):
    """Keeps the state of a training for one that goes on where it was killed."""

    def read(self) -> Mapping[str, Array] | None:
        """The state that was kept, if one was."""

    def write(self, state: Callable[[], Mapping[str, Array]]) -> None:
        """Keep the state, if it is time to."""


def state(theta: Array, history: Sequence[float], optimizer: Optimizer) -> dict[str, Array]:
    """What a training has come to after an epoch."""
    found = {f"{OF_OPTIMIZER}{name}": one for name, one in state_of(optimizer).items()}
    return {"theta": theta, "history": np.array(history)} | found


def take_up(kept: Mapping[str, Array], optimizer: Optimizer) -> tuple[Array, list[float]]:
    """The weights and the history that a training goes on from; its optimizer is put there."""
    of_optimizer = {k.removeprefix(OF_OPTIMIZER): v for k, v in kept.items() if OF_OPTIMIZER in k}
    restore(optimizer, of_optimizer)
    return kept["theta"], kept["history"].tolist()
