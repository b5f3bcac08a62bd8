from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files import atomic_write, read_json, write_json, write_text


def test_a_block_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as part:
        part.write_text("half")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_part_left_by_a_killed_process_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.99999999.part").write_text("left over")
    write_text(tmp_path / "a.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_part_of_another_program_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / ".out[1].csv.x.part"
    theirs.write_text("theirs")
    write_text(tmp_path / "out[1].csv", "ours")
    assert theirs.read_text() == "theirs"
    assert (tmp_path / "out[1].csv").read_text() == "ours"


def test_a_refused_write_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match=r"file/a\.txt: cannot be written"):
        write_text(tmp_path / "file" / "a.txt", "text")


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"a\.json: a value is nan or infinite"):
        write_json(tmp_path / "a.json", {"a": float("nan")})


@pytest.mark.parametrize("damage", ["", "{", "\udcff"])
def test_damaged_json_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(damage.encode("utf-8", "surrogateescape"))
    with pytest.raises(PipelineError, match=r"a\.json: damaged"):
        read_json(path)


def test_missing_json_says_who_makes_it(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="run `dvc repro`"):
        read_json(tmp_path / "a.json")
