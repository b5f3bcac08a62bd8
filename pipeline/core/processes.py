"""Work that falls into parts, done on all CPUs: the same bytes, whatever their number."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from pipeline.core.preload import die_with_parent

WORTH = 0.1  # seconds of work that forks, of some 20 ms each, are worth
MOST = 8
SIZE = 8  # bytes of the number that stands before each result

_in_a_fork = False
# A process at work, the parts that are its own, and the file that it writes their results to.
_Fork = tuple[int, Sequence[int], IO[bytes]]


def apart(work: Callable[[int], bytes], count: int) -> list[bytes]:
    """Do each part of some work by itself, in forks of this process where that pays.

    The first part tells how long one takes. Where a fork fails, this process does its parts, and
    meets what it met.

    Parameters
    ----------
    work : callable
        Does part k, and depends on nothing but k.
    count : int
        The number of parts.

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
    todo, forks = [*ours], list[_Fork]()
    try:
        for some in theirs:
            try:
                forks.append(_forked(work, some))
            except OSError:  # too many processes, or no place for a file
                todo += some
        found |= {k: work(k) for k in todo}
        while forks:
            _, status = os.waitpid(forks[-1][0], 0)
            _, parts, results = forks.pop()
            with results:
                found |= {k: work(k) if status else _read(results) for k in parts}
    finally:
        for child, _, results in forks:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            results.close()
    return [found[k] for k in range(count)]


def _processes() -> int:
    """How many may work side by side.

    One in a fork, and where a fork would miss this process's other threads.
    """
    if _in_a_fork or sys.platform != "linux" or len([*Path("/proc/self/task").iterdir()]) > 1:
        return 1
    return min(len(os.sched_getaffinity(0)), MOST)


def _forked(work: Callable[[int], bytes], parts: Sequence[int]) -> _Fork:
    """Begin to do some parts in a fork, which ends with this process."""
    global _in_a_fork
    parent, results = os.getpid(), tempfile.TemporaryFile()  # noqa: SIM115  # the parent closes it
    try:
        child = os.fork()
    except OSError:
        results.close()
        raise
    if child:
        return child, parts, results
    failed = 1
    with suppress(BaseException):
        die_with_parent()
        if os.getppid() == parent:
            _in_a_fork = True
            for result in map(work, parts):
                results.write(len(result).to_bytes(SIZE, "little") + result)
            results.seek(0)  # for the parent, too: they share the place
            failed = 0
    os._exit(failed)


def _read(file: IO[bytes]) -> bytes:
    return file.read(int.from_bytes(file.read(SIZE), "little"))
