"""BCPM, the chapter's breast cancer prediction model: a linear layer and a sigmoid."""

from functools import partial

import torch

from pipeline.core.params import Descent
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.descent import Fit, RowLoss, batch_size, stable_lr, train
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import Rows
from pipeline.solvers.torch_steps import ModuleLoss, linear_layer, train_module, weights_of


class BCPM(torch.nn.Module):
    """P(label 1 | x) = sigmoid(w.x + b); `forward` gives the logit w.x + b.

    Binary cross-entropy is taken from the logit: the sigmoid rounds to 0 or 1 far from the border,
    and its logarithm would be infinite.
    """

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self.linear = layer

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """The logit of each row, shape (n_rows, 1)."""
        logit: torch.Tensor = self.linear(X)
        return logit

    @torch.no_grad()
    def predict_proba(self, X: torch.Tensor) -> torch.Tensor:
        """The probability of label 1, shape (n_rows, 1)."""
        return torch.sigmoid(self(X))


def fit(
    rows: Rows, settings: Descent, fit_intercept: bool = True, *, callback: Callback = no_callback
) -> Fit:
    """Descend on binary cross-entropy, in nats; labels are 0 and 1.

    By autograd; on the CPU in batches by the gradient written out, which takes the same steps
    (a test holds them equal) without autograd's overhead of many small operations.

    Parameters
    ----------
    rows : Rows
    settings : Descent
        Its `loss` does not count.
    fit_intercept : bool, optional
    callback : callable, optional
        Is told the epochs, as in `descent.train`.

    Returns
    -------
    Fit

    Raises
    ------
    Diverged
        When the loss stops being finite.
    PipelineError
        When the device does not exist here.
    """
    model = BCPM(linear_layer(rows.n_features, settings, fit_intercept))
    bound = partial(stable_lr, rows, settings, "bce_with_logits", fit_intercept)
    if written_out_serves(rows, settings):
        written_out = RowLoss(rows, settings, "bce_with_logits", fit_intercept)
        step = optimizer(settings.optimizer, settings.lr, settings.momentum).step
        start = weights_of(model.linear)
        return Fit(*train(written_out, step, start, settings, bound, callback=callback))
    bce = partial(torch.nn.functional.binary_cross_entropy_with_logits, reduction="none")
    objective = ModuleLoss(model, model.linear, bce, rows, settings)
    return Fit(*train_module(objective, settings, bound, callback=callback))


def written_out_serves(rows: Rows, settings: Descent) -> bool:
    """Whether the steps are many and small, and on the CPU."""
    return settings.device == "cpu" and batch_size(rows, settings) is not None
