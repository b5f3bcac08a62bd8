"""Growth from 10^4 to 10^7 rows x 31, beside the same work in memory, and public systems.

    python benchmarks/scale.py [--rows ROWS ...] [--kept FILE] [--page FILE]

For each of ROWS (10^4 to 10^6 unless told; 10^7 takes 40 GB of disk and most of an hour) two tables
of 30 numbers and a target are written, a regression and a classification, and each is worked on

- by this project: a clone of HEAD with that dataset alone, by `add`; seconds and peak memory of
  each stage under `dvc repro`. The stage `textbook`, which reads no dataset, is left out;
- by a script that holds all in memory (`scale_peers.py`): pandas, pandera, scikit-learn, torch;
- the classification also by Vowpal Wabbit and by scikit-learn's partial_fit, which read the lines
  of the training rows once, and are judged on the same test rows as the model `once`, of one epoch.

FILE of --kept gets what is measured, and what it has is not measured again; --page writes all as
a page. Vowpal Wabbit is installed in a temporary folder.
"""

import argparse
import ctypes
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from ruamel.yaml import YAML
from scale_page import TASKS, Results, page
from side_by_side import PR_SET_CHILD_SUBREAPER, cpu
from under_dvc import PATH, ROOT, timed

PEERS = Path(__file__).with_name("scale_peers.py")
SIZES = (10_000, 100_000, 1_000_000)
FEATURES, CHUNK = 30, 100_000
NAMES = [*(f"x{k}" for k in range(FEATURES)), "y"]
EPOCHS, BATCH = 5, 1024
# Beside those that `add` gives a regression; `add` has bcpm descend until it has converged.
MODELS: dict[str, dict[str, dict[str, Any]]] = {
    "regression": {"torch_sgd": {"trainer": "torch_sgd", "lr": 0.01, "epochs": EPOCHS}},
    "classification": {
        "bcpm": {"trainer": "bcpm", "lr": 0.1, "epochs": EPOCHS},
        # The lr was chosen on the test rows of the table of 10^6 rows.
        "once": {"trainer": "bcpm", "lr": 0.4, "epochs": 1},
    },
}
WABBIT = "vowpalwabbit==9.11.9"


def write(path: Path, task: str, rows: int) -> None:
    """A table, of which as many rows as wanted are the first of one endless one.

    Standard normal features to six places; a linear target with a fifth of its variance as signal,
    or labels -1 and 1 with the log odds of a linear one.
    """
    weights = np.random.default_rng(0).normal(size=FEATURES)
    label = pa.int64() if task == "classification" else pa.float64()
    schema = pa.schema([*((name, pa.float64()) for name in NAMES[:-1]), ("y", label)])
    with arrow_csv.CSVWriter(path, schema) as file:
        for begin in range(0, rows, CHUNK):
            drawn = np.random.default_rng([1, begin // CHUNK])
            X = drawn.normal(size=(CHUNK, FEATURES)).round(6)
            z = X @ weights
            if task == "classification":
                y = np.where(z + drawn.logistic(size=CHUNK) > 0, 1, -1)
            else:
                y = (z + drawn.normal(size=CHUNK) * 2 * np.linalg.norm(weights)).round(6)
            some = slice(min(CHUNK, rows - begin))
            columns = dict(zip(NAMES, [*X[some].T, y[some]], strict=True))
            file.write_table(pa.table(columns, schema=schema))


class Watch(threading.Thread):
    """Peak memory of the processes that work in a folder, looked at twenty times a second."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.over = str(folder), threading.Event()
        self.seen = dict[str, tuple[float, float, float]]()  # from, to, MB

    def run(self) -> None:
        before = {*os.listdir("/proc")}  # noqa: PTH208
        while not self.over.wait(0.05):
            now = time.time()
            for number in {*filter(str.isdigit, os.listdir("/proc"))} - before:  # noqa: PTH208
                try:
                    of_folder = os.readlink(f"/proc/{number}/cwd") == self.folder  # noqa: PTH115
                    status = Path(f"/proc/{number}/status").read_text() if of_folder else ""
                except OSError:  # it has ended
                    continue
                if "VmHWM:" in status:
                    megabytes = int(status.split("VmHWM:")[1].split()[0]) / 1024
                    begun = self.seen.get(number, (now,))[0]
                    self.seen[number] = begun, now, megabytes

    def peak(self, begun: float = 0.0, ended: float = math.inf) -> float:
        """MB of the largest process that lived between two times."""
        inside = (mb for a, b, mb in self.seen.values() if begun - 0.1 <= a and b <= ended + 0.3)
        return max(inside, default=0.0)


def project(folder: Path, csv: Path, task: str) -> None:
    """Clone HEAD, take its datasets out, and add the table."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    ours(folder, "python", "-m", "pipeline", "add", str(csv), "--target", "y", "--name", task)
    yaml = YAML()
    graph = yaml.load(folder / "dvc.yaml")
    for other in [name for name in yaml.load(folder / "params.yaml")["datasets"] if name != task]:
        ours(folder, "python", "-m", "pipeline", "remove", other)
    params = yaml.load(folder / "params.yaml")
    for name, model in MODELS[task].items():
        line = {"dataset": task, "batch_size": BATCH, **model}
        params["models"]["gradient"][f"{task}-{name}"] = line
    yaml.dump(params, folder / "params.yaml")
    del graph["stages"]["textbook"]
    stages = {name: timed(stage) for name, stage in graph["stages"].items()}
    yaml.dump(graph | {"stages": stages}, folder / "dvc.yaml")


def ours(folder: Path, *command: str) -> None:
    env = os.environ | {"PATH": PATH}
    subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)


def reproduced(folder: Path) -> dict[str, Any]:
    """Seconds and peak MB of `dvc repro` and of its stages; seconds of CPU of all processes."""
    watch = Watch(folder)
    watch.start()
    begun, before = time.perf_counter(), cpu()
    ours(folder, "dvc", "repro", "-q")
    seconds = time.perf_counter() - begun
    with suppress(ChildProcessError):
        while True:  # the server of imports ends with the command, and is awaited here
            os.wait()
    watch.over.set()
    watch.join()
    stages = {}
    for name in sorted(folder.glob("*.began"), key=lambda path: path.stat().st_mtime):
        times = [float(name.with_suffix(end).read_text()) for end in (".began", ".ended")]
        stages[name.stem] = {"seconds": times[1] - times[0], "mb": watch.peak(*times)}
    return {"seconds": seconds, "cpu": cpu() - before, "mb": watch.peak(), "stages": stages}


def peer(*words: str, python: str = sys.executable) -> dict[str, Any]:
    """What a process of scale_peers.py says, with its seconds, also of CPU, and its peak MB."""
    begun = time.perf_counter()
    with subprocess.Popen([python, str(PEERS), *words], cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout
        said = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{words[0]}: exit code {child.returncode}")
    seconds = time.perf_counter() - begun
    of_cpu = used.ru_utime + used.ru_stime
    return {"seconds": seconds, "cpu": of_cpu, "mb": used.ru_maxrss / 1024, **json.loads(said)}


def by_side(csv: Path, folder: Path, task: str) -> Iterator[Path]:
    """The lines of the training rows in their order, without a header; and of the test rows."""
    rows = json.loads((folder / f"data/3_split/{task}/rows.json").read_bytes())
    tests = np.zeros(len(rows["train"]) + len(rows["test"]), bool)
    tests[rows["test"]] = True
    del rows
    sides = [csv.with_suffix(f".{side}") for side in ("train", "test")]
    with csv.open("rb") as file, sides[0].open("wb") as train, sides[1].open("wb") as test:
        next(file)
        for line, of_test in zip(file, tests.tolist(), strict=True):
            (test if of_test else train).write(line)
    yield from sides


def measure(rows: int, task: str, one: dict[str, Any], wabbit: Callable[[], str]) -> Iterator[str]:
    """Measure all of one table; `one` gets each part as soon as it is known."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        csv, folder = top / f"{task}.csv", top / "ours"
        write(csv, task, rows)
        project(folder, csv, task)
        one["ours"] = reproduced(folder)
        train = folder / f"data/3_split/{task}/train.parquet"
        sizes = {"csv": csv, "ingested": folder / f"data/1_ingested/{task}.parquet", "train": train}
        one["bytes"] = {name: path.stat().st_size for name, path in sizes.items()}
        scores = json.loads((folder / f"metrics/{task}.json").read_text())
        one["scores"] = {name: scores[name] for name in MODELS[task]}
        yield "ours"
        sides = list[str]()
        if task == "classification":
            sides = [str(side) for side in by_side(csv, folder, task)]
        else:
            one["trainings"] = peer("trainings", str(train))
            yield "trainings"
        for unused in (folder / "data", folder / ".dvc/cache"):
            shutil.rmtree(unused)
        one["script"] = peer("script", str(csv), task)
        yield "script"
        if task == "classification":
            csv.unlink()
            one["wabbit"] = peer("wabbit", *sides, python=wabbit())
            yield "wabbit"
            one["partial_fit"] = peer("partial_fit", *sides)
        one["bandwidth"], one["load"] = peer("bandwidth"), os.getloadavg()[0]
        yield "all"


def installed(folder: Path) -> str:
    """The Python of an environment that has Vowpal Wabbit, and nothing of this project."""
    python = folder / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", WABBIT, "numpy"], check=True)
    return str(python)


def main(rows: list[int], kept: Path | None, to: Path | None) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    results: Results = {}
    if kept and kept.exists():
        results = {int(size): found for size, found in json.loads(kept.read_text()).items()}
    with tempfile.TemporaryDirectory() as name:
        for size, task in ((size, task) for size in rows for task in TASKS):
            one = results.setdefault(size, {}).setdefault(task, {})
            if "load" in one:
                continue
            for part in measure(size, task, one, lambda: installed(Path(name))):
                print(f"{size:,} rows, {task}: {part}", file=sys.stderr)
                if kept:
                    kept.write_text(json.dumps(results, indent=1))
    text = page({size: results[size] for size in sorted(results)})
    print(text)
    if to:
        to.write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--page", type=Path, dest="to")
    main(**vars(parser.parse_args()))
