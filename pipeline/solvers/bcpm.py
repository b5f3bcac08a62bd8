"""BCPM, the chapter's breast cancer prediction model: a linear layer and a sigmoid.

P(label 1 | x) = sigmoid(w.x + b). Binary cross-entropy is taken from the logit w.x + b: the sigmoid
rounds to 0 or 1 far from the border, and its logarithm would be infinite.
"""

from pipeline.core.settings.descent import Descent
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.descent import Fit, descend, first_layer
from pipeline.solvers.rows import Rows

LOSS = "bce_with_logits"


def fit(
    rows: Rows, settings: Descent, fit_intercept: bool = True, *, callback: Callback = no_callback
) -> Fit:
    """Descend on binary cross-entropy, in nats; labels are 0 and 1.

    On the CPU by the gradient written out, which takes the steps of autograd (a test holds them
    equal) without its overhead of many small operations; on another device by autograd.

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
    if settings.device == "cpu":
        start = first_layer(rows.n_features, settings, fit_intercept)
        return descend(rows, settings, LOSS, start, fit_intercept, callback)
    from pipeline.solvers.torch_sgd import linear_layer, train_layer

    layer = linear_layer(rows.n_features, settings, fit_intercept)
    return train_layer(layer, LOSS, rows, settings, callback)
