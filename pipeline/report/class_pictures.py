"""What the classification models make of the judged rows."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from pipeline.core.errors import PipelineError
from pipeline.core.preprocessing import standardized, thinned
from pipeline.core.tables import Array
from pipeline.core.text import escape_formula
from pipeline.figures.canvas import Drawn, panels, short
from pipeline.figures.looks import DASHED, Look, draw_each, looks, looks_of
from pipeline.figures.svg import COLOURS, INK
from pipeline.report.gather import PLOTS, Columns, Gathered
from pipeline.report.texts import Texts

CURVE = 300
GRID = 120  # points along each feature
POINTS = 1000
CELL = 30.0  # the least height of one


def draw_boundary(d: Gathered, t: Texts) -> Drawn:
    """Where each model changes its answer, over the judged rows of a dataset of two features.

    Each class has a mark of its own. Between two classes a model changes where its probability is
    its threshold, among several where the largest one is another class's.
    """
    names = [name for name, one in d.judged.items() if one.role == "trainer"] or [d.best]
    canvas, [axes] = panels(1, 300, labels=names)
    rows = d.judged_rows[thinned(len(d.judged_rows), POINTS)]
    shown = d.rows(rows)
    for label, marker in zip(range(len(d.evaluated.classes or [])), cycle("o^sDvP"), strict=False):
        X = shown[d.y[rows] == label]
        fill = INK if label == 0 else "none"
        axes.plot(*X.T, marker, markersize=3, color=INK, alpha=0.5, markerfacecolor=fill)
    ends = [np.linspace(*axis(), GRID) for axis in (axes.get_xlim, axes.get_ylim)]
    draw_each(axes, {name: _border(d, name, ends, axes) for name in names}, looks(d.evaluated))
    axes.set(xlabel=short(d.features[0], 40), ylabel=short(d.features[1], 26))
    key = f"{d.held_out}_accuracy"
    scores = [f"{name}: {t.interval(*d.score(name, key))}" for name in names]
    return canvas, t("boundary.finding", scores=t("list").join(scores))


def _border(d: Gathered, name: str, ends: Sequence[Array], axes: Axes) -> tuple[Array, Array]:
    """The points of the lines on which a model changes its answer, nan between two lines.

    A model without an answer somewhere on the grid has no line.
    """
    x, y = np.meshgrid(*ends)
    grid = np.column_stack([x.ravel(), y.ravel()])
    try:
        z = d.models[name].predict(standardized(grid, d.mean, d.scale))
    except PipelineError:  # some point is too far from all rows for it
        return np.full(1, np.nan), np.full(1, np.nan)
    threshold = d.judged[name].threshold or 0.5
    margins = [z - np.log(threshold / (1 - threshold))]
    if z.ndim == 2:
        others = [np.delete(z, k, axis=1).max(axis=1) for k in range(z.shape[1])]
        margins = [z[:, k] - other for k, other in enumerate(others)]
    pieces: list[Array] = [np.full((1, 2), np.nan)]
    for margin in margins:
        if margin.min() < 0 < margin.max():
            contour = axes.contour(x, y, margin.reshape(x.shape), levels=[0.0])
            for piece in contour.get_paths()[0].to_polygons(closed_only=False):
                pieces += [np.asarray(piece), pieces[0]]
            contour.remove()
    points = np.concatenate(pieces)
    return points[:, 0], points[:, 1]


def draw_confusion(d: Gathered, t: Texts) -> Drawn:
    """Counts of every model by actual and predicted class, and their shares of each actual class.

    Each model has a table, a row and a column a class.
    """
    classes = d.evaluated.classes or []
    places, most = range(len(classes)), max(2, 18 // len(classes))  # letters of a name
    tables = {name: _table(rows, classes) for name, rows in d.by_model("confusion").items()}
    per_row = min(len(tables), 2)
    height = max(92.0, CELL * len(classes))
    canvas, panes = panels(len(tables), height, per_row, left=34, bottom=34, top=20, gap=(16, 54))
    for k, ((name, table), axes) in enumerate(zip(tables.items(), panes, strict=True)):
        _cells(axes, table, name)
        axes.set_xticks(places, [short(c, most) for c in classes])
        axes.set_xlabel(t("predicted_class"), fontsize=8)
        axes.set_yticks([])
        if k % per_row == 0:
            names = [short(c, min(6.0, height / len(classes) / 7.5)) for c in classes]
            axes.set_yticks(places, names, rotation=90, va="center", size=7.5)
            axes.set_ylabel(t("actual_class"), fontsize=8)
    best = tables[d.best]
    found = [
        t("found", name=name, right=best[k, k], all=best[k].sum()) for k, name in enumerate(classes)
    ]
    return canvas, t("confusion.finding", best=d.best, found=t("list").join(found))


def draw_roc(d: Gathered, t: Texts) -> Drawn:
    """Receiver operating characteristic of every model, with the area under it.

    Over all thresholds, TP / (TP + FN), the recall of the positive class, over FP / (FP + TN).
    The area is the chance that a positive row gets a higher probability than a negative one.
    """
    curves = d.points("roc", CURVE, baseline=False)
    key = f"{d.held_out}_roc_auc"
    labels = [f"{name}: {t.interval(*d.score(name, key))}" for name in curves]
    canvas, [axes] = panels(1, 230, labels=labels)
    axes.plot([0, 1], [0, 1], **DASHED)
    draw_each(axes, curves, looks(d.evaluated), labels)
    positive = short(d.evaluated.positive or "", 16)
    axes.set(xlabel=t("false_positive_rate"), ylabel=t("true_positive_rate", positive=positive))
    return canvas, t("roc.finding", areas=t("list").join(labels))


def draw_pr(d: Gathered, t: Texts) -> Drawn:
    """Precision over recall of every model, with the point that its threshold chooses.

    Precision is TP / (TP + FP), recall TP / (TP + FN). The dashed line is the share of the positive
    class: the precision of a guess.
    """
    curves = d.points("pr", CURVE, baseline=False)
    canvas, [axes] = panels(1, 230, labels=[*curves])
    look = looks(d.evaluated)
    label = (d.evaluated.classes or []).index(d.evaluated.positive or "")
    guess = float(np.mean(d.y[d.judged_rows] == label))
    axes.axhline(guess, **DASHED)
    draw_each(axes, curves, look)
    found = []
    for name in curves:
        precision = d.score(name, f"{d.held_out}_precision")
        recall = d.score(name, f"{d.held_out}_recall_{d.evaluated.positive}")
        if precision[0] is not None and recall[0] is not None:
            axes.plot(recall[0], precision[0], clip_on=False, **look[name].mark(7))
            values = {"precision": t.interval(*precision), "recall": t.interval(*recall)}
            found.append(t("pr.of", trainer=name, **values))
    axes.set(xlabel=t("recall"), ylabel=t("precision"), xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    return canvas, t("pr.finding", positive=d.evaluated.positive, found=t("list").join(found))


def draw_calibration(d: Gathered, t: Texts) -> Drawn:
    """Observed over predicted frequency by bin, with intervals and the diagonal.

    A point is a bin of predicted probabilities: their mean across, the share of its rows that are
    positive up, with Wilson's interval. A model is calibrated where intervals reach the diagonal.
    """
    points = d.by_model("calibration", baseline=False)
    canvas = _calibration(points, looks(d.evaluated), t, short(d.evaluated.positive or "", 16))
    return canvas, _calibrated(d, [points[d.best]], t)


def draw_calibration_by_class(d: Gathered, t: Texts) -> Drawn:
    """The same of the best trainer, each class against all others."""
    points = d.by_class("calibration")
    canvas = _calibration(points, looks_of(points), t, t("the_class"))
    return canvas, _calibrated(d, [*points.values()], t)


def draw_roc_by_class(d: Gathered, t: Texts) -> Drawn:
    """Receiver operating characteristic of the best trainer, each class against all others."""
    curves = _curves(d, "roc")
    names = [short(name, 16) for name in curves]
    canvas, [axes] = panels(1, 230, labels=names)
    axes.plot([0, 1], [0, 1], **DASHED)
    draw_each(axes, curves, looks_of(curves), names)
    rate = t("true_positive_rate", positive=t("the_class"))
    axes.set(xlabel=t("false_positive_rate"), ylabel=rate)
    area = t.interval(*d.score(d.best, f"{d.held_out}_roc_auc"))
    return canvas, t("roc_by_class.finding", best=d.best, area=area)


def draw_pr_by_class(d: Gathered, t: Texts) -> Drawn:
    """Precision over recall of the best trainer, each class against all others."""
    curves = _curves(d, "pr")
    names = [short(name, 16) for name in curves]
    canvas, [axes] = panels(1, 230, labels=names)
    draw_each(axes, curves, looks_of(curves), names)
    axes.set(xlabel=t("recall"), ylabel=t("precision"), xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    means = {
        of: t.interval(*d.score(d.best, f"{d.held_out}_macro_{of}"))
        for of in ("precision", "recall")
    }
    return canvas, t("pr_by_class.finding", best=d.best, **means)


def _curves(d: Gathered, plot: str) -> dict[str, tuple[Array, Array]]:
    """X and y of at most so many points of the best trainer's curve of each class."""
    *_, x, y = PLOTS[plot]
    found = d.by_class(plot)
    some = {name: thinned(len(rows[x]), CURVE) for name, rows in found.items()}
    return {name: (rows[x][some[name]], rows[y][some[name]]) for name, rows in found.items()}


def _calibration(
    points: Mapping[str, Columns], look: Mapping[str, Look], t: Texts, of: str
) -> Figure:
    names = [short(name, 16) for name in points]
    canvas, [axes] = panels(1, 230, labels=names)
    axes.plot([0, 1], [0, 1], **DASHED)
    for k, (name, rows) in enumerate(points.items()):
        x = rows["predicted"] + 0.006 * (k - (len(points) - 1) / 2)  # beside one another
        bars = np.abs([rows["observed"] - rows["low"], rows["high"] - rows["observed"]])
        style = look[name].mark(4) | look[name].line(0, 1)
        axes.errorbar(x, rows["observed"], bars, elinewidth=0.8, label=names[k], **style)
    axes.set_xlabel(t("predicted_probability", positive=of))
    axes.set_ylabel(t("observed_share", positive=of))
    return canvas


def _calibrated(d: Gathered, points: Sequence[Columns], t: Texts) -> str:
    """In how many of the best trainer's bins the interval holds what was predicted."""
    low, high, predicted = (
        np.concatenate([rows[key] for rows in points]) for key in ("low", "high", "predicted")
    )
    holds = (low <= predicted) & (predicted <= high)
    return t("calibration.finding", best=d.best, bins=len(holds), holds=holds.sum())


def _table(rows: Columns, classes: list[str]) -> NDArray[np.int64]:
    """Counts of one model by actual class (down) and predicted class (across).

    The file has the names with formulas escaped; `classes` are the names as they are.
    """
    written = [*map(escape_formula, classes)]
    pairs = zip(rows["actual"], rows["predicted"], rows["rows"], strict=True)
    counts = {(actual, predicted): count for actual, predicted, count in pairs}
    return np.array([[counts.get((a, p), 0) for p in written] for a in written], dtype=np.int64)


def _cells(axes: Axes, table: NDArray[np.int64], name: str) -> None:
    """One shaded cell for each pair of classes; a row's shades and shares add up to one.

    What is right is blue, what is wrong vermilion: told apart without red and green.
    """
    end, small = len(table) - 0.5, len(table) > 4  # no room for shares
    axes.set(xlim=(-0.5, end), ylim=(end, -0.5))
    axes.set_title(name, fontsize=8, pad=4)
    axes.grid(visible=False)
    for (i, j), count in np.ndenumerate(table):
        share = count / max(1, table[i].sum())
        colour = COLOURS[0] if i == j else COLOURS[1]
        cell = Rectangle((j - 0.5, i - 0.5), 1, 1, color=colour, alpha=0.06 + 0.4 * share)
        axes.add_patch(cell)
        up = 0 if small else 0.14
        axes.text(j, i - up, f"{count}", ha="center", va="center", fontsize=7.5 if small else 10)
        if not small:
            axes.text(j, i + 0.22, f"{share:.0%}", ha="center", va="center", fontsize=7.5)
