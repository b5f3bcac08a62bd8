"""Time the main job against its peers, in one run, as ratios.

    python benchmarks/main_job.py [ROUNDS]

Cold `dvc repro` (a fresh clone of HEAD, packages installed) against single_script.py, the same work
as one script, with default MLflow calls and with pinned requirements and batched metrics. No-op
`dvc repro` against that of equally many empty stages (`cmd: 'true'`), and of stages that copy a
file and are up to date. Medians over ROUNDS (3 unless told).
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
Times = dict[str, list[float]]
NO_OP = ("ours, no-op", "empty stages", "copying stages, no-op")


def seconds(command: str, folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": PATH},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


EMPTY = "  s{0}:\n    cmd: 'true'\n"  # no deps: dvc runs it every time
COPY = "  s{0}:\n    cmd: cp in o{0}\n    deps: [in]\n    outs: [o{0}]\n"


def project(stage: str, count: int, folder: Path) -> None:
    """A DVC project of `count` stages of one kind, run once."""
    folder.mkdir()
    (folder / "in").write_text("in")
    (folder / "dvc.yaml").write_text("stages:\n" + "".join(stage.format(k) for k in range(count)))
    seconds("git init -q && dvc init -q && dvc config core.analytics false && dvc repro", folder)


def one_round(times: Times) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        for folder in ("default", "pinned"):
            (top / folder).mkdir()
        seconds(f"git clone -q '{ROOT}' ours", top)
        ours = top / "ours"
        times["ours, cold"].append(seconds("dvc repro", ours))
        script = f"python '{ROOT}/benchmarks/single_script.py'"
        times["script, default calls"].append(seconds(f"{script} {top}/default", top))
        times["script, pinned and batched"].append(seconds(f"{script} {top}/pinned --pinned", top))
        count = sum(line.startswith("    cmd:") for line in (ours / "dvc.lock").open())
        project(EMPTY, count, top / "empty")
        project(COPY, count, top / "copy")
        for _ in range(5):
            times["ours, no-op"].append(seconds("dvc repro", ours))
            times["empty stages"].append(seconds("dvc repro", top / "empty"))
            times["copying stages, no-op"].append(seconds("dvc repro", top / "copy"))


def main(rounds: int) -> None:
    names = ["ours, cold", "script, default calls", "script, pinned and batched"]
    times: Times = {name: [] for name in [*names, *NO_OP]}
    for _ in range(rounds):
        one_round(times)
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:28}{median[name]:7.1f} s   ({min(values):.1f} .. {max(values):.1f})")
    for ours, peer, limit in [
        ("ours, cold", "script, default calls", "at most 0.6, aim 0.4"),
        ("ours, cold", "script, pinned and batched", "the limit to come near: 1"),
        ("ours, no-op", "empty stages", "at most 1.2"),
        ("ours, no-op", "copying stages, no-op", "what our deps cost"),
    ]:
        print(f"{ours} / {peer}: {median[ours] / median[peer]:.2f}  ({limit})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
