"""Estimates with their intervals, one above the other."""

import numpy as np

from pipeline.core.artifacts.evaluated import LOWER_IS_BETTER, Coefficient
from pipeline.figures.canvas import Drawn, panels, short
from pipeline.figures.looks import looks
from pipeline.figures.svg import INK
from pipeline.report.gather import Gathered
from pipeline.report.texts import Texts

COEFFICIENTS = 30


def draw_coefficients(d: Gathered, t: Texts) -> Drawn:
    """The weights on standardized features, the largest of the best trainer first.

    Weights of standardized features compare with each other: each is the change of the target, of
    its logarithm or of the log-odds, for one standard deviation of its feature. At
    most COEFFICIENTS are shown.
    """
    models = d.weights
    leader = d.best if d.best in models else next(iter(models))
    ranked = sorted(models[leader], key=lambda weight: -abs(weight.value))[:COEFFICIENTS]
    order = {weight.feature: k for k, weight in enumerate(ranked)}
    names = [short(feature, 24) for feature in order]
    spacing = max(14.0, 5.0 * len(models) + 4)
    canvas, [axes] = panels(1, spacing * len(order) + 8, labels=list(models))
    axes.axvline(0, color=INK, linewidth=0.8)
    look = looks(d.evaluated)
    for k, (name, weights) in enumerate(models.items()):
        shown = [weight for weight in weights if weight.feature in order]
        offset = (k - (len(models) - 1) / 2) * min(0.8 / len(models), 0.22)
        values = [weight.value for weight in shown]
        places = [order[weight.feature] + offset for weight in shown]
        style = look[name].mark(3.5) | {"label": name, "elinewidth": 1}
        axes.errorbar(values, places, xerr=_bars(shown), **style)
    axes.set_yticks(range(len(order)), names)
    axes.set(ylim=(len(order) - 0.5, -0.5), xlabel=t("coefficient") + d.learned)
    return canvas, _largest(d, t, leader, ranked)


def draw_comparison(d: Gathered, t: Texts) -> Drawn:
    """The cross-validated score of every model with its interval.

    The dotted line is the score of the best trainer. The finding ranks by four digits, as shown,
    and puts the best trainer first among equals.
    """
    metric = d.verdict.metric
    scores = {name: d.score(name, d.compared_by) for name in d.judged}
    scored = {
        name: (score, low if low is not None else score, high if high is not None else score)
        for name, (score, low, high) in scores.items()
        if score is not None
    }
    names = [_with_role(d, t, name) for name in scored]
    canvas, [axes] = panels(1, 22 * len(scored) + 6)
    look = looks(d.evaluated)
    for k, (name, (score, low, high)) in enumerate(scored.items()):
        bars = [[score - low], [high - score]]
        axes.errorbar([score], [k], xerr=bars, elinewidth=1.4, **look[name].mark(6))
    if d.best in scored:
        axes.axvline(scored[d.best][0], color=INK, linewidth=0.6, linestyle=(0, (2, 3)))
    axes.set_yticks(range(len(scored)), names)
    axes.set(ylim=(len(scored) - 0.5, -0.5), xlabel=f"{t(metric)}, {t(d.cross_validated)}")
    sign = 1 if metric in LOWER_IS_BETTER else -1
    ranked = sorted(
        scored, key=lambda name: (float(f"{sign * scored[name][0]:.4g}"), name != d.best)
    )
    shown = [f"{name} {t.interval(*scores[name])}" for name in ranked]
    return canvas, t("comparison.finding", metric=t(metric), scores=t("list").join(shown))


def _bars(weights: list[Coefficient]) -> list[list[float]]:
    """Lengths of the bars to the left and right, shape (2, n); nan where there is no interval."""
    low = [w.value - w.low if w.low is not None else np.nan for w in weights]
    high = [w.high - w.value if w.high is not None else np.nan for w in weights]
    return [np.maximum(low, 0).tolist(), np.maximum(high, 0).tolist()]


def _with_role(d: Gathered, t: Texts, name: str) -> str:
    role = d.judged[name].role
    words = [t("best")] if name == d.best else []
    words += [t(role)] if role in ("reference", "baseline") else []
    words += [t("champion")] if name == d.evaluated.champion != "champion" else []
    return f"{name} ({t('and').join(words)})" if words else name


def _largest(d: Gathered, t: Texts, leader: str, ranked: list[Coefficient]) -> str:
    shown = [f"{w.feature} {t.interval(w.value, w.low, w.high)}" for w in ranked[:3]]
    weights = d.weights[leader]
    bounds = [(w.low, w.high) for w in weights if w.low is not None and w.high is not None]
    counts = {"apart": sum(low > 0 or high < 0 for low, high in bounds), "count": len(bounds)}
    return t("coefficients.finding", best=leader, largest=t("list").join(shown), **counts)
