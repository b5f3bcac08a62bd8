"""What the page docs/descent/index.html computes with, and the answers of its exercises."""

import csv
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.preprocessing import fit_scaler, split_rows, standardized
from pipeline.core.settings.descent import Descent
from pipeline.core.tables import Array
from pipeline.core.trainers import no_callback
from pipeline.solvers import pairwise_mean
from pipeline.solvers.closed_form import least_squares
from pipeline.solvers.descent import Fit, RowLoss, train
from pipeline.solvers.descent import descend as descend_on_rows
from pipeline.solvers.losses import sigmoid
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.quadratic import Quadratic, analytic_iterate, descend, mean_squared_error
from pipeline.solvers.rows import ArrayRows

ROOT = Path(__file__).resolve().parents[2]
SEEDS, EPOCHS = range(8), 1000  # of the orders of rows, which numpy's generator draws
MOST_WEIGHTS = 33  # of a network 2-8-1
TRAINED = 800  # rows of each drawn example; the others test
DRAWN = {"rings": "ring", "moons": "moon", "xor": "signs"}  # and their targets
RATE, MILLION = 1e-5, 1_000_000  # of listing 3-5


def page_data() -> dict[str, Any]:
    """All of it, to be written as JSON."""
    area, price = flats()
    return {
        "flats": {"area": area.tolist(), "price": price.tolist()},
        "orders": [orders(seed) for seed in SEEDS],
        "draws": [draws(seed) for seed in SEEDS],
        "book": book(),
        "cancer": cancer(),
        "drawn": {name: drawn(name) for name in DRAWN},
        "exercises": exercises(),
    }


def columns(path: str) -> dict[str, list[str]]:
    """The columns of a CSV file, by name."""
    with (ROOT / path).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return {name: [*column] for name, column in zip(header, zip(*rows, strict=True), strict=True)}


def flats() -> tuple[Array, Array]:
    """The chapter's six flats: area in m2, price in 10,000 yuan; shape (6,) each."""
    table = columns("data/raw/house.csv")
    return np.array(table["area_m2"], float), np.array(table["price_wan"], float)


def orders(seed: int) -> str:
    """The rows of each epoch as `Rows.shuffled` takes them in small batches, a digit a row."""
    generator = np.random.default_rng(seed)
    return "".join("".join(map(str, generator.permutation(6))) for _ in range(EPOCHS))


def draws(seed: int) -> list[float]:
    """What `NetworkLoss.first` draws, before it is scaled: uniform from 0 to 1."""
    drawn: list[float] = np.random.default_rng(seed).random(MOST_WEIGHTS).tolist()
    return drawn


def book() -> list[list[str]]:
    """What the book prints below listing 3-5: loss, w and b after each million epochs."""
    chapter = tomllib.loads((ROOT / "pipeline/textbook/chapter.toml").read_text(encoding="utf-8"))
    (listing,) = (one for one in chapter["listing"] if one["numbers"] == "3-5")
    printed = [value for _, value in listing["figures"][:15]]
    return [printed[k : k + 3] for k in range(0, 15, 3)]


def cancer() -> dict[str, Any]:
    """The table of case 2, and which of its rows listing 3-25 keeps for testing."""
    table = columns("data/raw/breast_cancer.csv")
    labels = [int(label) for label in table.pop("target")]
    _, test = split_rows(len(labels), 0.2, 1234)
    values = [[float(v) for v in column] for column in table.values()]
    return {"names": [*table], "columns": values, "labels": labels, "test": test.tolist()}


def drawn(name: str) -> dict[str, Any]:
    """An example of two features; its first class, in the order of the letters, is label 0."""
    table = columns(f"examples/{name}.csv")
    classes = sorted({*table[DRAWN[name]]})
    return {
        "x": [float(v) for v in table["x"]],
        "y": [float(v) for v in table["y"]],
        "labels": [classes.index(label) for label in table[DRAWN[name]]],
        "target": DRAWN[name],
        "classes": classes,
        "trained": TRAINED,
    }


def settings(**changes: Any) -> Descent:
    """The params of a descent: the page's, but for `changes`."""
    given = {
        "seed": 0,
        "lr": 0.1,
        "epochs": 100,
        "batch_size": "full",
        "optimizer": "sgd",
        "momentum": 0.9,
        "weight_decay": 0.0,
        "init": "zeros",
        "loss_threshold": 0.0,
        "tolerance": 0.0,
    }
    return Descent.of(**(given | changes))


def fit_flats(start: Array, *, raw: bool = False, **changes: Any) -> Fit:
    """Descend on the six flats with any optimizer and batch size; from a start."""
    rows, chosen = house(raw), settings(**changes)
    step = optimizer(chosen.optimizer, chosen.lr, chosen.momentum).step
    objective = RowLoss(rows, chosen, "mse", fit_intercept=True)
    return Fit(*train(objective, step, start, chosen, lambda: None))


def house(raw: bool) -> ArrayRows:
    """The six flats as rows, the area in m2 or standardized."""
    area, price = flats()
    X = area[:, None]
    return ArrayRows(X if raw else standardized(X, *fit_scaler(X)), price)


def exercises() -> dict[str, dict[str, Any]]:
    """The answers, right and wrong, of each exercise.

    Returns
    -------
    dict
        By exercise (texts.toml): `right`, the name of its right option, and `values`, numbers that
        its texts show.
    """
    raw, plain = mean_squared_error(house(True)), mean_squared_error(house(False))
    slow, steep = np.linalg.eigvalsh(raw.hessian)
    return {
        "rate": _exercise(
            "two",
            **{"largest": steep, "smallest": slow, "one": 1 / steep, "two": 2 / steep},
            **{"sum": 2 / (6 * steep), "slow": 2 / slow},
        ),
        "one_step": _exercise("one", tenth=_arrival(plain, 0.1), one=_arrival(plain, 0.5)),
        "overshoot": _exercise(
            "eight",
            eight=_gap_left(plain, 1.5, 3),
            rate=1.5**3,
            shrinks=1 / _gap_left(plain, 1.5, 3),
        ),
        "slow": _exercise(
            "slow",
            **{"steep": _hundredth(steep), "slow": _hundredth(slow), "book": 5 * MILLION},
            **{"smallest": slow, "left": 100 * (1 - RATE * slow) ** (5 * MILLION)},
        ),
        "price": _exercise("least", **_prices(raw)),
        "momentum": _exercise("more", same=plain.max_stable_lr(), more=1.9 * plain.max_stable_lr()),
        "adam": _exercise("steps", **_of_adam()),
        "batches": _exercise("wavers", **_in_batches(plain)),
        "threshold": _exercise("fewer", **_at_thresholds()),
        "weights": _exercise("all", all=(2 + 1) * 4 + 4 + 1, units=2 + 4 + 1, plain=2 * 4 + 4),
    }


def _exercise(right: str, **values: float) -> dict[str, Any]:
    return {"right": right, "values": {name: float(f"{v:.7g}") for name, v in values.items()}}


def _arrival(loss: Quadratic, lr: float) -> int:
    """The first epoch from zeros whose loss is the least but for a billionth."""
    _, history = descend(loss, np.zeros(2), lr, 1000)
    return int(np.argmax(history <= loss.minimum * (1 + 1e-9)))


def _gap_left(loss: Quadratic, lr: float, epochs: int) -> float:
    theta, _ = descend(loss, np.zeros(2), lr, epochs)
    return float(np.linalg.norm(theta - loss.minimizer) / np.linalg.norm(loss.minimizer))


def _hundredth(eigenvalue: float) -> float:
    """Epochs at the rate of listing 3-5 until a hundredth of the gap in a direction is left."""
    return float(np.ceil(np.log(0.01) / np.log(abs(1 - RATE * eigenvalue))))


def _prices(raw: Quadratic) -> Mapping[str, float]:
    """What 140 m2 cost by least squares, by the mean line, by listing 3-5, by the rule of three."""
    flat, (area, price) = np.array([140.0, 1.0]), flats()
    pairs = pairwise_mean.fit(house(True)).theta
    late = analytic_iterate(raw, np.ones(2), RATE, 5 * MILLION)
    return {
        "pairs": float(pairs @ flat),
        "pairs_loss": float(raw.values(pairs)),
        "late": float(late @ flat),
        "three": 140 * price[-1] / area[-1],
        "least": float(least_squares(house(True)).theta @ flat),
    }


def _of_adam() -> Mapping[str, float]:
    theta = fit_flats(np.zeros(2), optimizer="adam").theta
    sgd = fit_flats(np.zeros(2)).theta
    best = least_squares(house(False)).theta
    return {"steps": theta[1], "sgd": sgd[1], "tenth": best[1] / 10, "best": best[1]}


def _in_batches(plain: Quadratic) -> Mapping[str, float]:
    fits = [fit_flats(np.zeros(2), batch_size=1, seed=seed).theta for seed in SEEDS]
    losses = [float(plain.values(theta)) for theta in fits]
    return {"least": plain.minimum, "low": min(losses), "high": max(losses)}


def _at_thresholds() -> Mapping[str, float]:
    """Missed cancers and false alarms of BCPM on mean radius and texture, on the test rows."""
    table = cancer()
    X = np.array(
        [table["columns"][table["names"].index(f"mean_{n}")] for n in ("radius", "texture")]
    ).T
    y, test = np.array(table["labels"], float), np.array(table["test"])
    train_rows = np.setdiff1d(np.arange(len(y)), test)
    Z = standardized(X, *fit_scaler(X[train_rows]))
    rows = ArrayRows(Z[train_rows], y[train_rows])
    fitted = descend_on_rows(rows, settings(), "bce_with_logits", np.zeros(3), True, no_callback)
    p = sigmoid(Z[test] @ fitted.theta[:-1] + fitted.theta[-1])
    counts = {}
    for name, threshold in (("half", 0.5), ("high", 0.9)):
        benign = p >= threshold
        counts[f"missed_{name}"] = float(np.sum(benign & (y[test] == 0)))
        counts[f"alarms_{name}"] = float(np.sum(~benign & (y[test] == 1)))
    return counts
