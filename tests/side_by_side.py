"""Kill `repro -j 2`, a dvc of its or a stage at random moments; the next command mends it all.

python -m tests.side_by_side FOLDER [KILLS]     FOLDER is a reproduced clone, clean by git
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from pipeline.core.dvc_lock import Output, outputs
from tests.conftest import Clone
from tests.kills import CHANGES, VICTIMS, alive, commands_in, hashes, parts, wait_for

COMMAND = "python -m pipeline repro -j 2"
MENDING = ("dvc repro", COMMAND)


class Killer:
    """A reproduced clone whose params and data are then changed, and what a clean run makes of it.

    Parameters
    ----------
    clone : Clone
        Reproduced, and clean by git; it is changed.
    seed : int
        Draws the moments.
    """

    def __init__(self, clone: Clone, seed: int) -> None:
        self.clone, self.rng = clone, random.Random(seed)
        for name, old, new in CHANGES:
            path = clone.folder / name
            path.write_text(path.read_text().replace(old, new, 1))
        self.before = clone.folder.with_name("before")
        shutil.copytree(clone.folder, self.before, symlinks=True)
        start = time.monotonic()
        clone.ok(COMMAND)
        self.seconds = time.monotonic() - start
        self.clean, self.recorded = hashes(clone.folder), recorded(clone.folder)

    def kill(self, victim: str, mending: str) -> list[str]:
        """Kill in the midst of all, mend, compare; gives what is wrong then."""
        while not self._killed(victim):
            pass  # it had ended before
        wait_for(lambda: not commands_in(self.clone.folder), 5)
        problems = [f"still runs: {command}" for command in commands_in(self.clone.folder)]
        done = self.clone.run(mending)
        if done.returncode:
            return [*problems, f"{mending}: {done.returncode}: {done.stdout[-2000:]}"]
        if hashes(self.clone.folder) != self.clean:
            problems.append("the outputs differ")
        if recorded(self.clone.folder) != self.recorded:
            problems.append("dvc.lock differs")
        return problems + [f"{path} is left" for path in parts(self.clone.folder)]

    def _killed(self, victim: str) -> bool:
        shutil.rmtree(self.clone.folder)
        shutil.copytree(self.before, self.clone.folder, symlinks=True)
        command = self.clone.start(f"exec {COMMAND}")
        time.sleep(self.rng.uniform(0, self.seconds))
        found, forks = self._victims(command, victim), children(command.pid)
        with contextlib.suppress(ProcessLookupError):
            if found:
                os.kill(self.rng.choice(found), signal.SIGKILL)
        command.communicate(timeout=600)
        # they end with it, a moment later; to DVC one that nobody has waited for is at work
        wait_for(lambda: not any(Path(f"/proc/{fork}").exists() for fork in forks))
        return bool(found) and command.returncode != 0

    def _victims(self, command: subprocess.Popen[str], victim: str) -> list[int]:
        """The command itself, its forks, or processes of stages."""
        if victim == "dvc" and command.poll() is None:
            return [command.pid]
        forks = children(command.pid)
        return [*filter(alive, forks if victim == "another" else map_children(forks))]


def children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [*map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())]
    return []


def map_children(processes: list[int]) -> list[int]:
    return [child for process in processes for child in children(process)]


def recorded(folder: Path) -> list[Output]:
    """What dvc.lock says, whatever the order; the receipt is of this folder's store."""
    with contextlib.chdir(folder):
        return sorted(output for output in outputs() if output.stage != "track")


def main(folder: Path, number: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    killer, right = Killer(Clone(folder), seed=0), 0
    for count in range(number):
        how = VICTIMS[count % 3], MENDING[count // 3 % 2]
        problems = killer.kill(*how)
        right += not problems
        print(f"{count + 1}: {', '.join(how)}: {'; '.join(problems) or 'mended'}", flush=True)
    print(f"{right} of {number}")
    sys.exit(right < number)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
