"""One model, judged in all ways."""

from collections.abc import Mapping

import numpy as np

from pipeline.core import layout
from pipeline.core.artifacts.champions import Champion
from pipeline.core.artifacts.evaluated import Judged, Scheme
from pipeline.core.artifacts.models import Model
from pipeline.core.artifacts.splits import Split
from pipeline.core.errors import PipelineError
from pipeline.core.params import Goal, Intervals, Params
from pipeline.core.tables import Array
from pipeline.core.trainers import TRAINERS, Value
from pipeline.evaluate.coefficients import coefficients
from pipeline.evaluate.cross_validation import (
    FEW,
    Fold,
    OutOfFold,
    choose_threshold,
    cross_validate,
    folds,
)
from pipeline.evaluate.scores import (
    Folds,
    cross_validated,
    fold_scores,
    judged_scores,
)


class Judge:
    """Rows cut into folds: the same for every model.

    Parameters
    ----------
    rows : Split
    dataset : str
        The name of its block in params.yaml.
    params : Params

    Raises
    ------
    PipelineError
        When there are more folds than rows, or each of a few rows would need an AUC of its own.
    """

    def __init__(self, rows: Split, dataset: str, params: Params) -> None:
        self.rows, self.settings = rows, params.dataset(dataset)
        self.intervals: Intervals = params.intervals
        settings = self.settings
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
        if few and settings.evaluate.metric == "roc_auc":
            raise PipelineError(
                f"{layout.PARAMS}: datasets.{dataset}.evaluate.metric: {n} rows are held out one "
                "by one, and one row has no roc_auc; take log_loss"
            )

    @np.errstate(over="ignore", invalid="ignore")  # judged where scores are rounded
    def model(self, model: Model) -> Judged:
        """Judge a trained model: by folds, on the test rows, and by how its weights vary.

        Raises
        ------
        PipelineError
            When a training in a fold fails, or a score is not finite.
        """
        rows, settings = self.rows, self.settings
        wanted = settings.evaluate.threshold
        if wanted is not None and TRAINERS[model.trainer].role == "baseline":
            wanted = 0.5  # the larger class, whatever recall is wanted
        held, by_fold = self._held(model.trainer, model.params, rows.X, wanted)
        threshold = None
        if wanted is not None:
            X, y = rows.X[rows.train], rows.y[rows.train]
            threshold = choose_threshold(
                wanted, model.trainer, model.params, X, y, settings.evaluate.classes or []
            )
        train, test = rows.part(rows.train), rows.part(rows.test)
        scores = judged_scores(model, settings, train, test, threshold, self.intervals)
        return Judged(
            role=TRAINERS[model.trainer].role,
            trainer=model.trainer,
            params=model.params,
            threshold=threshold,
            scores=scores | self._scores(held, by_fold),
            folds=by_fold,
            coefficients=coefficients(
                model, rows.features, rows.scale, held, len(rows.train), self.intervals.confidence
            ),
        )

    @np.errstate(over="ignore", invalid="ignore")
    def champion(self, champion: Champion, X: Array) -> Judged:
        """Judge the champion by folds alone, on features and with a threshold of its own.

        Parameters
        ----------
        champion : Champion
        X : ndarray of shape (n_rows, n_champion_features)
            The champion's features of all rows, in their own units.

        Raises
        ------
        PipelineError
            As `model`.
        """
        held, by_fold = self._held(champion.trainer, champion.params, X, champion.threshold)
        return Judged(
            role="champion",
            trainer=champion.trainer,
            params=champion.params,
            threshold=None,
            scores=self._scores(held, by_fold),
            folds=by_fold,
            coefficients=[],
        )

    def _held(
        self,
        trainer: str,
        params: Mapping[str, Value],
        X: Array,
        threshold: float | Goal | None,
    ) -> tuple[list[OutOfFold], Folds]:
        settings, y = self.settings, self.rows.y
        cuts = self.cuts
        baseline = TRAINERS[trainer].role == "baseline"
        if self.scheme.leave_one_out and baseline and settings.task == "classification":
            # Of two classes of n/2 rows the one that a row was taken from is the smaller: the
            # trivial model would always be wrong, and any noise better. It may see all rows.
            cuts = [(np.arange(len(y)), out) for _, out in cuts]
        classes = settings.evaluate.classes or []
        held = cross_validate(trainer, params, X, y, cuts, threshold, classes)
        return held, fold_scores(held, y, settings)

    def _scores(self, held: list[OutOfFold], by_fold: Folds) -> dict[str, float | None]:
        sure = self.intervals.confidence
        return cross_validated(by_fold, held, self.rows.y, self.scheme, self.settings, sure)
