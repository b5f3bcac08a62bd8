"""How the training went, and what the regression models make of the judged rows."""

import numpy as np

from pipeline.core.tables import Array
from pipeline.core.thin import thinned
from pipeline.figures.canvas import add_legend, log_axis, near, panels, short
from pipeline.figures.looks import DASHED, draw_each, looks
from pipeline.figures.svg import INK
from pipeline.report.gather import Gathered
from pipeline.report.picture import Picture, correlation, picture
from pipeline.report.texts import Texts

EPOCHS = 300
CLOUDS = 1000  # points of all models together
DIGITS = 1e-15  # of the first loss: what is below is rounding


def draw_loss(d: Gathered, t: Texts) -> Picture | None:
    """Training loss by epoch, with the least-squares minimum where it is one.

    The legend names each learning rate and the largest stable one.

    Returns
    -------
    Picture or None
        At most EPOCHS and 50 points a model; None where no model descends.
    """
    if not d.histories:
        return None
    minimum = least_squares_minimum(d)
    labels = [_rate(d, t, name) for name in d.histories]
    labels += [t("least_squares", mse=t.number(minimum))] if minimum is not None else []
    canvas, [axes] = panels(1, 190, labels=labels)
    curves = {name: _some_epochs(history) for name, history in d.histories.items()}
    handles = draw_each(axes, curves, looks(d.evaluated), cloud=False)
    if minimum is not None and minimum > 0:
        handles.append(axes.axhline(minimum, color=INK, linestyle=(0, (1, 2)), linewidth=1))
    losses = np.concatenate([loss for _, loss in curves.values()])
    log_axis(axes, "y", losses.min(), losses.max())
    axes.set_xlabel(t("epoch"))
    axes.set_ylabel(_loss_name(d, t))
    add_legend(canvas, handles, labels[: len(handles)])
    return picture(d, t, "loss", canvas, _falls(d, t, minimum))


def least_squares_minimum(d: Gathered) -> float | None:
    """The training error of least squares, where it bounds what every trainer here minimizes.

    Returns
    -------
    float or None
        min over theta of 1/n |X theta - y|^2; None where a trainer minimizes something else.
    """
    plain = {"loss": "mse", "weight_decay": 0, "batch_size": "full"}
    for name in d.histories:
        if any(d.models[name].params.get(key) != value for key, value in plain.items()):
            return None
    scores = [d.judged[n].scores for n in ("closed_form", "linear_regression") if n in d.judged]
    return scores[0].get("train_mse") if scores else None


def draw_predictions(d: Gathered, t: Texts) -> Picture | None:
    """Predicted over actual, with the diagonal, on which a prediction is right.

    Returns
    -------
    Picture or None
        The test rows, or all where there are none; None for classes.
    """
    points = _clouds(d, "predictions", "actual", "predicted")
    if not points:
        return None
    canvas, [axes] = panels(1, 230, labels=[*points])
    actual = d.plots["predictions"]["actual"]
    ends = [actual.min(), actual.max()]
    axes.plot(ends, ends, **DASHED)
    handles = draw_each(axes, points, looks(d.evaluated), cloud=True)
    axes.set_ylim(near(axes.get_ylim(), actual))
    axes.set_xlabel(t("actual", target=short(d.evaluated.target, 30)))
    axes.set_ylabel(t("predicted", target=short(d.evaluated.target, 20)))
    add_legend(canvas, handles, [*points])
    actual, best = d.best_on_them  # the points may be a part of them
    worst = int(np.argmax(np.abs(actual - best)))
    finding = t(
        "predictions.finding", best=d.best, rows=t.number(len(actual)),
        where=t(f"on_{d.held_out}"), r=t.number(correlation(actual, best)),
        predicted=t.number(best[worst]), actual=t.number(actual[worst]),
    )  # fmt: skip
    return picture(d, t, "predictions", canvas, finding)


def draw_residuals(d: Gathered, t: Texts) -> Picture | None:
    """Residuals, actual minus predicted, over predicted.

    A trend in them is what a straight line could not fit; a funnel is noise that grows.

    Returns
    -------
    Picture or None
        The test rows, or all where there are none; None for classes.
    """
    points = _clouds(d, "residuals", "predicted", "residual")
    if not points:
        return None
    canvas, [axes] = panels(1, 190, labels=[*points])
    axes.axhline(0, **DASHED)
    handles = draw_each(axes, points, looks(d.evaluated), cloud=True)
    actual = d.y[d.judged_rows]
    axes.set_ylim(near(axes.get_ylim(), actual - actual.mean()))
    axes.set_xlim(near(axes.get_xlim(), actual))
    axes.set_xlabel(t("predicted", target=short(d.evaluated.target, 30)))
    axes.set_ylabel(t("residual"))
    add_legend(canvas, handles, [*points])
    best = np.subtract(*d.best_on_them)  # the points may be a part of them
    values = {"low": best.min(), "high": best.max(), "mean": _centre(best), "sd": best.std()}
    shown = {key: t.number(float(value)) for key, value in values.items()}
    return picture(d, t, "residuals", canvas, t("residuals.finding", best=d.best, **shown))


def _centre(values: Array) -> float:
    """The mean; 0 where it is rounding."""
    mean = float(values.mean())
    return mean if abs(mean) > 1e-6 * float(np.abs(values).max()) else 0.0


def _clouds(d: Gathered, plot: str, x: str, y: str) -> dict[str, tuple[Array, Array]]:
    """By model: x and y of an equal part of its rows, CLOUDS of them together."""
    found = d.by_model(plot)
    some = {name: thinned(len(rows[x]), CLOUDS // len(found)) for name, rows in found.items()}
    return {name: (rows[x][some[name]], rows[y][some[name]]) for name, rows in found.items()}


def _some_epochs(history: Array) -> tuple[Array, Array]:
    """The first epochs, where the loss falls, and evenly spaced ones; the loss of each.

    A loss of zero, which a logarithmic axis cannot show, lies at the floor of rounding.
    """
    some = np.union1d(np.arange(min(len(history), 50)), thinned(len(history), EPOCHS))
    floor = max(float(history[0, 1]) * DIGITS, 1e-300)
    return history[some, 0], np.maximum(history[some, 1], floor)


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
    """From where to where each loss fell, in words."""
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
