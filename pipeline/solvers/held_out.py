"""Training rows that are held out to end a training by."""

from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from pipeline.solvers.rows import Block, Rows

FEWEST = 10  # fewer tell nothing
MOST = 65_536  # more tell no more: a mean of these is known to 0.4 % of the rows' spread


def hold_out(
    rows: Rows, share: float, classes: bool, generator: np.random.Generator
) -> tuple[Rows, Block] | None:
    """Part rows into those that train and a share that is held out, at most 65,536.

    Of classes each has its share of them, and at least one row that trains. The rows are read
    twice, a block at a time.

    Parameters
    ----------
    rows : Rows
    share : float
    classes : bool
        Whether the target is labels from 0 to K - 1.
    generator : numpy Generator
        Which draws them.

    Returns
    -------
    training : Rows
    held : Block
        In memory.
    None
        Instead, where fewer than 10 would be held out.
    """
    there = np.zeros(1, np.intp)
    for part in rows.parts():
        there = _sum(there, np.bincount(_labels(rows.read(part), classes)))
    wanted = np.floor(there * min(share, MOST / rows.n_rows) + 0.5).astype(np.intp)
    wanted = np.minimum(wanted, np.maximum(there - 1, 0))
    if wanted.sum() < FEWEST:
        return None
    kept, held = np.ones(rows.n_rows, bool), list[Block]()
    for part in rows.parts():
        block = rows.read(part)
        chosen = _chosen(_labels(block, classes), there, wanted, generator)
        kept[part.start + chosen] = False
        weights = None if block.weights is None else block.weights[chosen]
        held.append(Block(block.X[chosen], block.y[chosen], weights))
    return rows.part(kept), reduce(add, held)


def _chosen(
    labels: NDArray[np.intp],
    there: NDArray[np.intp],
    wanted: NDArray[np.intp],
    generator: np.random.Generator,
) -> NDArray[np.intp]:
    """Rows of a block, drawn as from all: takes them off what is there and what is wanted."""
    chosen = [np.empty(0, np.intp)]
    for label in np.unique(labels).tolist():
        of_label = np.flatnonzero(labels == label)
        rest = int(there[label] - wanted[label])
        count = int(generator.hypergeometric(int(wanted[label]), rest, len(of_label)))
        chosen.append(generator.choice(of_label, count, replace=False))
        there[label] -= len(of_label)
        wanted[label] -= count
    return np.sort(np.concatenate(chosen))


def _labels(block: Block, classes: bool) -> NDArray[np.intp]:
    return block.y.astype(np.intp) if classes else np.zeros(len(block), np.intp)


def _sum(a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.intp]:
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    found = longer.copy()
    found[: len(shorter)] += shorter
    return found
