"""The model that predicts: its arithmetic, and where it comes from.

It is read from the stages' files, or from a run of MLflow.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from pipeline.commands.runs.find import one, refuse_no_id
from pipeline.core import layout
from pipeline.core.artifacts.evaluated import read_evaluated
from pipeline.core.artifacts.models import Model, read_model
from pipeline.core.artifacts.split_columns import read_columns
from pipeline.core.columns import (
    PLAIN,
    Column,
    Encoding,
    Learned,
    Raw,
    encode,
    feature_names,
    known,
)
from pipeline.core.errors import PipelineError
from pipeline.core.files import md5
from pipeline.core.forms import Estimator, Form, Linear, layers_of
from pipeline.core.settings.block import Settings
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.models import Wanted
from pipeline.core.store.connection import Store, StoreError, main_repository, open_store
from pipeline.core.tables import Array
from pipeline.core.target import label_names
from pipeline.core.trainers import Task, logged
from pipeline.tracking.sklearn_model import trusted_types


@dataclass(frozen=True)
class Predictor:
    """A model on standardized features that takes rows as received.

    Attributes
    ----------
    encoding : dict
        By name the columns that features are made of, and what training rows taught of them.
    mean, scale : ndarray of shape (n_features,)
    form : Linear, Layers or Estimator
        What it computes of standardized features.
    ranges : dict
        Smallest and largest value of each column of numbers over the training rows.
    threshold : float
        Label 1 of two from this probability on; of no use elsewhere.
    labels : sequence
        What stands for the classes in the file: their names, or 0, 1 and so on.
    logged : bool
        Whether it gives the logarithm of the target.
    """

    encoding: Encoding
    mean: Array
    scale: Array
    form: Form
    ranges: Mapping[str, tuple[float, float]]
    threshold: float
    labels: Sequence[str | int] = (0, 1)
    logged: bool = False

    def predict(self, raw: Raw) -> Array:
        """The target or logits, of (X - mean) / scale.

        Added a feature at a time: the digits of BLAS's product hang on how many rows there are,
        these do not.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_classes)
            The target, of a logged one in its own units, or logits. Not finite where a row's
            values are too large.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            z = self.form.by_row((encode(raw, self.encoding) - self.mean) / self.scale)
            return np.exp(z) if self.logged else z

    def outside(self, raw: Raw) -> NDArray[np.bool_]:
        """Which values no training row was near: outside their range, or of no category of theirs.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
        """
        columns = zip(self.encoding.items(), raw.values.T, raw.words, strict=True)
        found = [self._outside(name, one, *rows) for (name, one), *rows in columns]
        return np.column_stack(found)

    def _outside(
        self, name: str, column: Column, values: Array, words: Sequence[str]
    ) -> NDArray[np.bool_]:
        if name in self.ranges:
            low, high = self.ranges[name]
            return (low > values) | (high < values)
        seen = set(known(column))
        new = [float(k) for k, word in enumerate(words) if word not in seen]
        return np.isin(values, new)


NO_USE = (
    "its training failed, the loss grew: what it predicts means nothing. Train it with a lower lr, "
    "or ask for it with --failed"
)


class Metadata(Settings):
    """What a model in MLflow says of itself, beside the numbers that scikit-learn keeps."""

    model_config = ConfigDict(extra="ignore")

    dataset: str
    task: Task
    target: str
    estimator: str | None = None
    classes: list[str] | None
    threshold: float | None
    labels: list[str] | None = None
    columns: dict[str, Learned] = Field(default_factory=dict)
    ranges: dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]]


def from_disk(dataset: str, settings: Dataset, wanted: Wanted, failed: bool) -> Predictor:
    """A model of data/4_models, with the scaling and the ranges of its training rows.

    Parameters
    ----------
    failed : bool
        Whether one may be taken whose training failed.

    Raises
    ------
    PipelineError
        When files are missing or damaged, or do not belong together; when the training failed.
    """
    split = read_columns(dataset, settings)
    trained_on = md5(layout.split_part(dataset, "train"))
    path = layout.model(dataset, wanted.name)
    model = read_model(path, wanted.trainer, split.features, trained_on)
    if model.ending == "grew" and not failed:
        raise PipelineError(f"{path}: {NO_USE}")
    classes = settings.evaluate.classes
    labels = label_names(split.schema.field(settings.target).type, classes) or [
        *range(len(classes or []))
    ]
    plain = settings.evaluate.threshold is None
    threshold = 0.5 if plain else _threshold(dataset, wanted.name, model)
    return Predictor(
        split.encoding, split.mean, split.scale, model.form,
        split.ranges(), threshold, labels, logged(model.params),
    )  # fmt: skip


def _threshold(dataset: str, name: str, model: Model) -> float:
    """The threshold that evaluate chose for this very model."""
    judged = read_evaluated(dataset).judged.get(name)
    if judged is None or judged.params != model.params or judged.threshold is None:
        raise PipelineError(
            f"{layout.evaluated(dataset)} judged another model than "
            f"{layout.model(dataset, name)}; run `dvc repro`"
        )
    return judged.threshold


def from_run(run_id: str, dataset: str, settings: Dataset, failed: bool) -> Predictor:
    """The model of a run in MLflow; `failed`: also one whose training failed.

    Raises
    ------
    PipelineError
        When the store does not answer, or the run is not there, is of another dataset, holds no
        model, or one that was made for another target or other classes, or whose training failed.
    """
    refuse_no_id(run_id)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with open_store(main_repository(), reading=True) as store:
                path = _download(store, run_id, dataset, folder, failed)
                estimator, metadata = _load(path, run_id)
        except StoreError as error:
            raise PipelineError(
                f"--run {run_id}: {error}. Without --run, no MLflow is needed"
            ) from None
    theirs, ours = (of.classes or ["a number"] for of in (metadata, settings.evaluate))
    now = settings.task, settings.target, ours
    if (metadata.task, metadata.target, theirs) != now:
        raise PipelineError(
            f"--run {run_id}: predicts {metadata.target} ({', '.join(theirs)}), "
            f"{layout.PARAMS} has {settings.target} ({', '.join(ours)}); "
            "`git checkout` the commit of the run"
        )
    return _predictor(estimator, metadata, run_id)


def _download(store: Store, run_id: str, dataset: str, folder: str, failed: bool) -> Path:
    """Copy the model of a run into the folder; where it lies there."""
    import mlflow

    run = one(store.client, run_id)
    of = run.data.tags.get("dataset")
    if of != dataset:
        raise PipelineError(f"--run {run_id}: is a run of {of or 'no dataset'}, not of {dataset}")
    if run.data.tags.get("training_ended") == "grew" and not failed:
        raise PipelineError(f"--run {run_id}: {NO_USE}")
    if not (run.outputs and run.outputs.model_outputs):
        raise PipelineError(f"--run {run_id}: holds no model (status {run.info.status})")
    model, uri = f"models:/{run.outputs.model_outputs[0].model_id}", store.client.tracking_uri
    download = mlflow.artifacts.download_artifacts
    return Path(download(artifact_uri=model, dst_path=folder, tracking_uri=uri))


def _load(path: Path, run_id: str) -> tuple[Any, Metadata]:
    """The estimator, by skops alone, and its metadata.

    MLflow's own load_model would take a pickle, or trust the types that the model names.

    Raises
    ------
    PipelineError
        When the model is in another format, or damaged.
    """
    import mlflow.models
    import skops.io

    try:
        model = mlflow.models.Model.load(str(path))
        if model.flavors["sklearn"]["serialization_format"] != "skops":
            raise ValueError("it is not a skops file")
        metadata = Metadata.model_validate(model.metadata)
        file = path / "model.skops"
        return skops.io.load(file, trusted=trusted_types(metadata.estimator)), metadata
    except Exception as error:  # what a damaged file raises is not foreseeable
        reason = " ".join(str(error).split())[:200]
        raise PipelineError(f"--run {run_id}: its model cannot be used: {reason}") from None


def _predictor(estimator: Any, metadata: Metadata, run_id: str) -> Predictor:
    """Take the model out of scikit-learn's Pipeline(..., StandardScaler, model).

    Of a logged target a TransformedTargetRegressor stands around the last step.
    """
    try:
        frozen = getattr(estimator, "estimator_", estimator)  # of a FixedThresholdClassifier
        pipeline = getattr(frozen, "estimator", frozen)
        *_, (_, scaler), (_, last) = pipeline.steps
        inner = getattr(last, "regressor_", last)
        log = inner is not last
        if log and (last.func, last.inverse_func) != (np.log, np.exp):
            raise ValueError("its target is transformed otherwise")
        names = map(str, pipeline[0].feature_names_in_)  # in order; MLflow sorts its metadata
        encoding = {name: metadata.columns[name] if metadata.columns else PLAIN for name in names}
        ranges = {n: (low, high) for n, (low, high) in metadata.ranges.items() if n in encoding}
        if len(feature_names(encoding)) != len(scaler.mean_):
            raise ValueError("its columns make other features than it takes")
        labels = metadata.labels or [*range(len(metadata.classes or []))]
        return Predictor(
            encoding, scaler.mean_, scaler.scale_, _form_of(inner, metadata), ranges,
            metadata.threshold or 0.5, labels, log,
        )  # fmt: skip
    except (AttributeError, KeyError, TypeError, ValueError):
        raise PipelineError(
            f"--run {run_id}: its model is not of the form that `track` logs; "
            "`dvc repro` logs today's"
        ) from None


def _form_of(estimator: Any, metadata: Metadata) -> Form:
    """The weights of scikit-learn's linear model, or of its MLP; or any estimator itself."""
    if metadata.estimator is not None:
        of_classes = metadata.task == "classification"
        [one] = estimator.estimators_ if of_classes else [estimator]
        return Estimator(metadata.estimator, one)
    if not hasattr(estimator, "coefs_"):
        coef, intercept = np.atleast_2d(estimator.coef_), np.atleast_1d(estimator.intercept_)
        if len(coef) > 1:
            return Linear(coef.T, intercept)
        return Linear(coef[0], float(intercept[0]))
    activation = "sigmoid" if estimator.activation == "logistic" else estimator.activation
    *hidden, last = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    w, b = (last[0][:, 0], last[1][0, ...]) if last[0].shape[1] == 1 else last
    names = ("weights", "bias")
    arrays = {
        f"{name}_{k}": one
        for k, of_layer in enumerate([*hidden, (w, b)])
        for name, one in zip(names, of_layer, strict=True)
    }
    return layers_of(arrays, activation)


class OutOfRange:
    """What lies outside of what training rows had, counted over the chunks.

    Parameters
    ----------
    columns : sequence of str

    Attributes
    ----------
    count : int
        How many rows have a value outside.
    first : int
        The line of the first of them; 0 where there is none.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = np.array(columns, dtype=object)
        self._seen = np.zeros(len(columns), dtype=bool)
        self.count, self.first = 0, 0

    @property
    def columns(self) -> list[str]:
        """The columns of which a value was outside."""
        return [*self._columns[self._seen]]

    def names(self, outside: NDArray[np.bool_], lines: Sequence[int]) -> list[str]:
        """Name the columns outside of each row, joined by semicolons.

        Parameters
        ----------
        outside : ndarray of shape (n_rows, n_columns)
            From `Predictor.outside`.
        lines : sequence of int
            Where the rows stand in the file.
        """
        names = [""] * len(outside)
        for row in np.flatnonzero(outside.any(axis=1)).tolist():
            names[row] = ";".join(self._columns[outside[row]])
            self.first = self.first or lines[row]
            self.count += 1
        self._seen |= outside.any(axis=0)
        return names
