"""Reading clean CSV files, against pandas.read_csv and to_parquet; and `add` against `ingest`.

    python benchmarks/ingest.py [ROUNDS]

Two tables of 1,000,000 rows: numbers (30 standard normal columns as repr writes them and a label,
about 560 MB), and text beside numbers (10 columns of numbers, 6 of categories, 2 of sentences with
commas and doubled quotes, an identifier and a date; some cells are empty, which is declared). Each
side is a process of its own, in turn, ROUNDS times (3 unless told); medians, imports counted. Ours
refuses what it would have to guess; pandas would read on. Then the numbers cut into 20 parts, in a
folder, against the one file. `add` and `ingest` are the commands, on
the numbers, in a fresh clone of HEAD; `add` copies the file to data/raw and hands it to DVC.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
ROWS, FEATURES, COUNT = 1_000_000, 30, 20
OURS, PANDAS, PARTS = "ours", "pandas", "parts"
CODE = {
    OURS: """
from pathlib import Path
from pipeline.core.dialect import Dialect
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.table_file import write_rows
write_rows(Path("ours.parquet"), CsvFile(Path("{name}.csv"), Dialect(missing=[""])))
""",
    PARTS: """
from pathlib import Path
from pipeline.core.dialect import Dialect
from pipeline.ingest.parts import opened_rows
from pipeline.ingest.table_file import write_rows
write_rows(Path("parts.parquet"), opened_rows(Path("{name}"), Dialect(missing=[""])))
""",
    PANDAS: """
import pandas as pd
table = pd.read_csv("{name}.csv", keep_default_na=False, na_values=[""])
table.to_parquet("pandas.parquet")
""",
}


class Cost(NamedTuple):
    """Seconds of the clock and of the CPU, and the most memory in MB, of all processes."""

    wall: float
    cpu: float
    memory: float


def numbers(generator: np.random.Generator) -> pd.DataFrame:
    names = [f"x{k}" for k in range(FEATURES)]
    frame = pd.DataFrame(generator.normal(size=(ROWS, FEATURES)), columns=names)
    frame["label"] = generator.integers(0, 2, ROWS)
    return frame


def text(generator: np.random.Generator) -> pd.DataFrame:
    words = np.array(["rain", 'the "old" town', "a, b", "north", "of", "said:", "1,000", "end."])
    columns: dict[str, object] = {"id": [f"K{k:08d}" for k in range(ROWS)]}
    days = generator.integers(0, 9000, ROWS)
    columns["day"] = (np.datetime64("2000-01-01") + days).astype(str)
    for k in range(10):
        values = generator.normal(size=ROWS) if k < 7 else generator.integers(0, 1000, ROWS)
        gaps = generator.random(ROWS) < 0.05 * (k % 3 == 0)
        columns[f"x{k}"] = pd.Series(values).mask(gaps) if k < 7 else values
    for k, different in enumerate([2, 5, 12, 50, 300, 1000]):
        of = np.array([f"group {one}" for one in range(different)], dtype=object)
        gaps = generator.random(ROWS) < 0.02 * (k % 2)
        columns[f"c{k}"] = pd.Series(of[generator.integers(0, different, ROWS)]).mask(gaps)
    for k in range(2):
        some = words[generator.integers(0, len(words), (ROWS, 4))]
        columns[f"t{k}"] = [" ".join(row) for row in some]
    return pd.DataFrame(columns)


TABLES: dict[str, Callable[[np.random.Generator], pd.DataFrame]] = {
    "numbers": numbers,
    "text": text,
}


def family(process: int) -> list[int]:
    """A process and those below it."""
    below = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(one for child in below for one in family(int(child)))]


def memory(process: int) -> int:
    """The most that the processes alive have had, in KB."""
    # not ru_maxrss, which begins with the size of the process that forked
    statuses = [Path(f"/proc/{one}/status").read_text() for one in family(process)]
    return sum(int(status.split("VmHWM:")[1].split()[0]) for status in statuses)


def run(words: list[str], folder: Path) -> Cost:
    """What a command costs."""
    found, start = 0, time.perf_counter()
    process = subprocess.Popen([sys.executable, *words], cwd=folder, stdout=subprocess.DEVNULL)
    ended = threading.Event()

    def watch() -> None:
        nonlocal found
        while not ended.wait(0.01):
            try:
                found = max(found, memory(process.pid))
            except (OSError, IndexError):  # one has ended meanwhile
                continue

    watching = threading.Thread(target=watch)
    watching.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    ended.set()
    watching.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} failed")
    return Cost(wall, usage.ru_utime + usage.ru_stime, found / 1000)


def cut(name: str, folder: Path) -> None:
    """Cut a table into parts of as many lines, in a folder of its name."""
    (folder / name).mkdir()
    with (folder / f"{name}.csv").open("rb") as file:
        header = next(file)
        for k in range(COUNT):
            with (folder / name / f"{k:02}.csv").open("wb") as part:
                part.writelines([header, *islice(file, ROWS // COUNT)])


def read(
    name: str, folder: Path, rounds: int, sides: tuple[str, str], limits: tuple[float, float, float]
) -> None:
    """Read a table in two ways."""
    found: dict[str, list[Cost]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, costs in found.items():
            code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{CODE[side].format(name=name)}"
            (folder / f"{side}.parquet").unlink(missing_ok=True)  # as dvc does
            costs.append(run(["-c", code], folder))
    one, other = (pd.read_parquet(folder / f"{side}.parquet") for side in found)
    print(f"{name}: the same values: {one.equals(other)}")
    say(found, limits)


def add(folder: Path, rounds: int) -> None:
    """Make a dataset of the numbers, and ingest it."""
    found: dict[str, list[Cost]] = {"add": [], "ingest": []}
    git = ["git", "-c", "advice.detachedHead=false"]
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=folder) as name:
            subprocess.run([*git, "clone", "-q", str(ROOT), name], check=True)
            add = ["-m", "pipeline", "add", "../numbers.csv", "--target", "label"]
            found["add"].append(run(add, Path(name)))
            found["ingest"].append(run(["-m", "pipeline", "ingest", "numbers"], Path(name)))
    print("numbers, by the commands")
    say(found, (2, 2, np.inf))


def say(found: dict[str, list[Cost]], limits: tuple[float, float, float]) -> None:
    """Print medians of both sides, and the ratios of the first to the second."""
    medians = {
        side: Cost(*map(statistics.median, zip(*costs, strict=True)))
        for side, costs in found.items()
    }
    for side, cost in medians.items():
        print(f"    {side:8}{cost.wall:6.1f} s {cost.cpu:6.1f} s CPU {cost.memory:6.0f} MB")
    one, other = medians.values()
    ratios = [f"{a / b:.2f} (at most {c:g})" for a, b, c in zip(one, other, limits, strict=True)]
    print(f"    {' / '.join(medians)}: time {ratios[0]}, CPU {ratios[1]}, memory {ratios[2]}")


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for table, made in TABLES.items():
            made(np.random.default_rng(0)).to_csv(folder / f"{table}.csv", index=False)
            read(table, folder, rounds, (OURS, PANDAS), (1, 1, 0.33))
        cut("numbers", folder)
        read("numbers", folder, rounds, (PARTS, OURS), (1.05, 1.05, 1.05))
        add(folder, rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
