"""Training in batches by several processes at once: the same bytes for one, two, three or four.

The rows fall into four shards, each a run of neighbours in the file: of n rows shard s has those
that are left of n when rows are dealt out in turn, (n + 3 - s) // 4. A shard draws an order of its
own rows in each epoch, by the seed, the epoch and its number, and gives its part of each batch, as
if these were dealt out in turn, too. Shard s is computed by process s modulo their number; the four
sums of losses and gradients go to every process, which adds them in the shards' order, and takes
the same step as all others.

So batches have the rows that `engine: local` gives them, but others: the same training by chance,
not by byte.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import reduce

import numpy as np

from pipeline.core.tables import Array
from pipeline.solvers.blocks import ahead
from pipeline.solvers.kept import Kept
from pipeline.solvers.rows import Block, Rows

SHARDS = 4


@dataclass(frozen=True)
class Group:
    """The processes that train together.

    Attributes
    ----------
    rank : int
        Of this process, from 0.
    size : int
        How many they are.
    gather : callable
        From an array of this process to those of all, in the order of their ranks.
    kept : Kept, optional
        Has the state of the same training where a process of it was killed, and is given its state.
    """

    rank: int
    size: int
    gather: Callable[[Array], Sequence[Array]]
    kept: Kept | None = None

    @property
    def own(self) -> range:
        """The shards of this process."""
        return range(self.rank, SHARDS, self.size)

    def total(self, found: Sequence[Array]) -> Array:
        """The sum over all shards, in their order, of what each process found of its own.

        Parameters
        ----------
        found : sequence of ndarray of shape (n,)
            One for each shard of this process.
        """
        mine = np.zeros((-(-SHARDS // self.size), len(found[0])))
        mine[: len(found)] = found
        every = self.gather(mine)
        each = (every[shard % self.size][shard // self.size] for shard in range(SHARDS))
        return reduce(np.add, each)


_group: ContextVar[Group | None] = ContextVar("group", default=None)


@contextmanager
def together(group: Group) -> Iterator[None]:
    """Train in batches with other processes in this block."""
    before = _group.set(group)
    try:
        yield
    finally:
        _group.reset(before)


def group() -> Group | None:
    """The processes that train with this one."""
    return _group.get()


class Share:
    """What the shards of this process have of a batch.

    Attributes
    ----------
    n_rows : int
        Of the whole batch.
    """

    def __init__(
        self, group: Group, n_rows: int, parts: Sequence[tuple[np.random.Generator, Block]]
    ) -> None:
        self._group, self.n_rows, self._parts = group, n_rows, parts

    def __len__(self) -> int:
        return self.n_rows

    def total(self, of: Callable[[np.random.Generator, Block], Array]) -> Array:
        """The sum over all shards of an array that a function gives for a generator and rows."""
        return self._group.total([of(*part) for part in self._parts])


class Shards:
    """The shards of some rows that this process has.

    Parameters
    ----------
    group : Group
    rows : Rows
    size : int
        Rows of a batch.
    seed : int

    Attributes
    ----------
    kept : Kept or None
        That of the group.
    """

    def __init__(self, group: Group, rows: Rows, size: int, seed: int) -> None:
        self._group, self._n_rows, self._size, self._seed = group, rows.n_rows, size, seed
        self.kept = group.kept
        ends = np.cumsum([0, *(_dealt(rows.n_rows, shard) for shard in range(SHARDS))])
        self._own = dict[int, Rows]()
        for shard in group.own:
            kept = np.zeros(rows.n_rows, bool)
            kept[ends[shard] : ends[shard + 1]] = True
            self._own[shard] = rows.part(kept)

    def batches(self, epoch: int) -> Iterator[tuple[Share, float]]:
        """The batches of an epoch, each with its share of the rows."""
        ends = [*range(self._size, self._n_rows, self._size), self._n_rows]
        drawn = [self._drawn(shard, epoch, ends) for shard in self._own]
        generators = [generator for generator, _ in drawn]
        for begin, end, *blocks in zip([0, *ends], ends, *(one for _, one in drawn), strict=False):
            parts = [*zip(generators, blocks, strict=True)]
            yield Share(self._group, end - begin, parts), (end - begin) / self._n_rows

    def _drawn(
        self, shard: int, epoch: int, ends: Sequence[int]
    ) -> tuple[np.random.Generator, Iterator[Block]]:
        """A shard's generator of an epoch, and its part of each batch."""
        rows, generator = self._own[shard], np.random.default_rng([self._seed, epoch, shard])
        counts = np.diff([_dealt(end, shard) for end in ends], prepend=0).tolist()
        if not rows.n_rows:
            empty = Block(np.empty((0, rows.n_features)), np.empty(0))
            return generator, (empty for _ in counts)
        return generator, _cut(ahead(rows.shuffled(generator, self._size)), counts)


def _dealt(n_rows: int, shard: int) -> int:
    """How many of so many rows a shard gets where they are dealt out in turn."""
    return (n_rows + SHARDS - 1 - shard) // SHARDS


def _cut(blocks: Iterator[Block], counts: Iterable[int]) -> Iterator[Block]:
    """The same rows in blocks of other lengths."""
    rest = next(blocks)
    for count in counts:
        while len(rest) < count:
            rest = rest + next(blocks)
        yield rest[:count]
        rest = rest[count:]
