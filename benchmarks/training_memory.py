"""Peak memory of training from Parquet files of one and of five million rows of 30 features.

    python benchmarks/training_memory.py

Each training is a process of its own and imports what the train stage imports.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.params import load_params
from pipeline.core.settings.descent import params_of
from pipeline.core.tables import ROW_GROUP, number_table
from pipeline.solvers.fit import fit
from pipeline.solvers.rows import ParquetRows

D, BATCH = 30, 1024


def main() -> None:
    """Peak memory of the train stage's solvers on Parquet files of one and of five million rows."""
    with tempfile.TemporaryDirectory() as folder:
        for millions in (1, 5):
            subprocess.run([sys.executable, __file__, "write", folder, str(millions)], check=True)
            for trainer, size in (
                ("closed_form", ""),
                ("manual_gd", "full"),
                ("torch_sgd", "full"),
                ("bcpm", "full"),
                ("bcpm", str(BATCH)),
            ):
                out = subprocess.check_output(
                    [sys.executable, __file__, "peak", folder, str(millions), trainer, size],
                    text=True,
                )
                print(f"{trainer} {size}, {millions},000,000 rows from Parquet: {out.strip()}")


def write(folder: str, millions: int) -> None:
    """A training file as the split stage writes it, a row group at a time."""
    rng = np.random.default_rng(5)
    weights = rng.normal(size=D)
    names = [*(f"x{k}" for k in range(D)), "y"]
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(
        Path(folder) / f"{millions}.parquet", schema, compression="none", use_dictionary=False
    ) as file:
        left = millions * 1_000_000
        while left:
            X = rng.normal(size=(min(ROW_GROUP, left), D))
            y = (X @ weights + rng.normal(size=len(X)) > 0).astype(float)
            file.write_table(number_table(names, [*X.T, y]), row_group_size=ROW_GROUP)
            left -= len(X)


def peak(folder: str, millions: int, trainer: str, size: str) -> None:
    """Train in this process alone, and print its peak memory and time."""
    chosen = params_of(trainer, load_params())
    if chosen:
        chosen |= {"epochs": 2, "batch_size": size if size == "full" else int(size)}
    start = time.perf_counter()
    fit(trainer, chosen, ParquetRows(Path(folder) / f"{millions}.parquet"))
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text()  # getrusage counts the parent's, too
    kilobytes = int(status.split("VmHWM:")[1].split()[0])
    print(f"peak {kilobytes / 1024:.0f} MB, {seconds:.1f} s")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder, millions]:
            write(folder, int(millions))
        case ["peak", folder, millions, trainer, size]:
            peak(folder, int(millions), trainer, size)
        case _:
            main()
