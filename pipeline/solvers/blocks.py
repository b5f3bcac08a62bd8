"""Work over blocks of rows: parts computed apart and combined in one order.

So the same bytes come out of any number of threads.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

ROWS = 16_384  # with 30 features a block is 4 MB: it stays in the cache between two uses

T = TypeVar("T")


class OneThread(contextlib.ContextDecorator):
    """Keep a library to one thread: with more it would cut its sums elsewhere.

    The number of threads is one for the whole process. So the first of several fits at once sets
    it, and the last one puts it back.
    """

    def __init__(self, limit: Callable[[], contextlib.AbstractContextManager[object]]) -> None:
        self._limit, self._lock, self._inside = limit, threading.Lock(), 0
        self._held = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._held.enter_context(self._limit())
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._held.close()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all libraries, numpy's among them: 3 ms


one_blas_thread = OneThread(lambda: _blas().limit(limits=1))


def blocks(n_rows: int, size: int = ROWS) -> list[slice]:
    """Cut rows into slices of `size`; the last may be shorter.

    >>> blocks(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def ahead(tasks: Iterator[Callable[[], T]]) -> Iterator[T]:
    """Run the tasks on another thread, two ahead, and give their results in order.

    A single task runs on this thread: handing it over would cost more than most take.
    """
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
