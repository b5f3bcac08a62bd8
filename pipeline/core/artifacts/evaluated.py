"""What evaluate finds of a dataset, and the verdict that report gives on it."""

from collections.abc import Sequence
from itertools import combinations
from math import inf
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.core import layout
from pipeline.core.artifacts.validated import Validated
from pipeline.core.columns import Learned
from pipeline.core.files import read_as
from pipeline.core.settings.block import Settings
from pipeline.core.settings.evaluate import Goal, Metric
from pipeline.core.trainers import Ending, Value

Role = Literal["trainer", "reference", "baseline", "champion"]
Words = Literal["better", "worse", "not distinguishable"]
Word = Literal["accepted", "rejected", "undecided"]
Scores = dict[str, float | None]

FAILED, GREW = "training failed", "its loss grew"

LOWER_IS_BETTER = {"mse", "mae", "log_loss", "brier"}
NOTHING = 1e-6  # a smaller difference, as a share of the score, is no difference
ROUNDING = 1e-12  # nor is one below this share of the trivial model's score


class Scheme(Settings):
    """How the rows were cut for cross-validation; leave-one-out has as many folds as rows.

    Where the test rows alone judge there are 0 folds and 0 repeats.

    Attributes
    ----------
    kept : str
        What folds do not part: `rows`, whole `groups`, or `moments`, of which each fold holds out
        some, and those before them train.
    share : float or None
        Held-out rows over training rows, the mean of all folds; None where that is 1 / (folds - 1).
    groups : int or None
        How many there are, where folds keep them whole.
    """

    leave_one_out: bool
    kept: Literal["rows", "groups", "moments"] = "rows"
    folds: int
    repeats: int
    seed: int
    rows: int
    share: float | None = None
    groups: int | None = None

    @property
    def alone(self) -> bool:
        """Whether the test rows alone judge."""
        return self.repeats == 0

    @property
    def held(self) -> Literal["loo", "cv", "test"]:
        """What the scores begin with that models are compared by."""
        return "loo" if self.leave_one_out else "test" if self.alone else "cv"

    @property
    def by_rows(self) -> bool:
        """Whether each row is held out once, within a fold: scores are then judged row by row.

        Not of groups, whose rows are alike, nor of moments, of which the first is never held out.
        Test rows that judge alone are held out once, too.
        """
        return self.kept == "rows" and self.repeats <= 1 and not self.leave_one_out

    @property
    def even_folds(self) -> float:
        """The number of equal folds that hold out `share`: by it intervals are corrected."""
        return self.folds if self.share is None else 1 + 1 / self.share

    @property
    def independent(self) -> float:
        """How many of the rows, or groups, say something of their own; inf where folds limit it."""
        return inf if self.groups is None else self.groups


class Coefficient(Settings):
    """A weight on a standardized feature, with its interval by the delete-d jackknife.

    Of several classes each has one: the feature is called `NAME (CLASS)` then.
    """

    feature: str
    value: float
    low: float | None
    high: float | None


class Judged(Settings):
    """One trainer, judged.

    Attributes
    ----------
    role : str
        `trainer`: one of the dataset's; `reference`: scikit-learn's counterpart; `baseline`: the
        mean or the majority class; `champion`: metrics/champion.json's, trained anew, where that
        is none of the others.
    trainer : str
        Its name; the champion's too.
    threshold : float or None
        Label 1 of two from this probability on; None elsewhere.
    scores : dict
        As in metrics/<dataset>.json.
    folds : dict
        The score of each fold, by metric; fold k has the same rows for every trainer.
    ending : str or None
        How its training ended, where it took steps.
    weights_sha256 : str or None
        Of the model's numbers (`forms.digest`); None of the champion, which has no model file.
    """

    role: Role
    trainer: str
    params: dict[str, Value]
    ending: Ending | None = None
    weights_sha256: str | None = None
    threshold: float | None
    scores: Scores
    folds: dict[str, list[float | None]]
    coefficients: list[Coefficient]


AuditName = Literal[
    "kept_apart",
    "identical_rows",
    "near_duplicates",
    "scaler",
    "giveaway",
    "shuffled_labels",
]


class Audit(Settings):
    """One check for leakage: its figure, and whether it found nothing."""

    name: AuditName
    passed: bool
    figure: float | None
    text: str


class ByOrders(Settings):
    """A model's held-out score among those on other orders of the target.

    Attributes
    ----------
    as_good : int
        The orders on which it is as good, the one that was seen among them.
    orders : int
        How many were tried.
    exact : bool
        Whether these are all that there are.
    p : float
        The share.
    holm : float
        The same, corrected for all models of the dataset that were judged so.
    """

    as_good: int
    orders: int
    exact: bool
    p: float
    holm: float


class Comparison(Settings):
    """Two models on the same rows; `difference` is a's score minus b's, `words` of a.

    Attributes
    ----------
    by_orders : ByOrders or None
        What tells of a model that it is better than the trivial one, where it could be had.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    words: Words
    by_orders: ByOrders | None = None

    def turned(self) -> "Comparison":
        """The same, of b."""
        words: dict[Words, Words] = {"better": "worse", "worse": "better"}
        return Comparison(
            a=self.b,
            b=self.a,
            difference=0 - self.difference,
            low=0 - self.high,
            high=0 - self.low,
            words=words.get(self.words, self.words),
            by_orders=self.by_orders,
        )


def between(comparisons: Sequence[Comparison], a: str, b: str) -> Comparison | None:
    """How one model compares with another; None where they were not compared."""
    for one in comparisons:
        if (one.a, one.b) == (a, b):
            return one
        if (one.a, one.b) == (b, a):
            return one.turned()
    return None


class Evaluated(Settings):
    """data/5_evaluated/<dataset>/evaluated.json.

    Attributes
    ----------
    threshold : float, Goal or None
        As params.yaml has it; each of the models has the one that follows.
    columns : dict
        By name what each column is that features are made of.
    champion : str or None
        The name in `judged` that holds the title.
    comparisons : list of Comparison
        Each two of `judged`; empty where the rows were too few to be held out.
    warnings : list of str
        Of what the scores may suffer from.
    """

    task: Literal["regression", "classification"]
    target: str
    classes: list[str] | None
    positive: str | None
    metric: Metric
    threshold: float | Goal | None
    confidence: float
    scheme: Scheme
    train_rows: int
    test_rows: int
    columns: dict[str, Learned]
    judged: dict[str, Judged]
    champion: str | None
    comparisons: list[Comparison]
    audits: list[Audit]
    warnings: list[str]

    @property
    def held(self) -> str:
        """The score on held-out rows that models are compared by: `loo_mse`, `cv_accuracy`."""
        return f"{self.scheme.held}_{self.metric}"

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        roles = [one.role for one in self.judged.values()]
        folds = [one.folds for one in self.judged.values()]
        counts = {len(scores) for of_one in folds for scores in of_one.values()}
        alike = len(counts) <= 1 and len({frozenset(of_one) for of_one in folds}) <= 1
        to_choose = {"trainer", "reference"} & {*roles}
        if roles.count("baseline") != 1 or not to_choose or not alike:
            raise ValueError("judged: expected models and one baseline, on the same folds")
        if self.champion is not None and self.champion not in self.judged:
            raise ValueError(f"champion: {self.champion} is not judged")
        pairs = {(one.a, one.b) for one in self.comparisons}
        if any(counts) and pairs != {*combinations(self.judged, 2)}:
            raise ValueError("comparisons: expected one of each two that are judged")
        return self


class Verdict(Settings):
    """One block of metrics/verdict.json; `evaluated_md5` is of the file it is about.

    Attributes
    ----------
    failed : list of str
        The models whose loss grew in training: their scores mean nothing.
    """

    evaluated_md5: str
    metric: Metric
    best: str
    verdict: Word
    reason: str
    champion: str | None
    failed: list[str]
    notes: list[str]
    comparisons: list[Comparison]

    def standing(self, trainer: str) -> tuple[str, str]:
        """The verdict on the best trainer, or how another compares with it; and the reason."""
        if trainer in self.failed:
            return FAILED, GREW
        if trainer == self.best:
            return self.verdict, self.reason
        found = between(self.comparisons, trainer, self.best)
        if found is None:
            return "-", "too few rows to compare"
        return found.words, f"{trainer} against {self.best}, the best"


class Verdicts(Settings):
    """metrics/verdict.json."""

    datasets: Annotated[dict[str, Verdict], Field(min_length=1)]


def read_evaluated(dataset: str) -> Evaluated:
    """Read what evaluate wrote of a dataset.

    Raises
    ------
    PipelineError
        When the file is missing, damaged, or of another form.
    """
    return read_as(layout.evaluated(dataset), Evaluated)


def read_warnings(dataset: str, evaluated: Evaluated) -> list[str]:
    """What validate, split and evaluate warned of, in this order."""
    return [
        *read_as(layout.validated(dataset), Validated).warnings,
        *read_as(layout.split_warnings(dataset), list[str]),
        *evaluated.warnings,
    ]


def read_verdicts() -> dict[str, Verdict]:
    """Read the verdicts that report wrote, by dataset."""
    return read_as(layout.VERDICT, Verdicts).datasets
