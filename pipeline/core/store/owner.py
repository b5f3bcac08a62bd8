"""Which process feeds the live run of a training, and what becomes of a run that none feeds."""

import os
import socket
from typing import TYPE_CHECKING

from pipeline.core.files import runs
from pipeline.core.store.connection import Store

if TYPE_CHECKING:
    from mlflow.entities import Run


def owner_tags() -> dict[str, str]:
    """Name this process and its machine as the owner of a live run."""
    return {"live_host": socket.gethostname(), "live_pid": str(os.getpid())}


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
