"""A dataset of params.yaml: its blocks, and how they fit together."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from pipeline.core.settings.block import Settings
from pipeline.core.settings.evaluate import (
    METRICS,
    OF_TWO_CLASSES,
    Evaluate,
    Metric,
    refuse_unfit_classes,
)
from pipeline.core.settings.ingest import Ingest
from pipeline.core.settings.split import SplitRows
from pipeline.core.trainers import TRANSFORM, Task, Value

# Rows up to which some are drawn, as scikit-learn draws them. Of more a row's side hangs on what it
# holds alone: no order of all rows is needed, nor moves a row when others come.
DRAWN = 10_000_000


class Dataset(Settings):
    """What a dataset is; each block is named after the stage that reads it."""

    task: Task
    target: Annotated[str, Field(min_length=1)]
    ingest: Ingest
    split: SplitRows
    evaluate: Evaluate

    @model_validator(mode="before")
    @classmethod
    def _usual_metric(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("evaluate"), dict):
            usual = "accuracy" if given.get("task") == "classification" else "mse"
            return given | {"evaluate": {"metric": usual} | given["evaluate"]}
        return given

    @model_validator(mode="after")
    def _blocks_fit_together(self) -> Self:
        judged, task = self.evaluate, self.task
        if task == "regression" and (judged.classes or judged.positive or judged.threshold):
            raise ValueError(
                "evaluate: classes, positive and threshold go with task: classification only"
            )
        if task == "regression" and self.split.by == "stratified":
            raise ValueError("split.by: stratified goes with task: classification only")
        if task == "classification":
            if self.logged:
                raise ValueError("split.target_transform: log goes with task: regression only")
            refuse_unfit_classes(judged)
        if judged.metric not in self.metrics:
            of = f"{len(judged.classes or [])} classes" if judged.several else f"task: {task}"
            raise ValueError(
                f"evaluate.metric: expected one of {', '.join(self.metrics)} for {of}, "
                f"got {judged.metric}"
            )
        return self

    @property
    def logged(self) -> bool:
        """Whether its models learn the logarithm of the target."""
        return self.split.target_transform == "log"

    def cut(self, n_rows: int) -> str:
        """How so many rows are parted where no column says it: random, stratified or hash.

        Of more than DRAWN rows by a hash, unless a column parts them.
        """
        usual = "stratified" if self.task == "classification" else "random"
        drawn = n_rows <= DRAWN or self.split.parting or not self.split.test_size
        return self.split.by or usual if drawn else "hash"

    @property
    def of_models(self) -> dict[str, Value]:
        """The params that it gives its models, but for the trivial one."""
        return {TRANSFORM: "log"} if self.logged else {}

    @property
    def metrics(self) -> list[Metric]:
        """What its models may be judged by."""
        of_two = OF_TWO_CLASSES if self.evaluate.several else ()
        return [metric for metric in METRICS[self.task] if metric not in of_two]
