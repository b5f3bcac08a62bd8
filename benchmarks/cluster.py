"""What engine: ray costs, and what its workers gain.

    python benchmarks/cluster.py [ROWS [EPOCHS]]

Of ROWS x 30 (1,000,000 unless told) in a Parquet file, in one run: seconds to start Ray on this
machine, its workers and the end; seconds an epoch of full-batch logistic regression by the threads
of this process and by Ray's workers on one and on two nodes of one CPU each (medians over EPOCHS,
20 unless told, after one that reads the file), their ratios, and whether all have the same bytes.
"""

import os
import statistics
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from main_job import ROOT

sys.path.insert(0, str(ROOT))
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}

import numpy as np
import pyarrow as pa

import pipeline.core.passes
from pipeline.core.passes import cluster, engine, map_ordered
from pipeline.core.settings.descent import Descent
from pipeline.core.tables import number_column, writer
from pipeline.solvers.blocks import one_blas_thread
from pipeline.solvers.descent import RowLoss
from pipeline.solvers.rows import ParquetRows

SETTINGS = {
    "seed": 0, "lr": 0.1, "epochs": 1, "batch_size": "full", "optimizer": "sgd", "momentum": 0.9,
    "weight_decay": 0.0, "loss_threshold": 0.0, "tolerance": 0.0,
}  # fmt: skip
FEATURES = 30


def main(rows: int, epochs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("params.yaml").touch()  # by which workers know the folder
        write(Path("train.parquet"), rows)
        print(f"{rows:,} x {FEATURES}, {epochs} epochs, load {os.getloadavg()[0]:.1f}")
        fixed()
        from ray.cluster_utils import Cluster

        found = {}
        for threads in (1, 2):
            pipeline.core.passes.WORKERS = threads
            found[f"{threads} threads"] = epoch(nullcontext(), epochs)
        node = {"num_cpus": 1, "include_dashboard": False}
        nodes = Cluster(initialize_head=True, head_node_args=node)
        for count in (1, 2):
            found[f"{count} Ray workers"] = epoch(engine("ray", nodes.address), epochs)
            nodes.add_node(num_cpus=1)
        nodes.shutdown()
    for name, (seconds, _) in found.items():
        print(f"{name:14} {1000 * seconds:7.1f} ms an epoch")
    for kind in ("threads", "Ray workers"):
        print(f"2 {kind} over 1: {found[f'1 {kind}'][0] / found[f'2 {kind}'][0]:.2f}")
    print(f"same bytes: {len({content for _, content in found.values()}) == 1}")


def write(path: Path, rows: int) -> None:
    generator, names = np.random.default_rng(0), [f"x{k}" for k in range(FEATURES)]
    schema = pa.schema([(name, pa.float64()) for name in [*names, "y"]])
    with writer(path, schema) as file:
        for start in range(0, rows, 65_536):
            X = generator.normal(size=(min(65_536, rows - start), FEATURES))
            y = (X[:, 0] + generator.normal(size=len(X)) > 0).astype(float)
            table = [number_column(column) for column in [*X.T, y]]
            file.write_table(pa.Table.from_arrays(table, names=[*names, "y"]))


def fixed() -> None:
    begun = time.perf_counter()
    with engine("ray", ""):
        here = cluster()
        assert here
        here.begin()
        started = time.perf_counter()
        list(map_ordered(len, ["a", "b"], files=True))
        worked = time.perf_counter()
    seconds = started - begun, worked - started, time.perf_counter() - worked
    print("Ray on this machine: start {:.1f} s, workers {:.1f} s, end {:.1f} s".format(*seconds))


@one_blas_thread
def epoch(by, epochs: int):
    """Seconds of one epoch, and the weights after all."""
    loss = RowLoss(
        ParquetRows(Path("train.parquet")), Descent.of(**SETTINGS), "bce_with_logits", True
    )
    theta, seconds = np.zeros(FEATURES + 1), []
    with by:
        for _ in range(epochs + 1):
            begun = time.perf_counter()
            theta = theta - 0.1 * loss.value_and_gradient(theta, None)[1]
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[1:]), theta.tobytes()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["1000000"]), *([20] if len(sys.argv) < 3 else []))
