"""Softmax regression: a linear layer with an output for each of K classes.

P(label k | x) = softmax(W x + b)_k. Cross-entropy is taken from the logits W x + b. Of all weights
that give the same probabilities, descent from zeros reaches those whose sum over the classes is 0.
"""

from pipeline.core.settings.descent import Descent
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.descent import Fit, descend, first_layer
from pipeline.solvers.rows import Rows, class_counts

LOSS = "cross_entropy"


def fit(
    rows: Rows, settings: Descent, fit_intercept: bool = True, *, callback: Callback = no_callback
) -> Fit:
    """Descend on cross-entropy, in nats; labels are 0 to K - 1, and each has a row.

    On the CPU by the gradient written out, on another device by autograd, as `bcpm`.

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
    outputs = len(class_counts(rows))
    if settings.device == "cpu":
        start = first_layer(rows.n_features, settings, fit_intercept, outputs)
        return descend(rows, settings, LOSS, start, fit_intercept, callback)
    from pipeline.solvers.torch_sgd import linear_layer, train_layer

    layer = linear_layer(rows.n_features, settings, fit_intercept, outputs)
    return train_layer(layer, LOSS, rows, settings, callback)
