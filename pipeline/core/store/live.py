"""A long training while it runs: a bar on the terminal, and a run in MLflow that grows.

The solver tells its epochs to a callback, which draws the bar and keeps few of the losses. A thread
hands these to MLflow. It only reads them, so that the numbers of the training do not depend on it;
and it is a daemon: the end of the training waits for it a bounded time, whatever the store does.
"""

import contextlib
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pipeline.core import layout
from pipeline.core.errors import PipelineWarning
from pipeline.core.files import md5, runs
from pipeline.core.settings.models import Wanted
from pipeline.core.store.connection import (
    Point,
    Store,
    StoreError,
    main_repository,
    milliseconds,
    open_store,
    saying_why,
    training_key,
)
from pipeline.core.trainers import TRAINERS, Callback, no_callback, scale_of

if TYPE_CHECKING:
    from mlflow.entities import Run

# Seconds from the first loss to the bar and to the run, and between states of each.
BAR, RUN = 2.0, 3.0
DRAW, EVERY = 0.25, 2.0
MOST = 500  # points kept; also, about, what each doubling of the time adds to a run
FLUSH = 10  # seconds that MLflow may take for the last points, the model being on disk
SETTLE = 3  # and for a last word when the training was interrupted


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
def shown(dataset: str, model: Wanted) -> Iterator[Callback]:
    """Show the training in the block, if it lasts.

    The run's status is RUNNING, then SCHEDULED (it waits for evaluate and track, which replaces
    it), FAILED with the reason in the tag `error`, or KILLED where it was interrupted. After a
    SIGKILL it stays RUNNING until `end_abandoned` finds it, in the next training or in track.
    A store that is down, or any other failure to show it, is one warning and leaves the training
    alone. Of trainers that take no steps nothing is shown.

    Parameters
    ----------
    dataset : str
        The experiment of the run.
    model : Wanted
        What is trained: its name, trainer and params.

    Yields
    ------
    callback : callable
        The solver tells it each epoch and its loss.
    """
    if TRAINERS[model.trainer].loss is None:
        yield no_callback
        return
    view = _View(dataset, model)
    with _warnings_above_bars():
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

    def __init__(self, dataset: str, model: Wanted) -> None:
        self._dataset, self._model = dataset, model
        self._losses, self._over = Losses(), threading.Event()
        self._run = threading.Thread(target=self._show, name="live run", daemon=True)
        self._status, self._error, self._warned = "RUNNING", "", False
        self._begun = 0.0  # the first loss
        self._bar: Any = None

    def tell(self, epoch: int, loss: float) -> None:
        """Take the loss of an epoch: the callback of the solver."""
        now = time.time()
        if self._losses.latest is None:
            self._begun = now
            self._run.start()
        self._losses(epoch, loss)
        if self._bar is None and now >= self._begun + BAR:
            self._bar = _bar(self._model, self._begun)
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {loss:.6g}", refresh=False)
            self._bar.update(epoch - self._bar.n)

    def end(self, status: str, error: str = "") -> None:
        """End both, and wait until the store knows, or for a few seconds.

        The bar leaves its last state on a line of its own.
        """
        if self._losses.latest is None:
            return
        if self._bar is not None:
            self._bar.close()
        self._status, self._error = status, error
        self._over.set()
        seconds = SETTLE if status == "KILLED" else FLUSH
        self._run.join(seconds)
        if self._run.is_alive():
            self._warn(f"no answer within {seconds} s")

    def _show(self) -> None:
        """Wait for the training to last; then make its run, and feed it until the end."""
        if self._over.wait(RUN):
            return
        try:
            with open_store(main_repository()) as store:
                if self._over.is_set():
                    return
                run = _create(store, self._dataset, self._model)
            self._feed(store, run)
        except Exception as error:
            self._warn(str(error) or type(error).__name__)

    def _feed(self, store: Store, run: str) -> None:
        """Log new losses until the training is over, then the last one and how it ended."""
        known, over = -1, False  # the last epoch that the store has; none yet
        while not over:
            over = self._over.wait(EVERY)
            points = self._losses.points_after(known, to_the_end=over)
            try:
                with saying_why(store.client.tracking_uri):
                    store.log_losses(run, points)
                    known = points[-1][0] if points else known
                    if over and self._error:
                        store.client.set_tag(run, "error", self._error)
                    if over:
                        store.client.set_terminated(run, self._status)
            except StoreError as error:  # and try again with the next points
                self._warn(str(error))

    def _warn(self, reason: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"training is not shown in MLflow: {reason}", PipelineWarning, stacklevel=2
            )


def _bar(model: Wanted, begun: float) -> Any:
    """Make a bar on stderr, of epochs, time left and loss; none where that is no terminal."""
    name = f"{model.name}{scale_of(model.params)}"
    look = {"desc": name, "total": model.params["epochs"], "unit": "epoch"}
    # delay: until its clock is set
    pace = {"mininterval": DRAW, "miniters": 1, "smoothing": 0, "delay": 1}
    bar = tqdm(**look, **pace, dynamic_ncols=True, file=sys.stderr, disable=None)
    bar.start_t = bar.last_print_t = begun
    return bar


@contextlib.contextmanager
def _warnings_above_bars() -> Iterator[None]:
    """Give warnings a line of their own; a bar is drawn again below them."""
    others = warnings.showwarning

    def show(*warning: Any, **where: Any) -> None:
        with tqdm.external_write_mode(sys.stderr):
            others(*warning, **where)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _create(store: Store, dataset: str, model: Wanted) -> str:
    """Create the live run, and end those that an earlier process has left; gives its id."""
    experiment, train = store.experiment(dataset), layout.split_part(dataset, "train")
    key = training_key(dataset, model.name, model.params, md5(train))
    end_abandoned(store, experiment, key)
    tags = {"dataset": dataset, "model": model.name, "trainer": model.trainer, "training": key}
    tags |= {"live_host": socket.gethostname(), "live_pid": str(os.getpid())}  # who feeds it
    params = {"trainer": model.trainer, **model.params}
    with store.new_run(experiment, f"{model.name} (training)", tags, params) as run:
        return run


def runs_elsewhere(run: "Run") -> bool:
    """Whether it is the live run of a training that another machine is at."""
    here = socket.gethostname()
    return bool(run.info.status == "RUNNING" and run.data.tags.get("live_host", here) != here)


def end_abandoned(store: Store, experiment: str, training: str | None = None) -> None:
    """End the live runs of an experiment that nobody feeds any more, as KILLED.

    Their process is dead; of one on another machine, the same training begins anew.

    Parameters
    ----------
    experiment : str
        The id of the experiment.
    training : str, optional
        The key of the training that begins.
    """
    for run in store.client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        if _abandoned(run, training):
            store.client.set_terminated(run.info.run_id, "KILLED")


def _abandoned(run: "Run", training: str | None) -> bool:
    tags = run.data.tags
    if "live_pid" not in tags or "fingerprint" in tags:
        return False  # not a live run
    if runs_elsewhere(run):
        return bool(tags["training"] == training)
    process = int(tags["live_pid"])
    return process == os.getpid() or not runs(process)  # ours: an earlier one of that number
