"""Work in forks gives what one process gives; a fork that fails costs no result."""

import os
import subprocess
import sys

import pytest

from pipeline.core import processes
from tests.conftest import ROOT

# Run in a process of its own: pytest's workers have threads, and then nothing forks.
PROGRAM = """
import os, time
from pipeline.core import processes
from pipeline.core.errors import PipelineError
processes._processes = lambda: {number}
here = os.getpid()

def work(k):
    time.sleep(0.03)
    {line}
    return bytes([k]) * k

try:
    found = processes.apart(work, 7)
    print(found == [bytes([k]) * k for k in range(7)])
except PipelineError as error:
    print(error)
"""


def said(number: int, line: str) -> str:
    code = PROGRAM.format(number=number, line=line)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("number", [1, 2, 4, 8])
@pytest.mark.parametrize(
    "line",
    [
        "pass",
        "os.getpid() != here and k == 3 and os._exit(1)",  # a fork ends without a word
        "os.getpid() != here and k % 2 and os.kill(os.getpid(), 9)",
    ],
)
def test_every_part_is_there_in_order(number: int, line: str) -> None:
    assert said(number, line) == "True\n"


@pytest.mark.parametrize("number", [1, 4])
def test_the_error_of_a_part_is_met_by_this_process(number: int) -> None:
    line = """
    if k == 5:
        raise PipelineError(f"part 5, in this process: {os.getpid() == here}")"""
    assert said(number, line) == "part 5, in this process: True\n"


def test_forks_do_the_parts_that_are_theirs() -> None:
    line = """
    if (os.getpid() == here) != (k in (0, 1, 4)):  # the first alone, then every third
        raise PipelineError(f"part {k}")"""
    assert said(3, line) == "True\n"


def test_without_forks_this_process_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError("too many processes")

    monkeypatch.setattr(processes, "_processes", lambda: 4)
    monkeypatch.setattr(processes, "WORTH", -1)
    monkeypatch.setattr(os, "fork", refused)
    assert processes.apart(lambda k: bytes([k]), 5) == [bytes([k]) for k in range(5)]
