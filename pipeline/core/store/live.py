"""A long training while it runs: a bar on the terminal, and a run in MLflow that grows.

The solver tells its epochs to a callback, which draws the bar and keeps few of the losses. A thread
hands these to MLflow. It only reads them, so that the numbers of the training do not depend on it;
and it is a daemon: the end of the training waits for it a bounded time, whatever the store does.
"""

import contextlib
import threading
import time
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.core import layout
from pipeline.core.errors import PipelineWarning
from pipeline.core.files import md5
from pipeline.core.params import Wanted
from pipeline.core.store.connection import (
    Point,
    Store,
    StoreError,
    main_repository,
    milliseconds,
    open_store,
    saying_why,
    tracking_uri,
    training_key,
)
from pipeline.core.store.owner import end_abandoned, owner_tags
from pipeline.core.store.progress import Bar, warnings_above_bars
from pipeline.core.trainers import Callback, no_callback

MOST = 500  # points kept; also, about, what each doubling of the time adds to a run
FLUSH = 10  # seconds that MLflow may take for the last points, the model being on disk
SETTLE = 3  # and for a last word when the training was interrupted


class Pace(NamedTuple):
    """Seconds from the first loss to the bar and to the run, and between states of each."""

    bar: float = 2.0
    run: float = 3.0
    draw: float = 0.25
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
            self.points.append((epoch, loss, milliseconds()))
            if len(self.points) == MOST:
                self.points = self.points[::2]
                self._stride *= 2
        self._calls += 1

    def points_after(self, epoch: int, to_the_end: bool = False) -> list[Point]:
        """The points after an epoch; `to_the_end`: the latest, too."""
        points = [point for point in self.points if point[0] > epoch]
        known = points[-1][0] if points else epoch
        if to_the_end and self.latest and self.latest[0] > known:
            points.append((*self.latest, milliseconds()))
        return points


@contextlib.contextmanager
def shown(dataset: str, model: Wanted, pace: Pace = PACE) -> Iterator[Callback]:
    """Show the training in the block, if it lasts.

    The run's status is RUNNING, then SCHEDULED (it waits for evaluate and track, which replaces
    it), FAILED with the reason in the tag `error`, or KILLED where it was interrupted. After a
    SIGKILL it stays RUNNING until `end_abandoned` finds it, in the next training or in track.
    A store that is down, or any other failure to show it, is one warning and leaves the training
    alone. Trainers without params take no steps: nothing is shown of them.

    Parameters
    ----------
    dataset : str
        The experiment of the run.
    model : Wanted
        What is trained: its name, trainer and params.
    pace : Pace
        After how long something is shown, and how often.

    Yields
    ------
    callback : callable
        The solver tells it each epoch and its loss.
    """
    if not model.params:
        yield no_callback
        return
    view = _View(dataset, model, pace)
    with warnings_above_bars():
        try:
            yield view.tell
        except Exception as error:
            view.end("FAILED", str(error))
            raise
        except BaseException:  # interrupted
            view.end("KILLED")
            raise
        view.end("SCHEDULED")


class _View:
    """The bar and the run of one training; both begin to wait at its first loss."""

    def __init__(self, dataset: str, model: Wanted, pace: Pace) -> None:
        self._losses, self._pace = Losses(), pace
        self._bar = Bar(model.name, int(model.params["epochs"]))
        self._run = _LiveRun(dataset, model, self._losses, pace)
        self._begun: float | None = None
        self._due = 0.0  # when to draw next

    def tell(self, epoch: int, loss: float) -> None:
        """Take the loss of an epoch: the callback of the solver."""
        now = time.monotonic()
        if self._begun is None:
            self._begun, self._due = now, now + self._pace.bar
            self._run.start()
        self._losses(epoch, loss)
        if now >= self._due:
            self._due = now + self._pace.draw
            self._bar.draw(epoch, loss, now - self._begun)

    def end(self, status: str, error: str | None = None) -> None:
        """End both, in a bounded time."""
        if self._losses.latest:
            self._bar.close(*self._losses.latest)
            self._run.end(status, error)


class _LiveRun(threading.Thread):
    """The thread that makes the run and feeds it."""

    def __init__(self, dataset: str, model: Wanted, losses: Losses, pace: Pace) -> None:
        super().__init__(name="live run", daemon=True)
        self._dataset, self._model, self._losses, self._pace = dataset, model, losses, pace
        self._over = threading.Event()
        self._status, self._error = "RUNNING", ""
        self._warned = False

    def run(self) -> None:
        """Wait for the training to last; then make its run, and feed it until the end."""
        if self._over.wait(self._pace.run):
            return
        try:
            with open_store(main_repository()) as store:
                if self._over.is_set():
                    return
                run = _create(store, self._dataset, self._model)
            self._feed(store, run)
        except Exception as error:
            self._warn(str(error) or type(error).__name__)

    def end(self, status: str, error: str | None) -> None:
        """Say how the training ended, and wait until the store knows, or for a few seconds."""
        seconds = SETTLE if status == "KILLED" else FLUSH
        self._status, self._error = status, error or ""
        self._over.set()
        self.join(seconds)
        if self.is_alive():
            self._warn(f"no answer within {seconds} s")

    def _feed(self, store: Store, run: str) -> None:
        """Log new losses until the training is over, then the last one and how it ended."""
        known, over = -1, False  # the last epoch that the store has; none yet
        while not over:
            over = self._over.wait(self._pace.every)
            points = self._losses.points_after(known, to_the_end=over)
            try:
                with saying_why(tracking_uri(main_repository())):
                    store.log_losses(run, points)
                    known = points[-1][0] if points else known
                    if over:
                        self._terminate(store, run)
            except StoreError as error:  # and try again with the next points
                self._warn(str(error))

    def _terminate(self, store: Store, run: str) -> None:
        if self._error:
            store.client.set_tag(run, "error", self._error)
        store.client.set_terminated(run, self._status)

    def _warn(self, reason: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"training is not shown in MLflow: {reason}", PipelineWarning, stacklevel=2
            )


def _create(store: Store, dataset: str, model: Wanted) -> str:
    """Create the live run, and end those that an earlier process has left; gives its id."""
    experiment, train = store.experiment(dataset), layout.split_part(dataset, "train")
    key = training_key(dataset, model.name, model.params, md5(train))
    end_abandoned(store, experiment, key)
    tags = {"dataset": dataset, "model": model.name, "trainer": model.trainer, "training": key}
    tags |= owner_tags()
    params = {"trainer": model.trainer, **model.params}
    with store.new_run(experiment, f"{model.name} (training)", tags, params) as run:
        return run
