"""The data as they came, and the lines through them."""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pipeline.core.tables import Array
from pipeline.core.thin import thinned
from pipeline.figures.canvas import add_legend, near, panels, short
from pipeline.figures.looks import Style, draw_each, looks
from pipeline.figures.svg import COLOURS, INK
from pipeline.report.gather import Gathered
from pipeline.report.picture import POINTS, Picture, correlation, picture
from pipeline.report.texts import Texts, minus

HISTOGRAMS = 12
BINS = 18


def draw_scatter(d: Gathered, t: Texts) -> Picture | None:
    """The target over the one feature, training and test rows apart.

    Returns
    -------
    Picture or None
        At most POINTS points, evenly spaced in the table; None with more than one feature, and for
        classes.
    """
    if len(d.features) != 1 or d.evaluated.task != "regression":
        return None
    labels = [t("training_rows"), t("test_rows")] if len(d.test) else []
    canvas, [axes] = panels(1, 190, labels=labels)
    handles = _points(d, axes)
    _name_axes(d, axes)
    if labels:
        add_legend(canvas, handles, labels)
    x = d.X[:, 0]
    finding = t(
        "scatter.finding",
        rows=t.number(len(x)), feature=d.features[0], target=d.evaluated.target,
        x_low=t.number(x.min()), x_high=t.number(x.max()),
        y_low=t.number(d.y.min()), y_high=t.number(d.y.max()),
        r=t.number(correlation(x, d.y)),
    )  # fmt: skip
    return picture(d, t, "scatter", canvas, finding)


def draw_fit(d: Gathered, t: Texts) -> Picture | None:
    """The line of every trainer over the points, as in the chapter's figure 3.26.

    The axis is cut near the points (`canvas.near`): a line that diverged would hide all others.

    Returns
    -------
    Picture or None
        None with more than one feature, and for classes.
    """
    if len(d.features) != 1 or d.evaluated.task != "regression":
        return None
    names = _lines(d)
    canvas, [axes] = panels(1, 210, labels=names)
    low, high = d.X.min(), d.X.max()
    x = np.array([low, high]) + np.array([-0.05, 0.05]) * ((high - low) or 1)
    _points(d, axes)
    lines = {name: line(d, name) for name in names}
    curves = {name: (x, slope * x + intercept) for name, (slope, intercept) in lines.items()}
    handles = draw_each(axes, curves, looks(d.evaluated), cloud=False)
    axes.set_ylim(near(axes.get_ylim(), d.y))
    _name_axes(d, axes)
    add_legend(canvas, handles, names)
    equations = t("list").join(_equation(t, name, *one) for name, one in lines.items())
    return picture(d, t, "fit", canvas, t("fit.finding", lines=equations))


def draw_histograms(d: Gathered, t: Texts) -> Picture | None:
    """The distribution of each of the first features, by class.

    Returns
    -------
    Picture or None
        A histogram for each of at most HISTOGRAMS features, with BINS bins over the range of all
        rows; None where `draw_scatter` shows the one feature.
    """
    if len(d.features) == 1 and d.evaluated.task == "regression":
        return None
    shown = min(len(d.features), HISTOGRAMS)
    groups = _groups(d)
    labels = [short(name, 24) for name, _ in groups] if len(groups) > 1 else []
    columns = 2 if shown > 1 else 1
    canvas, panes = panels(
        shown, 62, columns, left=12, bottom=18, top=18, labels=labels, gap=(14, 38)
    )
    handles: list[tuple[Artist, Artist]] = []
    for k, axes in enumerate(panes):
        handles = [
            _histogram(axes, d.X[:, k], d.X[rows, k], j) for j, (_, rows) in enumerate(groups)
        ]
        axes.set_title(
            short(d.features[k], 20 if columns == 2 else 42), loc="left", fontsize=8, pad=3
        )
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    if labels:
        add_legend(canvas, handles, labels)
    return picture(d, t, "histograms", canvas, _furthest(d, t, groups))


def line(d: Gathered, model: str) -> tuple[float, float]:
    """Slope and intercept in the feature's own units, of w (x - mean) / scale + b.

    Returns
    -------
    slope : float
        w / scale.
    intercept : float
        b - slope * mean.
    """
    slope = float(d.models[model].coef[0] / d.scale[0])
    return slope, float(d.models[model].intercept - slope * d.mean[0])


def _lines(d: Gathered) -> list[str]:
    """The trainers; scikit-learn's least squares where the closed form is none of them."""
    names = [name for name in d.models if d.judged[name].role == "trainer"]
    if "closed_form" not in names:
        names += [name for name in d.models if d.judged[name].role == "reference"]
    return names


def _equation(t: Texts, name: str, slope: float, intercept: float) -> str:
    sign = minus("+" if intercept >= 0 else "-")
    return f"{name}: {t.number(slope)} x {sign} {t.number(abs(intercept))}"


def _points(d: Gathered, axes: Axes) -> list[Artist]:
    handles: list[Artist] = []
    for rows, fill in ((d.train, INK), (d.test, "none")):
        some = rows[thinned(len(rows), POINTS * len(rows) // len(d.y))]
        style: Style = {"markerfacecolor": fill, "markeredgecolor": INK, "markersize": 4}
        handles += axes.plot(d.X[some, 0], d.y[some], "o", markeredgewidth=0.8, **style)
    return handles


def _name_axes(d: Gathered, axes: Axes) -> None:
    axes.set_xlabel(short(d.features[0], 40))
    axes.set_ylabel(short(d.evaluated.target, 26))


def _groups(d: Gathered) -> list[tuple[str, NDArray[np.bool_]]]:
    """Name and rows, a mask of shape (n_rows,), of each class; of a regression one group of all."""
    if d.evaluated.classes is None:
        return [("", np.ones(len(d.y), dtype=bool))]
    return [(name, d.y == label) for label, name in enumerate(d.evaluated.classes)]


def _histogram(axes: Axes, all_rows: Array, rows: Array, k: int) -> tuple[Artist, Artist]:
    """Draw group `k` in bins that all groups share; around its value where a column is constant."""
    low, high = float(all_rows.min()), float(all_rows.max())
    if high - low <= BINS * np.spacing(max(abs(low), abs(high))):  # no room for bins
        low, high = low - max(abs(low), 1) / 2, high + max(abs(high), 1) / 2
    counts, edges = np.histogram(rows, bins=BINS, range=(low, high))
    colour, dashes = COLOURS[k], ("-", (0, (3, 1)))[k % 2]
    fill = axes.stairs(counts, edges, fill=True, color=colour, alpha=0.25)
    edge = axes.stairs(counts, edges, color=colour, linestyle=dashes, linewidth=1.2)
    return fill, edge


def _furthest(d: Gathered, t: Texts, groups: list[tuple[str, NDArray[np.bool_]]]) -> str:
    """The feature that tells most, in words.

    For a regression the one of largest |r| with the target; for classes that of the largest gap,
    |mean of a - mean of b| / sd of all.
    """
    count = {
        "shown": t.number(min(len(d.features), HISTOGRAMS)),
        "count": t.number(len(d.features)),
    }
    if len(groups) == 1:
        r = [correlation(column, d.y) for column in d.X.T]
        k = int(np.argmax(np.abs(r)))
        values = {"feature": d.features[k], "target": d.evaluated.target, "r": t.number(r[k])}
        return t("histograms.finding", **count, **values)
    (first, a), (second, b) = groups
    means = np.array(
        [d.X[rows].mean(axis=0) if rows.any() else d.X.mean(axis=0) for rows in (a, b)]
    )
    spread = d.X.std(axis=0)
    gaps = np.abs(means[0] - means[1]) / np.where(spread > 0, spread, 1)
    k = int(np.argmax(gaps))
    return t(
        "histograms.classes", **count, feature=d.features[k], gap=t.number(gaps[k]),
        first=first, first_mean=t.number(means[0, k]),
        second=second, second_mean=t.number(means[1, k]),
    )  # fmt: skip
