import subprocess
from pathlib import Path

import pytest

from pipeline.core.dvc_lock import lock_checksum
from pipeline.tracking.provenance import MOST, origin

LOCK = """schema: '2.0'
stages:
  ingest@house:
    cmd: python -m pipeline ingest house
    outs:
    - path: data/1_ingested/house.parquet
      md5: 1
  track:
    cmd: python -m pipeline track
    deps:
    - path: pipeline/stages/track
      md5: 2
  validate@house:
    cmd: python -m pipeline validate house
"""


@pytest.fixture
def repository(workspace: Path) -> Path:
    for command in (
        "init -q -b main",
        "config user.name You",
        "config user.email you@example.com",
        "add -A",
        "commit -q -m start",
    ):
        subprocess.run(["git", *command.split()], check=True)
    return workspace


def head() -> str:
    return subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()


def test_a_clean_checkout_is_its_commit(repository: Path) -> None:
    found = origin(["house"])
    assert found.links == {"git_commit": head()}
    assert (found.tags["git_dirty"], found.files) == ("false", {})


def test_what_stages_write_makes_no_checkout_dirty(repository: Path) -> None:
    (repository / "dvc.lock").write_text(LOCK)
    (repository / "metrics/house.json").write_text("{}")
    assert origin(["house"]).tags["git_dirty"] == "false"
    (repository / "metrics/champion.json").write_text('{"house": {}}')
    assert origin(["house"]).tags["git_dirty"] == "true"


def test_the_diff_brings_back_what_was_not_committed(repository: Path) -> None:
    params = repository / "params.yaml"
    changed = params.read_text().replace("lr: 0.1", "lr: 0.05")
    params.write_text(changed)
    new = repository / "data/raw/ü new.csv"
    new.write_bytes(b"a,b\r\n1,2\r\n")
    (repository / "data/raw/house.csv").unlink()
    found = origin(["house"])
    assert found.tags["git_dirty"] == "true"
    subprocess.run("git clean -fdq && git checkout -q .", shell=True, check=True)
    assert not new.exists()
    subprocess.run(
        ["git", "apply", "-"], input=found.files["uncommitted.diff"].encode(), check=True
    )
    assert params.read_text() == changed
    assert new.read_bytes() == b"a,b\r\n1,2\r\n"
    assert not (repository / "data/raw/house.csv").exists()


def test_the_diff_does_not_hang_on_a_users_configuration(repository: Path) -> None:
    params = repository / "params.yaml"
    params.write_text(params.read_text().replace("lr: 0.1", "lr: 0.05"))
    plain = origin([]).files["uncommitted.diff"]
    assert "--- a/params.yaml" in plain
    for setting in ("diff.noprefix", "diff.mnemonicPrefix", "diff.relative"):
        subprocess.run(["git", "config", setting, "true"], check=True)
        assert origin([]).files["uncommitted.diff"] == plain


def test_a_large_new_file_is_named_and_left_out(repository: Path) -> None:
    (repository / "data/raw/large.csv").write_text("1\n" * MOST)
    (repository / "small.txt").write_text("small\n")
    diff = origin([]).files["uncommitted.diff"]
    assert diff.startswith("# left out, too large: data/raw/large.csv\n")
    assert "+small" in diff
    assert len(diff) < 500


def test_a_diff_too_large_says_so(repository: Path) -> None:
    for k in range(3):
        (repository / f"large{k}.txt").write_text("x\n" * (MOST // 3))
    diff = origin(["house"]).files["uncommitted.diff"]
    assert len(diff) < 200
    assert "too many to keep" in diff


def test_an_experiment_has_its_name_and_the_commit_it_started_from(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = head()
    subprocess.run("git commit -q --allow-empty -m second", shell=True, check=True)
    monkeypatch.setenv("DVC_EXP_NAME", "slow")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", first)
    assert origin([]).links == {"git_commit": first, "dvc_experiment": "slow"}


def test_without_git_there_is_no_commit(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(workspace.parent))
    found = origin([])
    assert found.links == {}
    assert "git_dirty" not in found.tags
    monkeypatch.setenv("PATH", "")
    assert origin([]) == found


def test_the_hash_of_the_lock_leaves_out_what_depends_on_the_store(workspace: Path) -> None:
    lock = workspace / "dvc.lock"
    assert lock_checksum() == ""
    lock.write_text(LOCK)
    whole = lock_checksum()
    lock.write_text(LOCK.replace("md5: 2", "md5: 3"))
    assert lock_checksum() == whole
    head, ingest, _, validate = (
        LOCK.replace("  ingest", "@@  ingest")
        .replace("  track", "@@  track")
        .replace("  validate", "@@  validate")
        .split("@@")
    )
    lock.write_text(head + validate + ingest)
    assert lock_checksum() == whole
    lock.write_text(LOCK.replace("md5: 1", "md5: 4"))
    assert lock_checksum() != whole
