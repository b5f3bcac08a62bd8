"""Stages side by side: each a process, begun when all that it waits for has ended."""

import os
import selectors
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.commands.repro.dvc_process import (
    FAILED,
    INTERRUPTED,
    OF_DVC,
    Plan,
    fork,
    logged,
    order_of_lock,
    plan,
)
from pipeline.commands.repro.order import awaited, ready
from pipeline.commands.repro.screen import Screen

TICK = 0.5  # seconds
CHUNK = 65_536


def repro(jobs: int) -> int:
    """Rebuild what is out of date; returns the exit code of `dvc repro`.

    Parameters
    ----------
    jobs : int
        How many stages may run at once.
    """
    screen = Screen()
    try:
        planned = plan()
    except (Exception, KeyboardInterrupt) as error:
        return logged(error)
    for name in planned.stages:
        if name not in planned.behind:
            screen.say(name, f"{OF_DVC}Stage '{name}' didn't change, skipping")
    if not planned.behind:
        screen.say("", f"{OF_DVC}Data and pipelines are up to date.")
        return 0
    code = Run(planned, jobs, screen).all()
    if code == 0:
        screen.say("", f"{OF_DVC}Use `dvc push` to send your updates to remote storage.")
    return code


class Process:
    """A stage that runs, and what it has said of a line that has not ended."""

    def __init__(self, name: str, pid: int) -> None:
        self.name, self.pid = name, pid
        self.begun = {False: b"", True: b""}  # by whether it is of stderr


class Run:
    """Everything that is out of date, in one go.

    Parameters
    ----------
    planned : Plan
    jobs : int
        How many may run at once.
    screen : Screen
    """

    def __init__(self, planned: Plan, jobs: int, screen: Screen) -> None:
        self.planned, self.jobs, self.screen = planned, jobs, screen
        self.order = order_of_lock(planned)
        self.left = [*planned.behind]
        self.waits = awaited([*planned.stages], planned.needs)
        self.ended = planned.stages.keys() - {*planned.behind}
        self.running = list[Process]()
        self.pipes = selectors.DefaultSelector()
        self.code, self.interrupted = 0, False

    def all(self) -> int:
        """Begin, follow and await all; the exit code of the first that failed, or 0."""
        with self._ctrl_c_ends():
            self._begin()
            while self.running:
                self._follow()
                self._begin()
        return self.code or (INTERRUPTED if self.left else 0)

    def _begin(self) -> None:
        """Begin as many as may run."""
        while len(self.running) < self.jobs and not (self.code or self.interrupted):
            if not self._begin_next():
                break

    @contextmanager
    def _ctrl_c_ends(self) -> Iterator[None]:
        """Begin nothing after it; the stages get it from the terminal, as those of dvc do."""

        def end(*_: object) -> None:
            self.interrupted = True

        before = signal.getsignal(signal.SIGINT)
        if before is not signal.SIG_IGN:  # as in the background of a script
            signal.signal(signal.SIGINT, end)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _begin_next(self) -> bool:
        """Begin the first stage that waits for nothing; False where there is none."""
        names = ready(self.left, self.waits, self.ended)
        if not names:
            return False
        name = names[0]
        (out, to_out), (err, to_err) = os.pipe(), os.pipe()
        try:
            process = Process(name, fork(self.planned, name, self.order, to_out, to_err))
        except OSError as error:
            self.screen.say(name, f"{OF_DVC}ERROR: no process for {name}: {error}", error=True)
            self.code = self.code or FAILED
            for pipe in (out, err):
                os.close(pipe)
            return False
        finally:
            for pipe in (to_out, to_err):
                os.close(pipe)
        self.left.remove(name)
        self.running.append(process)
        self.screen.begin(name)
        for pipe, of_stderr in ((out, False), (err, True)):
            self.pipes.register(pipe, selectors.EVENT_READ, (process, of_stderr))
        return True

    def _follow(self) -> None:
        """Show what the running stages say, until one ends or a while has passed."""
        found = self.pipes.select(TICK)
        for key, _ in sorted(found, key=lambda one: one[0].data[1]):  # stdout first
            self._read(key.fd, *key.data)
        if not found:
            self.screen.tick()
        open_ = {key.data[0] for key in self.pipes.get_map().values()}
        for process in [*self.running]:
            # without pipes it is about to end
            pid, status = os.waitpid(process.pid, os.WNOHANG if process in open_ else 0)
            if pid:
                self._end(process, os.waitstatus_to_exitcode(status))

    def _read(self, pipe: int, process: Process, error: bool) -> bool:
        """Show the lines that have come; False at the end of all."""
        come = os.read(pipe, CHUNK)
        *lines, process.begun[error] = (process.begun[error] + come).split(b"\n")
        if not come and process.begun[error]:  # a last line without its end
            lines.append(process.begun[error])
        for line in lines:
            self.screen.say(process.name, line.decode(errors="replace"), error)
        if not come:
            self.pipes.unregister(pipe)
            os.close(pipe)
        return bool(come)

    def _end(self, process: Process, code: int) -> None:
        """Take note that a stage has ended, and read what it has said last."""
        for key in [*self.pipes.get_map().values()]:
            if key.data[0] is process:
                os.set_blocking(key.fd, False)
                try:
                    while self._read(key.fd, *key.data):
                        pass
                except BlockingIOError:  # something that the stage has begun lives on
                    self.pipes.unregister(key.fd)
                    os.close(key.fd)
        self.running.remove(process)
        self.screen.end(process.name)
        if code == 0:
            self.ended.add(process.name)
            return
        if code < 0:
            killed = f"ERROR: failed to reproduce '{process.name}': its dvc died of signal {-code}"
            self.screen.say(process.name, f"{OF_DVC}{killed}", error=True)
        self.code = self.code or (code if code > 0 else FAILED)
