"""Show every model as a run in MLflow.

One run for each (dataset, model, inputs); what is there already is linked, not logged again.
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
from pipeline.core.store.connection import (
    ANSWER,
    Store,
    StoreError,
    main_repository,
    open_store,
    saying_why,
    tracking_uri,
    without_password,
)
from pipeline.core.store.owner import end_abandoned
from pipeline.tracking import entry as spool
from pipeline.tracking.collect import REPORT, collect
from pipeline.tracking.entry import Entry
from pipeline.tracking.publish import publish
from pipeline.tracking.view import page

MOST_REFUSED = 3


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
    receipt = {f"{entry.experiment}/{entry.model_name}": _receipt(entry) for entry in models}
    write_json(layout.RECEIPT, receipt)


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
    if spool.count_waiting(root):
        _publish(root, [])
    else:
        print("nothing to publish: MLflow has everything")


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
        experiments = {name: store.experiment(name) for name in published}
        for id_ in experiments.values() if not refused else ():
            end_abandoned(store, id_)
    if experiments:
        added = sum(map(sum, published.values()))
        known = sum(map(len, published.values())) - added
        print(f"{added} runs added to MLflow, {known} were there already")
        print(_how_to_look(root, experiments))
    if refused:
        raise refused[0]


def _publish_each(
    root: Path, store: Store, entries: list[Entry]
) -> tuple[dict[str, list[bool]], list[StoreError]]:
    """Publish one after the other; one that the store refuses stops no other.

    Returns
    -------
    published : dict of list of bool
        For each experiment of models, whether its entries were new.
    refused : list of StoreError
        One for each that the store did not take.
    """
    published: dict[str, list[bool]] = {}
    refused: list[StoreError] = []
    for entry in entries:
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
            published.setdefault(entry.experiment, []).append(new)
    return published, refused


def _how_to_look(root: Path, experiments: dict[str, str]) -> str:
    """Links to the runs tables; `experiments` has the id of each, by its name."""
    uri = without_password(tracking_uri(root))
    remote = uri.startswith(("http://", "https://"))
    start = uri.rstrip("/") if remote else "http://127.0.0.1:5000"
    links = [f"  {name}: {start}/{page(id_)}" for name, id_ in experiments.items()]
    elsewhere = bool(os.environ.get("MLFLOW_TRACKING_URI")) and not remote
    ui = "mlflow ui" + ' --backend-store-uri "$MLFLOW_TRACKING_URI"' * elsewhere
    return "\n".join(["see them:" if remote else f"see them: `{ui}`, then", *links])
