"""Everything on disk about one dataset, read once."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.files import md5, missing, read_json
from pipeline.core.params import Dataset
from pipeline.core.tables import Array, read_table
from pipeline.judged import Evaluated, Judged, Verdict, read_evaluated
from pipeline.models import Model, read_model
from pipeline.splits import Split, read_split

Columns = dict[str, list[str]]
PLOTS = {
    "regression": ("predictions", "residuals"),
    "classification": ("confusion", "roc", "pr", "calibration"),
}


@dataclass(frozen=True)
class Gathered(Split):
    """What the report shows of one dataset: the rows, split, and what was found.

    Attributes
    ----------
    columns : int
        Columns of the ingested table; `features` are those that the models use.
    checks : dict
        By column: its type, and what `validate` checked.
    histories : dict
        Epoch and training loss, shape (n, 2), of the trainers that descend.
    plots : dict
        The columns of each file of metrics/plots.
    hashes : dict
        MD5 of each file that the models come from, by path.
    """

    name: str
    evaluated: Evaluated
    verdict: Verdict
    columns: int
    checks: dict[str, list[str]]
    models: dict[str, Model]
    histories: dict[str, Array]
    plots: dict[str, Columns]
    hashes: dict[str, str]

    @property
    def judged(self) -> dict[str, Judged]:
        """Every model, judged, the dataset's own trainers first."""
        return self.evaluated.judged

    @property
    def best(self) -> str:
        """The name of the best trainer."""
        return self.verdict.best

    @property
    def judged_rows(self) -> NDArray[np.int64]:
        """The rows that each model is shown on: the test rows, or all."""
        return self.test if len(self.test) else self.train

    @property
    def best_on_them(self) -> tuple[Array, Array]:
        """What they are, and what the best trainer predicts, for all of them."""
        X, y = self.part(self.judged_rows)
        return y, self.models[self.best].predict(X)

    @property
    def cross_validated(self) -> str:
        """What the scores over the folds begin with."""
        return "loo" if self.evaluated.scheme.leave_one_out else "cv"

    @property
    def held_out(self) -> str:
        """What the scores of the rows begin with that each model is shown on."""
        return "test" if len(self.test) else "train"

    def score(self, model: str, key: str) -> tuple[float | None, float | None, float | None]:
        """A score with its interval; None for what there is not."""
        scores = self.judged[model].scores
        return scores.get(key), scores.get(f"{key}_low"), scores.get(f"{key}_high")


def gather(dataset: str, settings: Dataset, verdicts: dict[str, Verdict]) -> Gathered:
    """Read what the stages left of one dataset.

    Raises
    ------
    PipelineError
        When a file is missing or damaged, or the files do not fit together.
    """
    evaluated = read_evaluated(dataset)
    verdict = _verdict(dataset, verdicts)
    table = read_table(layout.ingested(dataset))
    split = read_split(dataset, settings.target, table)
    models: dict[str, Model] = {
        name: read_model(layout.model(dataset, name), name, split.features)
        for name in settings.models
    }
    plots = {name: read_columns(layout.plot(dataset, name)) for name in PLOTS[settings.task]}
    _refuse_strangers(dataset, evaluated, verdict, models, plots)
    return Gathered(
        **vars(split),
        name=dataset,
        evaluated=evaluated,
        verdict=verdict,
        columns=table.num_columns,
        checks=read_json(layout.validated(dataset))["checks"],
        models=models,
        histories=_histories(dataset, models.values()),
        plots=plots,
        hashes={path.as_posix(): md5(path) for path in _sources(dataset, models)},
    )


def read_columns(path: Path) -> Columns:
    """A CSV file by column, as text."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        columns = zip(*rows, strict=True) if rows else ([] for _ in header)
        return {name: list(column) for name, column in zip(header, columns, strict=True)}
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError) as error:
        raise PipelineError(f"{path}: damaged: {error}; `dvc repro` makes it again") from None


def numbers(column: Iterable[str]) -> Array:
    """A column's numbers; nan where a cell is empty."""
    return np.array([float(cell) if cell else np.nan for cell in column])


def _verdict(dataset: str, verdicts: dict[str, Verdict]) -> Verdict:
    verdict = verdicts.get(dataset)
    if verdict is None:
        raise PipelineError(f"{layout.VERDICT}: says nothing of {dataset}; run `dvc repro`")
    return verdict


def _refuse_strangers(
    dataset: str,
    evaluated: Evaluated,
    verdict: Verdict,
    models: Iterable[str],
    plots: dict[str, Columns],
) -> None:
    """Files of other runs, of which one names a model that another does not know."""
    named = {
        layout.evaluated(dataset): list(evaluated.judged),
        **{layout.plot(dataset, name): _trainers(plot) for name, plot in plots.items()},
    }
    for path, known in named.items():
        for name in (verdict.best, *models):
            if known and name not in known:  # of one class there are no curves
                raise PipelineError(f"{path}: has nothing of {name}; run `dvc repro`")


def _trainers(plot: Columns) -> list[str]:
    return plot.get("trainer", list(plot))


def _histories(dataset: str, models: Iterable[Model]) -> dict[str, Array]:
    """The losses of the trainers that take steps: those with a learning rate."""
    descending = [model.trainer for model in models if "lr" in model.params]
    return {name: _history(layout.history(dataset, name)) for name in descending}


def _history(path: Path) -> Array:
    try:
        return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2, encoding="utf-8")
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError) as error:
        raise PipelineError(f"{path}: damaged: {error}; `dvc repro` makes it again") from None


def _sources(dataset: str, models: Iterable[Any]) -> list[Path]:
    parts = (layout.split_part(dataset, part) for part in ("train", "test"))
    return [
        layout.ingested(dataset),
        *parts,
        layout.scaler(dataset),
        layout.split_rows(dataset),
        *(layout.model(dataset, name) for name in models),
    ]
