"""MLflow's model registry: a dataset's best trainers as versions, the champion by its alias."""

from typing import TYPE_CHECKING

from pipeline.stages.track.entry import Entry, Registered
from pipeline.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

ALIAS = "champion"


def register(store: Store, entry: Entry, place: Registered, run: "Run") -> None:
    """Make the run's model a version of the dataset's, once, with its verdict as tags.

    The alias `champion` goes to it where it is the champion, and leaves it where it no longer is.
    """
    name, client = entry.experiment, store.client
    number = str(_version(store, entry, run).version)
    for tag, value in place.tags.items():
        client.set_model_version_tag(name, number, tag, value)
    held = str(client.get_registered_model(name).aliases.get(ALIAS))  # sqlite gives an int
    if place.champion and held != number:
        client.set_registered_model_alias(name, ALIAS, number)
    elif not place.champion and held == number:
        client.delete_registered_model_alias(name, ALIAS)


def _version(store: Store, entry: Entry, run: "Run") -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    name, client = entry.experiment, store.client
    found = client.search_model_versions(f"name = '{name}' and run_id = '{run.info.run_id}'")
    if found:
        return found[0]
    try:
        client.create_registered_model(name, description=f"The models of {name}, best by verdict")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model_id = store.client.get_run(run.info.run_id).outputs.model_outputs[0].model_id
    source = client.get_logged_model(model_id).artifact_location
    return client.create_model_version(
        name,
        source,
        run.info.run_id,
        tags={"fingerprint": entry.fingerprint},
        model_id=model_id,
        await_creation_for=0,
    )
