"""Show every model as a run in MLflow.

One run for each (dataset, model, inputs); what is there already is linked, not logged again.
The best trainer of a dataset is a version of its registered model, the champion by its alias.
The store is MLFLOW_TRACKING_URI or, without it, mlflow.db in the main repository. Where it cannot
be reached, what is to be published waits in data/unpublished: see `sync`.

Reads metrics, models and splits. Writes to MLflow, and data/tracked.json, a receipt.
"""

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

from tqdm import tqdm

from pipeline.core import layout
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.files import md5
from pipeline.core.params import load_params
from pipeline.core.store.connection import (
    ANSWER,
    Store,
    StoreError,
    main_repository,
    open_store,
    saying_why,
    without_password,
)
from pipeline.core.store.live import end_abandoned
from pipeline.tracking import entry as spool
from pipeline.tracking.collect import REPORT, collect
from pipeline.tracking.entry import Entry
from pipeline.tracking.outcome import (
    Outcome,
    changes,
    last_outcomes,
    outcomes_before,
    write_outcomes,
)
from pipeline.tracking.publish import publish
from pipeline.tracking.view import page, port

MOST_REFUSED = 3
# By how a training ended.
REMARKS = {
    "grew": "the training failed, its loss grew",
    "falling": "its loss still falls steeply: more epochs, or a larger lr",
    "unconverged": "not converged: more epochs",
    "unmoved": "it took no step",
}


def track() -> None:
    """Publish every (dataset, model) as one MLflow run, and the report; write a receipt.

    All of it is on disk first. A store that is down costs a warning: what was not published waits
    in data/unpublished, for `sync` and for the next run of this stage, which publish it.
    """
    root, entries = main_repository(), collect(load_params())
    spool.save(root, entries)
    try:
        _publish(root, entries)
    except StoreError as error:
        warnings.warn(
            f"{error}. All results are on disk; {spool.count_waiting(root)} runs wait in "
            f"{layout.UNPUBLISHED}. `python -m pipeline sync` publishes them",
            PipelineWarning,
            stacklevel=2,
        )
    models = [entry for entry in entries if entry.model]
    now = {f"{entry.experiment} {entry.model_name}": _outcome(entry) for entry in models}
    for line in changes(outcomes_before(now), now):
        print(line)
    write_outcomes(now)


def _outcome(entry: Entry) -> Outcome:
    place = entry.registered.model_dump_json() if entry.registered else ""
    return Outcome(
        fingerprint=entry.fingerprint,
        standing=[*entry.judgement.values(), place],
        score=entry.score,
        value=entry.value,
        settings=entry.settings,
        remark=REMARKS.get(entry.tags.get("training_ended", ""), ""),
    )


def sync() -> None:
    """Publish the results of this folder, as far as the store does not have them, and what waits.

    Raises
    ------
    PipelineError
        When dvc would make any result anew, so that it belongs to another params.yaml or commit.
        Where something waited, which is published, that is a warning.
    StoreError
        When the store is down; what waits stays.
    """
    root = main_repository()
    waited, fresh = spool.count_waiting(root), _up_to_date()
    _publish(root, collect(load_params()) if fresh else [])
    if fresh:
        return
    stale = (
        "the results of this folder are not, or not all, those of its params.yaml and data, and "
        "none of them was published: `dvc repro` makes and publishes them"
    )
    if not waited:
        raise PipelineError(stale)
    warnings.warn(stale, PipelineWarning, stacklevel=2)


def _up_to_date() -> bool:
    """Whether DVC has nothing to do here."""
    status = [sys.executable, "-m", "dvc", "status", "-q"]
    return subprocess.run(status, stdin=subprocess.DEVNULL, check=False).returncode == 0


def missing_from_store() -> int:
    """Count the results of this folder that the store does not have, as a new server has none.

    Raises
    ------
    StoreError
        When there is no store, or it is down.
    """
    outcomes = last_outcomes()
    if not outcomes:
        return 0
    with open_store(main_repository(), reading=True) as store:
        found = {name: one.fingerprint for name, one in outcomes.items()}
        found |= {REPORT: md5(layout.REPORT)} if layout.REPORT.is_file() else {}
        return len([name for name in found if not _is_there(store, name, found[name])])


def _is_there(store: Store, name: str, fingerprint: str) -> bool:
    experiment = store.client.get_experiment_by_name(name.partition(" ")[0])
    query = f"tags.fingerprint = '{fingerprint}'"
    return bool(
        experiment and store.client.search_runs([experiment.experiment_id], query, max_results=1)
    )


def _publish(root: Path, entries: list[Entry]) -> None:
    """Publish what waited, and then these.

    Raises
    ------
    StoreError
        When the store is down; at the end, when it refused some of them.
    """
    ours = {spool.path_of(root, entry) for entry in entries}
    with open_store(root) as store:
        waited = [e for e in spool.waiting(root) if spool.path_of(root, e) not in ours]
        published, refused = _publish_each(root, store, [*waited, *entries])
        experiments = {name: store.experiment(name) for name in published if name != REPORT}
        for id_ in experiments.values() if not refused else ():
            end_abandoned(store, id_)
    if published:
        added = sum(map(sum, published.values()))
        known = sum(map(len, published.values())) - added
        print(f"{added} runs added to MLflow, {known} were there already")
    if experiments:
        print(_how_to_look(store, experiments))
    if refused:
        raise refused[0]


def _publish_each(
    root: Path, store: Store, entries: list[Entry]
) -> tuple[dict[str, list[bool]], list[StoreError]]:
    """Publish one after the other; one that the store refuses stops no other.

    Returns
    -------
    published : dict of list of bool
        For each experiment, whether its entries were new.
    refused : list of StoreError
        One for each that the store did not take.
    """
    published: dict[str, list[bool]] = {}
    refused: list[StoreError] = []
    for entry in tqdm(entries, "MLflow", leave=False, unit="run", disable=None):
        begun = time.monotonic()
        try:
            with saying_why(store.client.tracking_uri):
                new = publish(store, entry)
        except StoreError as error:
            place = spool.path_of(root, entry).name
            refused.append(StoreError(f"{entry.experiment}, {entry.name} ({place}): {error}"))
            if len(refused) == MOST_REFUSED or time.monotonic() - begun > ANSWER:
                break  # no other will fare better
            continue
        spool.taken(root, entry)
        published.setdefault(entry.experiment, []).append(new)
    return published, refused


def _how_to_look(store: Store, experiments: dict[str, str]) -> str:
    """Links to the runs tables; `experiments` has the id of each, by its name."""
    uri, remote = without_password(store.client.tracking_uri), store.artifacts is None
    elsewhere = bool(os.environ.get("MLFLOW_TRACKING_URI"))
    # which store a server of this folder serves nobody knows then
    start = uri.rstrip("/") if remote else f"http://127.0.0.1:{'5000' if elsewhere else port()}"
    links = [f"  {name}: {start}/{page(id_)}" for name, id_ in experiments.items()]
    ui = "mlflow ui" + ' --backend-store-uri "$MLFLOW_TRACKING_URI"' * elsewhere
    return "\n".join(["see them:" if remote else f"see them: `{ui}`, then", *links])
