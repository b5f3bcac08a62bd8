"""When a training may end before its last epoch: its loss is small enough, or falls no more.

Of the losses L_0, ..., L_k of a history (`descent.Fit`) the last ends the training where

    L_k <= loss_threshold L_0,  or, with tolerance > 0, it has converged:

with all rows a step, where ten steps changed little and led to no rise,

    L_i <= (1 + 10 tolerance) min(L_0, ..., L_k)  for i = k - 10, ..., k,  and  L_k <= L_{k - 10}

and in batches, where each loss wavers, by the means b of ten epochs and a of the ten after them,

    b <= (1 + 10 tolerance) a,  and  a <= the largest of the ten of b

Of a loss that falls the first says that it fell by at most a share `tolerance` of itself an epoch.
One that swings, as adam's and momentum's may, has not converged on its way up, nor where it happens
to be what it was ten epochs before: all between must be as near the lowest, too. Batches may rise
by what they waver, not by a trend: a mean that follows one lies above all of the ten before.
"""

from collections.abc import Sequence
from math import fsum, inf

import numpy as np

from pipeline.core.tables import Array

SPAN = 10  # epochs
Losses = Sequence[float] | Array


def small_enough(history: Losses, threshold: float) -> bool:
    """Whether the last loss is at or below this share of the first."""
    return bool(history[-1] <= threshold * history[0])


def converged(history: Losses, tolerance: float, whole: bool, lowest: float) -> bool:
    """Whether the last loss says that the training has converged; never with tolerance 0.

    Parameters
    ----------
    history : sequence or ndarray of float
        The loss of each epoch; of more than twenty the last twenty are looked at.
    tolerance : float
    whole : bool
        Whether each step took all rows.
    lowest : float
        The least of all losses.
    """
    if not tolerance or len(history) < (SPAN + 1 if whole else 2 * SPAN):
        return False
    share = 1 + SPAN * tolerance
    if whole:
        last, then, bound = history[-1], history[-1 - SPAN], share * lowest
        return bool(last <= then <= bound and max(history[-SPAN:]) <= bound)
    before, after = history[-2 * SPAN : -SPAN], history[-SPAN:]
    a, b = (fsum(loss / SPAN for loss in losses) for losses in (after, before))
    return bool(b <= share * a and a <= max(before))


class Stop:
    """Tells when a training ends, asked after every epoch.

    Parameters
    ----------
    threshold, tolerance : float
    whole : bool
        Whether each step takes all rows.
    lowest : float, optional
        The least of the losses that it was not asked about.
    """

    def __init__(
        self, threshold: float, tolerance: float, whole: bool, lowest: float = inf
    ) -> None:
        self.threshold, self.tolerance, self.whole = threshold, tolerance, whole
        self.lowest = lowest

    def __call__(self, history: Losses) -> bool:
        """Whether the last loss ends it."""
        self.lowest = min(self.lowest, float(history[-1]))
        return small_enough(history, self.threshold) or converged(
            history, self.tolerance, self.whole, self.lowest
        )

    def first(self, history: Array, begin: int) -> int | None:
        """The first epoch from `begin` on that ends it, of many at once; None: none does.

        Of steps on all rows. Takes up after the epochs before `begin`, which did not end it.

        Parameters
        ----------
        history : ndarray of shape (n_epochs + 1,)
            From epoch 0.
        begin : int
        """
        new = history[begin:]
        ends = new <= self.threshold * history[0]
        if self.tolerance:
            lows = np.minimum(np.minimum.accumulate(new), self.lowest)
            self.lowest = float(lows[-1])
            skipped = max(SPAN - begin, 0)
            if skipped < len(new):
                spans = np.lib.stride_tricks.sliding_window_view(
                    history[begin + skipped - SPAN :], SPAN + 1
                )
                near = spans.max(axis=1) <= (1 + SPAN * self.tolerance) * lows[skipped:]
                ends[skipped:] |= near & (spans[:, -1] <= spans[:, 0])
        found = np.flatnonzero(ends)
        return begin + int(found[0]) if len(found) else None
