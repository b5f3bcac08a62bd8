"""Work over blocks of rows: parts computed apart and combined in one order.

So the same bytes come out of any number of threads.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from os import cpu_count
from typing import TypeVar

from threadpoolctl import ThreadpoolController

ROWS = 16_384  # with 30 features a block is 4 MB: it stays in the cache between two uses
THREADS = min(cpu_count() or 1, 4)  # more would wait for memory, and each holds a block

T = TypeVar("T")


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread: its own threads would cut the sums elsewhere."""
    with _blas().limit(limits=1):
        yield


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all libraries, numpy's among them: 3 ms


def blocks(n_rows: int, size: int = ROWS) -> list[slice]:
    """Cut rows into slices of `size`; the last may be shorter.

    >>> blocks(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def map_ordered(work: Callable[[slice], T], parts: list[slice]) -> Iterator[T]:
    """Apply `work` to every part, several at a time, and give the results in the parts' order."""
    if len(parts) == 1:
        yield work(parts[0])
        return
    with ThreadPoolExecutor(min(len(parts), THREADS)) as pool:
        yield from pool.map(work, parts)


def ahead(tasks: Iterator[Callable[[], T]]) -> Iterator[T]:
    """Run the tasks on another thread, two ahead, and give their results in order."""
    first, second = next(tasks), next(tasks, None)
    if second is None:
        yield first()
        return
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[T]] = deque([pool.submit(first), pool.submit(second)])
        while waiting:
            yield waiting.popleft().result()
            task = next(tasks, None)
            if task is not None:
                waiting.append(pool.submit(task))
