"""The pictures of docs/textbook.md are the same bytes, whatever a reader has set."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_a_readers_own_matplotlibrc_changes_no_picture(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("axes.titlesize: 30\nlines.linewidth: 5\nfont.size: 20")
    code = (
        "import pipeline.__main__; from pathlib import Path; "
        "from pipeline.textbook.pictures import draw; draw(Path('drawn'))"
    )
    env = os.environ | {"MATPLOTLIBRC": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=env)
    for name in ("house.png", "learning_rates.png"):
        assert (tmp_path / "drawn" / name).read_bytes() == (ROOT / "docs" / name).read_bytes()
