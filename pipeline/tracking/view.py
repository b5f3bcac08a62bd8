"""How an experiment looks in MLflow: its runs table and charts, and the link that opens them."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from math import log10

import psutil

from pipeline.core.store.connection import main_repository

VIEW = "scores"
TAG = f"mlflow.sharedViewState.{VIEW}"  # where MLflow keeps a view that somebody saved


def port() -> str:
    """The port of the `mlflow ui` that runs in this folder, or else of one that will.

    >>> port()
    '5000'
    """
    here = str(main_repository())
    for process in psutil.process_iter(["cmdline", "cwd", "environ"]):
        of = process.info
        if of["cwd"] == here and (served := _served(of["cmdline"] or [], of["environ"] or {})):
            return served
    return os.environ.get("MLFLOW_PORT", "5000")


def _served(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """The port that a command of MLflow's serves; None for another command.

    >>> _served(["python", "/venv/bin/mlflow", "ui", "--port", "5001"], {})
    '5001'
    >>> _served(["python", "-m", "mlflow", "server"], {"MLFLOW_PORT": "5002"})
    '5002'
    """
    words = [word.rpartition("/")[2] for word in command]
    if "mlflow" not in words[:3] or not {"ui", "server"} & {*words}:
        return None
    given = re.search(r" (?:--port|-p)[ =]?(\d+)", " ".join(command))
    return given[1] if given else environment.get("MLFLOW_PORT", "5000")


def page(experiment_id: str) -> str:
    """The address of the runs table, behind the server's: else MLflow shows LLM pages."""
    query = f"workflowType=machine_learning&viewStateShareKey={VIEW}"
    return f"#/experiments/{experiment_id}/runs?{query}"


def saved_view(scores: list[str], lower_is_better: bool, losses: tuple[float, float] | None) -> str:
    """Describe a view that ranks the runs by the first of `scores`, beside params and verdict.

    Its charts are the loss on a log axis and a bar a run for each of `scores`, of all runs;
    MLflow's own, one for each metric, are folded up below them.

    Parameters
    ----------
    scores : list of str
        Names of metrics; each gets a column and a chart.
    lower_is_better : bool
        Whether the table begins with the lowest score.
    losses : pair of float, or None
        The lowest and the highest loss to show, above 0: one that grows beyond all numbers leaves
        the chart and does not flatten the others. None: nothing descends.

    Returns
    -------
    str
        JSON, as MLflow's page keeps a shared view in a tag of the experiment. It is no documented
        interface: seen in MLflow 3.17.2, and held by tests/test_mlflow_ui.py.
    """
    widths = (
        {"params.`lr`": 80, "params.`epochs`": 80}
        | {f"metrics.`{score}`": 130 for score in scores}
        | {"tags.`verdict`": 150, "tags.`dvc_experiment`": 165}
    )
    charts = [_loss(*losses)] if losses else []
    state = {
        "orderByKey": f"metrics.`{scores[0]}`",
        "orderByAsc": lower_is_better,
        "selectedColumns": [*widths],
        "columnOrder": [*widths],
        "columnWidths": widths,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [*charts, *(_chart("BAR", score) for score in scores)],
        "compareRunSections": [
            _section("Losses and scores", shown=True),
            _section("Model metrics", shown=False),
        ],
        "isAccordionReordered": True,
    }
    return json.dumps({"name": VIEW, "createdAt": 0, "state": json.dumps(state)})


def _loss(low: float, high: float) -> dict[str, object]:
    """The chart of the losses; Plotly takes the range of a log axis in powers of ten."""
    return _chart("LINE", "loss") | {
        "selectedMetricKeys": ["loss"],
        "scaleType": "log",
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "range": {"yMin": log10(low), "yMax": log10(high)},
        "lineSmoothness": 0,
    }


def _chart(kind: str, metric: str) -> dict[str, object]:
    return {
        "type": kind,
        "uuid": metric,
        "metricSectionId": "Losses and scores",
        "metricKey": metric,
        "deleted": False,
        "isGenerated": False,
    }


def _section(name: str, shown: bool) -> dict[str, object]:
    return {
        "uuid": name,
        "name": name,
        "display": shown,
        "isReordered": False,
        "deleted": False,
        "isGenerated": False,
    }
