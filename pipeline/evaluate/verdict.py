"""What follows from the comparisons of models: the verdict, and what is to be known beside it."""

from collections.abc import Iterator

import numpy as np

from pipeline.core.artifacts.evaluated import (
    GREW,
    LOWER_IS_BETTER,
    NOTHING,
    ROUNDING,
    Comparison,
    Evaluated,
    Judged,
    Role,
    Verdict,
    Word,
    between,
)
from pipeline.core.settings.evaluate import Goal
from pipeline.core.trainers import REFERENCE_ROWS, TRANSFORM

RARE = 0.1
ROUGH = 10  # rows
LOPSIDED = 0.85  # share of the larger class
CHANCE = 0.5  # the roc_auc of a model that tells nothing
NO_MODEL = "params.yaml: models has no model of this dataset yet"


def verdict(evaluated: Evaluated, tolerance: float, evaluated_md5: str) -> Verdict:
    """Judge the best model of a dataset by the folds alone: no training row decides.

    Where there are so many test rows that no folds were cut, these take the place of the folds.

    `accepted` beats the baseline and is not worse than the champion, `rejected` is worse than
    either, both beyond the interval of the paired difference; else it is `undecided`. A model whose
    loss grew in training is no candidate; where all of them are such, one is `rejected`. A champion
    may be missed by `tolerance`, as a share of its score. Where the dataset has no model of its own
    the reference model is shown as the best, undecided.

    Parameters
    ----------
    evaluated : Evaluated
    tolerance : float
        From 0, below 1.
    evaluated_md5 : str
        Of the file that `evaluated` was read from.
    """
    evaluated = _beyond_rounding(evaluated)
    own = _of_role(evaluated, "trainer")
    failed = [name for name in own if evaluated.judged[name].ending == "grew"]
    fit = [name for name in own if name not in failed] or own
    best = _best(evaluated, fit) if own else _of_role(evaluated, "reference")[0]
    word, reason = _judge(evaluated, best, tolerance) if own else ("undecided", NO_MODEL)
    if best in failed:
        word, reason = "rejected", GREW
    return Verdict(
        evaluated_md5=evaluated_md5,
        metric=evaluated.metric,
        best=best,
        verdict=word,
        reason=reason,
        champion=evaluated.champion,
        failed=failed,
        notes=[*_notes(evaluated, best)],
        comparisons=evaluated.comparisons,
    )


def _beyond_rounding(evaluated: Evaluated) -> Evaluated:
    """With models not distinguishable that differ by what rounding leaves of the trivial score.

    Of a target without noise scores are rounding alone: an mse of 3e-28 is no worse than 1e-28.
    """
    least = _rounding(evaluated)
    same = {"words": "not distinguishable"}
    comparisons = [
        one.model_copy(update=same) if abs(one.difference) <= least else one
        for one in evaluated.comparisons
    ]
    return evaluated.model_copy(update={"comparisons": comparisons})


def _rounding(evaluated: Evaluated) -> float:
    (trivial,) = _of_role(evaluated, "baseline")
    return ROUNDING * abs(_mean(evaluated, trivial))


def _of_role(evaluated: Evaluated, role: Role) -> list[str]:
    return [name for name, one in evaluated.judged.items() if one.role == role]


def _judge(evaluated: Evaluated, best: str, tolerance: float) -> tuple[Word, str]:
    if not _scores(evaluated, best):
        return "undecided", f"{evaluated.scheme.rows} rows are too few to judge by"
    (trivial,) = _of_role(evaluated, "baseline")
    against = _compared(evaluated, best, trivial)
    shown = f"{best} against {trivial}: {_shown(against, evaluated)}"
    champion = evaluated.champion
    standing = "there is no champion yet" if champion is None else "it is the champion"
    if champion is not None and champion != best:
        standing = "not worse than the champion"
        contest = _compared(evaluated, best, champion)
        shown = (
            f"{best} against {_name(evaluated, champion)}: {_shown(contest, evaluated)}; {shown}"
        )
        # the end of the interval that is kinder to the newcomer
        gap = contest.low if evaluated.metric in LOWER_IS_BETTER else -contest.high
        if contest.words == "worse" and gap > tolerance * abs(_mean(evaluated, champion)):
            return "rejected", f"worse than the champion; {shown}"
        if contest.words == "worse":
            standing = f"worse than the champion within the tolerance of {100 * tolerance:g} %"
    if against.words == "worse":
        return "rejected", f"worse than the trivial model; {shown}"
    if against.words == "not distinguishable":
        return "undecided", f"not distinguishable from the trivial model; {shown}"
    return "accepted", f"better than the trivial model, and {standing}; {shown}"


def _compared(evaluated: Evaluated, a: str, b: str) -> Comparison:
    found = between(evaluated.comparisons, a, b)
    if found is None:  # they are, where `_can_be_compared` has let the file pass
        raise KeyError(f"{a} against {b}")
    return found


def _name(evaluated: Evaluated, champion: str) -> str:
    one = evaluated.judged[champion]
    given = ", ".join(f"{k} {v}" for k, v in one.params.items() if k in ("lr", "epochs", TRANSFORM))
    name = one.trainer if one.role == "champion" else champion
    return f"the champion {name}{f' ({given})' * bool(given)}"


def _shown(c: Comparison, evaluated: Evaluated) -> str:
    sure = f"{100 * evaluated.confidence:g} %"
    shown = f"{evaluated.metric} {c.difference:+.4g}, {sure} interval {c.low:+.4g} to {c.high:+.4g}"
    if (found := c.by_orders) is None:
        return shown
    every = "all " * found.exact
    p = f"p {found.p:.2g}" + f", {found.holm:.2g} for all models" * (found.holm > found.p)
    return (
        f"{shown}; as good in {found.as_good} of {every}{found.orders} orders of the target ({p})"
    )


def _best(evaluated: Evaluated, trainers: list[str]) -> str:
    """The trainer with the best mean; of equals the one that params.yaml names first."""
    sign = 1 if evaluated.metric in LOWER_IS_BETTER else -1
    means = {name: sign * _mean(evaluated, name) for name in trainers}
    least = min(means.values())
    alike = max(NOTHING * abs(least), _rounding(evaluated))
    return next(name for name in trainers if means[name] <= least + alike)


def _scores(evaluated: Evaluated, name: str) -> list[float]:
    return [s for s in evaluated.judged[name].folds.get(evaluated.metric, []) if s is not None]


def _mean(evaluated: Evaluated, name: str) -> float:
    scores = _scores(evaluated, name)
    return float(np.mean(scores)) if scores else 0.0


def _notes(evaluated: Evaluated, best: str) -> Iterator[str]:
    one = evaluated.judged[best]
    if _scores(evaluated, best):
        yield from _beside(evaluated, best)
    yield from _goal(evaluated, one)
    if evaluated.scheme.alone:
        yield (
            f"The {evaluated.test_rows} test rows alone judge (repeats: auto): they are so many "
            "that no model is trained anew in folds."
        )
    if evaluated.train_rows > REFERENCE_ROWS:
        yield (
            f"{_of_role(evaluated, 'reference')[0]} has learned from {REFERENCE_ROWS} of the "
            f"{evaluated.train_rows} training rows, evenly spaced."
        )
    if not evaluated.test_rows:
        held, _, _ = evaluated.held.partition("_")
        yield (
            f"All {evaluated.train_rows} rows train: scores named train_ say how well the rows are "
            f"fitted that were learned from, {held}_ what becomes of a row that was not."
        )
    if evaluated.scheme.rows <= ROUGH:
        yield (
            f"Intervals from {evaluated.scheme.rows} rows are rough: in simulations with 6 rows "
            "those of 95 % held the truth in 77 % of cases."
        )
    yield from _draw(evaluated, best, one)
    for audit in evaluated.audits:
        if not audit.passed:
            yield f"Leakage audit {audit.name}: {audit.text}."


def _beside(evaluated: Evaluated, best: str) -> Iterator[str]:
    """Where the references stand, and who is worse than the trivial one."""
    (trivial,) = _of_role(evaluated, "baseline")
    for reference in _of_role(evaluated, "reference"):
        if reference == best:
            continue
        found = _compared(evaluated, best, reference)
        than = "from" if found.words == "not distinguishable" else "than"
        said = f"{best} is {found.words} {than} scikit-learn's {reference}"
        yield f"{said}: {_shown(found, evaluated)}."
    sign = 1 if evaluated.metric in LOWER_IS_BETTER else -1
    floor = _mean(evaluated, trivial)
    for name, one in evaluated.judged.items():
        mean = _mean(evaluated, name)
        if one.role == "trainer" and sign * (mean - floor) > NOTHING * abs(floor):
            yield (
                f"{name} does worse than the trivial model ({evaluated.metric} {mean:.4g}, "
                f"{trivial} {floor:.4g}): {_why(evaluated, one)}."
            )
    share = floor if evaluated.metric == "accuracy" else 0.0
    if share >= LOPSIDED:
        goal = ", or a threshold for a recall," * isinstance(evaluated.threshold, float)
        yield (
            f"Always to say the larger class is right in {share:.0%} of rows: accuracy tells "
            f"little here; metric: roc_auc{goal} tells more."
        )


def _why(evaluated: Evaluated, one: Judged) -> str:
    """Why a model does worse than the trivial one."""
    goal, rows = evaluated.threshold, evaluated.scheme.held
    area, moved = one.scores.get(f"{rows}_roc_auc") or 0.0, goal not in (None, 0.5)
    if evaluated.metric == "accuracy" and moved and area > CHANCE and one.ending != "grew":
        of = f"chosen for the recall of {goal.recall}" if isinstance(goal, Goal) else f"{goal:g}"
        return (
            f"its threshold is {of}, which costs accuracy; its roc_auc, which has no threshold, is "
            f"{area:.4g}"
        )
    if "lr" in one.params and one.ending != "settled":
        return "it grew, or stopped early; see its loss, lr and epochs"
    return "what it learns of the features does not hold for other rows"


def _goal(evaluated: Evaluated, one: Judged) -> Iterator[str]:
    """Whether the recall that was wanted is reached on rows that had no part in the threshold."""
    goal = evaluated.threshold
    if not isinstance(goal, Goal):
        return
    shown = []
    for rows, said in (("cv", "held-out folds"), ("loo", "held-out rows"), ("test", "test rows")):
        key = f"{rows}_recall_{goal.recall}"
        recall, low, high = (one.scores.get(f"{key}{end}") for end in ("", "_low", "_high"))
        if recall is not None:
            limits = f" ({low:.4g} to {high:.4g})" if low is not None and high is not None else ""
            reached = "reached" if recall >= goal.at_least else "missed"
            shown.append(f"{reached} on {said}, {recall:.4g}{limits}")
    yield (
        f"Recall of {goal.recall} of at least {goal.at_least:g}, at the threshold "
        f"{one.threshold:.4g}: {'; '.join(shown)}."
    )


def _draw(evaluated: Evaluated, best: str, one: Judged) -> Iterator[str]:
    """Whether the one test split is among the luckiest or unluckiest tenth of the folds."""
    metric, folds = evaluated.metric, np.array(_scores(evaluated, best))
    test = one.scores.get(f"test_{metric}")
    low, high = one.scores.get(f"cv_{metric}_low"), one.scores.get(f"cv_{metric}_high")
    if test is None or low is None or high is None or low <= test <= high:
        return
    worse = (test > high) == (metric in LOWER_IS_BETTER)
    beyond = folds >= test if test > high else folds <= test
    if beyond.mean() > RARE:
        return
    parts = evaluated.scheme.folds + (evaluated.scheme.kept == "moments")
    rows = round(evaluated.scheme.rows / parts)
    yield (
        f"The one test split of {evaluated.test_rows} rows gives {best} {metric} {test:.4g}: "
        f"{'an unlucky' if worse else 'a lucky'} draw. Of {len(folds)} held-out folds of about "
        f"{rows} rows {int(beyond.sum())} were as {'bad' if worse else 'good'}; their mean is "
        f"{folds.mean():.4g}, {100 * evaluated.confidence:g} % interval {low:.4g} to {high:.4g}."
    )
