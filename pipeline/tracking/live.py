"""A long training while it runs: a bar on the terminal, and a run in MLflow that grows.

The solver tells its epochs to `Losses`, which keeps few of them. A thread looks there four times a
second, draws the bar, and hands new points to a process of its own (`live_run.py`) that talks to
MLflow. There, because importing mlflow here would take the interpreter from the solver for a second
or two; because a server that is waited for holds up no exit; and because the process sees the
training end however that is killed.
"""

import contextlib
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.errors import PipelineWarning
from pipeline.solvers.descent import Callback, no_callback
from pipeline.tracking.progress import Bar

MOST = 500  # points kept; also, about, what each doubling of the time adds to a run
TICK = 0.25
FLUSH = 10  # seconds that MLflow may take for the last points, the model being on disk
SETTLE = 3  # and for a last word when the training was interrupted

Point = tuple[int, float, int]


class Pace(NamedTuple):
    """Seconds from the first loss to the bar, and to the run in MLflow; and between its points."""

    bar: float = 2.0
    run: float = 3.0
    every: float = 2.0


PACE = Pace()


class Losses:
    """Keeps the losses of a training: all while they are few, then every second, fourth, ... one.

    The solver's thread calls it, another reads: it appends and replaces, both in one piece.

    Attributes
    ----------
    points : list of (epoch, loss, time)
        Time in ms since 1970.
    latest : (epoch, loss), or None before the first.
    """

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.latest: tuple[int, float] | None = None
        self._calls, self._stride = 0, 1

    def __call__(self, epoch: int, loss: float) -> None:
        """Remember the loss of an epoch."""
        self.latest = epoch, loss
        if self._calls % self._stride == 0:
            self.points.append(_now(epoch, loss))
            if len(self.points) == MOST:
                self.points = self.points[::2]
                self._stride *= 2
        self._calls += 1

    def points_after(self, epoch: int, to_the_end: bool = False) -> list[Point]:
        """The points after an epoch; `to_the_end`: the latest, too."""
        points = [point for point in self.points if point[0] > epoch]
        known = points[-1][0] if points else epoch
        if to_the_end and self.latest and self.latest[0] > known:
            points.append(_now(*self.latest))
        return points


@contextlib.contextmanager
def shown(
    dataset: str,
    trainer: str,
    params: Mapping[str, float | int | str],
    pace: Pace = PACE,
) -> Iterator[Callback]:
    """Show the training in the block, if it lasts; gives the callback of its solver.

    The run's status is RUNNING, then SCHEDULED (it waits for evaluate and track, which replaces
    it), FAILED with the reason in the tag `error`, or KILLED. A store that is down, or any other
    failure to show it, is one warning and leaves the training alone. Trainers without params take
    no steps: nothing is shown of them.
    """
    if not params:
        yield no_callback
        return
    view = _View({"dataset": dataset, "trainer": trainer, "params": dict(params)}, pace)
    with view.bar.below_warnings():
        view.start()
        try:
            yield view.losses
        except Exception as error:
            view.end(status="FAILED", error=str(error))
            raise
        except BaseException:  # interrupted
            view.end()
            raise
        view.end(status="SCHEDULED")


class _View:
    """The thread that looks at the losses."""

    def __init__(self, about: dict[str, Any], pace: Pace) -> None:
        self.losses = Losses()
        self.bar = Bar(about["trainer"], about["params"]["epochs"])
        self._about, self._pace = about, pace
        self._handed = 0.0
        self._run: _Run | None = None
        self._warned = False
        self._last: dict[str, str] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def end(self, **last: str) -> None:
        """End the view; `last` says how the training ended, or nothing if it was interrupted."""
        self._last, seconds = last, FLUSH if last else SETTLE
        self._over.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._warn(f"no answer within {seconds} s")
            if self._run:
                self._run.kill()

    def _work(self) -> None:
        begin: float | None = None
        try:
            while not self._over.wait(min(TICK, self._pace.every)):
                if self.losses.latest is None:
                    continue  # its libraries are being imported, its rows read
                now = time.monotonic()
                begin = begin or now
                if now - begin >= self._pace.bar:
                    self.bar.draw(*self.losses.latest, now - begin)
                if now - begin >= self._pace.run:
                    self._feed(now)
            self.bar.close(self.losses.latest)
            if self._run:
                self._warn(self._run.end(self.losses, self._last))
        except Exception as error:
            self._warn(f"{type(error).__name__}: {error}")

    def _feed(self, now: float) -> None:
        if self._run is None:
            self._run = _Run(self._about)
        elif now - self._handed >= self._pace.every:
            self._handed = now
            self._warn(self._run.feed(self.losses))

    def _warn(self, reason: str | None) -> None:
        if reason and not self._warned:
            self._warned = True
            warnings.warn(
                f"training is not shown in MLflow: {reason}", PipelineWarning, stacklevel=2
            )


class _Run:
    """The process that shows the run, fed one message at a time, so that no pipe fills up.

    It answers each message with a line: empty, or what went wrong.
    """

    def __init__(self, about: dict[str, Any]) -> None:
        import os
        import subprocess
        import sys

        root = str(Path(__file__).parents[2])  # the code that runs here runs there
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.tracking.live_run"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what ends this process's group should not end it
            env=os.environ | {"PYTHONPATH": path},
        )
        assert process.stdin
        assert process.stdout
        self._process, self._to, self._from = process, process.stdin, process.stdout
        self._is_there = False
        self._last_epoch = -1  # that it knows; none yet
        self._send(about)

    def feed(self, losses: Losses) -> str | None:
        """Hand over what is new, if it has dealt with what came before.

        Returns
        -------
        str or None
            What went wrong with what came before.
        """
        if not self._has_answered():
            return None
        answer = self._from.readline().decode()
        if not answer:
            return self._cause_of_death()
        self._is_there = True
        points = losses.points_after(self._last_epoch)
        self._last_epoch = points[-1][0] if points else self._last_epoch
        self._send({"points": points})
        return answer.strip()

    def end(self, losses: Losses, last: dict[str, str]) -> str | None:
        """Say how the training ended, and wait for the answer if the run is there already."""
        is_there = self._is_there or self._has_answered()
        if last:
            points = losses.points_after(self._last_epoch, to_the_end=True)
            self._send(last | {"points": points})
        self._to.close()
        with self._from:
            if not is_there:
                return None  # and never will be: it sees that it is too late
            answers = self._from.read().decode().splitlines()
        return self._cause_of_death() or (answers[-1] if answers else None)

    def kill(self) -> None:
        """End it: it hangs, and nobody waits for it any more."""
        self._process.kill()

    def _has_answered(self) -> bool:
        from select import select

        return bool(select([self._from], [], [], 0)[0])

    def _send(self, message: dict[str, Any]) -> None:
        import json

        with contextlib.suppress(BrokenPipeError):  # it is dead; its last answer says why
            self._to.write(json.dumps(message).encode() + b"\n")

    def _cause_of_death(self) -> str | None:
        code = self._process.wait()
        if code == -signal.SIGALRM:
            return "no answer in time"
        return f"its process ended with exit code {code}" if code else None


def _now(epoch: int, loss: float) -> Point:
    return epoch, loss, int(time.time() * 1000)
