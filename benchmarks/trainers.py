"""Time the trainers against their peers on 1,000,000 rows of 30 features.

    python benchmarks/trainers.py [ROUNDS]

Read the ratios: each is of medians of ROUNDS (5) runs, taken in turn in one process on one machine.
Beside them stand the limits: what reading the rows once, or calling an empty step, costs here.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
import torch
from sklearn.linear_model import LinearRegression, SGDClassifier

from pipeline.estimators import BCPMClassifier, ClosedFormRegressor, GradientDescentRegressor

N, D, BATCH = 1_000_000, 30, 1024


def rows(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gaussian features, a linear target with noise, and its sign as label."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, D))
    y = X @ rng.normal(size=D) + rng.normal(size=n)
    return X, y, (y > 0).astype(int)


def dataloader_epoch(X: np.ndarray, c: np.ndarray) -> None:
    """The usual torch loop: DataLoader over a TensorDataset, autograd, SGD."""
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(c)[:, None].double())
    layer = torch.nn.Linear(D, 1, dtype=torch.float64)
    steps = torch.optim.SGD(layer.parameters(), lr=0.1)
    for inputs, labels in torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True):
        steps.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(layer(inputs), labels).backward()
        steps.step()


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(rounds: int) -> None:
    X, y, c = rows(N)
    step = X[:BATCH].copy()
    w = np.zeros(D)
    works: dict[str, Callable[[], object]] = {
        "closed form": lambda: ClosedFormRegressor().fit(X, y),
        "LinearRegression": lambda: LinearRegression().fit(X, y),
        "gradient descent, 100 epochs": lambda: GradientDescentRegressor(epochs=100).fit(X, y),
        "BCPM, one epoch": lambda: BCPMClassifier(epochs=1, batch_size=BATCH).fit(X, c),
        "SGDClassifier, one epoch": lambda: SGDClassifier(
            loss="log_loss", max_iter=1, tol=None
        ).fit(X, c),
        "limit: rows read once (sum)": lambda: X.sum(),
        "limit: X'X by BLAS": lambda: X.T @ X,
        "limit: rows gathered in random order": lambda: np.take(
            X, np.random.default_rng(1).permutation(N), axis=0, mode="clip"
        ),
        "limit: two products a batch, from cache": lambda: [
            (step @ w) @ step for _ in range(N // BATCH)
        ],
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()  # imports, page faults
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(timed(work))
    times["DataLoader loop, one epoch"] = [timed(lambda: dataloader_epoch(X, c))]
    middle = {name: statistics.median(found) for name, found in times.items()}
    for name, found in times.items():
        print(f"{name:42} {middle[name]:7.3f} s   ({min(found):.3f} .. {max(found):.3f})")
    for ours, peer, asked in (
        ("LinearRegression", "closed form", "at least 5"),
        ("gradient descent, 100 epochs", "closed form", "at most 1.2"),
        ("SGDClassifier, one epoch", "BCPM, one epoch", "at least 2, aim 3"),
        ("DataLoader loop, one epoch", "BCPM, one epoch", "at least 40"),
        ("closed form", "limit: X'X by BLAS", "the limit to come near: 1"),
        ("BCPM, one epoch", "limit: rows gathered in random order", "the limit to come near: 1"),
    ):
        print(f"{ours} / {peer}: {middle[ours] / middle[peer]:.2f}  ({asked})")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
