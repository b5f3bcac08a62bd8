"""How the training went, and what the regression models make of the judged rows."""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pipeline.core.tables import Array
from pipeline.core.thin import thinned
from pipeline.figures.canvas import add_legend, log_axis, near, panels, short
from pipeline.figures.looks import DASHED, Look, looks
from pipeline.figures.picture import Picture, correlation, picture
from pipeline.figures.svg import INK
from pipeline.report.gather import Gathered, numbers
from pipeline.report.texts import Texts

EPOCHS = 300
CLOUDS = 1000  # points of all models together
DIGITS = 1e-15  # of the first loss: what is below is rounding


def draw_loss(d: Gathered, t: Texts) -> Picture | None:
    """Training loss by epoch, with the least-squares minimum where it is one."""
    if not d.histories:
        return None
    look = looks(d.evaluated)
    minimum = least_squares_minimum(d)
    labels = [_rate(d, t, name) for name in d.histories]
    labels += [t("least_squares", mse=t.number(minimum))] if minimum is not None else []
    canvas, [axes] = panels(1, 190, labels=labels)
    curves = {name: _positive(history[:, 1]) for name, history in d.histories.items()}
    handles: list[Artist] = []
    for k, (name, curve) in enumerate(curves.items()):
        some = _some_epochs(len(curve))
        epochs = d.histories[name][some, 0]
        handles += axes.plot(epochs, curve[some], **look[name].line(k, len(curves)))
    if minimum is not None and minimum > 0:
        handles.append(axes.axhline(minimum, color=INK, linestyle=(0, (1, 2)), linewidth=1))
    log_axis(axes, min(map(np.min, curves.values())), max(map(np.max, curves.values())))
    axes.set_xlabel(t("epoch"))
    axes.set_ylabel(_loss_name(d, t))
    add_legend(canvas, handles, labels[: len(handles)])
    return picture(d, t, "loss", canvas, _falls(d, t, minimum))


def least_squares_minimum(d: Gathered) -> float | None:
    """The training error of least squares, where it bounds what every trainer here minimizes."""
    plain = {"loss": "mse", "weight_decay": 0, "batch_size": "full"}
    for name in d.histories:
        if any(d.models[name].params.get(key) != value for key, value in plain.items()):
            return None
    scores = [d.judged[n].scores for n in ("closed_form", "linear_regression") if n in d.judged]
    return scores[0].get("train_mse") if scores else None


def draw_predictions(d: Gathered, t: Texts) -> Picture | None:
    """Predicted over actual, with the diagonal."""
    if "predictions" not in d.plots:
        return None
    columns = d.plots["predictions"]
    actual = numbers(columns["actual"])
    names = [name for name in d.judged if name in columns]
    canvas, [axes] = panels(1, 230, labels=names)
    some = thinned(len(actual), CLOUDS // len(names))
    ends = [actual.min(), actual.max()]
    axes.plot(ends, ends, **DASHED)
    points = {name: (actual[some], numbers(columns[name])[some]) for name in names}
    handles = _clouds(axes, points, looks(d.evaluated))
    axes.set_ylim(near(axes.get_ylim(), actual))
    axes.set_xlabel(t("actual", target=short(d.evaluated.target, 30)))
    axes.set_ylabel(t("predicted", target=short(d.evaluated.target, 20)))
    add_legend(canvas, handles, names)
    actual, best = d.best_on_them  # the points may be a part of them
    worst = int(np.argmax(np.abs(actual - best)))
    finding = t(
        "predictions.finding", best=d.best, rows=t.number(len(actual)),
        where=t(f"on_{d.held_out}"), r=t.number(correlation(actual, best)),
        predicted=t.number(best[worst]), actual=t.number(actual[worst]),
    )  # fmt: skip
    return picture(d, t, "predictions", canvas, finding)


def draw_residuals(d: Gathered, t: Texts) -> Picture | None:
    """Actual minus predicted, over predicted."""
    if "residuals" not in d.plots:
        return None
    columns = d.plots["residuals"]
    trainers = np.array(columns["trainer"])
    predicted, residual = numbers(columns["predicted"]), numbers(columns["residual"])
    names = [name for name in d.judged if name in trainers]
    canvas, [axes] = panels(1, 190, labels=names)
    axes.axhline(0, **DASHED)
    points = {}
    for name in names:
        rows = np.flatnonzero(trainers == name)
        rows = rows[thinned(len(rows), CLOUDS // len(names))]
        points[name] = (predicted[rows], residual[rows])
    handles = _clouds(axes, points, looks(d.evaluated))
    actual = d.y[d.judged_rows]
    axes.set_ylim(near(axes.get_ylim(), actual - actual.mean()))
    axes.set_xlim(near(axes.get_xlim(), actual))
    axes.set_xlabel(t("predicted", target=short(d.evaluated.target, 30)))
    axes.set_ylabel(t("residual"))
    add_legend(canvas, handles, names)
    best = np.subtract(*d.best_on_them)  # the points may be a part of them
    values = {"low": best.min(), "high": best.max(), "mean": _centre(best), "sd": best.std()}
    shown = {key: t.number(float(value)) for key, value in values.items()}
    return picture(d, t, "residuals", canvas, t("residuals.finding", best=d.best, **shown))


def _centre(values: Array) -> float:
    """The mean; 0 where it is rounding."""
    mean = float(values.mean())
    return mean if abs(mean) > 1e-6 * float(np.abs(values).max()) else 0.0


def _clouds(
    axes: Axes, points: dict[str, tuple[Array, Array]], look: dict[str, Look]
) -> list[Artist]:
    handles: list[Artist] = []
    for k, (name, (x, y)) in enumerate(points.items()):
        handles += axes.plot(x, y, **look[name].cloud(k, len(points)))
    return handles


def _positive(history: Array) -> Array:
    """What a logarithmic axis can show: a loss of zero lies at the floor of rounding."""
    return np.maximum(history, max(float(history[0]) * DIGITS, 1e-300))


def _some_epochs(count: int) -> NDArray[np.int64]:
    """The first epochs, where the loss falls, and evenly spaced ones."""
    return np.union1d(np.arange(min(count, 50)), thinned(count, EPOCHS))


def _rate(d: Gathered, t: Texts, name: str) -> str:
    model = d.models[name]
    lr, stable = model.params["lr"], model.facts.get("stable_lr")
    if stable is None:
        return t("rate", trainer=name, lr=f"{lr:g}")
    return t("stable_rate", trainer=name, lr=f"{lr:g}", stable=f"{stable:.4g}")


def _loss_name(d: Gathered, t: Texts) -> str:
    losses = {str(d.models[name].params.get("loss", "log_loss")) for name in d.histories}
    return ", ".join(t(loss) for loss in sorted(losses))


def _falls(d: Gathered, t: Texts, minimum: float | None) -> str:
    falls = [
        t(
            "loss.finding", trainer=name,
            first=t.number(history[0, 1]), begin=t.number(history[0, 0]),
            last=t.number(history[-1, 1]), end=t.number(history[-1, 0]),
        )
        for name, history in d.histories.items()
    ]  # fmt: skip
    if minimum is not None:
        falls.append(t("loss.minimum", mse=t.number(minimum)))
    return " ".join(falls)
