"""Rebuild what is out of date, as `dvc repro` does, with several stages side by side.

  python -m pipeline repro -j 2

DVC decides what is out of date, runs each stage in a process of its own and records it: dvc.lock
and all results are the same bytes. A stage begins when all that it depends on has ended, `params`
before all others and `track` after them. On a terminal each running stage has a line; what stages
say stands behind their names. -j 1 is `dvc repro` itself.

Where a stage fails, or Ctrl-C is pressed, no other is begun and those that run are awaited. Exit
codes are those of `dvc repro`: 255 where a stage failed or was interrupted, 252 between stages.
"""

import os
import sys
from argparse import ArgumentParser, Namespace

from pipeline.core.errors import PipelineError
from pipeline.core.run import say

MOST = 100


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `repro`."""
    meaning = "how many stages may run at once; as many as there are CPUs unless given"
    parser.add_argument("-j", "--jobs", help=meaning)


def run(options: Namespace) -> None:
    """Run the command."""
    jobs = _number(options.jobs)
    if jobs > 1 and sys.platform != "linux":
        say("note: only Linux lets stages run side by side; they run one after another")
        jobs = 1
    if jobs == 1:
        os.execv(sys.executable, [sys.executable, "-m", "dvc", "repro"])
    from pipeline.commands.repro.side_by_side import repro  # which imports dvc

    sys.exit(repro(jobs))


def _number(text: str | None) -> int:
    if text is None:
        return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST):
        raise PipelineError(f"-j {text}: expected a whole number from 1 to {MOST}")
    return int(text)
