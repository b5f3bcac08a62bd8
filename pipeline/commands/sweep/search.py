"""The points of a sweep, each measured on the same folds of the training rows."""

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from tqdm import tqdm

from pipeline.commands.sweep.space import LOGARITHMIC, Range, Space, listed, shown
from pipeline.core import layout
from pipeline.core.artifacts.evaluated import LOWER_IS_BETTER, Scores
from pipeline.core.artifacts.splits import read_split
from pipeline.core.errors import Diverged, PipelineError, PipelineWarning
from pipeline.core.files import md5
from pipeline.core.params import Params
from pipeline.core.settings.models import Wanted
from pipeline.core.tables import Array, read_table
from pipeline.core.trainers import TRAINERS, Value
from pipeline.evaluate.cross_validation import cross_validate
from pipeline.evaluate.judge import Judge
from pipeline.evaluate.scores import Folds, compared_by, cross_validated, fold_scores

if TYPE_CHECKING:
    from optuna import Trial

REPEATS = 1
DIGITS = 6  # of a value drawn from a range: the folds could not tell more apart


@dataclass(frozen=True)
class Point:
    """One setting of a model, and how it did.

    Attributes
    ----------
    params : dict
        All that reach the trainer.
    folds : dict
        The score of each fold, by metric; empty where it diverged, or an estimator failed.
    scores : dict
        Mean, sd and interval over the folds, as evaluate names them (cv_mse, cv_mse_sd, ...).
    units : ndarray
        What it is compared with others by (`evaluate.scores.compared_by`).
    """

    params: Mapping[str, Value]
    folds: Folds
    scores: Scores
    units: Array


def key_of(params: Mapping[str, Value]) -> tuple[str, ...]:
    """What tells params apart: 1 is not 1.0."""
    return tuple(map(shown, params.values()))


class Bench:
    """The training rows of a dataset, cut into folds: the same for every point.

    Judged as evaluate would judge if the training rows were all there are, with one repeat of
    its folds: what one point gains on another shows on the same folds, and the folds of evaluate
    have the last word.

    Attributes
    ----------
    score : str
        The name of the score that points are ranked by: cv_mse, loo_mse, cv_accuracy, ...
    metric : str
        The dataset's, of which that is the mean over the folds.
    sign : int
        Times a score: less is better.
    current : dict
        The model's params as params.yaml has them.
    points : dict
        What was measured so far, by the values of all params, in order.

    Raises
    ------
    PipelineError
        When the split is missing or damaged, or its training rows are too few to cross-validate.
    """

    def __init__(self, dataset: str, wanted: Wanted, params: Params) -> None:
        self.dataset, self.model, self.trainer = dataset, wanted.name, wanted.trainer
        self.params = params
        self.settings = settings = params.dataset(dataset)
        split = read_split(dataset, settings, read_table(layout.ingested(dataset)))
        self.data_md5 = md5(layout.ingested(dataset))
        judge = Judge(split.of_training(), dataset, params, REPEATS)
        if not judge.cuts:
            raise PipelineError(
                f"{dataset}: {len(split.train)} training rows are too few to cross-validate"
            )
        self.rows, self.cuts, self.scheme = judge.rows, judge.cuts, judge.scheme
        self.metric = settings.evaluate.metric
        self.score = f"{self.scheme.held}_{self.metric}"
        self.sign = 1 if self.metric in LOWER_IS_BETTER else -1
        self.current = wanted.params
        self.points: dict[tuple[str, ...], Point] = {}

    def loss(self, point: Point) -> float:
        """The score of a point as a loss: less is better, inf where it diverged."""
        score = point.scores.get(self.score)
        return math.inf if score is None else self.sign * score

    def measure(self, changes: Mapping[str, Value]) -> Point:
        """Cross-validate the current params with these changes, once.

        Returns
        -------
        Point
            Without folds and scores where the training diverged; of params that were measured
            before the same point again.
        """
        params = self.current | dict(changes)
        key = key_of(params)
        if key not in self.points:
            self.points[key] = Point(params, *self._judged(params))
        return self.points[key]

    def named(self, params: Mapping[str, Value]) -> str:
        """What of these params is not current; or the current ones."""
        changed = {k: v for k, v in params.items() if shown(v) != shown(self.current[k])}
        return listed(changed) or "the current params"

    @property
    def lost(self) -> str:
        """What is said of a point without scores."""
        return "failed" if TRAINERS[self.trainer].form == "sklearn" else "diverged"

    @np.errstate(over="ignore", invalid="ignore")  # judged where scores are rounded
    def _judged(self, params: Mapping[str, Value]) -> tuple[Folds, Scores, Array]:
        raw, y, settings = self.rows.raw, self.rows.y, self.settings
        wanted, classes = settings.evaluate.threshold, settings.evaluate.classes or []
        try:
            held = cross_validate(self.trainer, params, raw, y, self.cuts, wanted, classes)
        except PipelineError as error:
            if error.exit_code != Diverged.exit_code:
                if TRAINERS[self.trainer].form != "sklearn":
                    raise
                # it takes no more than some of its values with each other, or with these rows
                warnings.warn(f"{self.named(params)}: {error}", PipelineWarning, stacklevel=2)
            return {}, {}, np.empty(0)
        sure = self.params.intervals.confidence
        try:
            by_fold = fold_scores(held, y, settings)
            scores = cross_validated(by_fold, held, y, self.scheme, settings, sure)
        except PipelineError:  # weights are finite, what they predict is not
            return {}, {}, np.empty(0)
        return by_fold, scores, compared_by(by_fold, held, y, self.scheme, settings)


def search(bench: Bench, space: Space, seed: int, bar: "tqdm[NoReturn]") -> bool:
    """Measure the current params and the points of a space.

    What is measured stands in `bench.points`, whatever ends it.

    Parameters
    ----------
    seed : int
        Of the sampler that draws from ranges.
    bar : tqdm
        Is told of each point.

    Returns
    -------
    bool
        Whether Ctrl-C ended it early.
    """
    asked = _trials(bench, space, seed) if space.trials else map(bench.measure, space.grid())
    points = chain(map(bench.measure, [{}]), asked)
    try:
        for _ in points:
            bar.update()
    except KeyboardInterrupt:
        return True
    return False


def _trials(bench: Bench, space: Space, seed: int) -> Iterator[Point]:
    """Points that Optuna's tree-structured Parzen estimator proposes, knowing those before."""
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    for _ in range(space.trials or 0):
        trial = study.ask()
        point = bench.measure({name: _drawn(trial, name, space) for name in space.axes})
        if point.folds:
            study.tell(trial, bench.loss(point))
        else:
            study.tell(trial, state=TrialState.PRUNED)  # counts as the worst; FAIL would not count
        yield point


def _drawn(trial: "Trial", name: str, space: Space) -> Value:
    axis = space.axes[name]
    if not isinstance(axis, Range):
        return axis[trial.suggest_categorical(name, range(len(axis)))]
    low, high = axis
    if isinstance(low, int):
        return trial.suggest_int(name, low, int(high))
    log = name in LOGARITHMIC and low > 0
    value = float(f"{trial.suggest_float(name, low, high, log=log):.{DIGITS}g}")
    return min(max(value, low), high)
