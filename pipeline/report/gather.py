"""Everything on disk about one dataset, read once."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import (
    Coefficient,
    Evaluated,
    Judged,
    Verdict,
    read_evaluated,
    read_warnings,
)
from pipeline.core.artifacts.models import Model, read_history, read_models
from pipeline.core.artifacts.split_columns import SplitColumns, read_columns
from pipeline.core.artifacts.validated import Validated
from pipeline.core.checked_inputs import refuse_altered
from pipeline.core.errors import PipelineError
from pipeline.core.files import damaged, md5, missing, read_as
from pipeline.core.params import Params
from pipeline.core.preprocessing import thinned
from pipeline.core.tables import Array
from pipeline.core.text import escape_formula, is_number
from pipeline.core.trainers import logged
from pipeline.figures.canvas import short

Columns = dict[str, NDArray[Any]]
# The data of plots that the pictures need, and their columns. Every dataset has them all; of what
# its task does not have there is the header alone.
PLOTS = {
    "predictions": ("trainer", "actual", "predicted"),
    "residuals": ("trainer", "predicted", "residual"),
    "confusion": ("trainer", "actual", "predicted", "rows"),
    "roc": ("trainer", "class", "false_positive_rate", "true_positive_rate"),
    "pr": ("trainer", "class", "recall", "precision"),
    "calibration": ("trainer", "class", "predicted", "observed", "low", "high"),
}
TEXTS = {"trainer", "class"}  # columns of names; of `confusion` what is actual and predicted, too


@dataclass(frozen=True)
class Gathered(SplitColumns):
    """What the report shows of one dataset: its columns, split, and what was found.

    Attributes
    ----------
    evaluated : Evaluated
        Scores, coefficients and audits of every model.
    verdict : Verdict
        The best trainer, and what it was compared with.
    n_columns : int
        Columns of the ingested table; `features` are made of those that the models use.
    left_out : list of str
        Columns of which no feature is made.
    checks : dict
        By column: its type, and what `validate` checked.
    written : str
        How its file is written; empty of generated rows.
    gaps : int
        Cells of the file without a value.
    set_aside : int
        Damaged records of the file that are not among the rows.
    warnings : list of str
        Of `validate`, `split` and `evaluate`.
    histories : dict
        Epoch and training loss, shape (n, 2), of the trainers that descend.
    plots : dict
        The columns of each file of PLOTS, each of shape (n,): names as text, all others as numbers.
    hashes : dict
        MD5 of each file that the models come from, by path.
    """

    evaluated: Evaluated
    verdict: Verdict
    n_columns: int
    left_out: list[str]
    checks: dict[str, list[str]]
    written: str
    gaps: int
    set_aside: int
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
    def several(self) -> bool:
        """Whether there are more than two classes, none of them the positive one."""
        return len(self.evaluated.classes or []) > 2

    @property
    def weights(self) -> dict[str, list[Coefficient]]:
        """The weights of each model that has any but the baseline."""
        return {
            name: one.coefficients
            for name, one in self.judged.items()
            if one.coefficients and one.role != "baseline"
        }

    @property
    def judged_rows(self) -> NDArray[np.int64]:
        """The rows that each model is shown on: the test rows, or all."""
        return self.test if len(self.test) else self.train

    @cached_property
    def best_on_them(self) -> tuple[Array, Array]:
        """What they are, and what the best trainer predicts, for all of them."""
        model, found = self.models[self.best], self.standardized(self.held_out)
        return self.y[self.judged_rows], np.concatenate([model.predict(Z) for Z in found])

    @property
    def learned(self) -> str:
        """What is said behind losses and weights of a logged target: `, log(price)`."""
        of_log = logged(self.models[self.best].params)
        return f", log({short(self.evaluated.target, 12)})" if of_log else ""

    @property
    def cross_validated(self) -> str:
        """What the scores over the folds begin with."""
        return self.evaluated.scheme.held

    @property
    def folds_text(self) -> str:
        """The key of the text that says how the rows were cut into folds."""
        scheme = self.evaluated.scheme
        if scheme.leave_one_out:
            return "leave_one_out"
        if scheme.alone:
            return "test_alone"
        return "folds" if scheme.kept == "rows" else scheme.kept

    @property
    def compared_by(self) -> str:
        """The score that the verdict goes by: cv_mse."""
        return f"{self.cross_validated}_{self.verdict.metric}"

    @property
    def held_out(self) -> str:
        """What the scores of the rows begin with that each model is shown on."""
        return "test" if len(self.test) else "train"

    def by_model(self, plot: str, baseline: bool = True) -> dict[str, Columns]:
        """The rows of a plot by model, in the order of `judged`; none where it has none.

        Parameters
        ----------
        plot : str
            A key of PLOTS.
        baseline : bool, optional
            Whether that is shown; some of its curves are the dashed lines.
        """
        columns = self.plots[plot]
        trainers = columns["trainer"]
        return {
            name: {key: column[trainers == name] for key, column in columns.items()}
            for name, one in self.judged.items()
            if name in trainers and (baseline or one.role != "baseline")
        }

    def by_class(self, plot: str) -> dict[str, Columns]:
        """The rows that a plot has of the best trainer, by class; none where it has none."""
        rows = self.by_model(plot)[self.best]
        each = {
            name: rows["class"] == escape_formula(name) for name in self.evaluated.classes or []
        }
        return {
            name: {key: column[of_one] for key, column in rows.items()}
            for name, of_one in each.items()
            if of_one.any()
        }

    def points(self, plot: str, most: int, baseline: bool = True) -> dict[str, tuple[Array, Array]]:
        """By model: x and y of at most so many rows of a plot, both ends among them."""
        *_, x, y = PLOTS[plot]
        found = self.by_model(plot, baseline)
        some = {name: thinned(len(rows[x]), most) for name, rows in found.items()}
        return {name: (rows[x][some[name]], rows[y][some[name]]) for name, rows in found.items()}

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


def gather(dataset: str, params: Params, verdict: Verdict) -> Gathered:
    """Read what the stages left of one dataset.

    Parameters
    ----------
    dataset : str
        A key of `datasets` in params.yaml.
    verdict : Verdict
        On its models.

    Raises
    ------
    PipelineError
        When a file is missing or damaged, or the files do not fit together.
    """
    settings, evaluated = params.dataset(dataset), read_evaluated(dataset)
    split = read_columns(dataset, settings)
    names = split.schema.names
    trained_on = md5(layout.split_part(dataset, "train"))
    models = read_models(dataset, params.models_of(dataset), split.features, trained_on)
    validated = read_as(layout.validated(dataset), Validated)
    descending = [name for name, model in models.items() if "lr" in model.params]
    gathered = Gathered(
        **{one.name: getattr(split, one.name) for one in fields(split)},
        evaluated=evaluated,
        verdict=verdict,
        n_columns=len(names),
        left_out=[n for n in names if n not in {*split.encoding, settings.target}],
        checks=validated.checks,
        written=validated.written,
        gaps=sum(split.received(name).null_count for name in names),
        set_aside=validated.set_aside,
        warnings=read_warnings(dataset, evaluated),
        models=models,
        histories={name: read_history(layout.history(dataset, name)) for name in descending},
        plots={name: read_plot(dataset, name) for name in PLOTS},
        hashes={path.as_posix(): md5(path) for path in _sources(dataset, models)},
    )
    _refuse_strangers(gathered)
    return gathered


def texts_of(plot: str) -> tuple[str, ...]:
    """The columns of a plot's data that are names; all others are numbers."""
    names = TEXTS | ({"actual", "predicted"} if plot == "confusion" else set())
    return tuple(column for column in PLOTS[plot] if column in names)


def read_plot(dataset: str, plot: str) -> Columns:
    """The data of a plot by column, each of shape (n_rows,).

    Raises
    ------
    PipelineError
        When the file is missing, altered or damaged; names the column and the cell.
    """
    path, texts = layout.plot(dataset, plot), texts_of(plot)
    refuse_altered(path)
    try:
        text = path.read_bytes().decode()
        rows = csv.reader(text.splitlines(keepends=True))
        found = {name: cells for name, *cells in zip(*rows, strict=True)}
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError, csv.Error) as error:
        raise damaged(path, str(error)) from None
    absent = [name for name in PLOTS[plot] if name not in found]
    if absent:
        raise damaged(path, f"column {absent[0]} is missing")
    if not text.endswith("\n"):
        raise damaged(path, "its last line is cut off")
    for name, cells in found.items():
        bad = [cell for cell in cells if name not in texts and not is_number(cell)]
        if bad:
            raise damaged(path, f"column {name}: {bad[0]!r} is no number")
    return {k: np.array(cells, dtype=str if k in texts else float) for k, cells in found.items()}


def _refuse_strangers(d: Gathered) -> None:
    """Files of other runs, of which one names a model that another does not know."""
    paths = {name: layout.plot(d.dataset, name) for name in d.plots}
    named = {layout.evaluated(d.dataset): [*d.judged]}
    named |= {paths[name]: plot["trainer"].tolist() for name, plot in d.plots.items()}
    for path, known in named.items():
        for name in (d.best, *d.models):
            if known and name not in known:  # of one class there are no curves
                raise PipelineError(f"{path}: has nothing of {name}; run `dvc repro`")
    words = {*d.judged, *map(escape_formula, d.evaluated.classes or [])}
    for name, path in paths.items():
        for column in texts_of(name):
            strange = {*d.plots[name][column].tolist()} - words
            if strange:
                raise damaged(path, f"column {column}: {min(strange)!r} is no name of this dataset")


def _sources(dataset: str, models: Iterable[Any]) -> list[Path]:
    return [
        layout.ingested(dataset),
        layout.split_part(dataset, "train"),
        layout.split_part(dataset, "test"),
        layout.columns(dataset),
        layout.scaler(dataset),
        layout.split_rows(dataset),
        *(layout.model(dataset, name) for name in models),
    ]
