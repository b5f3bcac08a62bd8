"""The process that shows a training in MLflow while it runs; `live.py` starts and feeds it.

A message is a line of JSON on stdin: first what is trained, then points (epoch, loss, ms since
1970), last how it ended. Each is answered by a line on stdout: empty, or what went wrong. Where
stdin ends without a last word the training was killed, and its run is KILLED.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.core import layout
from pipeline.core.files import md5
from pipeline.tracking.store import (
    Store,
    StoreError,
    main_repository,
    open_store,
    saying_why,
    tracking_uri,
    training_key,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

BATCH = 1000  # the most that MLflow takes at once
FLUSH = 9  # seconds for the last points; the training waits a little longer
SETTLE = 3  # seconds for a last word when the training was killed


def show(about: Mapping[str, Any]) -> None:
    """Create the run and add to it what comes, until the training ends.

    Raises
    ------
    StoreError
        When the store is down, silent or refuses at the start; later failures are answers.
    """
    with open_store(main_repository()) as store:
        if select.select([sys.stdin], [], [], 0)[0]:
            return  # the training is over
        _answer("")  # before there is a run: from now on the training waits for its end
        run = _create(store, **about)
    points: list[list[float]] = []
    for line in sys.stdin:
        message = json.loads(line)
        points += message["points"]
        if "status" in message:
            signal.alarm(FLUSH)
        try:
            with saying_why(tracking_uri(main_repository())):
                _log(store.client, run, points)
                if "status" in message:
                    _end(store.client, run, message)
            points = []
            _answer("")
        except StoreError as error:
            _answer(str(error))  # and try again with the next points
        if "status" in message:
            return
    signal.alarm(SETTLE)
    store.client.set_terminated(run, "KILLED")


def _create(store: Store, dataset: str, trainer: str, params: Mapping[str, Any]) -> str:
    from mlflow.entities import Param

    experiment = store.experiment(dataset)
    host, train = socket.gethostname(), layout.split_part(dataset, "train")
    training = training_key(dataset, trainer, params, md5(train))
    for run in store.client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        if _abandoned(run, training, host):
            store.client.set_terminated(run.info.run_id, "KILLED")
    tags = {"dataset": dataset, "trainer": trainer, "training": training}
    owner = {"live_host": host, "live_pid": str(os.getpid())}
    run = store.client.create_run(
        experiment, tags=tags | owner, run_name=f"{trainer} (training)"
    ).info.run_id
    given = {"trainer": trainer} | dict(params)
    store.client.log_batch(run, params=[Param(name, str(value)) for name, value in given.items()])
    return str(run)


def _abandoned(run: "Run", training: str, host: str) -> bool:
    """Whether nobody feeds a live run any more.

    Its process is dead; of one on another machine, the same training begins anew.
    """
    tags = run.data.tags
    if "live_pid" not in tags or "fingerprint" in tags:
        return False  # not a live run
    if tags["live_host"] != host:
        return bool(tags["training"] == training)
    process = int(tags["live_pid"])
    with contextlib.suppress(PermissionError):
        try:
            os.kill(process, 0)  # asks without sending
        except ProcessLookupError:
            return True
    return process == os.getpid()  # an earlier process of that number


def _log(client: "MlflowClient", run: str, points: list[list[float]]) -> None:
    from mlflow.entities import Metric

    metrics = [Metric("loss", loss, int(ms), int(epoch)) for epoch, loss, ms in points]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run, metrics=metrics[start : start + BATCH])


def _end(client: "MlflowClient", run: str, message: Mapping[str, str]) -> None:
    if "error" in message:
        client.set_tag(run, "error", message["error"])
    client.set_terminated(run, message["status"])


def _answer(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody waits any more
        sys.stdout.write(" ".join(text.split()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    try:
        show(json.loads(sys.stdin.readline()))
    except Exception as error:
        _answer(str(error) or type(error).__name__)
