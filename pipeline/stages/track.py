"""Show every model as a run in MLflow.

One run for each (dataset, trainer, inputs); what is there already is linked, not logged again.
The best trainer of a dataset is a version of its registered model, the champion by its alias.
The store is MLFLOW_TRACKING_URI or, without it, mlflow.db in the main repository. Where it cannot
be reached, what is to be published waits in data/unpublished: see `sync`.

Reads metrics, models and splits. Writes to MLflow, and data/tracked.json, a receipt.
"""

import os
import time
import warnings
from pathlib import Path

from pipeline.core import layout
from pipeline.core.errors import PipelineWarning
from pipeline.core.files import write_json
from pipeline.core.params import load_params
from pipeline.tracking import entry as spool
from pipeline.tracking.collect import REPORT, collect
from pipeline.tracking.entry import Entry
from pipeline.tracking.publish import publish
from pipeline.tracking.store import (
    ANSWER,
    StoreError,
    main_repository,
    open_store,
    saying_why,
    tracking_uri,
    without_password,
)
from pipeline.tracking.view import page

MOST_REFUSED = 3


def track() -> None:
    """Publish every (dataset, trainer) as one MLflow run, and the report; write a receipt.

    All of it is on disk first. A store that is down costs a warning: what was not published waits
    in data/unpublished.
    """
    root, entries = main_repository(), collect(load_params())
    spool.save(root, entries)
    spool.try_again(root)  # also where this process is killed
    try:
        _publish(root, entries)
    except StoreError as error:
        warnings.warn(
            f"{error}. All results are on disk; {spool.count_waiting(root)} runs wait in "
            f"{layout.UNPUBLISHED}. `python -m pipeline sync` publishes them, and so does the next "
            "`dvc repro`",
            PipelineWarning,
            stacklevel=2,
        )
    write_json(
        layout.RECEIPT,
        {
            f"{entry.experiment}/{entry.params['trainer']}": _receipt(entry)
            for entry in entries
            if entry.model
        },
    )


def _receipt(entry: Entry) -> list[str]:
    """What makes track run again, when a checkout changes it: the result, and its standing."""
    place = entry.registered.model_dump_json() if entry.registered else ""
    return [entry.fingerprint, *entry.judgement.values(), place]


def sync() -> None:
    """Publish what waits in data/unpublished.

    Raises
    ------
    StoreError
        When the store is still down; what waits stays.
    """
    root = main_repository()
    if not spool.count_waiting(root):
        print("nothing to publish: MLflow has everything")
        spool.retried(root)
        return
    _publish(root, [])


def _publish(root: Path, entries: list[Entry]) -> None:
    """Publish what waited, and then these.

    Raises
    ------
    StoreError
        When the store is down; at the end, when it refused some of them.
    """
    ours = {spool.path_of(root, entry) for entry in entries}
    added = known = 0
    experiments: dict[str, str] = {}
    refused: list[StoreError] = []
    with open_store(root) as store:
        waited = [e for e in spool.waiting(root) if spool.path_of(root, e) not in ours]
        for entry in [*waited, *entries]:
            begun = time.monotonic()
            try:
                with saying_why(tracking_uri(root)):
                    new = publish(store, entry)
            except StoreError as error:
                place = spool.path_of(root, entry).name
                refused.append(StoreError(f"{entry.experiment}, {entry.name} ({place}): {error}"))
                if len(refused) == MOST_REFUSED or time.monotonic() - begun > ANSWER:
                    break  # no other will fare better
                continue
            spool.taken(root, entry)
            if entry.experiment != REPORT:
                experiments[entry.experiment] = store.experiment(entry.experiment)
                added, known = added + new, known + (not new)
    if experiments:
        print(f"{added} runs added to MLflow, {known} were there already")
        print(_how_to_look(root, experiments))
    if refused:
        raise refused[0]
    if not spool.count_waiting(root):
        spool.retried(root)


def _how_to_look(root: Path, experiments: dict[str, str]) -> str:
    """Links to the runs tables; `experiments` has the id of each, by its name."""
    uri = without_password(tracking_uri(root))
    remote = uri.startswith(("http://", "https://"))
    start = uri.rstrip("/") if remote else "http://127.0.0.1:5000"
    links = [f"  {name}: {start}/{page(id_)}" for name, id_ in experiments.items()]
    elsewhere = bool(os.environ.get("MLFLOW_TRACKING_URI")) and not remote
    ui = "mlflow ui" + ' --backend-store-uri "$MLFLOW_TRACKING_URI"' * elsewhere
    return "\n".join(["see them:" if remote else f"see them: `{ui}`, then", *links])
