"""What models are judged by: datasets.NAME.evaluate, cross_validation and intervals."""

from itertools import product
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from pipeline.core.settings.block import Seed, Settings, Share, unfit
from pipeline.core.trainers import Task

AUTO = "auto"


def _auto_or_times(value: object) -> object:
    if value == AUTO or (type(value) is int and 1 <= value <= 1000):
        return value
    raise unfit(f"{AUTO} or a whole number from 1 to 1000", value)


Repeats = Annotated[Literal["auto"] | int, BeforeValidator(_auto_or_times)]
Metric = Literal["mse", "mae", "accuracy", "roc_auc", "log_loss", "brier"]
METRICS: dict[Task, tuple[Metric, ...]] = {
    "regression": ("mse", "mae"),
    "classification": ("accuracy", "roc_auc", "log_loss", "brier"),
}
OF_TWO_CLASSES = ("brier",)


class Goal(Settings):
    """A recall that the decision threshold must reach on held-out training rows."""

    recall: str
    at_least: Share


def _probability_or_goal(value: object) -> object:
    if isinstance(value, dict):
        return Goal.model_validate(value)
    if not (isinstance(value, float) and 0 < value < 1):
        form = "a probability between 0 and 1, or {recall: a class, at_least: a share}"
        raise unfit(form, value)
    return value


def _printable(value: str) -> str:
    if value.strip() != value or not value.isprintable():
        raise unfit("a name without blanks around it, on one line", value)
    return value


ClassName = Annotated[str, Field(min_length=1), AfterValidator(_printable)]


class Evaluate(Settings):
    """What the models of a dataset are judged by.

    Attributes
    ----------
    metric : str
        Decides between models; mse of a regression and accuracy of a classification, unless given.
    classes : list of str or None
        The names of label 0, label 1 and so on.
    positive : str or None
        The class of two that precision, recall and f1 are about.
    threshold : float, Goal or None
        The probability of label 1, of two classes, from which it is predicted, or the recall that
        chooses it. Of several classes the most probable one is predicted.
    repeats : int, "auto" or None
        How often its rows are cut into folds; `cross_validation.repeats` unless given. auto: once,
        and not at all where so many test rows are there that they alone may judge.
    """

    metric: Metric
    classes: Annotated[list[ClassName], Field(min_length=2)] | None = None
    positive: str | None = None
    threshold: Annotated[float | Goal, BeforeValidator(_probability_or_goal)] | None = None
    repeats: Repeats | None = None

    @property
    def several(self) -> bool:
        """Whether there are more than two classes."""
        return len(self.classes or []) > 2

    @property
    def positive_label(self) -> int:
        """The label of the class that precision and recall are about."""
        return (self.classes or []).index(self.positive or "")


def refuse_unfit_classes(judged: Evaluate) -> None:
    """Refuse classes, positive and threshold of a classification that do not go together.

    Raises
    ------
    ValueError
        Says what is expected.
    """
    classes, goal = judged.classes or [], judged.threshold
    if len(set(classes)) < len(classes):
        two = "two different names are needed" if len(classes) == 2 else "a name stands twice"
        raise ValueError(f"evaluate.classes: {two}")
    for one, end in product(classes, ("_low", "_high", "_sd", "_min", "_max")):
        if f"{one}{end}" in classes:
            raise ValueError(
                f"evaluate.classes: recall_{one}{end} would be a score of {one}{end}, and one of "
                f"{one}; rename a class, in the file, too"
            )
    if judged.several:
        for key in ("positive", "threshold"):
            if getattr(judged, key) is not None:
                raise ValueError(
                    f"evaluate.{key}: goes with two classes, and there are {len(classes)}; "
                    "remove it"
                )
        return
    if judged.positive not in classes:
        raise ValueError(
            "evaluate: task: classification needs classes: [name of label 0, name of label 1] "
            "and positive: one of them"
        )
    if goal is None:
        raise ValueError("evaluate.threshold: is missing; 0.5 is the usual one")
    if isinstance(goal, Goal) and goal.recall not in classes:
        raise ValueError(
            f"evaluate.threshold.recall: expected one of {', '.join(classes)}, got {goal.recall}"
        )


class CrossValidation(Settings):
    """How the rows are cut; below 30 rows every row is its own fold."""

    folds: Annotated[int, Field(ge=2, le=1000)]
    repeats: Repeats
    seed: Seed

    @property
    def times(self) -> int:
        """How often rows are cut into folds, where they are; auto: once."""
        return self.repeats if isinstance(self.repeats, int) else 1


class Intervals(Settings):
    """How sure, and how many resamples of the test rows."""

    confidence: Annotated[float, Field(ge=0.5, le=0.999)]
    bootstrap: Annotated[int, Field(ge=100, le=100_000)]
