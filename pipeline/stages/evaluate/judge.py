"""One model, judged in all ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.params import REFERENCES, Dataset, Intervals, ModelName, Params
from pipeline.core.tables import Array
from pipeline.judged import Judged, Role, Scheme
from pipeline.models import Model, Value
from pipeline.stages.evaluate.coefficients import coefficients
from pipeline.stages.evaluate.cross_validation import (
    FEW,
    Fold,
    Held,
    choose_threshold,
    cross_validate,
    folds,
)
from pipeline.stages.evaluate.scores import (
    Folds,
    Part,
    cross_validated,
    fold_scores,
    judged_scores,
)


@dataclass(frozen=True)
class Rows:
    """All rows of a dataset, in its own units, and what became of them.

    Attributes
    ----------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    train, test : ndarray of int
        Which rows trained, and which did not.
    mean, scale : ndarray of shape (n_features,)
        By which the models' features are standardized.
    """

    features: Sequence[str]
    X: Array
    y: Array
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    mean: Array
    scale: Array

    def part(self, rows: NDArray[np.int64]) -> Part:
        """Some rows as the models see them: standardized features, and the target."""
        return (self.X[rows] - self.mean) / self.scale, self.y[rows]


class Judge:
    """Rows cut into folds: the same for every model."""

    def __init__(self, rows: Rows, settings: Dataset, params: Params) -> None:
        self.rows, self.settings = rows, settings
        self.intervals: Intervals = params.intervals
        cut, n = params.cross_validation, len(rows.y)
        self.cuts: list[Fold] = folds(rows.y, settings.task, cut)
        few = n < FEW
        self.scheme = Scheme(
            leave_one_out=few,
            folds=n if few else cut.folds,
            repeats=1 if few else cut.repeats,
            seed=cut.seed,
            rows=n,
        )
        if few and settings.metric == "roc_auc":
            raise PipelineError(
                f"{layout.PARAMS}: metric: {n} rows are held out one by one, and one row has no "
                "roc_auc; take log_loss"
            )

    def model(self, name: ModelName, model: Model) -> Judged:
        """Judge a trained model: by folds, on the test rows, and by how its weights vary."""
        rows, settings = self.rows, self.settings
        held, by_fold = self._held(name, model.params, rows.X)
        threshold = None
        if settings.threshold is not None:
            X, y = rows.X[rows.train], rows.y[rows.train]
            threshold = choose_threshold(
                settings.threshold, name, model.params, X, y, settings.classes or []
            )
        train, test = rows.part(rows.train), rows.part(rows.test)
        scores = judged_scores(model, settings, train, test, threshold, self.intervals)
        return Judged(
            role=_role(name, settings),
            trainer=name,
            params=model.params,
            threshold=threshold,
            scores=scores | self._scores(held, by_fold),
            folds=by_fold,
            coefficients=coefficients(
                model, rows.features, rows.scale, held, len(rows.train), self.intervals.confidence
            ),
        )

    def champion(self, name: ModelName, params: Mapping[str, Value], X: Array) -> Judged:
        """Judge a trainer by folds alone, on features of its own."""
        held, by_fold = self._held(name, params, X)
        return Judged(
            role="champion",
            trainer=name,
            params=dict(params),
            threshold=None,
            scores=self._scores(held, by_fold),
            folds=by_fold,
            coefficients=[],
        )

    def _held(
        self, name: ModelName, params: Mapping[str, Value], X: Array
    ) -> tuple[list[Held], Folds]:
        settings = self.settings
        held = cross_validate(
            name, params, X, self.rows.y, self.cuts, settings.threshold, settings.classes or []
        )
        return held, fold_scores(held, self.rows.y, settings)

    def _scores(self, held: list[Held], by_fold: Folds) -> dict[str, float | None]:
        sure = self.intervals.confidence
        return cross_validated(by_fold, held, self.rows.y, self.scheme, self.settings, sure)


def _role(name: ModelName, settings: Dataset) -> Role:
    trivial, counterpart = REFERENCES[settings.task]
    return "baseline" if name == trivial else "reference" if name == counterpart else "trainer"
