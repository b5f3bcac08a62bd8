"""One model, judged in all ways, and how far its weights are determined."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from pipeline.core import layout
from pipeline.core.artifacts.champions import Champion
from pipeline.core.artifacts.evaluated import Coefficient, Judged, Scheme, Scores
from pipeline.core.artifacts.models import Model
from pipeline.core.artifacts.splits import Split
from pipeline.core.columns import Raw
from pipeline.core.errors import PipelineError
from pipeline.core.forms import digest
from pipeline.core.kept import Kept
from pipeline.core.params import Params
from pipeline.core.settings.evaluate import Goal
from pipeline.core.tables import Array
from pipeline.core.trainers import TRAINERS, Value
from pipeline.evaluate.cross_validation import OutOfFold, choose_threshold, cross_validate
from pipeline.evaluate.folds import FEW, Fold, cuts_of, folds
from pipeline.evaluate.scores import (
    Folds,
    compared_by,
    cross_validated,
    fold_scores,
    judged_scores,
    rounded,
)


class Judge:
    """Rows cut into folds: the same for every model.

    Parameters
    ----------
    rows : Split
    dataset : str
        The name of its block in params.yaml.
    params : Params
    repeats : int, optional
        How often the rows are cut; as params say unless given.

    Raises
    ------
    PipelineError
        When there are more folds than rows, or each of a few rows would need an AUC of its own.
    """

    def __init__(
        self, rows: Split, dataset: str, params: Params, repeats: int | None = None
    ) -> None:
        self.rows, self.settings = rows, params.dataset(dataset)
        self.intervals = params.intervals
        n, cut = len(rows.y), cuts_of(params, dataset)
        cut = cut.model_copy(update={"repeats": repeats or cut.times})
        self.cuts = folds(rows.y, self.settings.task, cut, kept=rows.kept)
        few = n < FEW and rows.kept is None
        used = cut.model_dump() | ({"folds": n, "repeats": 1} if few else {})
        if rows.kept is not None and self.cuts:
            used |= _of_kept(self.cuts, rows.kept)
        self.scheme = Scheme(leave_one_out=few, rows=n, **used)
        of_two = any(len(np.unique(rows.y[out])) > 1 for _, out in self.cuts)
        if rows.kept and self.settings.evaluate.metric == "roc_auc" and not of_two:
            raise PipelineError(
                f"{layout.PARAMS}: datasets.{dataset}.evaluate.metric: no fold holds out rows of "
                "two classes, and those of one have no roc_auc; take log_loss"
            )
        if few and self.settings.evaluate.metric == "roc_auc":
            raise PipelineError(
                f"{layout.PARAMS}: datasets.{dataset}.evaluate.metric: {n} rows are held out one "
                "by one, and one row has no roc_auc; take log_loss"
            )

    @np.errstate(over="ignore", invalid="ignore")  # judged where scores are rounded
    def model(self, model: Model) -> tuple[Judged, Array]:
        """Judge a trained model: by folds, on the test rows, and by how its weights vary.

        Returns
        -------
        Judged
        ndarray
            What it is compared with others by (`scores.compared_by`).

        Raises
        ------
        PipelineError
            When a training in a fold fails, or a score is not finite.
        """
        rows, settings = self.rows, self.settings
        wanted = settings.evaluate.threshold
        if wanted is not None and TRAINERS[model.trainer].role == "baseline":
            wanted = 0.5  # the larger class, whatever recall is wanted
        held, by_fold, of_folds, units = self._held(
            model.trainer, model.params, rows.raw, wanted, rows.features
        )
        raw, y = rows.raw[rows.train], rows.y[rows.train]
        threshold = choose_threshold(
            wanted,
            model.trainer,
            model.params,
            raw,
            y,
            settings.evaluate.classes or [],
            rows.kept and rows.kept.of(rows.train),
        )
        train, test = rows.part(rows.train), rows.part(rows.test)
        scores = judged_scores(
            model, settings, train, test, threshold, self.intervals, self.scheme.kept == "groups"
        )
        judged = Judged(
            role=TRAINERS[model.trainer].role,
            trainer=model.trainer,
            params=model.params,
            ending=model.ending,
            weights_sha256=digest(model.form),
            threshold=threshold,
            scores=scores | of_folds,
            folds=by_fold,
            coefficients=coefficients(
                model,
                rows.features,
                rows.scale,
                [] if self.scheme.kept == "moments" else held,
                len(rows.train),
                self.intervals.confidence,
                settings.evaluate.classes or [],
                self.scheme.groups,
            ),
        )
        return judged, units

    @np.errstate(over="ignore", invalid="ignore")
    def champion(self, champion: Champion, raw: Raw) -> tuple[Judged, Array]:
        """Judge the champion by folds alone, on columns and with a threshold of its own.

        Parameters
        ----------
        champion : Champion
        raw : Raw
            The champion's columns of all rows.

        Returns
        -------
        Judged
        ndarray
            As `model`.

        Raises
        ------
        PipelineError
            As `model`.
        """
        _, by_fold, scores, units = self._held(
            champion.trainer, champion.params, raw, champion.threshold
        )
        judged = Judged(
            role="champion",
            trainer=champion.trainer,
            params=champion.params,
            threshold=None,
            scores=scores,
            folds=by_fold,
            coefficients=[],
        )
        return judged, units

    def _held(
        self,
        trainer: str,
        params: Mapping[str, Value],
        raw: Raw,
        threshold: float | Goal | None,
        features: Sequence[str] = (),
    ) -> tuple[list[OutOfFold], Folds, Scores, Array]:
        settings, y = self.settings, self.rows.y
        cuts = self.cuts
        baseline = TRAINERS[trainer].role == "baseline"
        apart = self.scheme.leave_one_out or self.scheme.kept == "groups"
        if apart and baseline and settings.task == "classification":
            # Of two classes of n/2 rows the one that a row, or a group of its class, was taken from
            # is the smaller: the trivial model would always be wrong, and any noise better. It may
            # see all rows.
            cuts = [(np.arange(len(y)), out) for _, out in cuts]
        classes = settings.evaluate.classes or []
        held = cross_validate(
            trainer, params, raw, y, cuts, threshold, classes, features, self.rows.kept
        )
        by_fold, sure = fold_scores(held, y, settings), self.intervals.confidence
        scores = cross_validated(by_fold, held, y, self.scheme, settings, sure)
        return held, by_fold, scores, compared_by(by_fold, held, y, self.scheme, settings)


def _of_kept(cuts: Sequence[Fold], kept: Kept) -> dict[str, Any]:
    """What `Scheme` has of folds that keep rows together."""
    repeats = sum(cuts[0][1][0] in out for _, out in cuts)
    return {
        "repeats": repeats,
        "folds": round(len(cuts) / repeats),
        "kept": kept.kind,
        "share": float(f"{np.mean([len(out) / len(train) for train, out in cuts]):.10g}"),
        "groups": int(kept.codes.max()) + 1 if kept.kind == "groups" else None,
    }


def coefficients(
    model: Model,
    features: Sequence[str],
    scale: Array,
    held: Sequence[OutOfFold],
    n_train: int,
    confidence: float,
    classes: Sequence[str] = (),
    groups: int | None = None,
) -> list[Coefficient]:
    """The model's weights on standardized features, each with its interval.

    The models of the folds serve as a delete-d jackknife: with r rows training and d held out, the
    variance of a weight is r / d times its variance over the folds (Shao and Wu, A general theory
    for jackknife variance estimation, Annals of Statistics 17, 1989). The interval is Student's,
    with one degree of freedom less than there are rows, or folds; it holds for any trainer, early
    stops and penalties included, and is about what this trainer would learn from other rows.

    Parameters
    ----------
    model : Model
    features : sequence of str
        The names of its features.
    scale : ndarray of shape (n_features,)
        Of the training rows: the folds' weights are on features in their own units.
    held : sequence of OutOfFold
        The models of the folds; below two of them no weight has an interval, and none where a fold
        lacks the feature.
    n_train : int
        Rows the model was trained on; its weights vary more than those of all rows.
    confidence : float
        Share of all cases in which an interval should hold the weight.
    classes : sequence of str, optional
        Several of them have a weight of each feature each.
    groups : int, optional
        Those that are held out whole; they take the place of rows.

    Returns
    -------
    list of Coefficient
        One a feature, or one a feature and class, in the order of `features`, to 10 digits; none of
        what is not linear.
    """
    coef = model.weights
    half, names = np.full(coef.shape, np.nan), [*features]
    if coef.ndim == 2:
        names = [f"{feature} ({name})" for feature in features for name in classes]
    if len(coef) and len(held) > 1:
        n = len(np.unique(np.concatenate([fold.rows for fold in held])))
        out = float(np.mean([len(fold.rows) for fold in held]))
        weights = np.array([fold.coef for fold in held])
        weights *= scale.reshape(-1, *[1] * (weights.ndim - 2))
        variance = (n - out) / out * weights.var(axis=0) * n / n_train
        half = stdtrit(min(groups or n, len(held)) - 1, (1 + confidence) / 2) * np.sqrt(variance)
    known = np.isfinite(half).ravel()
    values = zip(names, coef.ravel(), half.ravel(), strict=False)
    return [
        Coefficient(
            feature=name,
            value=rounded(float(value)) or 0.0,
            low=rounded(float(value - reach)) if known[k] else None,
            high=rounded(float(value + reach)) if known[k] else None,
        )
        for k, (name, value, reach) in enumerate(values)
    ]
