"""Pictures of the chapter, as PNG files without a trace of when or where."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Canvas

from pipeline.core.files import atomic_write
from pipeline.core.tables import Array
from pipeline.solvers.closed_form import least_squares
from pipeline.solvers.pairwise_mean import lines
from pipeline.solvers.quadratic import analytic_iterate, mean_squared_error
from pipeline.textbook.exercises import rate_curves
from pipeline.textbook.house import AREA, EPOCHS, PRICE, RATE, ROWS

RATES = (0.001, 0.01, 0.1, 0.5, 0.95, 1.5)


def draw(folder: Path) -> None:
    """Draw house.png and learning_rates.png, whatever the reader's own matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        _draw_house(folder / "house.png")
        _draw_rates(folder / "learning_rates.png")


def _draw_house(path: Path) -> None:
    """Fig. 3.5 and 3.26 in one: the six points and the lines of three methods.

    The legend has the mean squared error of each line on the six rows.
    """
    loss = mean_squared_error(ROWS)
    methods: dict[str, Array] = {
        "mean of all pairs (3-3)": np.mean(lines(AREA, PRICE), axis=1),
        "5,000,000 epochs (3-5)": analytic_iterate(loss, np.ones(2), RATE, EPOCHS),
        "least squares": least_squares(ROWS).theta,
    }
    canvas = Canvas(figsize=(7, 4), layout="constrained")
    axes = canvas.subplots()
    axes.plot(AREA, PRICE, "o", color="black")
    x = np.array([70.0, 145.0])
    for (name, theta), style in zip(methods.items(), ("--", "-.", "-"), strict=True):
        label = f"{name}: mse {float(loss.values(theta)):.2f}"
        axes.plot(x, theta[0] * x + theta[1], style, label=label)
    axes.set(xlabel="area, m²", ylabel="price, 10,000 yuan", title="Six house prices")
    axes.legend()
    _save(canvas, path)


def _draw_rates(path: Path) -> None:
    """Fig. 3.8, measured: learning rates too small, good and too large, and the stable bound.

    Left the loss by epoch for RATES, right the loss after 100 epochs for 200 rates, with a line at
    2 / (largest eigenvalue of the Hessian).
    """
    curves, bound = rate_curves(np.array(RATES))
    rates = np.geomspace(1e-3, 1.1, 200)
    lasts = [history[-1] for history in rate_curves(rates)[0]]
    canvas = Canvas(figsize=(10, 4), layout="constrained")
    left, right = canvas.subplots(1, 2)
    for rate, history in zip(RATES, curves, strict=True):
        left.plot(history, label=f"lr {rate:g}{' (above the bound)' * (rate > bound)}")
    left.set(xlabel="epoch", ylabel="mean squared error", yscale="log", ylim=(20, 1e9))
    left.set(title="Loss by epoch, house, standardized area")
    right.plot(rates, lasts)
    right.axvline(bound, color="black", linestyle="--", label=f"largest stable lr {bound:g}")
    right.axhline(min(lasts), color="gray", linestyle=":", label="least squares")
    right.set(xlabel="lr", ylabel="mean squared error after 100 epochs", xscale="log")
    right.set(title="Too small, good, too large", yscale="log", ylim=(20, 1e9))
    for axes in (left, right):
        axes.legend(fontsize=8)
    _save(canvas, path)


def _save(canvas: Canvas, path: Path) -> None:
    with atomic_write(path) as part:
        canvas.savefig(part, format="png", dpi=100, metadata={"Software": None})
