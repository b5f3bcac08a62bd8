"""Every command of README.md, run in its order in a fresh clone, as typed."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Clone, copied

pytestmark = pytest.mark.slow

README = (ROOT / "README.md").read_text()
WORDS = "make|source|python|printf|dvc|git|mlflow"
BLOCKS = re.findall(rf"(?m)^    ((?:{WORDS}) .*?)(?: +#.*)?$", README)
IN_SENTENCES = {*re.findall(rf"`((?:{WORDS}) [^`]+)`", README)}
# What a sentence leaves open.
FILLED_IN = {
    "dvc remote add -d": "dvc remote add -f -d team ../team",
}
# By another test, which takes long.
ELSEWHERE = {
    "make test": ".ci/run",
    "mlflow ui": "tests/test_mlflow_ui.py",
    "python -m pipeline verify": "tests/commands/verify/test_verify.py",
}


@pytest.fixture(scope="module")
def clone(reproduced: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = copied(reproduced, tmp_path_factory.mktemp("readme"))
    (clone.folder / ".venv").symlink_to(sys.prefix)
    rows = [f"{k * k % 31},{'abc'[k % 3]},{'Yes' if k % 7 > 4 else 'No'}\n" for k in range(60)]
    (clone.folder / "churn.csv").write_text("".join(["months,plan,Churn\n", *rows]))
    return clone


def test_readme_is_short() -> None:
    assert len(README.split()) <= 700


def test_the_commands_in_blocks_run_as_typed(clone: Clone) -> None:
    assert {"make repro", "dvc exp run -S lr=0.01", "dvc plots diff"} <= {*BLOCKS}
    said = {
        command: clone.ok(f"bash -c {shlex.quote(command)}")
        for command in BLOCKS
        if command not in ELSEWHERE
    }
    clone.ok("python -m pipeline remove churn && dvc repro")
    assert clone.ok("git status --porcelain --untracked-files=no") == ""
    sweep = said["python -m pipeline sweep house manual_gd lr=0.01,0.1,0.5,1.5"].splitlines()
    shown = re.findall(r"(?m)^    ((?:lr|[\d.]+) {2,}.*)$", README)
    assert len(shown) == 5
    assert {*shown} <= {*sweep}
    predicted = (clone.folder / "out.csv").read_text().splitlines()[1].split(",")
    assert predicted[0] == "140"
    assert f"says {float(predicted[1]):.1f} (10,000 yuan)" in README
    assert predicted[2] == "area_m2"


@pytest.mark.parametrize("command", sorted(IN_SENTENCES - {*BLOCKS} - {*ELSEWHERE}))
def test_the_commands_in_sentences_run_too(clone: Clone, command: str) -> None:
    if command in ("dvc push", "dvc pull"):
        clone.ok("dvc remote add -f -d team ../team")
    if command == "dvc pull":
        clone.ok("dvc push")
    clone.ok(FILLED_IN.get(command, command))


@pytest.mark.parametrize("command", sorted(ELSEWHERE))
def test_what_takes_long_is_run_by_another_test(command: str) -> None:
    assert {command} <= IN_SENTENCES | {*BLOCKS}
    words = command.removeprefix("python -m pipeline ")
    assert words in Path(ROOT, ELSEWHERE[command]).read_text()
