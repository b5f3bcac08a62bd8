"""Reading a clean CSV file of numbers, against pandas.read_csv and to_parquet, in one run.

    python benchmarks/ingest.py [ROUNDS]

1,000,000 x 31: 30 standard normal columns as repr writes them and a label, about 560 MB. Each side
is a process of its own, in turn, ROUNDS times (3 unless told); medians, imports counted. Ours
refuses what it would have to guess; pandas would read on.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
ROWS, FEATURES = 1_000_000, 30
OURS, PANDAS = "ours", "pandas"
CODE = {
    OURS: """
from pathlib import Path
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.table_file import write_rows
write_rows(Path("ours.parquet"), CsvFile(Path("big.csv")))
""",
    PANDAS: """
import pandas as pd
pd.read_csv("big.csv").to_parquet("pandas.parquet")
""",
}


def write(folder: Path) -> None:
    generator = np.random.default_rng(0)
    names = [f"x{k}" for k in range(FEATURES)]
    frame = pd.DataFrame(generator.normal(size=(ROWS, FEATURES)), columns=names)
    frame["label"] = generator.integers(0, 2, ROWS)
    frame.to_csv(folder / "big.csv", index=False)


def run(side: str, folder: Path) -> tuple[float, int]:
    """Seconds, and the most memory in MB."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{CODE[side]}\n"
    # not ru_maxrss, which begins with the size of the process that forked
    code += "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    (folder / f"{side}.parquet").unlink(missing_ok=True)  # as dvc does
    start = time.perf_counter()
    memory = subprocess.check_output([sys.executable, "-c", code], cwd=folder, text=True)
    return time.perf_counter() - start, int(memory) // 1024


def main(rounds: int) -> None:
    found: dict[str, list[tuple[float, int]]] = {OURS: [], PANDAS: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        for _ in range(rounds):
            for side, results in found.items():
                results.append(run(side, folder))
        same = pd.read_parquet(folder / "ours.parquet").equals(
            pd.read_parquet(folder / "pandas.parquet")
        )
    times = {side: statistics.median(t for t, _ in results) for side, results in found.items()}
    for side, results in found.items():
        print(f"{side:8}{times[side]:6.1f} s   {max(memory for _, memory in results)} MB")
    print(f"the same values: {same}")
    print(f"pandas / ours: {times[PANDAS] / times[OURS]:.2f}  (at least 1)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
