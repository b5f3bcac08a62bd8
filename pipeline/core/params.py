"""params.yaml as typed, checked settings: the one reader for all stages."""

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.core import layout
from pipeline.core.errors import PipelineError, listed
from pipeline.core.oddities import Kind
from pipeline.core.text import DIRECTIVE, load_yaml, pointed
from pipeline.core.trainers import TRAINERS, TRANSFORM, UNLESS_NAMED, Task, Value, measures

Repeats = Annotated[int, Field(ge=1, le=1000)]
Name = Annotated[str, Field(pattern=f"^{layout.NAME}$")]
ModelKey = Annotated[str, Field(pattern=f"^{layout.NAME}-{layout.NAME}$")]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Metric = Literal["mse", "mae", "accuracy", "roc_auc", "log_loss", "brier"]
METRICS: dict[Task, tuple[Metric, ...]] = {
    "regression": ("mse", "mae"),
    "classification": ("accuracy", "roc_auc", "log_loss", "brier"),
}
OF_TWO_CLASSES = ("brier",)
# Names of files beside those of a dataset.
NAMES_TAKEN = ("textbook", "champion", "verdict", "summary", "report")
ASKED_FOR = [name for name, one in TRAINERS.items() if one.role == "trainer"]
# Names of a model that mean something else beside a dataset's models.
TAKEN = {"champion", "reference", "baseline"} | TRAINERS.keys() - ASKED_FOR
RARE = 5  # training rows of a category with a feature of its own, unless split.rare says it
GENERATOR = "pipeline/ingest/make_regression.py"
WHITESPACE = "whitespace"  # the delimiter: runs of blanks and tabs
COMMENTED = "commented"  # the header: behind a comment mark
# What a source's name may end with, and whether csv says how it is written.
CSV_ENDS = ("csv", "csv.gz", "csv.zip", "zip")
WORKBOOK_ENDS = ("xlsx", "xlsm")
LABEL_ENDS = ("sav", "zsav", "dta")
TABLE_ENDS = ("parquet", *WORKBOOK_ENDS, *LABEL_ENDS, "xpt", "arff")
_ENDS = "|".join(map(re.escape, CSV_ENDS + TABLE_ENDS))
SOURCE = re.compile(rf"data/raw/[A-Za-z0-9][A-Za-z0-9_.-]*\.({_ENDS})")


class Settings(BaseModel):
    """A block of settings: unknown keys, inf and nan, text or bools for numbers are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class MakeRegression(Settings):
    """Arguments of sklearn.datasets.make_regression."""

    n_samples: Annotated[int, Field(ge=1, le=10_000_000)]
    n_features: Annotated[int, Field(ge=1, le=10_000)]
    noise: Annotated[float, Field(ge=0)]
    random_state: Seed


def _unfit(expected: str, value: object, hint: str = "") -> ValueError:
    return ValueError(f"expected {expected}, got {_shown(value)}{hint}")


def _one_character(value: str) -> str:
    if len(value) != 1 or value.isalnum() or value in "\r\n\0.+-_\ufeff":
        raise _unfit("one character such as , or ;", value)
    return value


def _delimiter(value: str) -> str:
    return value if value == WHITESPACE else _one_character(value)


HEADER = TypeAdapter(Annotated[list[str], Field(min_length=1)])


def _line_or_names(value: object) -> object:
    if isinstance(value, list):
        return HEADER.validate_python(value, strict=True)
    if value is not True and value != COMMENTED:
        form = f"true, {COMMENTED} (behind a comment mark) or, for a file without one, [names]"
        raise _unfit(form, value)
    return value


def _row_or_names(value: object) -> object:
    if value == COMMENTED:
        raise _unfit("true or, for a sheet without names, [names]", value)
    return _line_or_names(value)


def _unit(value: str) -> str:
    if not value or value.strip() != value or re.search(r"[\d.,+\-\u2212]", value):
        raise _unfit("a sign such as % or $, without digits", value)
    return value


def _date_form(value: str) -> str:
    """How dates are written, as strptime says it."""
    found, rest = Counter(DIRECTIVE.findall(value)), DIRECTIVE.sub("", value)
    whole = all(sum(found[f"%{one}"] for one in of) == 1 for of in ("Yy", "mbB", "d"))
    if not whole or re.search("[^\\W_T]|%", rest):
        day, time = (
            "year, month and day once each, of %Y %y %m %b %B %d",
            "%H %I %p %M %S of a time",
        )
        raise _unfit(f"a form such as %d.%m.%Y or %m/%d/%Y %H:%M: {day}, and {time}", value)
    if max(found.values()) > 1 or found["%I"] != found["%p"] or (found["%I"] and found["%H"]):
        raise _unfit("each part once, and %I with %p, without %H", value)
    return value


class SetAside(Settings):
    """The share of all records that may be damaged: those are left out, and listed."""

    set_aside: Share


def _refuse_or_share(value: object) -> object:
    if isinstance(value, dict):
        return SetAside.model_validate(value)
    if value != "refuse" and not isinstance(value, SetAside):
        raise _unfit("refuse or {set_aside: a share such as 0.01}", value)
    return value


class Dialect(Settings):
    """How a CSV file is written. Nothing is stripped, skipped or filled unless it says so."""

    delimiter: Annotated[str, AfterValidator(_delimiter)] = ","
    quote: Annotated[str, AfterValidator(_one_character)] | None = '"'
    escape: Annotated[str, AfterValidator(_one_character)] | None = None
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"] = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'", "_", "\u2019", "\u00a0", "\u202f"] | None = None
    minus: Literal["-", "\u2212"] = "-"
    units: dict[str, Annotated[str, AfterValidator(_unit)]] = {}
    dates: dict[str, Annotated[str, AfterValidator(_date_form)]] = {}
    missing: list[str] = []
    quoted_missing: bool = True
    header: Annotated[Literal[True, "commented"] | list[str], BeforeValidator(_line_or_names)] = (
        True
    )
    row_names: bool = False
    comment: Annotated[str, Field(min_length=1)] | None = None
    skip_lines: Annotated[int, Field(ge=0)] = 0
    skip_after_header: Annotated[int, Field(ge=0)] = 0
    skip_blank_lines: bool = False
    strip_spaces: bool = False
    bad_records: Annotated[Literal["refuse"] | SetAside, BeforeValidator(_refuse_or_share)] = (
        "refuse"
    )

    @model_validator(mode="after")
    def _characters_differ(self) -> Self:
        signs = {self.quote, self.escape}
        if self.quote is None:  # in quotes, numbers may have the delimiter in them
            signs |= {self.decimal, self.thousands}
        if self.delimiter in signs:
            raise ValueError(
                f"delimiter: {_shown(self.delimiter)} is the quote, the escape or, without "
                "quotes, a sign of numbers, too"
            )
        if self.decimal == self.thousands:
            raise ValueError(f"thousands: {_shown(self.thousands)} is the decimal sign, too")
        if self.escape is not None and self.quote in (None, self.escape):
            raise ValueError("escape: expected quotes, of another character")
        return self

    @model_validator(mode="after")
    def _header_is_there(self) -> Self:
        if self.header == COMMENTED and self.comment is None:
            raise ValueError(f"header: {COMMENTED} needs comment: the mark that it stands behind")
        if self.header is not True and self.skip_after_header:
            raise ValueError("skip_after_header: needs header: true; else declare skip_lines")
        return self

    @property
    def names(self) -> list[str]:
        """The names of columns that are declared; none where a line of the file has them."""
        return self.header if isinstance(self.header, list) else []

    @property
    def bad_share(self) -> float:
        """The share of the records that may be set aside; 0 where none may."""
        return self.bad_records.set_aside if isinstance(self.bad_records, SetAside) else 0.0

    @property
    def headed(self) -> bool:
        """Whether a line of the file has the names."""
        return not self.names

    def pointed(self, cells: Sequence[str], column: str = "") -> Sequence[str]:
        """Cells of a column as Python writes numbers; what is none here is none then."""
        unit = self.units.get(column, "")
        return pointed(cells, self.decimal, self.thousands or "", self.minus, unit)


class Table(Settings):
    """What has to be known of a file that is no CSV.

    Attributes
    ----------
    sheet : str or None
        Of a workbook; its only one unless told.
    skip_lines : int
        Rows of the sheet above the header.
    header : True or list of str
        The names, where no row of the sheet has them.
    row_names : bool
        Whether the column in front of those that have names has the names of the rows: left out.
    labels : list of str
        Columns of a file of SPSS or Stata of which the labels are the values.
    missing : list of str
        Texts that are no value, and `nan` among numbers.
    """

    sheet: str | None = None
    skip_lines: Annotated[int, Field(ge=0)] = 0
    header: Annotated[Literal[True] | list[str], BeforeValidator(_row_or_names)] = True
    row_names: bool = False
    labels: list[str] = []
    missing: list[str] = []


class RandomFeatures(Settings):
    """So many features, drawn by `seed`."""

    random: Annotated[int, Field(ge=1)]


def _all_or_drawn(value: object) -> object:
    if isinstance(value, dict):
        return RandomFeatures.model_validate(value)
    if value != "all":
        raise _unfit("all or {random: how many}", value)
    return value


class Goal(Settings):
    """A recall that the decision threshold must reach on held-out training rows."""

    recall: str
    at_least: Share


def _probability_or_goal(value: object) -> object:
    if isinstance(value, dict):
        return Goal.model_validate(value)
    if not (isinstance(value, float) and 0 < value < 1):
        form = "a probability between 0 and 1, or {recall: a class, at_least: a share}"
        raise _unfit(form, value)
    return value


def _printable(value: str) -> str:
    if value.strip() != value or not value.isprintable():
        raise _unfit("a name without blanks around it, on one line", value)
    return value


ClassName = Annotated[str, Field(min_length=1), AfterValidator(_printable)]


def _source(value: str) -> str:
    if value != GENERATOR and not SOURCE.fullmatch(value):
        known = ", ".join(f"NAME.{end}" for end in CSV_ENDS[1:] + TABLE_ENDS)
        form = f"data/raw/NAME.csv, {known} or, with make_regression, {GENERATOR}"
        raise _unfit(form, value)
    return value


class Ingest(Settings):
    """Where the rows of a dataset come from: a file, or scikit-learn's generator.

    Attributes
    ----------
    source : str
        The file, relative to dvc.yaml; of generated rows the code that makes them.
    csv : Dialect
        How a CSV file is written.
    table : Table
        What has to be known of a file of another kind.
    make_regression : MakeRegression or None
        The arguments of the generator.
    mute : list of str
        Warnings about the data that validate and split only count: what is known to be all right.
    """

    source: Annotated[str, AfterValidator(_source)]
    csv: Dialect = Dialect()
    table: Table = Table()
    make_regression: MakeRegression | None = None
    mute: list[Kind] = []

    @property
    def path(self) -> Path:
        """The source as a path."""
        return Path(self.source)

    @property
    def is_csv(self) -> bool:
        """Whether `csv` says how the file is written."""
        return self.source.endswith(tuple(f".{end}" for end in CSV_ENDS))

    @property
    def unit(self) -> str:
        """What the rows of the file are counted in."""
        return "line" if self.is_csv or self.source.endswith(".arff") else "row"

    @model_validator(mode="after")
    def _one_block(self) -> Self:
        blocks = {"csv": self.csv, "table": self.table}
        declared = {key: one.model_dump(exclude_defaults=True) for key, one in blocks.items()}
        wrong, right = ("table", "csv") if self.is_csv else ("csv", "table")
        if declared[wrong] and self.source != GENERATOR:
            raise ValueError(f"{wrong}: says nothing of {self.source}; {right} does")
        sheet = declared["table"].keys() - {"missing", "labels"}
        if sheet and not self.source.endswith(tuple(f".{end}" for end in WORKBOOK_ENDS)):
            raise ValueError(f"table: {', '.join(sorted(sheet))} go with a workbook alone")
        if self.table.labels and not self.source.endswith(tuple(f".{end}" for end in LABEL_ENDS)):
            raise ValueError("table: labels go with a file of SPSS or Stata alone")
        return self

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.make_regression is None) == (self.source == GENERATOR):
            raise ValueError(
                f"make_regression goes with source: {GENERATOR}, and a file with csv or table alone"
            )
        return self


class Order(Settings):
    """The categories of a column, from the least to the greatest."""

    order: Annotated[list[str], Field(min_length=2)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({*self.order}) < len(self.order):
            raise ValueError("order: a category stands twice")
        return self


DatePart = Literal["month", "weekday", "hour"]


class DateParts(Settings):
    """A column of dates, of which parts are categories besides."""

    date: Annotated[list[DatePart], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({*self.date}) < len(self.date):
            raise ValueError("date: a part stands twice")
        return self


def _kind_or_block(value: object) -> object:
    if isinstance(value, dict):
        return (DateParts if "date" in value else Order).model_validate(value)
    if value not in get_args(ColumnKind):
        form = "number, category, date, drop, {order: [from least, to greatest]} or {date: [month]}"
        raise _unfit(form, value)
    return value


ColumnKind = Literal["number", "category", "date", "drop"]


def is_date(kind: ColumnKind | Order | DateParts) -> bool:
    """Whether a column is one of dates."""
    return kind == "date" or isinstance(kind, DateParts)


class SplitRows(Settings):
    """Which rows are kept for testing, and which columns are features, of what kind.

    Attributes
    ----------
    columns : dict
        What the columns are that are no plain numbers, and those that are left out.
    rare : int
        Categories of fewer training rows than this share one feature; gaps of fewer have
        none of their own.
    gaps : str
        Whether missing values are filled, or rows that have any are left out.
    target_transform : str
        Whether the models of a regression learn the target, or its logarithm.
    """

    features: Annotated[Literal["all"] | RandomFeatures, BeforeValidator(_all_or_drawn)] = "all"
    test_size: Annotated[float, Field(ge=0, lt=1)] = 0.2
    columns: dict[
        str, Annotated[ColumnKind | Order | DateParts, BeforeValidator(_kind_or_block)]
    ] = {}
    rare: Annotated[int, Field(ge=1)] = RARE
    gaps: Literal["fill", "leave_out"] = "fill"
    target_transform: Literal["none", "log"] = "none"


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
    repeats : int or None
        How often its rows are cut into folds; `cross_validation.repeats` unless given.
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
        if task == "classification":
            if self.logged:
                raise ValueError("split.target_transform: log goes with task: regression only")
            _refuse_unfit_classes(judged)
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

    @property
    def of_models(self) -> dict[str, Value]:
        """The params that it gives its models, but for the trivial one."""
        return {TRANSFORM: "log"} if self.logged else {}

    @property
    def metrics(self) -> list[Metric]:
        """What its models may be judged by."""
        of_two = OF_TWO_CLASSES if self.evaluate.several else ()
        return [metric for metric in METRICS[self.task] if metric not in of_two]


def _refuse_unfit_classes(judged: Evaluate) -> None:
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


def _full_or_rows(value: object) -> object:
    if value == "full" or (type(value) is int and value >= 1):
        return value
    raise _unfit("full or a whole number from 1", value)


class Descent(Settings):
    """How the gradient trainers descend."""

    seed: Seed
    lr: Annotated[float, Field(gt=0)]
    epochs: Annotated[int, Field(ge=1, le=10**9)]
    batch_size: Annotated[Literal["full"] | int, BeforeValidator(_full_or_rows)]
    loss: Literal["mse", "mae"]
    optimizer: Literal["sgd", "momentum", "rmsprop", "adam"]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    init: Literal["zeros", "uniform"]
    loss_threshold: Annotated[float, Field(ge=0, lt=1)]
    tolerance: Annotated[float, Field(ge=0, lt=1)]
    device: Literal["cpu", "cuda"]
    class_weight: Literal["none", "balanced"]

    @classmethod
    def of(cls, **params: Any) -> "Descent":
        """The settings of a trainer, which may have no choice of loss, device or class weights.

        Whether the target is logged is none of them.

        Raises
        ------
        ValueError
            Names every param that is unknown, missing or impossible.
        """
        given = {k: v.item() if hasattr(v, "item") else v for k, v in params.items()}
        given.pop(TRANSFORM, None)
        try:
            return cls.model_validate(
                {"loss": "mse", "device": "cpu", "class_weight": "none"} | given
            )
        except ValidationError as error:
            raise ValueError(_problems(error, "")) from None


def params_of(trainer: str, settings: Descent) -> dict[str, Value]:
    """The part of the settings that reaches a trainer."""
    named = {name: getattr(settings, name) for name in TRAINERS[trainer].params}
    return {k: v for k, v in named.items() if k not in UNLESS_NAMED or v != UNLESS_NAMED[k]}


class CrossValidation(Settings):
    """How the rows are cut; below 30 rows every row is its own fold."""

    folds: Annotated[int, Field(ge=2, le=1000)]
    repeats: Repeats
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


def _asked_for(name: str) -> str:
    if name not in ASKED_FOR:
        raise _unfit(f"one of {', '.join(ASKED_FOR)}", name, nearest(name, ASKED_FOR))
    return name


TrainerName = Annotated[str, AfterValidator(_asked_for)]


class ModelLine(Settings):
    """A line under `models`: a dataset, a trainer and, of one that descends, params of its own."""

    model_config = ConfigDict(extra="allow")

    dataset: Name
    trainer: TrainerName

    @property
    def own(self) -> dict[str, Any]:
        """The params that it does not take from the top of params.yaml."""
        return self.model_extra or {}


class Models(Settings):
    """The models to train, by DATASET-NAME: those that are solved directly, and those that descend.

    They stand apart because DVC retrains the second alone when a param of theirs changes.
    """

    direct: dict[ModelKey, ModelLine]
    gradient: dict[ModelKey, ModelLine]

    @property
    def lines(self) -> dict[str, ModelLine]:
        """All of them, by DATASET-NAME."""
        return self.direct | self.gradient


class Wanted(NamedTuple):
    """A model that is to be trained.

    Attributes
    ----------
    name : str
        Its name within its dataset.
    trainer : str
        A key of TRAINERS.
    params : dict
        The params that reach the trainer, and no others.
    """

    name: str
    trainer: str
    params: dict[str, Value]


class Params(Descent):
    """All of params.yaml."""

    cross_validation: CrossValidation
    intervals: Intervals
    verdict: VerdictRule
    report: ReportSettings
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    models: Models

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        for name in NAMES_TAKEN:
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

    def descent(self, line: ModelLine) -> Descent:
        """The top-level settings, with what a model's line sets for itself."""
        top = {key: getattr(self, key) for key in Descent.model_fields}
        return Descent.model_validate(top | line.own)

    def models_of(self, dataset: str) -> dict[str, Wanted]:
        """The models of a dataset by name: its own, then the reference model and the baseline.

        Raises
        ------
        PipelineError
            When params.yaml does not know the dataset.
        """
        return self.own_models_of(dataset) | self.measures_of(dataset)

    def measures_of(self, dataset: str) -> dict[str, Wanted]:
        """The reference model and the baseline of a dataset, by name.

        Raises
        ------
        PipelineError
            When params.yaml does not know the dataset.
        """
        names = measures(self.dataset(dataset).task)
        return {name: self._wanted(dataset, name, name, {}) for name in names}

    def own_models_of(self, dataset: str) -> dict[str, Wanted]:
        """The models that have a line for a dataset, by name."""
        found = {}
        for key, line in self.models.lines.items():
            if line.dataset == dataset:
                name, settings = key.partition("-")[2], self.descent(line)
                of_line = params_of(line.trainer, settings)
                found[name] = self._wanted(dataset, name, line.trainer, of_line)
        return found

    def _wanted(self, dataset: str, name: str, trainer: str, of_line: dict[str, Value]) -> Wanted:
        given = self.dataset(dataset).of_models if TRAINERS[trainer].transforms else {}
        return Wanted(name, trainer, of_line | given)

    def model_of(self, dataset: str, name: str) -> Wanted:
        """One model of a dataset.

        Raises
        ------
        PipelineError
            When the dataset has no model of this name.
        """
        models = self.models_of(dataset)
        if name not in models:
            raise PipelineError(
                f"{name!r} is no model of {dataset}{nearest(name, models)}; "
                f"{layout.PARAMS}: models has {', '.join(models)} of it"
            )
        return models[name]


Form = TypeVar("Form", bound=Settings)


def load_params() -> Params:
    """Read and check params.yaml.

    Raises
    ------
    PipelineError
        Names every key that is unknown, missing or impossible, all at once.
    """
    return parse_params(_text(), str(layout.PARAMS))


def declared_dialect(file: Path) -> tuple[str, Dialect, Table]:
    """Whose file it is, and how it is written; the rest of params.yaml may be missing or wrong.

    Returns
    -------
    dataset : str
        The one of which the file is `ingest.source`; the first word of its name where it is none's.
    dialect : Dialect
        Of a CSV file.
    table : Table
        Of another.

    Raises
    ------
    PipelineError
        Names every key of these blocks that is unknown or impossible.
    """
    content = _parse_yaml(_text(), str(layout.PARAMS)) if layout.PARAMS.exists() else {}
    dataset, ingest = file.name.partition(".")[0], dict[str, Any]()
    for name, block in _mapping(content, "datasets").items():
        given = _mapping(block, "ingest")
        source = given.get("source")
        if isinstance(source, str) and Path(source).absolute() == file.absolute():
            dataset, ingest = name, given
    return dataset, _block(Dialect, ingest, dataset, "csv"), _block(Table, ingest, dataset, "table")


def _block(form: type[Form], ingest: dict[str, Any], dataset: str, key: str) -> Form:
    try:
        return form.model_validate(ingest.get(key, {}))
    except ValidationError as error:
        block = ("datasets", dataset, "ingest", key)
        raise PipelineError(_problems(error, f"{layout.PARAMS}: ", block)) from None


def _mapping(content: Any, key: str) -> dict[str, Any]:
    """The mapping under a key; an empty one where there is none."""
    found = content.get(key) if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


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
    content = _parse_yaml(text, file)
    if moved := _of_before(content):
        raise PipelineError(where + moved)
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise PipelineError(_problems(error, where)) from None
    problems = [
        f"{where}models.{group}.{problem}"
        for group, lines in params.models
        for key, line in lines.items()
        for problem in _misfits(group, key, line, params)
    ]
    if problems:
        raise PipelineError(listed(problems))
    return params


def _misfits(group: str, key: str, line: ModelLine, params: Params) -> Iterator[str]:
    """What is wrong with a model's line, beside the form of its values."""
    trainer, (dataset, _, name) = TRAINERS[line.trainer], key.partition("-")
    settings = params.datasets.get(line.dataset)
    if line.dataset in params.datasets and dataset != line.dataset:
        yield f"{key}: expected a key that begins with {line.dataset}-, the dataset of the line"
    if group == "gradient" and key in params.models.direct:
        yield f"{key}: stands under models.direct, too; rename one"
    if name in TAKEN:
        yield f"{key}: {name} means something else; give the model another name"
    if settings is None:
        hint = nearest(line.dataset, params.datasets)
        yield f"{key}.dataset: there is no {line.dataset} under datasets{hint}; add it"
    elif problem := cannot_do(line.trainer, settings):
        yield f"{key}.trainer: {problem} of {line.dataset}"
    own_group = "gradient" if trainer.params else "direct"
    if group != own_group:
        yield f"{key}: {line.trainer} belongs under models.{own_group}; move the line there"
        return
    for param in line.own:
        if param not in trainer.params:
            hint, taken = nearest(param, trainer.params), ", ".join(trainer.params) or "no params"
            yield f"{key}.{param}: unknown key{hint}; {line.trainer} takes {taken}"
    try:
        params.descent(line)
    except ValidationError as error:
        found = error.errors()
        yield from (_problem(one, f"{key}.") for one in found if one["loc"][0] in trainer.params)


def cannot_do(trainer: str, settings: Dataset) -> str:
    """That a trainer is of another task, or of another number of classes; or nothing."""
    one, several = TRAINERS[trainer], settings.evaluate.several
    if one.task != settings.task:
        return f"{trainer} cannot do task: {settings.task}"
    if one.classes not in (None, "several" if several else "two"):
        rather = next(n for n in ASKED_FOR if TRAINERS[n].classes not in (None, one.classes))
        count = len(settings.evaluate.classes or [])
        return f"{trainer} is not for the {count} classes (take {rather})"
    return ""


def _of_before(content: Any) -> str:
    """What to move where in a params.yaml that was written before `models` was there, or nothing.

    Of version 0.1: a dataset had its trainers, descent, csv and metric beside each other.
    """
    blocks = _mapping(content, "datasets").values()
    if not any(isinstance(one, dict) and {"trainers", "descent"} & one.keys() for one in blocks):
        return ""
    return (
        "is of version 0.1; a dataset's keys have moved into blocks named after the stage that "
        "reads them: csv and make_regression to ingest, beside source: data/raw/NAME.csv; features "
        "and test_size to split; metric, classes, positive and threshold to evaluate; each of its "
        "trainers is a line DATASET-TRAINER: {dataset: DATASET, trainer: TRAINER} under "
        "models.direct (pairwise_mean, closed_form) or models.gradient, where what stood in "
        "descent follows on the line; see the committed file: `git show HEAD:params.yaml`"
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing when no known word is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    if not close:
        return ""
    [meant] = close
    return f" (did you mean {meant if meant.strip() == meant else repr(meant)}?)"


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


def _problems(error: ValidationError, file: str, block: tuple[str, ...] = ()) -> str:
    """What pydantic found in params.yaml, or in a block of it."""
    return listed(_problem({**one, "loc": block + one["loc"]}, file) for one in error.errors())


def _problem(error: ErrorDetails, file: str) -> str:
    keys = [k if k.isprintable() else repr(k) for k in map(str, error["loc"]) if k != "[key]"]
    where = f"{file}{'.'.join(keys) or 'top level'}"
    match error["type"]:
        case "extra_forbidden":
            hint = nearest(keys[-1], _keys_beside(keys))
            return f"{where}: unknown key{hint}; remove or rename it"
        case "missing":
            none = "; where there is none, write {}" if keys[-1] in Models.model_fields else ""
            return f"{where}: is missing{none}"
        case "value_error":
            return f"{file if not keys else f'{where}: '}{error['ctx']['error']}"
        case "model_type" | "dict_type":
            none = "; where there is none, write {}" if error["input"] is None else ""
            return f"{where}: expected keys and values, got {_shown(error['input'])}{none}"
        case "string_pattern_mismatch" | "invalid_key":
            form = "DATASET-NAME, each" if keys[:1] == ["models"] else "a name"
            return f"{where}: expected {form} of a-z, 0-9 and _, with a letter at the beginning"
        case _:
            expected = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
            return f"{where}: expected {expected}, got {_shown(error['input'])}"


def _keys_beside(keys: Sequence[str]) -> Iterable[str]:
    """The keys allowed where an unknown one was found."""
    block: type[Settings] = Params
    for key in keys[:-1]:
        if key in block.model_fields:
            block = next(_blocks(block.model_fields[key].annotation), block)
    return block.model_fields


def _blocks(form: Any) -> Iterator[type[Settings]]:
    """The blocks of settings of which a type is made, as `dict[Name, Dataset]` is of Dataset."""
    if isinstance(form, type) and issubclass(form, Settings):
        yield form
    for part in get_args(form):
        yield from _blocks(part)


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
        if not text.isprintable():  # a line break of Unicode, say
            text = json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        text = "a nested value"
    return text if len(text) <= 60 else text[:57] + "..."
