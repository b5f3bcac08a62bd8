"""Files that are compared with dvc.lock are read once, and again as soon as they may be others."""

import os
from pathlib import Path

import pytest

from pipeline.core import checked_inputs
from pipeline.core.checked_inputs import checksum, refuse_altered
from pipeline.core.errors import PipelineError

ONE = "c4ca4238a0b923820dcc509a6f75849b"  # md5 of "1"
LOCK = f"""schema: '2.0'
stages:
  ingest@house:
    cmd: exec python -m pipeline "$DVC_STAGE"
    outs:
    - path: made
      hash: md5
      md5: {ONE}
      size: 1
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that a stage made an hour ago."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text(LOCK)
    path = Path("made")
    path.write_text("1")
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 3600))
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read, in order."""
    found: list[Path] = []
    really = checked_inputs._md5

    def noted(path: Path) -> str:
        found.append(path)
        return really(path)

    monkeypatch.setattr(checked_inputs, "_md5", noted)
    return found


def test_a_file_is_read_once_for_each_of_its_states(made: Path, read: list[Path]) -> None:
    assert [checksum(made), checksum(made)] == [ONE, ONE]
    assert len(read) == 1
    made.write_text("2")
    assert checksum(made) != ONE
    assert len(read) == 2


def test_a_file_that_was_written_just_now_is_read_each_time(made: Path, read: list[Path]) -> None:
    """Its next state may have the same size and time."""
    made.write_text("2")
    first = checksum(made)
    state = made.stat()
    made.write_text("3")
    os.utime(made, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert checksum(made) != first


def test_an_altered_file_is_refused_in_a_stage_alone(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", "/project")
    made.write_text("2")
    refuse_altered(made)
    monkeypatch.setenv("DVC_STAGE", "split@house")
    cached = f"/project/.dvc/cache/files/md5/{ONE[:2]}/{ONE[2:]}"
    with pytest.raises(PipelineError, match=f"dvc.lock says {ONE}.*`rm -f 'made' '{cached}'`"):
        refuse_altered(made)
    made.write_text("1")
    refuse_altered(made)
