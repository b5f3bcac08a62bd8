"""Where a model comes from: the facts that identify a run, and the names that bring it back."""

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.core import layout
from pipeline.core.files import md5, read_json
from pipeline.core.params import Dataset
from pipeline.core.tables import Array, read_table
from pipeline.models import Model, read_model
from pipeline.splits import read_split


@dataclass(frozen=True)
class Result:
    """One trained model with all that MLflow shows of it.

    Attributes
    ----------
    fingerprint : str
        SHA-256 over dataset, trainer, the params that reached it, data, weights and scores.
    history : list of float
        Training loss before the first step and after each; empty for direct solvers.
    mean, scale : ndarray of shape (n_features,)
        What the model's inputs were standardized with.
    n_rows, n_train : int
        Rows of the dataset, and how many of them trained.
    example : ndarray of shape (at most 5, n_features)
        Training rows in their own units.
    """

    dataset: str
    settings: Dataset
    model: Model
    scores: dict[str, float | None]
    history: list[float]
    features: list[str]
    mean: Array
    scale: Array
    example: Array
    n_rows: int
    n_train: int
    data_md5: str
    fingerprint: str


def collect(dataset: str, settings: Dataset) -> list[Result]:
    """Everything on disk about the models of one dataset."""
    ingested = layout.ingested(dataset)
    table = read_table(ingested)
    split = read_split(dataset, settings.target, table)
    parts = [layout.split_part(dataset, part) for part in ("train", "test")]
    data = [md5(path) for path in (ingested, *parts, layout.scaler(dataset))]
    scores = read_json(layout.metrics(dataset))
    results = []
    for trainer in settings.models:
        path = layout.model(dataset, trainer)
        model = read_model(path, trainer, split.features)
        identity = [dataset, trainer, model.params, data, md5(path), scores[trainer]]
        results.append(
            Result(
                dataset=dataset,
                settings=settings,
                model=model,
                scores=scores[trainer],
                history=_history(layout.history(dataset, trainer)),
                features=[*split.features],
                mean=split.mean,
                scale=split.scale,
                example=split.X[split.train[:5]],
                n_rows=table.num_rows,
                n_train=len(split.train),
                data_md5=data[0],
                fingerprint=hashlib.sha256(
                    json.dumps(identity, sort_keys=True).encode()
                ).hexdigest(),
            )
        )
    return results


def main_repository() -> Path:
    """The folder of the main repository, also inside a temporary or queued DVC experiment."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def git_commit() -> str | None:
    """The commit that the work started from, or None outside git."""
    baseline = os.environ.get("DVC_EXP_BASELINE_REV")
    if baseline:
        return baseline
    answer = subprocess.run(
        ["git", "rev-parse", "--verify", "-q", "HEAD"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or None


def dvc_experiment() -> str | None:
    """The name of the DVC experiment that is running, or None in a plain `dvc repro`."""
    return os.environ.get("DVC_EXP_NAME")


def _history(path: Path) -> list[float]:
    if not path.exists():
        return []
    return [float(line.split(",")[1]) for line in path.read_text().splitlines()[1:]]
