"""What cross-validation adds to a cold `dvc repro`, and how it grows with the rows.

    python benchmarks/cross_validation.py [ROUNDS]

In a fresh clone of HEAD after `dvc repro`: `evaluate` of every dataset as it is, and with no folds
(of fewer than three rows there are none), in turn; medians over ROUNDS (3 unless told).

    python benchmarks/cross_validation.py folds [ROWS ...]

CPU time of five folds of least squares beside that of one fit, of ROWS x 30 (10^4 to 10^6) from a
Parquet file: both read it twice.

    python benchmarks/cross_validation.py evaluate [ROWS ...]

CPU time and peak memory of the stage `evaluate` beside those of all trainings, of the tables that
`add` makes a dataset of: ROWS x 31, a regression and a classification. Once as `dvc repro` runs
stages, forked from a process that has imported the libraries; and each by itself, where evaluate
imports scikit-learn and a training does not.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from main_job import PATH, ROOT, seconds

sys.path.insert(0, str(ROOT))

import numpy as np
import pyarrow as pa

from pipeline.core.tables import number_column, writer
from pipeline.solvers import closed_form
from pipeline.solvers.rows import ParquetRows
from pipeline.solvers.without_folds import without_each

DATASETS = ("house", "synthetic", "breast_cancer")
# The same command in a process that cuts no folds, also not for the audit of shuffled targets.
WITHOUT = """\
import sys
from pipeline.__main__ import main
from pipeline.evaluate import audits
from pipeline.evaluate import judge
judge.folds = audits.folds = lambda *arguments: []
sys.exit(main(["evaluate", sys.argv[1]]))
"""
# Imports what the stages need, then forks for each of them, as `pipeline.core.preload` does.
FORKED = """\
import os, sys
from importlib import import_module
from pipeline.core.__main__ import main
from pipeline.core.preload import LEVELS
for module in (*LEVELS[1], *LEVELS[3]):
    import_module(module)
for stage in sys.argv[1:]:
    child = os.fork()
    if not child:
        os._exit(main([stage]))
    _, status, used = os.wait4(child, 0)
    if status:
        sys.exit(f"{stage}: status {status}")
    print(used.ru_utime + used.ru_stime)
"""


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        seconds(f"git clone -q '{ROOT}' ours", top)
        ours = top / "ours"
        start = time.perf_counter()
        seconds("dvc repro", ours)
        cold = time.perf_counter() - start
        (ours / "without.py").write_text(WITHOUT)
        with_, without = [], []
        for _ in range(rounds):
            without.append(sum(seconds(f"python without.py {d}", ours) for d in DATASETS))
            with_.append(sum(seconds(f"python -m pipeline evaluate {d}", ours) for d in DATASETS))
        added = statistics.median(with_) - statistics.median(without)
        print(f"cold dvc repro                     {cold:6.1f} s")
        print(f"evaluate, three datasets           {statistics.median(with_):6.1f} s")
        print(f"evaluate without folds             {statistics.median(without):6.1f} s")
        print(f"cross-validation / a cold repro without it: {added / (cold - added):.2f}", end="")
        print("  (at most 0.3)")


SIZES, FEATURES, AT_ONCE = (10_000, 100_000, 1_000_000), 30, 65_536
TRAINED = {"regression": ("closed_form", "manual_gd"), "classification": ("bcpm",)}


def some(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Features of many scales, and a linear target with as much noise."""
    scale = np.arange(1.0, FEATURES + 1)
    X = rng.normal(size=(rows, FEATURES)) * scale + 5
    return np.column_stack([X, (X / scale).sum(axis=1) + rng.normal(size=rows) * FEATURES**0.5])


def folds(rows: int) -> None:
    names = [*(f"x{k}" for k in range(FEATURES)), "y"]
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        with writer(path, pa.schema([(name, pa.float64()) for name in names])) as file:
            for begin in range(0, rows, AT_ONCE):
                columns = map(number_column, some(min(AT_ONCE, rows - begin), rng).T)
                file.write_table(pa.Table.from_arrays([*columns], names), row_group_size=AT_ONCE)
        given, fold = ParquetRows(path), np.random.default_rng(1).permutation(rows) % 5
        times: dict[str, list[float]] = {"one fit": [], "five folds": []}
        for _ in range(3):
            for name, work in (
                ("one fit", lambda: closed_form.fit(given)),
                ("five folds", lambda: without_each("closed_form", {}, given, fold, 5)),
            ):
                begun = time.process_time()
                work()
                times[name].append(time.process_time() - begun)
    one, five = (min(of) for of in times.values())
    print(f"{rows:>10,} rows: one fit {one:.2f} s, five folds {five:.2f} s, ratio {five / one:.2f}")


def stage(command: str, folder: Path) -> tuple[float, float]:
    """CPU seconds and peak MB of a stage that is run by hand."""
    env = {**os.environ, "PATH": PATH, "PIPELINE_PRELOAD": "0"}
    words = [sys.executable, "-m", "pipeline.core", command]
    with subprocess.Popen(
        words, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command}: exit code {child.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def evaluate(rows: int) -> None:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        seconds(f"git clone -q '{ROOT}' ours", Path(name))
        ours = Path(name) / "ours"
        for task, trainers in TRAINED.items():
            table = Path(name) / f"{task}.csv"
            with table.open("w") as file:
                file.write(",".join([*(f"x{k}" for k in range(FEATURES)), "y"]) + "\n")
                for begin in range(0, rows, AT_ONCE):
                    part = some(min(AT_ONCE, rows - begin), rng)
                    if task == "classification":
                        part[:, -1] = part[:, -1] > 5 * (1 / np.arange(1, FEATURES + 1)).sum()
                    np.savetxt(file, part, fmt="%.7g", delimiter=",")
            seconds(f"python -m pipeline add '{table}' --target y", ours)
            seconds("python -m compileall -q pipeline", ours)
            for command in ("ingest", "validate", "split"):
                stage(f"{command}@{task}", ours)
            groups = {"closed_form": "train_direct"}
            stages = [f"{groups.get(one, 'train_gradient')}@{task}-{one}" for one in trainers]
            stages.append(f"evaluate@{task}")
            alone = [stage(one, ours) for one in stages]
            for how, times in (
                ("imports paid once", forked(stages, ours)),
                (f"each by itself, {alone[-1][1]:.0f} MB", [cpu for cpu, _ in alone]),
            ):
                *trained, judged = times
                print(
                    f"{rows:>10,} x {FEATURES + 1}, {task}, {how}: train {sum(trained):.2f} s, "
                    f"evaluate {judged:.2f} s, ratio {judged / sum(trained):.2f}  (at most 3)"
                )


def forked(stages: list[str], folder: Path) -> list[float]:
    """CPU seconds of each stage, where the libraries are imported already: the medians of three."""
    env = {**os.environ, "PATH": PATH, "PIPELINE_PRELOAD": "0"}
    words = [sys.executable, "-c", FORKED, *stages]
    rounds = [
        subprocess.run(words, cwd=folder, env=env, check=True, capture_output=True, text=True)
        for _ in range(3)
    ]
    times = [[float(one) for one in found.stdout.split()] for found in rounds]
    return [statistics.median(of) for of in zip(*times, strict=True)]


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] in (["folds"], ["evaluate"]):
        for size in map(int, words[1:] or SIZES):
            {"folds": folds, "evaluate": evaluate}[words[0]](size)
    else:
        main(int(words[0]) if words else 3)
