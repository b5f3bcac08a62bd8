"""Work that falls into parts, done on all CPUs: the same bytes, whatever their number."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from pipeline.core.preload import die_with_parent

WORTH = 0.1  # seconds of work that forks, of some 20 ms each, are worth
MOST = 8
SIZE = 8  # bytes of the number that stands before each result

_in_a_fork = False


class _Fork(NamedTuple):
    """A process at work on some parts, and the file that it writes their results to."""

    parts: Sequence[int]
    results: IO[bytes]


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
    todo, forks = [*ours], dict[int, _Fork]()
    try:
        for some in theirs:
            try:
                forks |= dict([_forked(work, some)])
            except OSError:  # too many processes, or no place for a file
                todo += some
        found |= {k: work(k) for k in todo}
        while forks:
            child, status = os.waitpid(next(iter(forks)), 0)
            parts, results = forks.pop(child)
            with results:
                found |= {k: work(k) if status else _read(results) for k in parts}
    finally:
        for child, fork in forks.items():
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            fork.results.close()
    return [found[k] for k in range(count)]


def _processes() -> int:
    """How many may work side by side.

    One in a fork, and where a fork would miss this process's other threads.
    """
    if _in_a_fork or sys.platform != "linux" or len([*Path("/proc/self/task").iterdir()]) > 1:
        return 1
    return min(len(os.sched_getaffinity(0)), MOST)


def _forked(work: Callable[[int], bytes], parts: Sequence[int]) -> tuple[int, _Fork]:
    """Begin to do some parts in a fork, which ends with this process."""
    global _in_a_fork
    parent, results = os.getpid(), tempfile.TemporaryFile()  # noqa: SIM115  # the parent closes it
    try:
        child = os.fork()
    except OSError:
        results.close()
        raise
    if child:
        return child, _Fork(parts, results)
    failed = 1
    with suppress(BaseException):
        die_with_parent()
        if os.getppid() == parent:
            _in_a_fork = True
            _write(results, map(work, parts))
            failed = 0
    os._exit(failed)


def _write(file: IO[bytes], results: "map[bytes]") -> None:
    for result in results:
        file.write(len(result).to_bytes(SIZE, "little") + result)
    file.seek(0)  # for the parent, too: they share the place


def _read(file: IO[bytes]) -> bytes:
    return file.read(int.from_bytes(file.read(SIZE), "little"))
