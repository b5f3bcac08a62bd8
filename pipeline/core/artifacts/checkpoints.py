"""The state of a training that lasts, kept on disk: a killed one goes on where it was.

A file of safetensors in data/checkpoints, named after what determines the training and sealed with
it: its dataset, name, trainer, params, training rows and code, and the version of numpy. A state of
another training is not looked at. Git and DVC do not see it; it goes when a training of its model
has ended, or when params.yaml has no line for it any more.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path

import numpy as np

from pipeline.core import layout
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.files import atomic_write
from pipeline.core.settings.models import Wanted
from pipeline.core.tables import Array

EVERY = 3.0  # seconds
SHARE = 20  # writing takes at most a twentieth of the time
CODE = ("core", "solvers")  # folders of pipeline/ that a training runs through
SEAL = "seal"

State = Mapping[str, Array]


class Checkpoint:
    """Where one training keeps its state.

    Parameters
    ----------
    dataset : str
    model : Wanted
        What is trained.
    train_md5 : str
        Of train.parquet.
    every : float, optional
        Seconds from the beginning to the first state that is written, and from each to the next;
        more where writing takes long.
    """

    def __init__(self, dataset: str, model: Wanted, train_md5: str, every: float = EVERY) -> None:
        of = [dataset, model.name, model.trainer, model.params, train_md5, _code()]
        self.key = hashlib.sha256(json.dumps(of).encode()).hexdigest()
        self.path = layout.checkpoint(dataset, model.name, self.key)
        self._others = layout.checkpoint(dataset, model.name, "*")
        self._every, self._last = every, time.monotonic()

    def read(self) -> State | None:
        """The state that an earlier process has left; None where there is none.

        One that is damaged, or put there from another training, is warned of and not used. That of
        other params, rows or code has another name, and is not looked at.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load  # what few models need

        try:
            found: dict[str, Array] = load(self.path.read_bytes())
            if bytes(found.pop(SEAL, np.empty(0))) == self._seal(found):
                return found
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError):
            pass
        self._warn("is damaged, or of another training: this one begins anew")
        return None

    def write(self, state: Callable[[], State]) -> None:
        """Write the state, if the last one was written long enough ago.

        Where the disk refuses, the training goes on without.
        """
        from safetensors.numpy import save

        begun = time.monotonic()
        if begun < self._last + self._every:
            return
        arrays = {name: np.array(one, order="C") for name, one in state().items()}
        sealed = arrays | {SEAL: np.frombuffer(self._seal(arrays), np.uint8)}
        try:
            with atomic_write(self.path) as part:
                part.write_bytes(save(sealed))
        except PipelineError as error:
            self._warn(f"{error}; the training goes on, and begins anew where it is killed")
            self._every = inf
        self._last = time.monotonic()
        self._every = max(self._every, SHARE * (self._last - begun))

    def remove(self) -> None:
        """Remove it, and those of trainings of this model that never ended."""
        for path in Path().glob(str(self._others)):
            path.unlink(missing_ok=True)

    def _seal(self, arrays: State) -> bytes:
        from safetensors.numpy import save

        return hashlib.sha256(self.key.encode() + save(dict(sorted(arrays.items())))).digest()

    def _warn(self, text: str) -> None:
        text = text if text.startswith(str(self.path)) else f"{self.path}: {text}"
        warnings.warn(text, PipelineWarning, stacklevel=3)


def _code() -> str:
    """The SHA-256 of what computes a training."""
    found = hashlib.sha256(np.__version__.encode())
    package = Path(__file__).parents[2]
    for path in sorted(path for of in CODE for path in (package / of).rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()
