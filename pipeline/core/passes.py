"""Passes over a table: a part at a time, several at once, with the same bytes for any number.

A part is a row group, a block of rows, whatever `work` takes; what it gives depends on the part
alone, so that it may run on any thread, or on another machine (`engine: ray`), and results come in
the parts' order.
"""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from pipeline.core.cluster import Cluster


def _cpus() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


WORKERS = min(_cpus(), 4)  # more would wait for memory, and each holds a part
BAR = 3.0  # seconds that a pass takes before its bar is shown

Part = TypeVar("Part")
T = TypeVar("T")

_cluster: ContextVar["Cluster | None"] = ContextVar("cluster", default=None)


@contextmanager
def engine(name: Literal["local", "ray"], address: str) -> Iterator[None]:
    """Say who does the passes over files in this block: threads of this process, or Ray's workers.

    Parameters
    ----------
    name : str
        params.yaml: engine.
    address : str
        params.yaml: ray_address.

    Raises
    ------
    PipelineError
        When Ray is not installed, or none answers at the address.
    """
    if name == "local":
        yield
        return
    from pipeline.core.cluster import Cluster  # what few runs need

    with Cluster(address) as cluster:
        before = _cluster.set(cluster)
        try:
            yield
        finally:
            _cluster.reset(before)


def cluster() -> "Cluster | None":
    """Who does the passes over files, if this process does not."""
    return _cluster.get()


def _memory_is_limited() -> bool:
    """Whether a thread that finds no room may end the process, without a word of Python's."""
    if sys.platform != "linux":
        return False
    import resource  # which other systems may lack

    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def map_ordered(
    work: Callable[[Part], T],
    parts: Sequence[Part],
    workers: int | None = None,
    *,
    files: bool = False,
) -> Iterator[T]:
    """Apply `work` to every part, several at a time, and give the results in the parts' order.

    At most one result more than there are workers waits to be taken, so that memory hangs on the
    size of a part and the number of workers alone.

    Parameters
    ----------
    work : callable
        From a part to a result; it runs on threads.
    parts : sequence
    workers : int, optional
        WORKERS unless given: one for each CPU that this process may use, at most 4. None beside
        this one where memory is limited (`ulimit -v`).
    files : bool, optional
        Whether `work` finds the rows in files, so that it can be sent elsewhere: with `engine: ray`
        two such parts or more go to its workers. Rows in memory stay here.
    """
    if files and len(parts) > 1 and (elsewhere := cluster()):
        yield from elsewhere.map(work, parts)
        return
    workers = min(workers or WORKERS, len(parts))
    if workers < 2 or _memory_is_limited():
        yield from map(work, parts)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        waiting = deque[Future[T]]()
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def counted_rows(results: Iterable[T], rows: Sequence[int], what: str) -> Iterator[T]:
    """Show on a terminal how many rows a pass has done, and how many a second, if it lasts.

    Parameters
    ----------
    results : iterable
        One for each part, in their order.
    rows : sequence of int
        How many each part has.
    what : str
        What is being done.
    """
    if not sys.stderr.isatty():
        yield from results
        return
    from tqdm import tqdm  # what a stage without a terminal need not wait for

    tqdm.monitor_interval = 0  # beside a thread of its own no process is forked
    look = {"desc": what, "total": sum(rows), "unit": "row", "unit_scale": True, "leave": False}
    with tqdm(**look, miniters=1, delay=BAR, dynamic_ncols=True, file=sys.stderr) as bar:
        for result, count in zip(results, rows, strict=True):
            bar.update(count)
            yield result
