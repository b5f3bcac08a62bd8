"""Work over blocks of rows: parts computed apart and combined in one order.

So the same bytes come out of any number of threads.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import TypeVar

from threadpoolctl import threadpool_limits

ROWS = 16_384  # with 30 features a block is 4 MB: it stays in the cache between two uses

T = TypeVar("T")


def blocks(n_rows: int, size: int = ROWS) -> list[slice]:
    """Cut rows into slices of `size`; the last may be shorter.

    >>> blocks(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def map_ordered(work: Callable[[slice], T], parts: list[slice]) -> Iterator[T]:
    """Apply `work` to every part, several at a time, and give the results in the parts' order.

    BLAS runs on one thread in each: its own threads would cut the sums elsewhere.
    """
    with threadpool_limits(1):
        if len(parts) == 1:
            yield work(parts[0])
            return
        with ThreadPoolExecutor(min(len(parts), cpu_count() or 1)) as pool:
            yield from pool.map(work, parts)
