"""What waits, published by `sync` as by track."""

from pathlib import Path

import pytest

from pipeline.core.store.connection import StoreError, open_store
from pipeline.tracking.entry import count_waiting, save, waiting
from pipeline.tracking.stage import sync
from tests.tracking.sample import entry

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of MLflow's own imports


def test_what_a_store_refuses_stops_nothing_else_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    bad = entry("1" * 64, metrics={"a$b": 1.0})
    good = entry("2" * 64)
    save(tmp_path, [bad, good])
    for _ in range(2):
        with pytest.raises(
            StoreError, match=r"manual_gd lr=0\.01 \(1{64}-.*\.json\): MLflow store"
        ):
            sync()
        assert list(waiting(tmp_path)) == [bad]
    with open_store(tmp_path) as store:
        found = store.client.search_runs([store.experiment("sample")])
    assert [run.data.tags["fingerprint"] for run in found if run.info.status == "FINISHED"] == [
        "2" * 64
    ]


def test_as_many_runs_are_added_as_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    report = entry("2" * 64, experiment="report", name="report", model=None, registered=None)
    save(tmp_path, [entry("1" * 64), report])
    waited = count_waiting(tmp_path)
    sync()
    assert f"{waited} runs added to MLflow, 0 were there already\n" in capsys.readouterr().out
