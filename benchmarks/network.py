"""An epoch of a network beside scikit-learn's and torch's, and its peak memory from Parquet.

    python benchmarks/network.py

Hidden layers of 64 and 32 units, relu, adam, batches of 256 of 100,000 rows of 30 features. Each
round times all of them, one after the other, with one thread each and as they come; medians of
ROUNDS rounds are printed.
"""

import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.training_memory import write
from pipeline.core.params import load_params
from pipeline.core.settings.network import NetworkDescent
from pipeline.core.trainers import LAYERS
from pipeline.solvers.network import fit
from pipeline.solvers.rows import ArrayRows, ParquetRows

HIDDEN, BATCH, N, D, ROUNDS = (64, 32), 256, 100_000, 30, 5


def settings(**changes: object) -> NetworkDescent:
    """The settings of params.yaml, but for what is compared and `changes`."""
    params = load_params()
    known = params.model_dump() | params.network.model_dump()
    ours = {"hidden": [*HIDDEN], "batch_size": BATCH, "epochs": 1}
    return NetworkDescent.of(**{k: known[k] for k in LAYERS if k in known} | ours | changes)


def ours(X: np.ndarray, y: np.ndarray) -> None:
    """One epoch of the pipeline's network."""
    fit(ArrayRows(X, y), settings(early_stopping=0.0), "cross_entropy")


def theirs(X: np.ndarray, y: np.ndarray) -> None:
    """One epoch of MLPClassifier."""
    from sklearn.neural_network import MLPClassifier  # `peak` is to measure what train imports

    with warnings.catch_warnings(action="ignore"):
        MLPClassifier(HIDDEN, batch_size=BATCH, max_iter=1, random_state=0).fit(X, y)


def by_torch(X: np.ndarray, y: np.ndarray) -> None:
    """One epoch of the loop of torch's tutorials."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    sizes = [D, *HIDDEN, 1]
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    rows = TensorDataset(torch.from_numpy(X.astype("f4")), torch.from_numpy(y.astype("f4")))
    optimizer, loss = torch.optim.Adam(model.parameters()), torch.nn.BCEWithLogitsLoss()
    for batch, target in DataLoader(rows, batch_size=BATCH, shuffle=True):
        optimizer.zero_grad()
        loss(model(batch)[:, 0], target).backward()
        optimizer.step()


def speed() -> None:
    """Seconds an epoch of each, side by side."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D))
    y = (X @ rng.normal(size=D) + rng.normal(size=N) > 0).astype(float)
    runs: tuple[Callable[[np.ndarray, np.ndarray], None], ...] = (ours, theirs, by_torch)
    for threads in (1, None):
        taken: dict[str, list[float]] = {run.__name__: [] for run in runs}
        with threadpool_limits(threads):
            for run in runs:  # imports
                run(X[:BATCH], y[:BATCH])
            for _ in range(ROUNDS):
                for run in runs:
                    start = time.perf_counter()
                    run(X, y)
                    taken[run.__name__].append(time.perf_counter() - start)
        seconds = {name: statistics.median(all_) for name, all_ in taken.items()}
        said = ", ".join(f"{name} {one:.3f} s" for name, one in seconds.items())
        shares = [seconds["ours"] / seconds[name] for name in ("theirs", "by_torch")]
        how = "one thread" if threads else "threads as they come"
        print(f"an epoch, {how}: {said}; ours / theirs {shares[0]:.2f}, / torch {shares[1]:.2f}")


def memory() -> None:
    """Peak memory of two epochs on Parquet files of one and of five million rows."""
    with tempfile.TemporaryDirectory() as folder:
        for millions in (1, 5):
            subprocess.run([sys.executable, __file__, "write", folder, str(millions)], check=True)
            out = subprocess.check_output(
                [sys.executable, __file__, "peak", folder, str(millions)], text=True
            )
            print(f"{millions},000,000 rows from Parquet: {out.strip()}")


def peak(folder: str, millions: str) -> None:
    """Train in this process alone, and print its peak memory and time."""
    start = time.perf_counter()
    rows = ParquetRows(Path(folder) / f"{millions}.parquet")
    fit(rows, settings(epochs=2), "cross_entropy")
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text()  # getrusage counts the parent's, too
    kilobytes = int(status.split("VmHWM:")[1].split()[0])
    print(f"peak {kilobytes / 1024:.0f} MB, {seconds:.1f} s")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder, millions]:
            write(folder, int(millions))
        case ["peak", folder, millions]:
            peak(folder, millions)
        case _:
            speed()
            memory()
