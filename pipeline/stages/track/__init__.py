"""Stage `track`: what is on disk, mirrored to MLflow."""

from pipeline.core import layout
from pipeline.core.files import missing, write_json
from pipeline.core.params import load_params
from pipeline.stages.track.provenance import collect, main_repository
from pipeline.stages.track.store import open_store


def track() -> None:
    """Publish every (dataset, trainer) as one MLflow run, and the report; write a receipt."""
    params = load_params()
    results = [r for name, settings in params.datasets.items() for r in collect(name, settings)]
    page = layout.REPORT.resolve()  # the store opens in the main repository
    pictures = sorted(path.resolve() for path in layout.PICTURES.glob("*.svg"))
    if not page.is_file():
        raise missing(layout.REPORT)
    with open_store(main_repository()) as store:
        added = sum(store.publish(result) for result in results)
        store.publish_report(page, pictures)
    print(f"{added} runs added to MLflow, {len(results) - added} were there already")
    write_json(layout.RECEIPT, {f"{r.dataset}/{r.model.trainer}": r.fingerprint for r in results})
