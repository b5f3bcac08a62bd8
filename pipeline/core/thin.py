"""Fewer points, evenly: what a picture or a batch can hold."""

import numpy as np
from numpy.typing import NDArray


def thinned(count: int, most: int) -> NDArray[np.intp]:
    """At most so many of `count` positions, evenly spaced; both ends at least.

    >>> thinned(10, 4)
    array([0, 3, 6, 9])
    >>> thinned(2, 4)
    array([0, 1])
    """
    return np.unique(np.linspace(0, count - 1, min(count, max(most, 2))).round().astype(np.intp))
