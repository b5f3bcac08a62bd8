"""MLflow's model registry: a dataset's best trainers as versions, the champion by its alias."""

from functools import cache
from typing import TYPE_CHECKING

from pipeline.core.store.connection import Store
from pipeline.tracking.entry import Entry, Registered

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

ALIAS, ACCEPTED = "champion", "accepted"
MOST = 10_000  # versions that one answer may hold


def register(store: Store, entry: Entry, place: Registered, run: "Run") -> None:
    """Make the run's model a version of the dataset's, once; keep the verdict in its tags.

    A run that was a version before keeps its tags true, whoever is best by now. The alias
    `champion` goes to the model that somebody promoted, `accepted` to the one that the verdict
    accepts; each leaves what is that no more. A trial, which is an experiment beside the workspace,
    changes nothing of a version that is there.

    Parameters
    ----------
    store : Store
        It is asked for the versions of a model once, not with every entry.
    entry : Entry
        Its experiment names the registered model.
    place : Registered
        What is to become of the entry's model.
    run : Run
        The finished run of the entry.
    """
    name, client = entry.experiment, store.client
    if place.accepted is False and not entry.trial:
        _leave(store, name)
    version = _versions(store, name).get(run.info.run_id)
    if version is None and place.version:
        version = _made(store, entry, run)
    elif version is None or entry.trial:
        return
    number = str(version.version)
    tags = entry.judgement | {"trainer": entry.params["trainer"], "model": entry.model_name}
    if place.override:
        tags["override"] = place.override
    for tag, value in tags.items():
        if version.tags.get(tag) != value:
            client.set_model_version_tag(name, number, tag, value)
    if "override" in version.tags and "override" not in tags:
        client.delete_model_version_tag(name, number, "override")
    if not entry.trial:
        holders = client.get_registered_model(name).aliases
        for alias, holds in ((ALIAS, place.champion), (ACCEPTED, place.accepted)):
            holder = str(holders.get(alias))  # sqlite gives an int
            if holds and holder != number:
                client.set_registered_model_alias(name, alias, number)
            elif not holds and holder == number:
                client.delete_registered_model_alias(name, alias)


def _leave(store: Store, name: str) -> None:
    """Take the alias `accepted` from whatever version holds it: the best model is not accepted."""
    for model in store.client.search_registered_models(f"name = '{name}'"):
        if ACCEPTED in model.aliases:
            store.client.delete_registered_model_alias(name, ACCEPTED)


@cache
def _versions(store: Store, name: str) -> dict[str, "ModelVersion"]:
    """The versions of a model by the runs that they come from; asked for once."""
    found = store.client.search_model_versions(f"name = '{name}'", max_results=MOST)
    return {version.run_id: version for version in found}


def _made(store: Store, entry: Entry, run: "Run") -> "ModelVersion":
    """Make the model of a run a version of its dataset's model, which is made where missing."""
    from mlflow.exceptions import MlflowException

    name, client = entry.experiment, store.client
    try:
        client.create_registered_model(name, description=f"The models of {name}, best by verdict")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model_id = client.get_run(run.info.run_id).outputs.model_outputs[0].model_id
    version = client.create_model_version(
        name,
        client.get_logged_model(model_id).artifact_location,
        run.info.run_id,
        tags={"fingerprint": entry.fingerprint},
        model_id=model_id,
        await_creation_for=0,
    )
    _versions(store, name)[run.info.run_id] = version
    return version
