"""Stage `track`: what is on disk, mirrored to MLflow."""

import warnings
from pathlib import Path

from pipeline.core import layout
from pipeline.core.errors import PipelineWarning
from pipeline.core.files import write_json
from pipeline.core.params import load_params
from pipeline.stages.track import entry as spool
from pipeline.stages.track.collect import REPORT, collect
from pipeline.stages.track.entry import Entry
from pipeline.stages.track.publish import publish
from pipeline.stages.track.view import page
from pipeline.store import StoreError, main_repository, open_store, tracking_uri


def track() -> None:
    """Publish every (dataset, trainer) as one MLflow run, and the report; write a receipt.

    All of it is on disk first. A store that is down costs a warning: what was not published waits
    in data/unpublished.
    """
    root, entries = main_repository(), collect(load_params())
    spool.save(root, entries)
    try:
        _publish(root, entries)
    except StoreError as error:
        spool.try_again(root)
        warnings.warn(
            f"{error}. {spool.count_waiting(root)} runs are not published; all results are on "
            "disk. `python -m pipeline sync` publishes them, and so does the next `dvc repro`",
            PipelineWarning,
            stacklevel=2,
        )
    trainers = (entry for entry in entries if entry.model)
    receipt = {f"{e.experiment}/{e.params['trainer']}": e.fingerprint for e in trainers}
    write_json(layout.RECEIPT, receipt)


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
    if not spool.count_waiting(root):
        spool.retried(root)


def _publish(root: Path, entries: list[Entry]) -> None:
    """Publish what waited, and then these."""
    ours = {entry.fingerprint for entry in entries}
    added = known = 0
    experiments: dict[str, str] = {}
    with open_store(root) as store:
        waited = [entry for entry in spool.waiting(root) if entry.fingerprint not in ours]
        for entry in [*waited, *entries]:
            new = publish(store, entry)
            spool.taken(root, entry)
            if entry.experiment != REPORT:
                experiments[entry.experiment] = store.experiment(entry.experiment)
                added, known = added + new, known + (not new)
    print(f"{added} runs added to MLflow, {known} were there already")
    print(_how_to_look(root, experiments))


def _how_to_look(root: Path, experiments: dict[str, str]) -> str:
    """Links to the runs tables; `experiments` has the id of each, by its name."""
    uri = tracking_uri(root)
    remote = uri.startswith(("http://", "https://"))
    start = uri.rstrip("/") if remote else "http://127.0.0.1:5000"
    links = [f"  {name}: {start}/{page(id_)}" for name, id_ in experiments.items()]
    return "\n".join(["see them:" if remote else "see them: `mlflow ui`, then", *links])
