"""Entries to runs: each is in the store once, complete and FINISHED, or FAILED as its training."""

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.store.connection import ANSWER, Store, StoreError, milliseconds
from pipeline.core.store.live import runs_elsewhere
from pipeline.tracking.entry import Data, Entry, Fitted
from pipeline.tracking.registry import register
from pipeline.tracking.sklearn_model import save_model

if TYPE_CHECKING:
    from mlflow.entities import Run

WHOLE = "complete"  # the tag of a FAILED run that holds everything
LINKS = 99  # names in a tag, the first and the newest: MLflow cuts a tag at 8000 characters


def publish(store: Store, entry: Entry) -> bool:
    """Log an entry as a run, or link the run that is there already.

    Unfinished runs of the same, and the live run of its training, give way to it. The run is
    ended only when all of it is in the store: FAILED where the training has failed.

    Parameters
    ----------
    store : Store
        It is open, and its lock is held: no other process of this machine publishes.
    entry : Entry
        All of the run.

    Returns
    -------
    bool
        Whether a run was added; False where the store had it, or another machine was faster.

    Raises
    ------
    MlflowException
        What the store refuses, or a server answers: `saying_why` turns it into a StoreError.
    """
    experiment = store.experiment(entry.experiment)
    if not entry.trial:
        _describe(store, experiment, entry.experiment_tags)
    run, superfluous = _same(store, experiment, entry)
    added = None
    if run is None:
        added, run, superfluous = _log_once(store, experiment, entry)
    else:
        _link(store, run, entry)
    for other in superfluous:
        _delete(store, other)
    if entry.registered:
        register(store, entry, entry.registered, run)
    return bool(run.info.run_id == added)


def _log_once(store: Store, experiment: str, entry: Entry) -> tuple[str | None, "Run", list["Run"]]:
    """Log the entry, and look again: on a server another machine may have been faster.

    MLflow has no unique tag. So the earliest finished run stays; another machine may have deleted
    ours, which was not finished.

    Returns
    -------
    added : str or None
        The id of the run that was logged; None where another machine's took its place.
    run : Run
        The run that stays.
    superfluous : list of Run
        Those beside it.
    """
    from mlflow.exceptions import MlflowException

    begun, added, refused = time.monotonic(), None, None
    try:
        added = _log(store, experiment, entry)
    except MlflowException as error:
        if time.monotonic() - begun > ANSWER:
            raise  # a store that has fallen silent is not asked again
        refused = error
    run, superfluous = _same(store, experiment, entry)
    if run is None:
        gone = f"the run {added} of {entry.experiment} was logged, and is not there"
        raise refused or StoreError(gone)
    return added, run, superfluous


def _describe(store: Store, experiment: str, tags: dict[str, str]) -> None:
    """Set those tags of an experiment that have another value."""
    known = store.client.get_experiment(experiment).tags if tags else {}
    for tag, value in tags.items():
        if known.get(tag) != value:
            store.client.set_experiment_tag(experiment, tag, value)


def _same(store: Store, experiment: str, entry: Entry) -> tuple["Run | None", list["Run"]]:
    """The first finished run of the entry, and those that are superfluous beside it."""
    name = "training" if entry.training else "fingerprint"
    found = store.client.search_runs([experiment], f"tags.{name} = '{getattr(entry, name)}'")
    ours = [run for run in found if run.data.tags.get("fingerprint") == entry.fingerprint]
    live = [run for run in found if "fingerprint" not in run.data.tags and not runs_elsewhere(run)]
    ours.sort(key=lambda run: (run.info.start_time, run.info.run_id))
    first = next((run for run in ours if _is_whole(run)), None)
    return first, [run for run in [*ours, *live] if run is not first]


def _is_whole(run: "Run") -> bool:
    failed = run.info.status == "FAILED" and WHOLE in run.data.tags
    return run.info.status == "FINISHED" or failed


def _delete(store: Store, run: "Run") -> None:
    """Delete a run and its model."""
    for output in run.outputs.model_outputs if run.outputs else []:
        store.client.delete_logged_model(output.model_id)
    store.client.delete_run(run.info.run_id)


def _link(store: Store, run: "Run", entry: Entry) -> None:
    """Add this commit and experiment to those that gave the same result.

    A clean commit stands first: it alone brings the result back without a diff. A trial leaves the
    verdict that the workspace has of a result they share.
    """
    tags = {} if entry.trial else _verdict(entry)
    cleaner = (run.data.tags.get("git_dirty"), entry.tags.get("git_dirty")) == ("true", "false")
    for tag, name in entry.links.items():
        known = [n for n in run.data.tags.get(tag, "").split(", ") if n]
        names = [*dict.fromkeys([name, *known] if cleaner else [*known, name])]  # each once
        tags[tag] = ", ".join([*names[:1], *names[1:][-LINKS:]])
    if cleaner:
        tags |= entry.tags
    for tag, value in tags.items():
        if run.data.tags.get(tag) != value:
            store.client.set_tag(run.info.run_id, tag, value)


def _log(store: Store, experiment: str, entry: Entry) -> str:
    """Log all of an entry as a new run; gives its id."""
    client, now = store.client, milliseconds()
    own = {"fingerprint": entry.fingerprint}
    own |= {"training": entry.training} if entry.training else {}
    tags = entry.tags | entry.links | _verdict(entry) | own
    with store.new_run(experiment, entry.name, tags, entry.params, entry.metrics) as run:
        store.log_losses(run, [(epoch, loss, now) for epoch, loss in entry.loss])
        if entry.data:
            client.log_inputs(run, [_dataset(entry.experiment, entry.data)])
        for path, text in entry.files.items():
            client.log_text(run, text, path)
        if entry.model:
            _log_model(store, experiment, run, entry, entry.model)
    if entry.failed:
        client.set_tag(run, WHOLE, "true")
    client.set_terminated(run, "FAILED" if entry.failed else "FINISHED")
    return run


def _verdict(entry: Entry) -> dict[str, str]:
    """The verdict, also as the description on the run's page."""
    if not entry.judgement:
        return {}
    note = f"{entry.judgement['verdict']}: {entry.judgement['verdict_reason']}"
    return entry.judgement | {"mlflow.note.content": note}


def _log_model(store: Store, experiment: str, run_id: str, entry: Entry, model: Fitted) -> None:
    """Save the model, log it, and last of all make it an output of the run."""
    from mlflow.entities import LoggedModelOutput

    client = store.client
    logged = client.create_logged_model(
        experiment, "model", source_run_id=run_id, params=entry.params
    )
    metadata = {"dataset": entry.experiment, "trainer": entry.params.get("trainer", "")}
    with tempfile.TemporaryDirectory() as name:
        save_model(Path(name), model, metadata, logged.model_id, run_id)
        client.log_model_artifacts(logged.model_id, name)
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])


def _dataset(name: str, data: Data) -> Any:
    """Name the table by DVC's MD5: the digests of mlflow.data miss changed rows."""
    from mlflow.entities import Dataset, DatasetInput

    source = f"data/1_ingested/{name}.parquet"
    rows = f'{{"rows": {data.rows}}}'
    return DatasetInput(Dataset(name, data.md5, "local", source, profile=rows))
