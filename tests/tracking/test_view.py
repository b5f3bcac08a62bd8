"""The view of MLflow's runs page: its charts hold whatever becomes of a training."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipeline.core.params import load_params
from pipeline.report.verdict import give_verdicts
from pipeline.tracking.collect import _Collector
from pipeline.tracking.provenance import origin
from pipeline.tracking.view import TAG, port, saved_view
from tests.conftest import keep_datasets
from tests.kills import wait_for

Run = Callable[[str], tuple[int, str]]


def charts(view: str) -> list[dict]:
    return json.loads(json.loads(view)["state"])["compareRunCharts"]


def test_without_a_descent_there_is_no_chart_of_losses() -> None:
    shown = charts(saved_view(["cv_mse", "test_mse"], lower_is_better=True, losses=None))
    assert [chart["metricKey"] for chart in shown] == ["cv_mse", "test_mse"]


@pytest.mark.parametrize("lr", ["0.1", "1.5"])
def test_the_axis_of_the_losses_goes_from_low_to_high(
    run: Run, prepared: Callable[[str], None], workspace: Path, lr: str
) -> None:
    prepared("house")
    params = workspace / "params.yaml"
    keep_datasets(params, "house")
    params.write_text(params.read_text().replace("lr: 0.1", f"lr: {lr}"))
    for command in ("train house pairwise_mean closed_form manual_gd torch_sgd", "evaluate house"):
        assert run(command)[0] == 0
    verdicts = give_verdicts(load_params())
    of = _Collector("house", load_params(), verdicts["house"], origin(["house"]))
    (view,) = [e.experiment_tags[TAG] for e in of.entries() if e.experiment_tags]
    (loss,) = [chart for chart in charts(view) if chart["metricKey"] == "loss"]
    assert loss["scaleType"] == "log"
    first = 4.765  # the power of ten of 58,276, the loss before the first step
    assert loss["range"]["yMin"] < first < loss["range"]["yMax"] < first + 1


def test_the_port_is_that_of_the_server_in_this_folder(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert port() == "5000"
    monkeypatch.setenv("MLFLOW_PORT", "5009")
    assert port() == "5009"
    server = workspace / "mlflow"
    server.write_text("#!/bin/sh\nsleep 60\n")
    server.chmod(0o755)
    process = psutil.Popen([server, "ui", "-p", "5011"], cwd=os.fspath(workspace))
    try:
        assert wait_for(lambda: bool(process.cmdline()))  # Linux fills it in after Popen's return
        assert port() == "5011"
    finally:
        process.kill()
        process.wait()
