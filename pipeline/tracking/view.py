"""How an experiment looks in MLflow: the columns of its runs table, and the link that opens it."""

import json

VIEW = "scores"
TAG = f"mlflow.sharedViewState.{VIEW}"  # where MLflow keeps a view that somebody saved


def page(experiment_id: str) -> str:
    """The address of the runs table, behind the server's: else MLflow shows LLM pages."""
    query = f"workflowType=machine_learning&viewStateShareKey={VIEW}"
    return f"#/experiments/{experiment_id}/runs?{query}"


def saved_view(scores: list[str], lower_is_better: bool) -> str:
    """Describe a view that ranks the runs by the first of `scores`, beside params and verdict.

    Parameters
    ----------
    scores : list of str
        Names of metrics; each gets a column.
    lower_is_better : bool
        Whether the table begins with the lowest score.

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
    state = {
        "orderByKey": f"metrics.`{scores[0]}`",
        "orderByAsc": lower_is_better,
        "selectedColumns": [*widths],
        "columnOrder": [*widths],
        "columnWidths": widths,
    }
    return json.dumps({"name": VIEW, "createdAt": 0, "state": json.dumps(state)})
