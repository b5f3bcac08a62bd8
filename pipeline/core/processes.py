"""Work that falls into parts, done on all CPUs: the same bytes, whatever their number."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import IO

from pipeline.core.passes import counted_rows
from pipeline.core.preload import die_with_parent

WORTH = 0.1  # seconds of work that forks, of some 20 ms each, are worth
MOST = 8
SIZE = 8  # bytes of the number that stands before each result


def apart(work: Callable[[int], bytes], count: int, rows: int = 0, what: str = "") -> list[bytes]:
    """Do each part of some work by itself, in forks of this process where that pays.

    The first part tells how long one takes. Where a fork fails, this process does its parts, and
    meets what it met.

    Parameters
    ----------
    work : callable
        Does part k, and depends on nothing but k.
    count : int
        The number of parts.
    rows, what : int, str, optional
        How many rows a part passes over, about, and what is being done: a terminal shows it. The
        parts of this process stand for those of the forks beside it.

    Returns
    -------
    list of bytes
        What `work` gives for each k from 0 to count - 1.
    """
    begun = time.monotonic()
    found = {k: work(k) for k in range(min(count, 1))}
    seconds = (time.monotonic() - begun) * (count - 1)
    number = min(_processes(), count) if seconds > WORTH else 1
    ours, *theirs = [range(1 + k, count, number) for k in range(number)]
    todo, forks = [*ours], []
    with ExitStack() as ending:
        for some in theirs:
            try:
                forks.append((*_forked(work, some, ending), some))
            except OSError:  # too many processes, or no place for a file
                todo += some
        done = ((k, work(k)) for k in todo)
        found |= dict(counted_rows(done, [rows * number] * len(todo), what) if rows else done)
        for fork, results, parts in forks:
            fork.join()
            found |= {k: work(k) if fork.exitcode else _read(results) for k in parts}
    return [found[k] for k in range(count)]


def _processes() -> int:
    """How many may work side by side.

    One in a fork, and where a fork would miss this process's other threads.
    """
    threads = [*Path("/proc/self/task").iterdir()] if sys.platform == "linux" else []
    if parent_process() or len(threads) != 1:
        return 1
    return min(len(os.sched_getaffinity(0)), MOST)


def _forked(
    work: Callable[[int], bytes], parts: Sequence[int], ending: ExitStack
) -> tuple[ForkProcess, IO[bytes]]:
    """Begin to do some parts in a fork, and write their results to a file; `ending` ends both."""
    results = ending.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    fork = get_context("fork").Process(target=_do, args=(work, parts, results, os.getpid()))
    fork.start()
    ending.callback(fork.join)
    ending.callback(fork.kill)
    return fork, results


def _do(
    work: Callable[[int], bytes], parts: Sequence[int], results: IO[bytes], parent: int
) -> None:
    """Be the fork, which ends with its parent, and without a word."""
    failed = 1
    with suppress(BaseException):
        die_with_parent()
        if os.getppid() == parent:
            for result in map(work, parts):
                results.write(len(result).to_bytes(SIZE, "little") + result)
            results.seek(0)  # for the parent, too: they share the place
            failed = 0
    os._exit(failed)


def _read(file: IO[bytes]) -> bytes:
    return file.read(int.from_bytes(file.read(SIZE), "little"))
