"""Kill dvc, its stage or another process of theirs at random moments; one `dvc repro` mends it all.

Where the kill has cut a file of DVC's own short, `doctor --mend` comes first; these are counted.

python -m tests.kills [KILLS]
"""

import contextlib
import hashlib
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.commands.doctor import of_dvc
from tests.conftest import ROOT, Clone

STAGES = (
    "ingest@breast_cancer",
    "validate@breast_cancer",
    "split@breast_cancer",
    "train_gradient@breast_cancer-bcpm",
    "evaluate@breast_cancer",
)
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
VICTIMS = ("dvc", "stage", "another")  # one that trains, that has the libraries loaded, that logs
OUTPUTS = ("data/[1-5]_*/**/*", "metrics/**/*")
# What the killed command was about to make differs from what the next one has to make.
CHANGES = (
    ("params.yaml", "seed: 1234", "seed: 7"),
    ("params.yaml", "  seed: 0", "  seed: 1"),
    ("data/raw/breast_cancer.csv", "17.99,10.38", "17.98,10.38"),
)


@dataclass(frozen=True)
class Kill:
    """Who is sent which signal while dvc is at a stage, with other params and data or the same."""

    stage: str
    victim: str
    signal: signal.Signals
    changed: bool

    def __str__(self) -> str:
        changed = ", changed" if self.changed else ""
        return f"{self.signal.name} to {self.victim} at {self.stage}{changed}"


def cover() -> list[Kill]:
    """Few kills in which any two of stage, victim, signal and change meet once at least."""
    return [
        Kill(stage, victim, SIGNALS[(k + j) % 3], (k + j) % 2 == 1)
        for k, stage in enumerate(STAGES)
        for j, victim in enumerate(VICTIMS)
    ]


def kills(seed: int) -> Iterator[Kill]:
    """Every combination once, in random order, then again in another."""
    every = [Kill(*how) for how in itertools.product(STAGES, VICTIMS, SIGNALS, (False, True))]
    rng = random.Random(seed)
    while True:
        yield from rng.sample(every, len(every))


class Killer:
    """A reproduced clone, and how long its stages take.

    Parameters
    ----------
    clone : Clone
        Reproduced, and clean by git; it is the same after each kill, or what differs is told.
    """

    def __init__(self, clone: Clone, seed: int) -> None:
        self.clone = clone
        self.rng = random.Random(seed)
        self.clean = hashes(clone.folder)
        self.times: dict[str, tuple[float, float]] = {}
        self.by_doctor = 0

    def kill(self, how: Kill) -> list[str]:
        """Kill, repro, compare; gives what is wrong then."""
        if how.stage not in self.times:
            self.times[how.stage] = self._undisturbed(how.stage)
        good = self._change() if how.changed else {}
        while not self._killed(how):
            pass  # it had ended before
        problems = self._orphans()
        for path, content in good.items():
            path.write_bytes(content)
        self._mend()
        done = self.clone.run("dvc repro")
        if done.returncode:
            return [*problems, f"dvc repro: {done.returncode}: {done.stdout[-2000:]}"]
        found = hashes(self.clone.folder)
        problems += [
            f"{path} differs"
            for path in sorted(found.keys() | self.clean.keys())
            if found.get(path) != self.clean.get(path)
        ]
        return problems + self.clone.ok("git status --porcelain").splitlines()

    def _mend(self) -> None:
        with contextlib.chdir(self.clone.folder):
            cut_short = [*of_dvc()]
        if cut_short:
            self.by_doctor += 1
            self.clone.run("python -m pipeline doctor --mend")  # finds altered outputs, too

    def _undisturbed(self, stage: str) -> tuple[float, float]:
        """Seconds until dvc, and the stage in it, has ended."""
        start = time.monotonic()
        with self._started(stage) as dvc:
            begun = time.monotonic() if self._stage_of(dvc) else start
            while dvc.poll() is None and stage_of(dvc.pid):
                time.sleep(0.01)
            ended = time.monotonic()
        return time.monotonic() - start, ended - begun

    def _killed(self, how: Kill) -> bool:
        whole, stage_alone = self.times[how.stage]
        with self._started(how.stage) as dvc:
            if how.victim != "dvc":
                self._stage_of(dvc)
            time.sleep(self.rng.uniform(0, whole if how.victim == "dvc" else stage_alone))
            victim = self._victim(how.victim, dvc)
            if victim is None or not alive(victim):
                return False
            os.kill(victim, how.signal)
        return True

    def _victim(self, kind: str, dvc: subprocess.Popen[str]) -> int | None:
        """The process to kill; the stage where there is no other."""
        if kind == "dvc":
            return dvc.pid
        stage = stage_of(dvc.pid)
        if kind == "stage":
            return stage
        others = processes_in(self.clone.folder) - {dvc.pid, stage}
        return self.rng.choice(sorted(others)) if others else stage

    @contextlib.contextmanager
    def _started(self, stage: str) -> Iterator[subprocess.Popen[str]]:
        dvc = self.clone.start(f"exec dvc repro -f -s {stage}")
        yield dvc
        dvc.communicate(timeout=300)

    def _stage_of(self, dvc: subprocess.Popen[str]) -> int | None:
        wait_for(lambda: dvc.poll() is not None or stage_of(dvc.pid) is not None)
        return stage_of(dvc.pid)

    def _change(self) -> dict[Path, bytes]:
        good = {}
        for name, old, new in CHANGES:
            path = self.clone.folder / name
            good.setdefault(path, path.read_bytes())
            path.write_text(path.read_text().replace(old, new, 1))
        return good

    def _orphans(self) -> list[str]:
        wait_for(lambda: not commands_in(self.clone.folder), 5)
        return [f"still runs: {command}" for command in commands_in(self.clone.folder)]


def hashes(folder: Path) -> dict[str, str]:
    """Every file that the stages make, by its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for pattern in OUTPUTS
        for path in folder.glob(pattern)
        if path.is_file() and not path.name.startswith(".")
    }


def parts(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob(".*.part*")]


def processes_in(folder: Path) -> set[int]:
    """The processes that work in a folder."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve() == folder.resolve() and alive(int(process.name)):
                found.add(int(process.name))
    return found


def commands_in(folder: Path) -> list[str]:
    """The command lines of the processes that work in a folder."""
    found = []
    for process in processes_in(folder):
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{process}/cmdline").read_bytes()
            found.append(line.replace(b"\0", b" ").decode())
    return found


def stage_of(dvc: int) -> int | None:
    """The process of the stage that a dvc runs: its child, which dvc tells so."""
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{dvc}/task/{dvc}/children").read_text().split():
            if b"\0DVC_STAGE=" in Path(f"/proc/{child}/environ").read_bytes() and alive(int(child)):
                return int(child)
    return None


def alive(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def main(number: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else children may ignore it
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    right = 0
    with tempfile.TemporaryDirectory() as name:
        clone = Clone(Path(name) / "a clone")
        subprocess.run(["git", "clone", "-q", ROOT, clone.folder], check=True)
        clone.ok("dvc repro")
        clone.ok("git -c user.name=n -c user.email=n@n commit -q -a -m made || true")
        killer = Killer(clone, seed=0)
        for count, how in enumerate(itertools.islice(kills(0), number), start=1):
            problems = killer.kill(how)
            right += not problems
            print(f"{count}: {how}: {'; '.join(problems) or 'mended'}", flush=True)
        clone.ok("python -m pipeline doctor --mend")
        left = parts(clone.folder)
    print(f"{right} of {number}, {killer.by_doctor} after doctor --mend")
    for path in left:
        print(f"{path} is left")
    sys.exit(right < number or bool(left))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
