"""params.yaml as typed, checked settings: the one reader for all stages."""

import difflib
import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.core import layout
from pipeline.core.errors import PipelineError, listed
from pipeline.core.yaml import load_yaml

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Positive = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Share = Annotated[float, Field(gt=0, lt=1)]
TrainerName = Literal["pairwise_mean", "closed_form", "manual_gd", "torch_sgd", "bcpm"]
ReferenceName = Literal["mean", "linear_regression", "majority", "logistic_regression"]
ModelName = TrainerName | ReferenceName
Task = Literal["regression", "classification"]
Metric = Literal["mse", "mae", "accuracy", "roc_auc", "log_loss", "brier"]
METRICS: dict[Task, tuple[Metric, ...]] = {
    "regression": ("mse", "mae"),
    "classification": ("accuracy", "roc_auc", "log_loss", "brier"),
}
# What every trainer is measured by: the trivial baseline, and scikit-learn's counterpart.
REFERENCES: dict[Task, tuple[ReferenceName, ReferenceName]] = {
    "regression": ("mean", "linear_regression"),
    "classification": ("majority", "logistic_regression"),
}


class Settings(BaseModel):
    """A block of settings: unknown keys, inf and nan, text or bools for numbers are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class MakeRegression(Settings):
    """Arguments of sklearn.datasets.make_regression."""

    n_samples: Annotated[int, Field(ge=1, le=10_000_000)]
    n_features: Annotated[int, Field(ge=1, le=10_000)]
    noise: Annotated[float, Field(ge=0)]
    random_state: Seed


def _one_character(value: str) -> str:
    if len(value) != 1 or value.isalnum() or value in "\r\n\0.+-_\ufeff":
        raise ValueError(f"expected one character such as , or ;, got {_shown(value)}")
    return value


def _line_or_names(value: object) -> object:
    if value is True or isinstance(value, list):
        return value
    raise ValueError(f"expected true or, for a file without one, [names], got {_shown(value)}")


class Dialect(Settings):
    """How a CSV file is written. Nothing is stripped, skipped or filled unless it says so."""

    delimiter: Annotated[str, AfterValidator(_one_character)] = ","
    quote: Annotated[str, AfterValidator(_one_character)] | None = '"'
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"] = "utf-8"
    decimal: Literal[".", ","] = "."
    missing: list[str] = []
    header: Annotated[
        Annotated[Literal[True], Tag("[line]")]
        | Annotated[list[str], Tag("[names]"), Field(min_length=1)],
        Discriminator(lambda value: "[line]" if value is True else "[names]"),
        BeforeValidator(_line_or_names),
    ] = True
    comment: Annotated[str, Field(min_length=1)] | None = None
    skip_lines: Annotated[int, Field(ge=0)] = 0
    skip_blank_lines: bool = False
    strip_spaces: bool = False
    gz: bool = False

    @model_validator(mode="after")
    def _characters_differ(self) -> Self:
        if self.delimiter in (self.quote, self.decimal):
            raise ValueError(
                f"delimiter: {_shown(self.delimiter)} is the quote or the decimal sign, too"
            )
        return self


class RandomFeatures(Settings):
    """So many features, drawn by `seed`."""

    random: Annotated[int, Field(ge=1)]


def _all_or_drawn(value: object) -> object:
    if value == "all" or isinstance(value, dict):
        return value
    raise ValueError(f"expected all or {{random: how many}}, got {_shown(value)}")


class Goal(Settings):
    """A recall that the decision threshold must reach on held-out training rows."""

    recall: str
    at_least: Share


def _probability_or_goal(value: object) -> object:
    if isinstance(value, dict) or (type(value) in (int, float) and 0 < float(str(value)) < 1):
        return value
    raise ValueError(
        "expected a probability between 0 and 1, or {recall: a class, at_least: a share}, got "
        + _shown(value)
    )


def _printable(value: str) -> str:
    if value.strip() != value or not value.isprintable():
        raise ValueError(
            f"expected a name without blanks around it, on one line, got {_shown(value)}"
        )
    return value


ClassName = Annotated[str, Field(min_length=1), AfterValidator(_printable)]


class Dataset(Settings):
    """What a dataset is and which trainers run on it.

    With the block make_regression its rows are generated, else they come from its CSV file, which
    is written as the block csv says.
    """

    make_regression: MakeRegression | None = None
    csv: Dialect = Dialect()
    task: Task
    target: Annotated[str, Field(min_length=1)]
    features: Annotated[
        Annotated[Literal["all"], Tag("[all]")] | Annotated[RandomFeatures, Tag("[drawn]")],
        Discriminator(lambda value: "[all]" if value == "all" else "[drawn]"),
        BeforeValidator(_all_or_drawn),
    ]
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=2)] | None = None
    positive: str | None = None
    threshold: (
        Annotated[
            Annotated[float, Tag("[number]")] | Annotated[Goal, Tag("[goal]")],
            Discriminator(lambda value: "[goal]" if isinstance(value, dict | Goal) else "[number]"),
            BeforeValidator(_probability_or_goal),
        ]
        | None
    ) = None
    test_size: Annotated[float, Field(ge=0, lt=1)]
    trainers: Annotated[list[TrainerName], Field(min_length=1)]
    descent: dict[str, Any]
    metric: Metric

    @property
    def models(self) -> list[ModelName]:
        """Its trainers and, behind them, the references: scikit-learn's, and the trivial one."""
        return [*self.trainers, *REFERENCES[self.task][::-1]]

    @property
    def positive_label(self) -> int:
        """The label of the class that precision and recall are about."""
        return (self.classes or []).index(self.positive or "")

    @model_validator(mode="after")
    def _blocks_fit_together(self) -> Self:
        if self.task == "regression" and (self.classes or self.positive or self.threshold):
            raise ValueError("classes, positive and threshold go with task: classification only")
        if self.classes and len(set(self.classes)) == 1:
            raise ValueError("classes: two different names are needed")
        if self.task == "classification" and self.positive not in (self.classes or []):
            raise ValueError(
                "task: classification needs classes: [name of label 0, name of label 1] "
                "and positive: one of them"
            )
        if self.task == "classification" and self.threshold is None:
            raise ValueError("threshold: is missing; 0.5 is the usual one")
        if isinstance(self.threshold, Goal) and self.threshold.recall not in (self.classes or []):
            raise ValueError(
                f"threshold.recall: expected one of {', '.join(self.classes or [])}, got "
                f"{self.threshold.recall}"
            )
        if self.metric not in METRICS[self.task]:
            raise ValueError(
                f"metric: expected one of {', '.join(METRICS[self.task])} for task: {self.task}, "
                f"got {self.metric}"
            )
        misfits = [t for t in self.trainers if (t == "bcpm") != (self.task == "classification")]
        if misfits:
            raise ValueError(f"trainers: {', '.join(misfits)} cannot do task: {self.task}")
        if len(set(self.trainers)) < len(self.trainers):
            raise ValueError("trainers: a name is given twice")
        return self


def _full_or_rows(value: object) -> object:
    if value == "full" or (type(value) is int and value >= 1):
        return value
    raise ValueError(f"expected full or a whole number from 1, got {_shown(value)}")


class Descent(Settings):
    """How the gradient trainers descend."""

    seed: Seed
    lr: Positive
    epochs: Annotated[int, Field(ge=1, le=10**9)]
    batch_size: Annotated[Literal["full"] | int, BeforeValidator(_full_or_rows)]
    loss: Literal["mse", "mae"]
    optimizer: Literal["sgd", "momentum", "rmsprop", "adam"]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    init: Literal["zeros", "uniform"]
    loss_threshold: Annotated[float, Field(ge=0)]
    device: Literal["cpu", "cuda"]

    @classmethod
    def of(cls, **params: Any) -> "Descent":
        """The settings of a trainer, which may have no choice of loss or device.

        Raises
        ------
        ValueError
            Names every param that is unknown, missing or impossible.
        """
        given = {k: v.item() if hasattr(v, "item") else v for k, v in params.items()}
        try:
            return cls.model_validate({"loss": "mse", "device": "cpu"} | given)
        except ValidationError as error:
            raise ValueError(listed([_problem(e, "") for e in error.errors()])) from None


class CrossValidation(Settings):
    """How the rows are cut; below 30 rows every row is its own fold."""

    folds: Annotated[int, Field(ge=2, le=1000)]
    repeats: Annotated[int, Field(ge=1, le=1000)]
    seed: Seed


class Intervals(Settings):
    """How sure, and how many resamples of the test rows."""

    confidence: Annotated[float, Field(ge=0.5, le=0.999)]
    bootstrap: Annotated[int, Field(ge=100, le=100_000)]


class VerdictRule(Settings):
    """By how much a trainer may be worse than the champion, as a share of the champion's score."""

    tolerance: Annotated[float, Field(ge=0, lt=1)]


class ReportSettings(Settings):
    """How the report is written."""

    language: Literal["en", "zh"]


class Params(Descent):
    """All of params.yaml."""

    cross_validation: CrossValidation
    intervals: Intervals
    verdict: VerdictRule
    report: ReportSettings
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        for name in ("textbook", "champion", "verdict", "summary", "report"):
            if name in self.datasets:
                raise ValueError(f"datasets.{name}: the name is taken; rename it")
        return self

    def dataset(self, name: str) -> Dataset:
        """The settings of one dataset.

        Raises
        ------
        PipelineError
            When params.yaml does not know the name.
        """
        if name not in self.datasets:
            raise PipelineError(
                f"unknown dataset {name!r}{nearest(name, self.datasets)}; "
                f"{layout.PARAMS} has {', '.join(self.datasets)}"
            )
        return self.datasets[name]

    def descent(self, name: str) -> Descent:
        """The top-level settings, with what the dataset sets for itself."""
        top = {key: getattr(self, key) for key in Descent.model_fields}
        return Descent.model_validate(top | self.dataset(name).descent)


def load_params() -> Params:
    """Read and check params.yaml.

    Raises
    ------
    PipelineError
        Names every key that is unknown, missing or impossible, all at once.
    """
    return parse_params(_text(), str(layout.PARAMS))


def declared_dialect(dataset: str) -> Dialect:
    """How its CSV file is written, whatever else of params.yaml is missing yet or wrong.

    Raises
    ------
    PipelineError
        Names every key of the csv block that is unknown or impossible.
    """
    content = _parse_yaml(_text(), str(layout.PARAMS))
    for key in ("datasets", dataset, "csv"):
        content = content.get(key, {}) if isinstance(content, dict) else {}
    try:
        return Dialect.model_validate(content)
    except ValidationError as error:
        block = ("datasets", dataset, "csv")
        found: list[ErrorDetails] = [{**e, "loc": (*block, *e["loc"])} for e in error.errors()]
        problems = [_problem(e, f"{layout.PARAMS}: ") for e in found]
        raise PipelineError(listed(problems)) from None


def _text() -> str:
    try:
        return layout.PARAMS.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PipelineError(
            f"{layout.PARAMS} is missing here; run from the folder that holds dvc.yaml"
        ) from None
    except (OSError, ValueError) as error:
        raise PipelineError(f"{layout.PARAMS}: cannot be read: {error}") from None


def parse_params(text: str, file: str) -> Params:
    """Check the text of a params.yaml; errors name it `file`.

    Raises
    ------
    PipelineError
        As `load_params`.
    """
    where = f"{file}: "
    try:
        params = Params.model_validate(_parse_yaml(text, file))
    except ValidationError as error:
        raise PipelineError(listed([_problem(e, where) for e in error.errors()])) from None
    problems = []
    for name in params.datasets:
        try:
            params.descent(name)
        except ValidationError as error:
            inside = f"{where}datasets.{name}.descent."
            problems += [_problem(e, inside, Descent) for e in error.errors()]
    if problems:
        raise PipelineError(listed(problems))
    return params


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing when no known word is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def _parse_yaml(text: str, file: str) -> Any:
    try:
        return load_yaml(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = (error.problem or error.context or "not valid YAML").strip().splitlines()[0]
        raise PipelineError(f"{file}{where}: {reason}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise PipelineError(f"{file}: cannot be read: {error}") from None


def _problem(error: ErrorDetails, file: str, top: type[Settings] | None = None) -> str:
    keys = [_plain(str(key)) for key in error["loc"] if not str(key).startswith("[")]
    where = f"{file}{'.'.join(keys) or 'top level'}"
    match error["type"]:
        case "extra_forbidden":
            hint = nearest(keys[-1], _keys_beside(keys, top or Params))
            return f"{where}: unknown key{hint}; remove or rename it"
        case "missing":
            return f"{where}: is missing"
        case "value_error":
            return f"{where}: {error['ctx']['error']}"
        case "model_type" | "dict_type":
            return f"{where}: expected keys and values, got {_shown(error['input'])}"
        case "string_pattern_mismatch" | "invalid_key":
            return f"{where}: expected a name of a-z, 0-9 and _ that begins with a letter"
        case _:
            expected = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
            return f"{where}: expected {expected}, got {_shown(error['input'])}"


def _keys_beside(keys: list[str], top: type[Settings]) -> Iterable[str]:
    """The keys allowed where an unknown one was found."""
    if len(keys) == 1:
        return top.model_fields
    blocks: dict[str, type[Settings]] = {
        "make_regression": MakeRegression,
        "csv": Dialect,
        "features": RandomFeatures,
        "threshold": Goal,
        "cross_validation": CrossValidation,
        "intervals": Intervals,
        "verdict": VerdictRule,
        "report": ReportSettings,
    }
    return blocks.get(keys[-2], Dataset).model_fields


def _plain(key: str) -> str:
    return key if key.isprintable() else repr(key)


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
        if not text.isprintable():  # a line break of Unicode, say
            text = json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        text = "a nested value"
    return text if len(text) <= 60 else text[:57] + "..."
