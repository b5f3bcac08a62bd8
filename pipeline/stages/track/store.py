"""The MLflow store: where it is, and how a result becomes a run in it."""

import contextlib
import fcntl
import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import PipelineError
from pipeline.core.files import md5
from pipeline.core.thin import thinned
from pipeline.models import Model
from pipeline.stages.track.provenance import Result, dvc_experiment, git_commit

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

HISTORY_POINTS = 1000  # one batch, one smooth curve
# With MLflow's own limits a server that is down costs four minutes.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


class Store:
    """An open store; made by `open_store`."""

    def __init__(self, client: "MlflowClient", artifacts: Path | None) -> None:
        self.client, self.artifacts = client, artifacts

    def publish(self, result: Result) -> bool:
        """Log the result as a run, or link the run that is there already.

        Returns
        -------
        bool
            Whether a run was added.
        """
        experiment = self._experiment(result.dataset)
        if self._linked(experiment, result.fingerprint):
            return False
        self._log(result, experiment)
        return True

    def publish_report(self, page: Path, pictures: list[Path]) -> None:
        """Log the report with its pictures as a run of its own, unless it is there already."""
        import mlflow

        experiment, fingerprint = self._experiment("report"), md5(page)
        if self._linked(experiment, fingerprint):
            return
        with mlflow.start_run(
            experiment_id=experiment,
            run_name="report",
            tags={"fingerprint": fingerprint} | _origin(),
        ) as run:
            self.client.log_artifact(run.info.run_id, str(page))
            for picture in pictures:
                self.client.log_artifact(run.info.run_id, str(picture), "pictures")

    def _linked(self, experiment: str, fingerprint: str) -> bool:
        """Whether there is a finished run of the same; it is linked to this commit then."""
        for run in self.client.search_runs([experiment], f"tags.fingerprint = '{fingerprint}'"):
            if run.info.status == "FINISHED":
                self._link(run)
                return True
            self.client.delete_run(run.info.run_id)  # half-written by a process that died
        return False

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found:
            if found.lifecycle_stage == "deleted":  # by hand, in the UI; its name stays taken
                self.client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        # MLflow would derive a location from the folder of whoever comes first, for good.
        location = (self.artifacts / name).as_uri() if self.artifacts else None
        return str(self.client.create_experiment(name, artifact_location=location))

    def _link(self, run: "Run") -> None:
        """Add this commit and experiment to those that gave the same result."""
        for tag, name in _origin().items():
            names = [n for n in run.data.tags.get(tag, "").split(", ") if n]
            if name not in names:
                self.client.set_tag(run.info.run_id, tag, ", ".join([*names, name]))

    def _log(self, result: Result, experiment: str) -> None:
        import mlflow
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        scores = {name: value for name, value in result.scores.items() if value is not None}
        metrics = [Metric(name, value, now, 0) for name, value in _allowed(scores).items()]
        params = [Param(name, str(value)) for name, value in result.model.params.items()]
        facts = {name: value for name, value in result.model.facts.items() if value is not None}
        metrics += [Metric(name, value, now, 0) for name, value in facts.items()]
        steps = thinned(len(result.history), HISTORY_POINTS).tolist()
        history = [Metric("loss", result.history[k], now, k) for k in steps]
        with mlflow.start_run(
            experiment_id=experiment, run_name=_run_name(result.model), tags=_tags(result)
        ) as run:
            id_ = run.info.run_id
            trainer = [Param("trainer", result.model.trainer)]
            self.client.log_batch(id_, metrics=metrics, params=[*trainer, *params])
            if history:
                self.client.log_batch(id_, metrics=history)
            self.client.log_inputs(id_, [_dataset(result)])
            _log_model(result)


@contextlib.contextmanager
def open_store(root: Path) -> Iterator[Store]:
    """Open the store of the main repository at `root`, one process at a time.

    MLFLOW_TRACKING_URI if set, else sqlite in mlflow.db with artifacts in mlartifacts. The lock
    keeps processes from creating tables at once, and a fingerprint from being logged twice.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"
    import mlflow
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        if (root / "mlflow.db").is_dir():  # MLflow would try again for minutes
            raise IsADirectoryError("mlflow.db is a folder")
        with (root / "mlflow.db.lock").open("a") as lock, contextlib.chdir(root):
            fcntl.flock(lock, fcntl.LOCK_EX)
            mlflow.set_tracking_uri(uri)
            remote = uri.startswith(("http://", "https://"))
            yield Store(mlflow.MlflowClient(), None if remote else root / "mlartifacts")
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise PipelineError(
            f"MLflow store {uri}: {reason}. All results are on disk; mend the store or "
            "MLFLOW_TRACKING_URI, and `dvc repro` publishes them"
        ) from None


def sklearn_pipeline(result: Result) -> Any:
    """The model as a plain scikit-learn Pipeline(StandardScaler, linear model) on raw units.

    It holds the fitted numbers and needs nothing of this package.
    """
    import numpy as np
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = result.model
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_, scaler.var_ = result.mean, result.scale, result.scale**2
    scaler.n_samples_seen_ = result.n_train
    if result.settings.task == "regression":
        linear = LinearRegression()
        linear.coef_, linear.intercept_ = model.coef, model.intercept
    else:
        linear = LogisticRegression()
        linear.coef_, linear.intercept_ = model.coef[None, :], np.array([model.intercept])
        linear.classes_ = np.array([0, 1])
    scaler.n_features_in_ = linear.n_features_in_ = len(result.features)
    scaler.feature_names_in_ = np.array(result.features, dtype=object)
    return make_pipeline(scaler, linear)


def _log_model(result: Result) -> None:
    # skops looks through all of scikit-learn, and so imports torch: 2 s for nothing used here.
    torch_bridge = "sklearn.externals.array_api_compat.torch"
    sys.modules.setdefault(torch_bridge, None)  # type: ignore[arg-type]
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature

    pipeline = sklearn_pipeline(result)
    example = pd.DataFrame(result.example, columns=result.features)
    needs = ("scikit-learn", "skops", "numpy", "pandas")
    mlflow.sklearn.log_model(
        pipeline,
        name="model",
        serialization_format="skops",
        pip_requirements=[f"{name}=={version(name)}" for name in needs],
        signature=infer_signature(example, pipeline.predict(example)),
        input_example=example,
    )


def _run_name(model: Model) -> str:
    """The trainer with its rate and epochs: what tells two runs of a chart apart."""
    shown = [f"{key}={model.params[key]}" for key in ("lr", "epochs") if key in model.params]
    return " ".join([model.trainer, *shown])


def _tags(result: Result) -> dict[str, str]:
    tags = {
        "dataset": result.dataset,
        "trainer": result.model.trainer,
        "fingerprint": result.fingerprint,
        "data_md5": result.data_md5,
    }
    return tags | _origin()


def _origin() -> dict[str, str]:
    """The commit and the DVC experiment that are running, where there are any."""
    tags = {"git_commit": git_commit(), "dvc_experiment": dvc_experiment()}
    return {name: value for name, value in tags.items() if value}


def _dataset(result: Result) -> Any:
    from mlflow.entities import Dataset, DatasetInput

    source = f"data/1_ingested/{result.dataset}.parquet"
    return DatasetInput(
        Dataset(
            result.dataset, result.data_md5, "local", source, profile=f'{{"rows": {result.n_rows}}}'
        )
    )


def _allowed(scores: dict[str, float]) -> dict[str, float]:
    """Keys that MLflow takes: the name of a class may hold what it does not."""
    result: dict[str, float] = {}
    for name, value in scores.items():
        key = re.sub(r"[^\w.\- :]", "_", name)
        while key in result:
            key += "_"
        result[key] = value
    return result
