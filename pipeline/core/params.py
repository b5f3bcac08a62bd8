"""params.yaml as typed, checked settings: the one reader for all stages."""

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.core import layout
from pipeline.core.dialect import Dialect, Table
from pipeline.core.errors import PipelineError, listed
from pipeline.core.scikit_learn import of_line, unknown
from pipeline.core.settings.block import Name, Settings, fault, faults, unfit
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.descent import Descent, params_of
from pipeline.core.settings.evaluate import CrossValidation, Intervals
from pipeline.core.settings.models import ASKED_FOR, ModelLine, Models, Wanted, cannot_do
from pipeline.core.settings.network import Network, NetworkDescent, settings_form
from pipeline.core.settings.scikit_learn import EstimatorLine, Package
from pipeline.core.text import load_yaml, nearest
from pipeline.core.trainers import OF_TASK, TRAINERS, Value, measures

# Names of files beside those of a dataset.
NAMES_TAKEN = ("textbook", "champion", "verdict", "summary", "report")
# Names of a model that mean something else beside a dataset's models.
TAKEN = {"champion", "reference", "baseline"} | TRAINERS.keys() - ASKED_FOR
ADDRESS = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}")
# A number with an exponent and more digits than DVC is sure to keep.
LONG = re.compile(r"(?<![\w.+-])[-+]?\d[\d.]{9,}[eE][-+]?\d+(?![\w.])")
Form = TypeVar("Form", bound=Settings)


def _host_and_port(value: object) -> object:
    if isinstance(value, str) and (not value or ADDRESS.fullmatch(value)):
        return value
    raise unfit('HOST:PORT, or "" for Ray on this machine alone', value)


RayAddress = Annotated[str, BeforeValidator(_host_and_port)]


class VerdictRule(Settings):
    """By how much a trainer may be worse than the champion, as a share of the champion's score."""

    tolerance: Annotated[float, Field(ge=0, lt=1)]


class ReportSettings(Settings):
    """How the report is written."""

    language: Literal["en", "zh"]


class Params(Descent):
    """All of params.yaml."""

    engine: Literal["local", "ray"]
    ray_address: RayAddress
    network: Network
    packages: list[Package]
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
        """The top-level settings, of a network those of its block, with what its line sets."""
        top = {key: getattr(self, key) for key in Descent.model_fields}
        form = settings_form(line.trainer)
        if form is NetworkDescent:
            top |= self.network.model_dump()
        return form.model_validate(top | line.own)

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
                name = key.partition("-")[2]
                found[name] = self._wanted(dataset, name, line.trainer, self._given(line))
        return found

    def _given(self, line: ModelLine) -> dict[str, Value]:
        """The params of a model that its line, or else the top level, has."""
        if TRAINERS[line.trainer].form == "sklearn":
            own = EstimatorLine.model_validate(line.own)
            return of_line(own.estimator, own.params)
        return params_of(line.trainer, self.descent(line), self.dataset(line.dataset).task)

    def _wanted(self, dataset: str, name: str, trainer: str, given: dict[str, Value]) -> Wanted:
        of_dataset = self.dataset(dataset).of_models if TRAINERS[trainer].transforms else {}
        return Wanted(name, trainer, given | of_dataset)

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
        raise PipelineError(faults(error, Params, f"{layout.PARAMS}: ", block)) from None


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
        raise PipelineError(faults(error, Params, where)) from None
    problems = [
        *_rewritten(text, file, params),
        *(
            f"{where}models.{group}.{problem}"
            for group, lines in params.models
            for key, line in lines.items()
            for problem in _misfits(group, key, line, params)
        ),
    ]
    if problems:
        raise PipelineError(listed(problems))
    return params


def _rewritten(text: str, file: str, params: Params) -> Iterator[str]:
    """Numbers that DVC changes whenever it writes them anew, so that it never finds them as before.

    ruamel keeps mantissa and exponent, and multiplies: 5.551115123125783e-17 ends in 2 then.
    """
    for found in LONG.finditer(text):
        number = found[0]
        if _by_dvc(number) == float(number) or f"{float(number)!r}" not in repr(params):
            continue  # or a comment has it
        fewer = (f"{float(number):.{digits}g}" for digits in range(15, 0, -1))
        better = next(one for one in fewer if _by_dvc(one) == float(one))
        yield (
            f"{file}, line {text.count(chr(10), 0, found.start()) + 1}: {number} becomes "
            f"{_by_dvc(number)!r} when DVC rewrites it, and its stage would never be up to date; "
            f"write {better}"
        )


def _by_dvc(number: str) -> float:
    writer, written = YAML(typ="rt"), StringIO()
    writer.dump(writer.load(f"- {number}"), written)
    return float(written.getvalue().removeprefix("- "))


def _misfits(group: str, key: str, line: ModelLine, params: Params) -> Iterator[str]:
    """What is wrong with a model's line, beside the form of its values."""
    trainer, (dataset, _, name) = TRAINERS[line.trainer], key.partition("-")
    settings = params.datasets.get(line.dataset)
    if line.dataset in params.datasets and dataset != line.dataset:
        yield f"{key}: expected a key that begins with {line.dataset}-, the dataset of the line"
    elsewhere = [other for other, lines in params.models if other < group and key in lines]
    if elsewhere:
        yield f"{key}: stands under models.{elsewhere[0]}, too; rename one"
    if name in TAKEN:
        yield f"{key}: {name} means something else; give the model another name"
    if settings is None:
        hint = nearest(line.dataset, params.datasets)
        yield f"{key}.dataset: there is no {line.dataset} under datasets{hint}; add it"
    elif problem := cannot_do(line.trainer, settings):
        yield f"{key}.trainer: {problem} of {line.dataset}"
    if group != trainer.group:
        yield f"{key}: {line.trainer} belongs under models.{trainer.group}; move the line there"
        return
    for param in line.own:
        if param not in trainer.params:
            hint, taken = nearest(param, trainer.params), ", ".join(trainer.params) or "no params"
            yield f"{key}.{param}: unknown key{hint}; {line.trainer} takes {taken}"
        elif settings and OF_TASK.get(param, settings.task) != settings.task:
            yield (
                f"{key}.{param}: is of task: {OF_TASK[param]} alone, and {line.dataset} is of "
                f"task: {settings.task}; remove it"
            )
    of_library = trainer.form == "sklearn"
    form = EstimatorLine if of_library else settings_form(line.trainer)
    try:
        if not of_library:
            params.descent(line)
        elif settings and (problem := _unknown(line, settings, params)):
            yield f"{key}.estimator: {problem}"
    except ValidationError as error:
        found = error.errors()
        yield from (fault(one, form, f"{key}.") for one in found if one["loc"][0] in trainer.params)


def _unknown(line: ModelLine, settings: Dataset, params: Params) -> str:
    own = EstimatorLine.model_validate(line.own)
    return unknown(own.estimator, settings.task, params.packages)


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
