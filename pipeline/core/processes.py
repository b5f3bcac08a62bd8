"""Rows of numbers computed on all CPUs: the same bytes, whatever their number."""

import mmap
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from pipeline.core.preload import die_with_parent
from pipeline.core.tables import Array

WORTH = 0.1  # seconds of work that forks, of some 20 ms each, are worth
MOST = 8


def rows_apart(work: Callable[[int], Array], count: int, width: int) -> Array:
    """Compute the rows of a matrix, each by itself, in forks of this process where it pays.

    The first row tells how long one takes. Forks write to memory that they share with this
    process; where one fails, this process computes its rows, and meets what it met.

    Parameters
    ----------
    work : callable
        Gives row k, of shape (width,), and depends on k alone.
    count : int
        The number of rows.
    width : int
        The number of columns.

    Returns
    -------
    ndarray of shape (count, width)
    """
    rows = np.frombuffer(mmap.mmap(-1, max(8 * count * width, 1)), count=count * width)
    rows = rows.reshape(count, width)
    begun = time.monotonic()
    for k in range(min(count, 1)):
        rows[k] = work(k)
    seconds = (time.monotonic() - begun) * (count - 1)
    ours, *theirs = _parts(range(1, count), _processes() if seconds > WORTH else 1)
    waited = {_forked(work, rows, part): part for part in theirs}
    try:
        _fill(work, rows, ours)
        while waited:
            child, status = os.waitpid(next(iter(waited)), 0)
            part = waited.pop(child)
            if status:
                _fill(work, rows, part)
    finally:
        for child in waited:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return rows


def _processes() -> int:
    """How many may work side by side; one where a fork would miss this process's other threads."""
    if sys.platform != "linux" or len([*Path("/proc/self/task").iterdir()]) > 1:
        return 1
    return min(len(os.sched_getaffinity(0)), MOST)


def _parts(rows: range, number: int) -> Sequence[range]:
    return [rows[k::number] for k in range(number)]


def _fill(work: Callable[[int], Array], rows: Array, part: range) -> None:
    for k in part:
        rows[k] = work(k)


def _forked(work: Callable[[int], Array], rows: Array, part: range) -> int:
    """Compute some rows in a fork, which ends with this process; its number."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    failed = 1
    with suppress(BaseException):
        die_with_parent()
        if os.getppid() == parent:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # it forks no further
            _fill(work, rows, part)
            failed = 0
    os._exit(failed)
