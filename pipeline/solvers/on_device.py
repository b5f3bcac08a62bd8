"""Rows on a device of torch: moved to it once, and read there by every epoch.

All numbers stay in float64 there. Descent on a linear model reads each row once an epoch and does
little with it, so float32 would be at most twice as fast; and an early stop asks whether a loss
falls by a hundred-thousandth of itself, of which float32 has two digits. Weights agree with those
of the CPU to TOLERANCE after as many steps along the same rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.core.errors import PipelineError
from pipeline.core.preprocessing import standardized
from pipeline.core.tables import Array
from pipeline.solvers.blocks import blocks
from pipeline.solvers.rows import Rows
from pipeline.solvers.shards import group

TOLERANCE = 1e-9  # of the largest weight, after full batches
AT_ONCE = 2**20  # rows of a full batch whose losses are in memory
SHARE = 0.5  # of the device's free memory that rows may take


def device_of(name: str) -> torch.device:
    """The device that `device` of params.yaml names; auto: CUDA where torch finds it.

    Raises
    ------
    PipelineError
        When there is no such device here.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise PipelineError("device cuda: torch finds no CUDA device here; set device: cpu")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def on_gpu(device: torch.device) -> dict[str, float | None]:
    """What a model's file says of where it was trained: nothing of the CPU."""
    return {} if device.type == "cpu" else {"on_gpu": 1.0}


@dataclass(frozen=True)
class Held:
    """Some rows on a device; X is standardized.

    Attributes
    ----------
    X : Tensor of shape (n_rows, n_features)
    y : Tensor of shape (n_rows,)
    weights : Tensor of shape (n_rows,), or None
    """

    X: torch.Tensor
    y: torch.Tensor
    weights: torch.Tensor | None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: torch.Tensor | slice) -> "Held":
        """Some of them, in that order."""
        weights = None if self.weights is None else self.weights[rows]
        return Held(self.X[rows], self.y[rows], weights)

    def parts(self) -> Iterator["Held"]:
        """All of them, as many at a time as memory should take."""
        return map(self.take, blocks(len(self), AT_ONCE))

    def batches(self, size: int, seeds: int) -> Iterator[tuple["Held", float]]:
        """Batches of one epoch in an order drawn on the device, each with its share of the rows."""
        generator = torch.Generator(self.y.device).manual_seed(seeds)
        order = torch.randperm(len(self), generator=generator, device=self.y.device)
        for part in blocks(len(self), size):
            yield self.take(order[part]), (part.stop - part.start) / len(self)


def fits(rows: Rows, device: torch.device) -> bool:
    """Whether the rows may stay on the device; not where each process has some of a batch's."""
    if device.type != "cuda" or group():
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return 8 * rows.n_rows * (rows.n_features + 2) <= SHARE * free


def moved(rows: Rows, device: torch.device) -> Held:
    """All rows on the device, read a block at a time."""

    def empty(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.float64, device=device)

    X, y, weights = empty(rows.n_rows, rows.n_features), empty(rows.n_rows), None
    raw = bool(rows.mean.any() or (rows.scale != 1).any())
    for part in rows.parts():
        block = rows.read(part)
        X[part] = tensor(standardized(block.X, rows.mean, rows.scale) if raw else block.X, device)
        y[part] = tensor(block.y, device)
        if block.weights is not None:
            weights = empty(rows.n_rows) if weights is None else weights
            weights[part] = tensor(block.weights, device)
    return Held(X, y, weights)


def tensor(values: Array, device: torch.device) -> torch.Tensor:
    """An array on the device; on the CPU the array itself."""
    return torch.from_numpy(np.require(values, requirements=["C", "W"])).to(device)
