"""What the classification models make of the judged rows."""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from pipeline.core.escape import escape_formula
from pipeline.core.tables import Array
from pipeline.core.thin import thinned
from pipeline.figures.canvas import add_legend, panels, short
from pipeline.figures.looks import DASHED, Look, looks
from pipeline.figures.picture import Picture, picture
from pipeline.figures.svg import COLOURS
from pipeline.report.gather import Gathered, numbers
from pipeline.report.texts import Texts

CURVE = 300


def draw_confusion(d: Gathered, t: Texts) -> Picture | None:
    """Counts and row shares of every model."""
    if "confusion" not in d.plots or d.evaluated.classes is None:
        return None
    columns, classes = d.plots["confusion"], d.evaluated.classes
    trainers = np.array(columns["trainer"])
    names = [name for name in d.judged if name in trainers]
    per_row = min(len(names), 2)
    canvas, panes = panels(len(names), 92, per_row, left=34, bottom=34, top=20, gap=(16, 54))
    tables = {}
    for k, (name, axes) in enumerate(zip(names, panes, strict=True)):
        tables[name] = _confusion(columns, trainers == name, classes)
        _cells(axes, tables[name], name)
        axes.set_xticks([0, 1], [short(c, 9) for c in classes])
        axes.set_xlabel(t("predicted_class"), fontsize=8)
        axes.set_yticks([0, 1], [short(c, 6) for c in classes], rotation=90, va="center", size=7.5)
        if k % per_row:
            axes.set_yticks([])
        else:
            axes.set_ylabel(t("actual_class"), fontsize=8)
    best = tables[d.best]
    found = [
        t("found", name=name, right=t.number(int(best[k, k])), all=t.number(int(best[k].sum())))
        for k, name in enumerate(classes)
    ]
    finding = t("confusion.finding", best=d.best, found=t("list").join(found))
    return picture(d, t, "confusion", canvas, finding)


def draw_roc(d: Gathered, t: Texts) -> Picture | None:
    """Receiver operating characteristic of every model, with the area under it."""
    if not d.plots.get("roc", {}).get("trainer"):
        return None
    names, curves = _curves(d, "roc", "false_positive_rate", "true_positive_rate")
    areas = {name: t.interval(*d.score(name, f"{d.held_out}_roc_auc")) for name in names}
    labels = [f"{name}: {areas[name]}" for name in names]
    canvas, [axes] = panels(1, 230, labels=labels)
    axes.plot([0, 1], [0, 1], **DASHED)
    handles = _draw_curves(axes, curves, looks(d.evaluated))
    positive = short(d.evaluated.positive or "", 16)
    axes.set(xlabel=t("false_positive_rate"), ylabel=t("true_positive_rate", positive=positive))
    add_legend(canvas, handles, labels)
    return picture(d, t, "roc", canvas, t("roc.finding", areas=t("list").join(labels)))


def draw_pr(d: Gathered, t: Texts) -> Picture | None:
    """Precision over recall of every model, with the point that its threshold chooses."""
    if not d.plots.get("pr", {}).get("trainer"):
        return None
    names, curves = _curves(d, "pr", "recall", "precision")
    canvas, [axes] = panels(1, 230, labels=names)
    look = looks(d.evaluated)
    label = (d.evaluated.classes or []).index(d.evaluated.positive or "")
    guess = float(np.mean(d.y[d.judged_rows] == label))
    axes.axhline(guess, **DASHED)
    handles = _draw_curves(axes, curves, look)
    found = []
    for name in names:
        precision, recall = (
            d.score(name, f"{d.held_out}_{key}")
            for key in ("precision", f"recall_{d.evaluated.positive}")
        )
        if precision[0] is not None and recall[0] is not None:
            axes.plot(recall[0], precision[0], clip_on=False, **look[name].mark(7))
            values = {"precision": t.interval(*precision), "recall": t.interval(*recall)}
            found.append(t("pr.of", trainer=name, **values))
    axes.set(xlabel=t("recall"), ylabel=t("precision"), xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    add_legend(canvas, handles, names)
    finding = t("pr.finding", positive=d.evaluated.positive, found=t("list").join(found))
    return picture(d, t, "pr", canvas, finding)


def draw_calibration(d: Gathered, t: Texts) -> Picture | None:
    """Observed over predicted frequency by bin, with intervals and the diagonal."""
    if "calibration" not in d.plots:
        return None
    columns = d.plots["calibration"]
    trainers = np.array(columns["trainer"])
    predicted, observed, low, high = (
        numbers(columns[key]) for key in ("predicted", "observed", "low", "high")
    )
    names = _not_trivial(d, trainers)
    canvas, [axes] = panels(1, 230, labels=names)
    axes.plot([0, 1], [0, 1], **DASHED)
    look, handles = looks(d.evaluated), []
    for k, name in enumerate(names):
        rows = np.flatnonzero(trainers == name)
        x = predicted[rows] + 0.006 * (k - (len(names) - 1) / 2)  # beside one another
        bars = np.abs(np.array([observed[rows] - low[rows], high[rows] - observed[rows]]))
        style = look[name].mark(4) | look[name].line(0, 1)
        handles.append(axes.errorbar(x, observed[rows], bars, elinewidth=0.8, **style))
    positive = short(d.evaluated.positive or "", 16)
    axes.set_xlabel(t("predicted_probability", positive=positive))
    axes.set_ylabel(t("observed_share", positive=positive))
    add_legend(canvas, handles, names)
    mine = trainers == d.best
    holds = (low <= predicted) & (predicted <= high) & mine
    counts = {"bins": t.number(int(mine.sum())), "holds": t.number(int(holds.sum()))}
    return picture(d, t, "calibration", canvas, t("calibration.finding", best=d.best, **counts))


def _confusion(
    columns: dict[str, list[str]], rows: NDArray[np.bool_], classes: list[str]
) -> NDArray[np.int64]:
    actual, predicted = (np.array(columns[key])[rows] for key in ("actual", "predicted"))
    counts = numbers(columns["rows"])[rows].astype(np.int64)
    written = [*map(escape_formula, classes)]
    return np.array(
        [[counts[(actual == a) & (predicted == p)].sum() for p in written] for a in written]
    )


def _cells(axes: Axes, table: NDArray[np.int64], name: str) -> None:
    """One shaded cell for each pair of classes; a row's shades and shares add up to one."""
    axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5))
    axes.set_title(name, fontsize=8, pad=4)
    axes.grid(visible=False)
    for i, row in enumerate(table):
        for j, count in enumerate(row):
            share = count / max(1, row.sum())
            colour = COLOURS[0] if i == j else COLOURS[1]
            cell = Rectangle((j - 0.5, i - 0.5), 1, 1, color=colour, alpha=0.06 + 0.4 * share)
            axes.add_patch(cell)
            axes.text(j, i - 0.14, f"{count}", ha="center", va="center", fontsize=10)
            axes.text(j, i + 0.22, f"{share:.0%}", ha="center", va="center", fontsize=7.5)


def _not_trivial(d: Gathered, trainers: NDArray[np.str_]) -> list[str]:
    """All but the majority class: its curves are the dashed lines."""
    return [n for n, one in d.judged.items() if n in trainers and one.role != "baseline"]


def _curves(
    d: Gathered, plot: str, x: str, y: str
) -> tuple[list[str], dict[str, tuple[Array, Array]]]:
    columns = d.plots[plot]
    trainers = np.array(columns["trainer"])
    names = _not_trivial(d, trainers)
    across, up = numbers(columns[x]), numbers(columns[y])
    curves = {}
    for name in names:
        rows = np.flatnonzero(trainers == name)
        rows = rows[thinned(len(rows), CURVE)]
        curves[name] = (across[rows], up[rows])
    return names, curves


def _draw_curves(
    axes: Axes, curves: dict[str, tuple[Array, Array]], look: dict[str, Look]
) -> list[Artist]:
    handles: list[Artist] = []
    for k, (name, (x, y)) in enumerate(curves.items()):
        handles += axes.plot(x, y, **look[name].line(k, len(curves)))
    return handles
