"""The examples, from file to scores: what examples/README.md shows is what comes."""

import re
import runpy
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.core.params import load_params
from pipeline.report.verdict import give_verdicts
from tests.conftest import ROOT, keep_datasets

EXAMPLES = ROOT / "examples"
README = (EXAMPLES / "README.md").read_text()
ON_A_PLANE = {"rings", "moons", "xor"}  # their blocks are alike, and not shown
NAMES = re.findall(r"(?m)^## (\w+)", README)
SHOWN = dict(zip(NAMES, re.split(r"(?m)^## .*$", README)[1:], strict=True))


def test_every_file_is_shown() -> None:
    assert sorted(NAMES) == sorted(path.stem for path in EXAMPLES.glob("*.csv"))


@pytest.mark.nightly
def test_the_page_on_depth_is_what_the_script_makes(tmp_path: Path) -> None:
    runpy.run_path(str(EXAMPLES / "depth.py"))["make"](tmp_path)
    for path in tmp_path.iterdir():
        assert (ROOT / "docs" / path.name).read_bytes() == path.read_bytes()
    assert len([*tmp_path.iterdir()]) == 4


def test_the_files_are_what_the_script_makes(tmp_path: Path) -> None:
    copy = tmp_path / "make.py"
    copy.write_text((EXAMPLES / "make.py").read_text())
    runpy.run_path(str(copy), run_name="__main__")
    for path in EXAMPLES.glob("*.csv"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def shown(text: str, command: str) -> list[str]:
    """The lines that stand below a command, up to the end of the block."""
    lines = text.split(f"    {command}\n")[1].split("\n")
    ends = (k for k, line in enumerate(lines) if line and not line.startswith("    "))
    block = (line.removeprefix("    ") for line in lines[: next(ends, len(lines))])
    return "\n".join(block).rstrip("\n").split("\n")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_is_what_comes(
    name: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "examples").symlink_to(EXAMPLES)
    text = SHOWN[name]
    (add,) = re.findall(r"(?m)^    \$ python -m pipeline (add .*)$", text)
    assert main(add.split()) == 0
    assert capsys.readouterr().out.splitlines() == shown(text, f"$ python -m pipeline {add}")
    params = Path("params.yaml").read_text()
    if name in ON_A_PLANE:
        (line,) = re.findall(rf"(?m)^      ({name}-network: {{.*}})$", text)
        Path("params.yaml").write_text(
            params.replace("  network: {}\n", f"  network:\n    {line}\n")
        )
    else:
        block = re.search(rf"(?m)^  {name}:\n(?:    .*\n)+", params)
        assert block
        assert "".join(f"    {line}\n" for line in block[0].splitlines()) in text
    keep_datasets(Path("params.yaml"), name)
    models = load_params().own_models_of(name)
    stages = (
        f"ingest {name}",
        f"validate {name}",
        f"split {name}",
        f"train {name} {' '.join(models)}",
        f"evaluate {name}",
    )
    for stage in stages:
        assert main(stage.split()) == 0, capsys.readouterr().err
    give_verdicts(load_params())
    capsys.readouterr()
    assert main(["results"]) == 0
    said = capsys.readouterr().out.rstrip("\n").splitlines()
    assert [line.rstrip() for line in said] == shown(text, "$ python -m pipeline results")
