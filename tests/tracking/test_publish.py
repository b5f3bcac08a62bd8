"""Entries in a real store: each a run, once, complete."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from pipeline.core.store.connection import Store, open_store
from pipeline.tracking.entry import Entry, Registered
from pipeline.tracking.publish import LINKS, publish
from pipeline.tracking.registry import ALIAS, _versions
from tests.tracking.sample import entry

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of MLflow's own imports


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with open_store(tmp_path_factory.mktemp("a store")) as store:
            yield store


def runs(store: Store, one: Entry) -> list:
    return store.client.search_runs([store.experiment(one.experiment)])


def artifacts(store: Store, id_: str) -> list[str]:
    return [file.path for file in store.client.list_artifacts(id_)]


def champion(store: Store) -> str | None:
    number = store.client.get_registered_model("title").aliases.get(ALIAS)
    return None if number is None else str(number)


def test_a_run_shows_all_of_the_entry(store: Store) -> None:
    one = entry(experiment="whole")
    assert publish(store, one)
    (run,) = runs(store, one)
    assert (run.info.run_name, run.info.status) == (one.name, "FINISHED")
    assert run.data.params == one.params
    assert run.data.metrics == {"cv_mse": 3.5, "loss": 3.75}
    history = store.client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == one.loss
    wanted = one.tags | one.links | one.judgement
    assert wanted.items() <= run.data.tags.items()
    assert run.data.tags["fingerprint"] == one.fingerprint
    assert artifacts(store, run.info.run_id) == ["uncommitted.diff"]
    assert run.inputs.dataset_inputs[0].dataset.digest == "d" * 32
    (output,) = run.outputs.model_outputs
    assert store.client.get_logged_model(output.model_id).status == "READY"


def test_what_fills_more_than_one_batch_arrives_whole(store: Store) -> None:
    one = entry(
        experiment="many",
        params={"trainer": "manual_gd"} | {f"param{k}": str(k) for k in range(150)},
        metrics={f"metric{k}": float(k) for k in range(1100)},
        loss=[(epoch, 1 / (epoch + 1)) for epoch in range(1100)],
        model=None,
        registered=None,
    )
    publish(store, one)
    (run,) = runs(store, one)
    assert run.data.params == one.params
    assert run.data.metrics == one.metrics | {"loss": one.loss[-1][1]}
    history = store.client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == one.loss


def test_a_repeated_entry_is_linked_not_logged_again(store: Store) -> None:
    one = entry(experiment="repeated")
    assert publish(store, one)
    later = entry(
        experiment="repeated",
        links={"git_commit": "e" * 40, "dvc_experiment": "slow"},
        judgement={"verdict": "rejected", "verdict_reason": "worse than the champion"},
    )
    assert not publish(store, later)
    assert not publish(store, later)
    (run,) = runs(store, one)
    assert run.data.tags["git_commit"] == f"{'c' * 40}, {'e' * 40}"
    assert run.data.tags["dvc_experiment"] == "slow"
    assert run.data.tags["verdict"] == "rejected"
    assert run.data.tags["git_dirty"] == "true"


def test_a_clean_commit_stands_before_a_dirty_one(store: Store) -> None:
    publish(store, entry(experiment="cleaned"))
    clean = entry(experiment="cleaned", links={"git_commit": "e" * 40}, tags={"git_dirty": "false"})
    publish(store, clean)
    (run,) = runs(store, clean)
    assert run.data.tags["git_commit"] == f"{'e' * 40}, {'c' * 40}"
    assert run.data.tags["git_dirty"] == "false"


@pytest.mark.parametrize("status", ["RUNNING", "FAILED", "KILLED"])
def test_a_half_written_run_is_replaced(store: Store, status: str) -> None:
    one = entry(experiment=f"half {status}")
    experiment = store.experiment(one.experiment)
    tags = {"fingerprint": one.fingerprint, "training": "b" * 64}
    half = store.client.create_run(experiment, tags=tags)
    store.client.update_run(half.info.run_id, status=status)
    assert publish(store, one)
    (run,) = runs(store, one)
    assert run.info.run_id != half.info.run_id
    assert run.info.status == "FINISHED"


@pytest.mark.parametrize("status", ["RUNNING", "SCHEDULED", "KILLED"])
def test_the_live_run_of_the_training_gives_way(store: Store, status: str) -> None:
    one = entry(experiment=f"live {status}")
    experiment = store.experiment(one.experiment)
    live = store.client.create_run(experiment, tags={"training": "b" * 64})
    store.client.update_run(live.info.run_id, status=status)
    other = store.client.create_run(experiment, tags={"training": "f" * 64})
    publish(store, one)
    left = {run.info.run_id: run.data.tags.get("fingerprint") for run in runs(store, one)}
    assert left.pop(other.info.run_id) is None
    assert list(left.values()) == [one.fingerprint]


def test_an_error_in_the_middle_leaves_no_finished_run(store: Store) -> None:
    one = entry(experiment="middle", files={"../outside": "no artifact may lie there"})
    with pytest.raises(Exception, match="Invalid artifact path"):
        publish(store, one)
    (run,) = runs(store, one)
    assert run.info.status == "FAILED"
    good = entry(experiment="middle")
    assert publish(store, good)
    assert [run.info.status for run in runs(store, good)] == ["FINISHED"]


def test_the_alias_goes_to_the_champion_alone(store: Store) -> None:
    first, second = entry("1" * 64, experiment="title"), entry("2" * 64, experiment="title")
    publish(store, first)
    assert champion(store) == "1"
    publish(store, entry("2" * 64, champion=False, experiment="title"))
    assert champion(store) == "1"
    publish(store, second)
    assert champion(store) == "2"
    publish(store, first)
    publish(store, first)
    assert champion(store) == "1"
    publish(store, entry("1" * 64, champion=None, experiment="title"))  # a trial beside it
    assert champion(store) == "1"
    publish(store, entry("1" * 64, champion=False, experiment="title"))
    assert champion(store) is None
    versions = store.client.search_model_versions("name = 'title'")
    assert sorted(v.tags["fingerprint"][0] for v in versions) == ["1", "2"]
    assert all(v.tags["verdict"] == "accepted" for v in versions)


def test_accepted_is_an_alias_of_its_own(store: Store) -> None:
    def holders() -> dict[str, str]:
        aliases = store.client.get_registered_model("alias").aliases
        return {alias: str(number) for alias, number in aliases.items()}

    promoted = Registered(version=True, champion=True)
    accepted = Registered(version=True, champion=False, accepted=True)
    publish(store, entry("1" * 64, experiment="alias", registered=promoted))
    publish(store, entry("2" * 64, experiment="alias", registered=accepted))
    assert holders() == {"champion": "1", "accepted": "2"}
    rejected = Registered(version=True, champion=False, accepted=False)
    publish(store, entry("3" * 64, experiment="alias", registered=rejected))
    assert holders() == {"champion": "1"}  # the best of today is another, and not accepted


def test_the_run_of_a_failed_training_is_failed_and_there_once(store: Store) -> None:
    failed = entry(experiment="failed", failed=True, metrics={}, registered=None)
    assert publish(store, failed)
    (run,) = runs(store, failed)
    assert run.info.status == "FAILED"
    assert run.data.metrics == {"loss": failed.loss[-1][1]}
    assert not publish(store, failed)
    (again,) = runs(store, failed)
    assert again.info.run_id == run.info.run_id
    store.client.update_run(run.info.run_id, "RUNNING")  # as a kill before its end leaves it
    assert publish(store, failed)
    assert [one.info.status for one in runs(store, failed)] == ["FAILED"]


def test_the_tags_of_a_version_stay_true(store: Store) -> None:
    def tags() -> dict[str, str]:
        _versions.cache_clear()  # as a later process sees it
        (version,) = store.client.search_model_versions("name = 'versions'")
        return dict(version.tags)

    chosen = Registered(version=True, champion=True, override="the verdict: mean accepted")
    publish(store, entry(experiment="versions", registered=chosen))
    assert tags()["override"] == "the verdict: mean accepted"
    worse = {"verdict": "worse", "verdict_reason": "than another"}
    beaten = Registered(version=False, champion=False)
    publish(store, entry(experiment="versions", registered=beaten, judgement=worse))
    assert (tags()["verdict"], "override" in tags()) == ("worse", False)


def test_the_description_follows_the_verdict(store: Store) -> None:
    publish(store, entry(experiment="described"))
    later = {"verdict": "rejected", "verdict_reason": "worse than the champion"}
    publish(store, entry(experiment="described", judgement=later))
    (run,) = runs(store, entry(experiment="described"))
    assert run.data.tags["mlflow.note.content"] == "rejected: worse than the champion"


def test_a_trial_leaves_the_verdict_of_the_workspace(store: Store) -> None:
    described = {"mlflow.note.content": "closed_form accepted"}
    publish(store, entry(experiment="trial", experiment_tags=described))
    worse = {"verdict": "worse", "verdict_reason": "than another in the trial"}
    trial = entry(
        experiment="trial",
        champion=None,
        judgement=worse,
        links={"git_commit": "c" * 40, "dvc_experiment": "beside"},
        experiment_tags={"mlflow.note.content": "another accepted"},
    )
    assert not publish(store, trial)
    (run,) = runs(store, trial)
    assert run.data.tags["verdict"] == "accepted"
    assert run.data.tags["dvc_experiment"] == "beside"
    _versions.cache_clear()
    (version,) = store.client.search_model_versions("name = 'trial'")
    assert version.tags["verdict"] == "accepted"
    experiment = store.client.get_experiment_by_name("trial")
    assert experiment is not None
    assert experiment.tags["mlflow.note.content"] == "closed_form accepted"


def test_many_links_keep_the_first_and_the_newest(store: Store) -> None:
    commits = [f"{k:040x}" for k in range(LINKS + 3)]
    for commit in commits:
        publish(store, entry(experiment="links", model=None, registered=None,
                             links={"git_commit": commit}))  # fmt: skip
    (run,) = runs(store, entry(experiment="links"))
    assert run.data.tags["git_commit"].split(", ") == [commits[0], *commits[-LINKS:]]


def test_another_machine_that_was_faster_wins(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has deleted our run, unfinished as it was, and logged its own."""
    module = import_module("pipeline.tracking.publish")
    one, genuine = entry(experiment="race"), module._log_model

    def overtaken(store: Store, experiment: str, run_id: str, *rest: object) -> None:
        monkeypatch.setattr(module, "_log_model", genuine)
        assert publish(store, one)
        store.client.log_batch(run_id, metrics=[])
        genuine(store, experiment, run_id, *rest)

    monkeypatch.setattr(module, "_log_model", overtaken)
    assert not publish(store, one)
    assert [run.info.status for run in runs(store, one)] == ["FINISHED"]


def test_the_live_run_of_another_machine_is_left_alone(store: Store) -> None:
    one = entry(experiment="machines")
    tags = {"training": "b" * 64, "live_host": "another", "live_pid": "1"}
    theirs = store.client.create_run(store.experiment("machines"), tags=tags)
    publish(store, one)
    assert theirs.info.run_id in {run.info.run_id for run in runs(store, one)}


def test_the_store_is_absolute_and_made_whole(store: Store) -> None:
    experiment = store.client.get_experiment(store.experiment("where"))
    assert store.artifacts is not None
    assert experiment.artifact_location == (store.artifacts / "where").as_uri()
    assert not list(store.artifacts.parent.glob("*.part"))
    assert not Path("mlruns").exists()
