"""Everything on disk about one dataset, read once."""

import csv
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import (
    Evaluated,
    Judged,
    Verdict,
    read_evaluated,
    read_warnings,
)
from pipeline.core.artifacts.models import Model, read_history, read_models
from pipeline.core.artifacts.splits import Split, read_split
from pipeline.core.artifacts.validated import Validated
from pipeline.core.checked_inputs import refuse_altered
from pipeline.core.errors import PipelineError
from pipeline.core.escape import escape_formula
from pipeline.core.files import damaged, md5, missing, read_as
from pipeline.core.numbers import is_number
from pipeline.core.params import Params
from pipeline.core.tables import Array, read_table

Columns = dict[str, NDArray[Any]]
# The files of metrics/plots/DATASET that the pictures need, and their columns. Every dataset has
# them all; of what its task does not have there is the header alone.
PLOTS = {
    "predictions": ("trainer", "actual", "predicted"),
    "residuals": ("trainer", "predicted", "residual"),
    "confusion": ("trainer", "actual", "predicted", "rows"),
    "roc": ("trainer", "false_positive_rate", "true_positive_rate"),
    "pr": ("trainer", "recall", "precision"),
    "calibration": ("trainer", "predicted", "observed", "low", "high"),
}


@dataclass(frozen=True)
class Gathered(Split):
    """What the report shows of one dataset: the rows, split, and what was found.

    Attributes
    ----------
    name : str
        Of the dataset.
    evaluated : Evaluated
        Scores, coefficients and audits of every model.
    verdict : Verdict
        The best trainer, and what it was compared with.
    columns : int
        Columns of the ingested table; `features` are those that the models use.
    checks : dict
        By column: its type, and what `validate` checked.
    warnings : list of str
        Of `validate`, `split` and `evaluate`.
    histories : dict
        Epoch and training loss, shape (n, 2), of the trainers that descend.
    plots : dict
        The columns of each file of PLOTS, each of shape (n,): names as text, all others as numbers.
    hashes : dict
        MD5 of each file that the models come from, by path.
    """

    name: str
    evaluated: Evaluated
    verdict: Verdict
    columns: int
    checks: dict[str, list[str]]
    warnings: list[str]
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

    def by_model(self, plot: str) -> dict[str, Columns]:
        """The rows of a plot by model, in the order of `judged`; none where it has none."""
        columns = self.plots[plot]
        trainers = columns["trainer"]
        return {
            name: {key: column[trainers == name] for key, column in columns.items()}
            for name in self.judged
            if name in trainers
        }

    def score(self, model: str, key: str) -> tuple[float | None, float | None, float | None]:
        """A score with its interval.

        Parameters
        ----------
        model : str
            A key of `judged`.
        key : str
            As evaluate names it: cv_mse, test_accuracy.

        Returns
        -------
        value, low, high : float or None
            None for what there is not.
        """
        scores = self.judged[model].scores
        return scores.get(key), scores.get(f"{key}_low"), scores.get(f"{key}_high")


def gather(dataset: str, params: Params, verdicts: dict[str, Verdict]) -> Gathered:
    """Read what the stages left of one dataset.

    Parameters
    ----------
    dataset : str
        A key of `datasets` in params.yaml.
    verdicts : dict
        The verdict of every dataset, by name.

    Raises
    ------
    PipelineError
        When a file is missing or damaged, or the files do not fit together.
    """
    settings, evaluated = params.dataset(dataset), read_evaluated(dataset)
    verdict = _verdict(dataset, verdicts)
    table = read_table(layout.ingested(dataset))
    split = read_split(dataset, settings.target, table)
    trained_on = md5(layout.split_part(dataset, "train"))
    models = read_models(dataset, params.models_of(dataset), split.features, trained_on)
    plots = {
        name: read_columns(layout.plot(dataset, name), columns, texts_of(name))
        for name, columns in PLOTS.items()
    }
    _refuse_strangers(dataset, evaluated, verdict, models, plots)
    return Gathered(
        **vars(split),
        name=dataset,
        evaluated=evaluated,
        verdict=verdict,
        columns=table.num_columns,
        checks=read_as(layout.validated(dataset), Validated).checks,
        warnings=read_warnings(dataset, evaluated),
        models=models,
        histories=_histories(dataset, models),
        plots=plots,
        hashes={path.as_posix(): md5(path) for path in _sources(dataset, models)},
    )


def texts_of(plot: str) -> tuple[str, ...]:
    """The columns of a file of metrics/plots that are names; all others are numbers."""
    return ("trainer", "actual", "predicted") if plot == "confusion" else ("trainer",)


def read_columns(path: Path, needed: Iterable[str], texts: Container[str]) -> Columns:
    """A CSV file by column, each of shape (n_rows,).

    Parameters
    ----------
    needed : iterable of str
        Columns that must be there.
    texts : container of str
        Columns that are text; all others are finite numbers.

    Raises
    ------
    PipelineError
        When the file is missing, altered or damaged; names the column and the cell.
    """
    refuse_altered(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
        header, *rows = csv.reader(text.splitlines(keepends=True))
        columns = zip(*rows, strict=True) if rows else ([] for _ in header)
        found = dict(zip(header, columns, strict=True))
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError, csv.Error) as error:
        raise damaged(path, str(error)) from None
    absent = [name for name in needed if name not in found]
    if absent:
        raise damaged(path, f"column {absent[0]} is missing")
    if not text.endswith("\n"):
        raise damaged(path, "its last line is cut off")
    for name, cells in found.items():
        bad = [cell for cell in cells if name not in texts and not is_number(cell)]
        if bad:
            raise damaged(path, f"column {name}: {bad[0]!r} is no number")
    return {k: np.array(cells, dtype=str if k in texts else float) for k, cells in found.items()}


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
        **{layout.plot(dataset, name): plot["trainer"].tolist() for name, plot in plots.items()},
    }
    for path, known in named.items():
        for name in (verdict.best, *models):
            if known and name not in known:  # of one class there are no curves
                raise PipelineError(f"{path}: has nothing of {name}; run `dvc repro`")
    words = {*evaluated.judged, *map(escape_formula, evaluated.classes or [])}
    for name, plot in plots.items():
        for column in texts_of(name):
            strange = {*plot[column].tolist()} - words
            if strange:
                path = layout.plot(dataset, name)
                raise damaged(path, f"column {column}: {min(strange)!r} is no name of this dataset")


def _histories(dataset: str, models: Mapping[str, Model]) -> dict[str, Array]:
    """The losses of the trainers that take steps: those with a learning rate."""
    descending = [name for name, model in models.items() if "lr" in model.params]
    return {name: read_history(layout.history(dataset, name)) for name in descending}


def _sources(dataset: str, models: Iterable[Any]) -> list[Path]:
    parts = (layout.split_part(dataset, part) for part in ("train", "test"))
    return [
        layout.ingested(dataset),
        *parts,
        layout.scaler(dataset),
        layout.split_rows(dataset),
        *(layout.model(dataset, name) for name in models),
    ]
