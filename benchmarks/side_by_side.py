"""Stages side by side against `dvc repro`, cold, with ten added datasets, in turn.

    python benchmarks/side_by_side.py [ROUNDS]

A clone of HEAD gets ten datasets by `add` (1,000 rows of 8 numbers, every other one of two
classes). ROUNDS times (1 unless told) two copies of it, in which nothing is made, are reproduced,
by `dvc repro` and by `python -m pipeline repro -j 2`, each on two CPUs, the other first in every
other round. The figures are medians, of wall time and of the CPU time of all processes; both files
dvc.lock have to be the same.
Expected of ours: at most 0.65 of the time, the same dvc.lock in every round.
"""

import ctypes
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from main_job import PATH, ROOT, seconds

COMMANDS = {"dvc repro": ("dvc", "repro"), "-j 2": ("python", "-m", "pipeline", "repro", "-j", "2")}
DATASETS, ROWS, FEATURES = 10, 1_000, 8
PR_SET_CHILD_SUBREAPER = 36


def table(number: int) -> str:
    generator = np.random.default_rng(number)
    X = generator.normal(size=(ROWS, FEATURES)).round(4)
    y = X @ generator.normal(size=FEATURES) + generator.normal(size=ROWS)
    targets = [f"{value:.4f}" if number % 2 else ("no", "yes")[int(value > 0)] for value in y]
    header = ",".join([*(f"x{k}" for k in range(FEATURES)), "y"])
    rows = (",".join([*map(str, x), target]) for x, target in zip(X, targets, strict=True))
    return "\n".join([header, *rows, ""])


def project(folder: Path) -> None:
    """A clone of HEAD with the added datasets."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    for number in range(DATASETS):
        file = folder.with_name(f"added_{number}.csv")
        file.write_text(table(number))
        seconds(f"python -m pipeline add '{file}' --target y", folder)


def timed(command: tuple[str, ...], folder: Path) -> tuple[float, float]:
    """Seconds until a command ends, and of CPU, also of what it leaves to this process."""
    before, start = cpu(), time.perf_counter()
    env = os.environ | {"PATH": PATH}
    cpus = [*os.sched_getaffinity(0)][:2]
    subprocess.run(
        command,
        cwd=folder,
        env=env,
        check=True,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, cpus),
    )
    wall = time.perf_counter() - start
    while True:  # the server of imports ends with the command, and is awaited here
        try:
            os.wait()
        except ChildProcessError:
            return wall, cpu() - before


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(rounds: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    same = 0
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        project(top / "cold")
        for number in range(rounds):
            locks = set[bytes]()
            for which in [*COMMANDS][:: 1 if number % 2 else -1]:
                folder = top / "a copy"
                shutil.copytree(top / "cold", folder, symlinks=True)
                times[which].append(timed(COMMANDS[which], folder))
                locks.add((folder / "dvc.lock").read_bytes())
                shutil.rmtree(folder)
            same += len(locks) == 1
    medians = {}
    for which, found in times.items():
        medians[which] = [statistics.median(values) for values in zip(*found, strict=True)]
        walls = [wall for wall, _ in found]
        wall, used = medians[which]
        print(f"{which:10}{wall:7.1f} s   ({min(walls):.1f} .. {max(walls):.1f}), CPU {used:.1f} s")
    wall, used = (b / a for a, b in zip(*medians.values(), strict=True))
    print(f"-j 2 / dvc repro: {wall:.2f}  (at most 0.65), of CPU {used:.2f}")
    print(f"dvc.lock the same in {same} of {rounds} rounds")
    sys.exit(same < rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
