"""How the training went, and what the regression models make of the judged rows."""

import numpy as np

from pipeline.core.preprocessing import thinned
from pipeline.core.tables import Array
from pipeline.figures.canvas import Drawn, log_axis, near, panels, short
from pipeline.figures.looks import DASHED, Look, draw_each, looks
from pipeline.figures.svg import INK
from pipeline.report.data_pictures import correlation
from pipeline.report.gather import Gathered
from pipeline.report.texts import Texts

EPOCHS = 300
CLOUDS = 1000  # points of all models together
DIGITS = 1e-15  # of the first loss: what is below is rounding


def draw_loss(d: Gathered, t: Texts) -> Drawn:
    """Training loss by epoch, with the least-squares minimum where it is one.

    The legend names each learning rate and the largest stable one. A model has at most EPOCHS and
    50 points.
    """
    minimum = least_squares_minimum(d)
    labels = [_rate(d, t, name) for name in d.histories]
    labels += [t("least_squares", mse=minimum)] if minimum is not None else []
    canvas, [axes] = panels(1, 190, labels=labels)
    curves = {name: _some_epochs(history) for name, history in d.histories.items()}
    draw_each(axes, curves, looks(d.evaluated), labels)
    if minimum is not None and minimum > 0:
        axes.axhline(minimum, color=INK, linestyle=(0, (1, 2)), linewidth=1, label=labels[-1])
    losses = np.concatenate([loss for _, loss in curves.values()])
    log_axis(axes, "y", losses.min(), losses.max())
    axes.set(xlabel=t("epoch"), ylabel=_loss_name(d, t))
    return canvas, _falls(d, t, minimum)


def least_squares_minimum(d: Gathered) -> float | None:
    """The training error of least squares, where it bounds what every trainer here minimizes.

    Returns
    -------
    float or None
        min over theta of 1/n |X theta - y|^2; None where a trainer minimizes something else, as
        where the target is logged, or is no line.
    """
    if d.learned or not all(len(d.models[name].weights) for name in d.histories):
        return None
    plain = {"loss": "mse", "weight_decay": 0, "batch_size": "full"}.items()
    if not all(plain <= d.models[name].params.items() for name in d.histories):
        return None
    scores = [d.judged[n].scores for n in ("closed_form", "linear_regression") if n in d.judged]
    return scores[0].get("train_mse") if scores else None


def draw_predictions(d: Gathered, t: Texts) -> Drawn:
    """Predicted over actual, with the diagonal, on which a prediction is right.

    The rows are the test rows, or all where there are none.
    """
    points = _clouds(d, "predictions")
    canvas, [axes] = panels(1, 230, labels=[*points])
    actual = d.plots["predictions"]["actual"]
    ends = [actual.min(), actual.max()]
    axes.plot(ends, ends, **DASHED)
    draw_each(axes, points, looks(d.evaluated), style=Look.cloud)
    axes.set_ylim(near(axes.get_ylim(), actual))
    axes.set_xlabel(t("actual", target=short(d.evaluated.target, 30)))
    axes.set_ylabel(t("predicted", target=short(d.evaluated.target, 20)))
    actual, best = d.best_on_them  # the points may be a part of them
    worst = int(np.argmax(np.abs(actual - best)))
    return canvas, t(
        "predictions.finding", best=d.best, rows=len(actual), where=t(f"on_{d.held_out}"),
        r=correlation(actual, best), predicted=best[worst], actual=actual[worst],
    )  # fmt: skip


def draw_residuals(d: Gathered, t: Texts) -> Drawn:
    """Residuals, actual minus predicted, over predicted.

    A trend in them is what a straight line could not fit; a funnel is noise that grows.

    The rows are the test rows, or all where there are none.
    """
    points = _clouds(d, "residuals")
    canvas, [axes] = panels(1, 190, labels=[*points])
    axes.axhline(0, **DASHED)
    draw_each(axes, points, looks(d.evaluated), style=Look.cloud)
    actual = d.y[d.judged_rows]
    axes.set_ylim(near(axes.get_ylim(), actual - actual.mean()))
    axes.set_xlim(near(axes.get_xlim(), actual))
    axes.set(xlabel=t("predicted", target=short(d.evaluated.target, 30)), ylabel=t("residual"))
    best = np.subtract(*d.best_on_them)  # the points may be a part of them
    values = {"low": best.min(), "high": best.max(), "mean": _centre(best), "sd": best.std()}
    return canvas, t("residuals.finding", best=d.best, **values)


def _centre(values: Array) -> float:
    """The mean; 0 where it is rounding."""
    mean = float(values.mean())
    return mean if abs(mean) > 1e-6 * float(np.abs(values).max()) else 0.0


def _clouds(d: Gathered, plot: str) -> dict[str, tuple[Array, Array]]:
    """By model: x and y of an equal part of its rows, CLOUDS of them together."""
    return d.points(plot, CLOUDS // len(d.by_model(plot)))


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
    return ", ".join(t(loss) for loss in sorted(losses)) + d.learned


def _falls(d: Gathered, t: Texts, minimum: float | None) -> str:
    """From where to where each loss fell, in words."""
    falls = []
    for name, history in d.histories.items():
        (begin, first), (end, last) = history[[0, -1]]
        falls.append(t("loss.finding", trainer=name, first=first, begin=begin, last=last, end=end))
    if minimum is not None:
        falls.append(t("loss.minimum", mse=minimum))
    return " ".join(falls)
