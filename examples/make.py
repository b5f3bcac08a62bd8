"""Make the files of the examples; the same bytes each time.

    python examples/make.py

customers.csv is drawn: 400 customers of a telephone company, with categories, gaps, an identifier
and a date; who is new, pays much or has no contract leaves. wine.csv is scikit-learn's copy of the
Wine data (Forina and others 1988, UCI): 13 measurements of 178 wines from three growers. rings.csv,
moons.csv and xor.csv are drawn by its generators: two classes on two features that no line parts.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_wine, make_blobs, make_circles, make_moons

HERE = Path(__file__).parent
GROWERS = ["Barolo", "Grignolino", "Barbera"]


def customers(count: int = 400) -> Iterable[Sequence[object]]:
    """Rows under their header, written as a spreadsheet in Germany writes them."""
    rng = np.random.default_rng(1)
    months, fee = rng.integers(1, 72, count), rng.normal(40, 15, count).clip(10).round(2)
    contract = rng.choice(["monthly", "one year", "two years"], count, p=[0.5, 0.3, 0.2])
    payment = rng.choice(["card", "transfer", "invoice", "cash"], count, p=[0.5, 0.3, 0.19, 0.01])
    likely = 0.06 * (fee - 40) - 0.04 * (months - 24) + 1.2 * (contract == "monthly") - 0.8
    leaves = rng.random(count) < 1 / (1 + np.exp(-likely))
    no_fee, no_payment = rng.random(count) < 0.06, rng.random(count) < 0.04
    yield "customer_id", "since", "months", "monthly_fee", "contract", "payment", "churn"
    for k in range(count):
        since = f"{k % 28 + 1:02}.{k % 12 + 1:02}.{2025 - months[k] // 12}"
        price = "" if no_fee[k] else f"{fee[k]:.2f}".replace(".", ",")
        paid = "" if no_payment[k] else payment[k]
        yield (
            f"K-{7919 * k % 10007:05}",
            since,
            months[k],
            price,
            contract[k],
            paid,
            ("yes" if leaves[k] else "no"),
        )


def wine() -> Iterable[Sequence[object]]:
    """Rows under their header; the wine is called by its name."""
    data = load_wine()
    yield *(name.replace("/", " ") for name in data.feature_names), "wine"
    for row, label in zip(data.data.tolist(), data.target.tolist(), strict=True):
        yield *row, GROWERS[label]


def on_a_plane(
    X: NDArray[np.float64], labels: Sequence[str], target: str
) -> Iterable[Sequence[object]]:
    """Rows of two features, to 4 digits behind the point, under their header."""
    yield "x", "y", target
    for (x, y), label in zip(X.round(4).tolist(), labels, strict=True):
        yield x, y, label


def rings() -> Iterable[Sequence[object]]:
    """1,000 points on a ring, or on the one around it."""
    X, inner = make_circles(1000, noise=0.07, factor=0.5, random_state=0)
    return on_a_plane(X, ["inner" if one else "outer" for one in inner], "ring")


def moons() -> Iterable[Sequence[object]]:
    """1,000 points on two half moons, one inside the other."""
    X, lower = make_moons(1000, noise=0.2, random_state=0)
    return on_a_plane(X, ["lower" if one else "upper" for one in lower], "moon")


def xor() -> Iterable[Sequence[object]]:
    """1,000 points about four corners, opposite corners of one class."""
    corners = [(1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (-1.0, 1.0)]
    X, corner = make_blobs(1000, centers=corners, cluster_std=0.35, random_state=0)
    return on_a_plane(X, ["differ" if one % 2 else "agree" for one in corner], "signs")


def write(path: Path, rows: Iterable[Sequence[object]], delimiter: str) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    write(HERE / "customers.csv", customers(), ";")
    write(HERE / "wine.csv", wine(), ",")
    write(HERE / "rings.csv", rings(), ",")
    write(HERE / "moons.csv", moons(), ",")
    write(HERE / "xor.csv", xor(), ",")
