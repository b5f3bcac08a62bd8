"""The data as they came, and the lines through them."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pipeline.core.errors import PipelineError
from pipeline.core.preprocessing import standardized, thinned
from pipeline.core.tables import Array
from pipeline.figures.canvas import Drawn, add_legend, near, panels, short
from pipeline.figures.looks import Style, draw_each, looks
from pipeline.figures.svg import COLOURS, INK
from pipeline.report.gather import Gathered
from pipeline.report.texts import Texts, minus

POINTS = 2000  # at most so many in a scatter; a browser draws, and a file holds, each of them
HISTOGRAMS = 12
BINS = 18
CURVE = 200  # points


def draw_scatter(d: Gathered, t: Texts) -> Drawn:
    """The target over the one feature, training and test rows apart.

    At most POINTS points, evenly spaced in the table.
    """
    labels = [t("training_rows"), t("test_rows")] if len(d.test) else []
    canvas, [axes] = panels(1, 190, labels=labels)
    [(_, x)] = d.columns()
    _points(d, x, axes, labels)
    return canvas, t(
        "scatter.finding", rows=len(x), feature=d.features[0], target=d.evaluated.target,
        x_low=x.min(), x_high=x.max(), y_low=d.y.min(), y_high=d.y.max(), r=correlation(x, d.y),
    )  # fmt: skip


def draw_fit(d: Gathered, t: Texts) -> Drawn:
    """The line of every trainer over the points, as in the chapter's figure 3.26.

    Of a logged target, and of a network, it is a curve. The axis is cut near the points
    (`canvas.near`): a line that diverged would hide all others.
    """
    names = _lines(d)
    canvas, [axes] = panels(1, 210, labels=names)
    [(_, of_rows)] = d.columns()
    low, high = of_rows.min(), of_rows.max()
    x = np.array([low, high]) + np.array([-0.05, 0.05]) * ((high - low) or 1)
    _points(d, of_rows, axes)
    draw_each(axes, {name: _curve(d, name, x) for name in names}, looks(d.evaluated))
    axes.set_ylim(near(axes.get_ylim(), d.y))
    equations = [f"{name}: {_equation(t, d, name)}" for name in names]
    return canvas, t("fit.finding", lines=t("list").join(equations))


def draw_histograms(d: Gathered, t: Texts) -> Drawn:
    """The distribution of each of the first features, by class.

    A histogram for each of at most HISTOGRAMS features, with BINS bins over the range of all rows.
    """
    shown = min(len(d.features), HISTOGRAMS)
    groups = _groups(d)
    drawn = groups[: len(COLOURS)]  # of more classes the first
    labels = [short(name, 24) for name, _ in drawn] if len(drawn) > 1 else []
    columns, most = (2, 20) if shown > 1 else (1, 42)
    canvas, panes = panels(
        shown, 62, columns, left=12, bottom=18, top=18, labels=labels, gap=(14, 38)
    )
    handles: list[tuple[Artist, Artist]] = []
    for (name, x), axes in zip(d.columns(), panes, strict=False):
        handles = _histograms(axes, x, [rows for _, rows in drawn])
        axes.set_title(short(name, most), loc="left", fontsize=8, pad=3)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    if labels:
        add_legend(canvas, handles, labels)
    return canvas, _furthest(d, t, groups)


def line(d: Gathered, model: str) -> tuple[float, float]:
    """Slope and intercept in the feature's own units, of w (x - mean) / scale + b.

    Of a logged target those of its logarithm.

    Returns
    -------
    slope : float
        w / scale.
    intercept : float
        b - slope * mean.
    """
    slope = float(d.models[model].weights[0] / d.scale[0])
    intercept = d.models[model].form(np.zeros((1, 1)))[0]
    return slope, float(intercept - slope * d.mean[0])


def correlation(a: Array, b: Array) -> float:
    """Pearson's r = cov(a, b) / (sd(a) sd(b)); 0 where one does not vary.

    >>> correlation(np.array([1.0, 2, 3]), np.array([5.0, 5, 5]))
    0.0
    """
    spread = float(np.std(a) * np.std(b))
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / spread if spread > 0 else 0.0


def _lines(d: Gathered) -> list[str]:
    """The trainers; scikit-learn's least squares where the closed form is none of them."""
    names = [name for name in d.models if d.judged[name].role == "trainer"]
    if "closed_form" not in names:
        names += [name for name in d.models if d.judged[name].role == "reference"]
    return names


def _curve(d: Gathered, name: str, ends: Array) -> tuple[Array, Array]:
    """What a model says of the one feature between two ends; nan where it has none for some."""
    model = d.models[name]
    x = np.linspace(ends[0], ends[-1], 2 if len(model.weights) and not d.learned else CURVE)
    try:
        return x, model.predict(standardized(x[:, None], d.mean, d.scale))
    except PipelineError:  # some point is too far from all rows for it
        return x, np.full(len(x), np.nan)


def _equation(t: Texts, d: Gathered, name: str) -> str:
    if not len(d.models[name].weights):
        return t("fit.curve")
    slope, intercept = line(d, name)
    sign = minus("+" if intercept >= 0 else "-")
    found = f"{t.number(slope)} x {sign} {t.number(abs(intercept))}"
    return f"exp({found})" if d.learned else found


def _points(d: Gathered, x: Array, axes: Axes, labels: Sequence[str] = ()) -> None:
    """The training rows, then the test rows; `labels` are those of the legend."""
    for rows, fill, label in zip((d.train, d.test), (INK, "none"), labels or ("", ""), strict=True):
        some = rows[thinned(len(rows), POINTS * len(rows) // len(d.y))]
        style: Style = {"markerfacecolor": fill, "markeredgecolor": INK, "markersize": 4}
        axes.plot(x[some], d.y[some], "o", markeredgewidth=0.8, label=label, **style)
    axes.set(xlabel=short(d.features[0], 40), ylabel=short(d.evaluated.target, 26))


def _groups(d: Gathered) -> list[tuple[str, NDArray[np.bool_]]]:
    """Name and rows, a mask of shape (n_rows,), of each class; of a regression one group of all."""
    if d.evaluated.classes is None:
        return [("", np.ones(len(d.y), dtype=bool))]
    return [(name, d.y == label) for label, name in enumerate(d.evaluated.classes)]


def _histograms(
    axes: Axes, column: Array, groups: list[NDArray[np.bool_]]
) -> list[tuple[Artist, Artist]]:
    """Draw each group in bins that all share; around its value where a column is constant."""
    low, high = float(column.min()), float(column.max())
    if high - low <= BINS * np.spacing(max(abs(low), abs(high))):  # no room for bins
        low, high = low - max(abs(low), 1) / 2, high + max(abs(high), 1) / 2
    handles: list[tuple[Artist, Artist]] = []
    for rows, colour, dashes in zip(groups, COLOURS, cycle(("-", (0, (3, 1)))), strict=False):
        bins = np.histogram(column[rows], bins=BINS, range=(low, high))
        fill = axes.stairs(*bins, fill=True, color=colour, alpha=0.25)
        edge = axes.stairs(*bins, color=colour, linestyle=dashes, linewidth=1.2)
        handles.append((fill, edge))
    return handles


def _furthest(d: Gathered, t: Texts, groups: list[tuple[str, NDArray[np.bool_]]]) -> str:
    """The feature that tells most, in words.

    For a regression the one of largest |r| with the target; for classes that of the largest gap,
    |mean of a - mean of b| / sd of all, between any two of them.
    """
    count = {"shown": min(len(d.features), HISTOGRAMS), "count": len(d.features)}
    if len(groups) == 1:
        r = [correlation(column, d.y) for _, column in d.columns()]
        k = int(np.argmax(np.abs(r)))
        values = {"feature": d.features[k], "target": d.evaluated.target, "r": r[k]}
        return t("histograms.finding", **count, **values)
    some = [rows if rows.any() else np.ones(len(d.y), dtype=bool) for _, rows in groups]
    found = [([x[rows].mean() for rows in some], x.std()) for _, x in d.columns()]
    means, spread = np.array([of for of, _ in found]).T, np.array([sd for _, sd in found])
    gaps = np.ptp(means, axis=0) / np.where(spread > 0, spread, 1)
    k = int(np.argmax(gaps))
    first, second = sorted((int(np.argmin(means[:, k])), int(np.argmax(means[:, k]))))
    return t(
        "histograms.classes", **count, feature=d.features[k], gap=gaps[k],
        first=groups[first][0], first_mean=means[first, k],
        second=groups[second][0], second_mean=means[second, k],
    )  # fmt: skip
