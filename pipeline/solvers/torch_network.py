"""The loss of a network whose rows stay on a device of torch, where autograd takes its gradient.

Weights and optimizer stay arrays in memory, since they are small: what goes to the device and back
in a step are the weights and their gradient, and a training that was killed goes on as on the CPU.
"""

from collections.abc import Iterator
from typing import Any

import torch

from pipeline.core.settings.network import NetworkDescent
from pipeline.core.tables import Array
from pipeline.solvers.descent import Epoch, Objective, Step
from pipeline.solvers.network import NetworkLoss
from pipeline.solvers.on_device import moved, tensor
from pipeline.solvers.rows import Rows
from pipeline.solvers.torch_sgd import PER_ROW

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


class HeldNetworkLoss(NetworkLoss):
    """As `NetworkLoss`; batches and units left out are drawn on the device, from other numbers.

    Parameters
    ----------
    rows, settings, loss, outputs
        As of `NetworkLoss`.
    device : torch.device
    """

    def __init__(
        self,
        rows: Rows,
        settings: NetworkDescent,
        loss: str,
        outputs: int,
        device: torch.device,
    ) -> None:
        super().__init__(rows, settings, loss, outputs)
        self.per_row, self.device, self.on_gpu = PER_ROW[loss], device, device.type == "cuda"
        self.held, self._draws = moved(rows, device), torch.Generator(device)

    def batches(self) -> Iterator[tuple[Any, float]]:
        """The batches of one epoch, each with its share of the rows."""
        size = self.batch_size or self.rows.n_rows
        return self.held.batches(size, int(self.generator.integers(2**63)))

    def epoch(self, theta: Array, step: Step[Array]) -> Epoch[Array]:
        """Step along the gradient of each batch in turn."""
        return Objective.epoch(self, theta, step)

    def value_and_gradient(self, theta: Array, batch: Any) -> tuple[float, Array]:
        """J and its gradient; a batch counts its rows' weights against the mean weight."""
        if batch is None:
            self.begin_epoch()
        n_rows = self.rows.n_rows if batch is None else len(batch)
        on_device = tensor(theta, self.device).clone().requires_grad_()
        value, gradient = 0.0, torch.zeros_like(on_device)
        for part in self.held.parts() if batch is None else [batch]:
            losses = self.per_row(self._decision(on_device, part.X), part.y[:, None])
            total = (losses if part.weights is None else losses * part.weights[:, None]).sum()
            value += total.item()
            gradient += torch.autograd.grad(total, on_device)[0]
        value = value / self._weight(n_rows) + self._penalty(theta)
        return value, self._scaled(gradient.cpu().numpy(), theta, n_rows)

    def begin_epoch(self) -> None:
        """Count it, and draw anew what dropout goes by."""
        super().begin_epoch()
        if self.settings.dropout:
            self._draws.manual_seed(int(self.generator.integers(2**63)))

    def _decision(self, theta: torch.Tensor, X: torch.Tensor) -> torch.Tensor:
        """Z of the rows, shape (n_rows, outputs)."""
        z, begin, p = X, 0, self.settings.dropout
        for k, (inputs, units) in enumerate(self.shapes):
            end = begin + inputs * units
            weights, bias = theta[begin:end].reshape(inputs, units), theta[end : end + units]
            z, begin = z @ weights + bias, end + units
            if k < len(self.shapes) - 1:
                z = ACTIVATIONS[self.settings.activation](z)
                if p:
                    kept = torch.rand(z.shape, generator=self._draws, device=self.device) >= p
                    z = z * kept / (1 - p)
        return z
