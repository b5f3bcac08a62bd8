"""Make the files of the examples; the same bytes each time.

    python examples/make.py

customers.csv is drawn: 400 customers of a telephone company, with categories, gaps, an identifier
and a date; who is new, pays much or has no contract leaves. wine.csv is scikit-learn's copy of the
Wine data (Forina and others 1988, UCI): 13 measurements of 178 wines from three growers.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from sklearn.datasets import load_wine

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


def write(path: Path, rows: Iterable[Sequence[object]], delimiter: str) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    write(HERE / "customers.csv", customers(), ";")
    write(HERE / "wine.csv", wine(), ",")
