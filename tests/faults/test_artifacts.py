"""Files that a stage wrote, damaged or of another run: refused before anything is made of them."""

import json
import pickle
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from pipeline.core import layout
from pipeline.core.artifacts.models import Model, read_model
from pipeline.core.errors import PipelineError
from pipeline.core.files import md5, read_json, write_json
from tests.conftest import Clone, copied
from tests.small_project import make_project, small_csv

Run = Callable[[str], tuple[int, str]]
Snapshot = dict[str, bytes]

MODEL = layout.model("small", "bcpm")
FEATURES = ["a", "n"]
READERS = {  # of models
    "evaluate small": "evaluate",
    "report": "report",
    "track": "track",
    "predict small in.csv --model bcpm": "predict",
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_project(tmp_path_factory.mktemp("project"))
    (folder / "in.csv").write_text(small_csv())
    return folder


@pytest.fixture
def project(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one's own, to be damaged."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(shutil.copytree(reference, tmp_path / "project"))
    return Path.cwd()


@pytest.fixture
def say(project: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command: its exit code, and what it said on stderr."""

    def say(command: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(command.split())
        return code, capsys.readouterr().err

    return say


def files() -> Snapshot:
    return {str(p): p.read_bytes() for p in sorted(Path().rglob("*")) if p.is_file()}


def model(path: Path = MODEL) -> Model:
    return read_model(path, "bcpm", FEATURES, md5(layout.split_part("small", "train")))


def assert_refused(say: Run, command: str, *words: str) -> None:
    """Exit code 2 and one message that names the file; no file is written."""
    before = files()
    code, message = say(command)
    assert code == 2, message
    *warnings, message = message.splitlines()
    assert all(line.startswith("warning: predict: small has no champion") for line in warnings)
    assert message.startswith(f"error: {command.split()[0]}: "), message
    assert all(word in message for word in words), message
    assert files() == before


def test_the_project_is_whole_before_it_is_damaged(say: Run) -> None:
    for command in READERS:
        if command != "track":  # needs a store; tests/tracking has it
            assert say(command)[0] == 0, command


@pytest.mark.parametrize("command", READERS)
def test_fault_95_one_flipped_bit_in_a_model(say: Run, command: str) -> None:
    content = bytearray(MODEL.read_bytes())
    content[len(content) * 2 // 3] ^= 1
    MODEL.write_bytes(content)
    assert_refused(say, command, str(MODEL), "`dvc repro`")


@pytest.mark.slow
def test_fault_95_every_change_of_one_byte_is_found(project: Path) -> None:
    """Each bit flipped, each byte replaced, left out and doubled, at every place of the file."""
    content, copy = MODEL.read_bytes(), Path("copy.json")
    shutil.copy(MODEL, copy)
    model(copy)

    def changes(k: int) -> Iterator[bytes]:
        before, byte, after = content[:k], content[k], content[k + 1 :]
        others = {byte ^ 1 << bit for bit in range(8)} | {*b" \n09"}
        yield from (before + bytes([other]) + after for other in others - {byte})
        yield before + after
        yield before + bytes([byte, byte]) + after

    for k in range(len(content)):
        for changed in changes(k):
            copy.write_bytes(changed)
            with pytest.raises(PipelineError, match=r"copy\.json: "):
                model(copy)


def test_fault_95_other_spelling_of_the_same_content_is_found(project: Path) -> None:
    content = MODEL.read_text()
    for other in (
        content + "\n",
        content.rstrip("\n"),
        content.replace("\n", "\r\n"),
        content.replace(": ", ":"),
        "\ufeff" + content,
        json.dumps(json.loads(content)),
        json.dumps(json.loads(content), indent=2, sort_keys=True) + "\n",
        content.replace('"epochs": 10', '"epochs": 9,\n    "epochs": 10'),
        content.replace('"epochs"', '"\\u0065pochs"'),
    ):
        assert other != content
        MODEL.write_text(other, newline="")
        with pytest.raises(PipelineError, match=r"bcpm\.json: damaged"):
            model()


class Bomb:
    """A pickle of it makes a file named `executed` when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize("command", READERS)
def test_fault_96_a_pickle_in_place_of_a_model_is_not_executed(say: Run, command: str) -> None:
    for protocol in (0, pickle.HIGHEST_PROTOCOL):
        MODEL.write_bytes(pickle.dumps(Bomb(), protocol))
        assert_refused(say, command, str(MODEL), "damaged", "`dvc repro`")
    assert not Path("executed").exists()
    pickle.loads(MODEL.read_bytes())  # it would have been seen
    assert Path("executed").exists()


@pytest.mark.parametrize("command", READERS)
def test_fault_97_a_truncated_model(say: Run, command: str) -> None:
    MODEL.write_bytes(MODEL.read_bytes()[:-40])
    assert_refused(say, command, str(MODEL), "damaged", "`dvc repro`")


def test_fault_97_a_model_cut_anywhere_is_found(project: Path) -> None:
    content = MODEL.read_bytes()
    for length in range(len(content)):
        MODEL.write_bytes(content[:length])
        with pytest.raises(PipelineError, match=r"bcpm\.json: damaged"):
            model()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "reader", "mode"),
    [
        ("data/1_ingested/house.parquet", "split@house", 0o444),
        ("data/4_models/house/house-manual_gd.json", "evaluate@house", 0o444),
        ("data/5_evaluated/house/loss.csv", "report", 0o644),
        *(
            pytest.param(path, reader, 0o444, marks=pytest.mark.nightly)
            for path, reader in (
                ("data/3_split/house/train.parquet", "train_direct@house-closed_form"),
                ("data/4_models/house/house-manual_gd_history.csv", "report"),
                ("data/5_evaluated/house/evaluated.json", "report"),
                ("data/5_evaluated/house/residuals.csv", "report"),
            )
        ),
    ],
)
def test_fault_98_an_altered_file_of_dvcs_cache(
    copy: Clone, path: str, reader: str, mode: int
) -> None:
    """DVC checks it out; the stage that reads it does not take it, and says what mends it."""
    file = copy.folder / path
    whole, lock = file.read_bytes(), (copy.folder / "dvc.lock").read_bytes()
    cached = copy.folder / ".dvc/cache/files/md5" / md5(file)[:2] / md5(file)[2:]
    assert cached.read_bytes() == whole
    cached.chmod(0o644)
    cached.write_bytes(altered := whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    cached.chmod(mode)
    file.unlink()
    copy.ok(f"dvc checkout {path}")
    assert file.read_bytes() == altered
    refused = copy.run(f"dvc repro -f -s {reader}")
    assert refused.returncode != 0, refused.stdout
    assert f"{path}: has md5 {md5(file)}, and dvc.lock says " in refused.stdout
    assert "Traceback" not in refused.stdout
    (remedy,) = re.findall(r"`(rm -f '.*')`", refused.stdout)
    copy.ok(f"{remedy} && dvc repro report")  # all but track, which has an empty store
    assert file.read_bytes() == whole
    assert (copy.folder / "dvc.lock").read_bytes() == lock


@pytest.fixture
def copy(house_alone: Clone, tmp_path: Path) -> Clone:
    return copied(house_alone, tmp_path)


@pytest.fixture
def other_split(project: Path) -> Path:
    """What split makes of the same rows with another test_size."""
    ours = layout.scaler("small").parent
    shutil.copytree(ours, "kept")
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("test_size: 0.2", "test_size: 0.3"))
    assert main(["split", "small"]) == 0
    other = ours.rename("other")
    Path("kept").rename(ours)
    return other


@pytest.mark.parametrize("command", [*READERS, "sweep small bcpm lr=0.1"])
@pytest.mark.parametrize("name", ["scaler.json", "train.parquet", "rows.json"])
def test_fault_99_a_file_of_another_split(
    say: Run, other_split: Path, command: str, name: str
) -> None:
    shutil.copy(other_split / name, layout.scaler("small").parent)
    assert_refused(say, command, "data/3_split/small: ", "of different runs; run `dvc repro`")


@pytest.mark.parametrize("command", READERS)
def test_fault_99_a_model_of_another_split(say: Run, other_split: Path, command: str) -> None:
    shutil.copytree(other_split, layout.scaler("small").parent, dirs_exist_ok=True)
    assert_refused(say, command, "data/4_models/small/", "was trained on other rows")


@pytest.mark.parametrize("command", [*READERS, "sweep small bcpm lr=0.1"])
def test_fault_99_a_split_of_another_table(say: Run, command: str) -> None:
    rows = Path("data/raw/small.csv").read_text().splitlines()
    changed = [row.replace(",0", ",1") if k == 3 else row for k, row in enumerate(rows)]
    changed = [rows[0], *sorted(rows[1:], key=lambda row: row.split(",")[1])]
    Path("data/raw/small.csv").write_text("\n".join([*changed, ""]))
    assert main(["ingest", "small"]) == 0
    assert_refused(say, command, "data/1_ingested/small.parquet", "run `dvc repro`")


@pytest.mark.parametrize("command", READERS)
def test_fault_100_a_model_of_an_older_version(say: Run, command: str) -> None:
    content = read_json(MODEL) | {"format": 2}
    del content["sha256"], content["train_md5"]
    write_json(MODEL, content)
    assert_refused(
        say, command, f"{MODEL}: has format 2, and this code reads 5", "`dvc repro` trains it again"
    )


@pytest.mark.slow
def test_a_file_that_was_altered_is_refused_where_dvcs_cache_is_elsewhere(copy: Clone) -> None:
    """There DVC's list of a folder is not found: the folder as a whole is compared."""
    copy.ok("mv .dvc/cache '../a cache' && dvc cache dir --local '../../a cache' && dvc repro")
    file = copy.folder / "data/5_evaluated/house/evaluated.json"
    whole = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    env = {"DVC_STAGE": "report", "DVC_ROOT": str(copy.folder)}
    refused = copy.run("python -m pipeline.core report", **env)
    assert refused.returncode == 2
    assert "error: report: data/5_evaluated/house: has md5 " in refused.stdout
    file.write_bytes(whole)
    copy.ok("python -m pipeline.core report", **env)


# What each command reads, and what it says of a file that is not of its form.
SPLIT = ["data/1_ingested/small.parquet", *(
    f"data/3_split/small/{name}" for name in ("scaler.json", "rows.json", "train.parquet")
)]  # fmt: skip
MODELS = [str(layout.model("small", t)) for t in ("bcpm", "logistic_regression", "majority")]
HISTORY = "data/4_models/small/small-bcpm_history.csv"
EVALUATED = ["data/5_evaluated/small/evaluated.json", "data/5_evaluated/house/evaluated.json"]
VERDICT, CHAMPION = "metrics/verdict.json", "metrics/champion.json"
PLOTS = [f"data/5_evaluated/small/{name}.csv" for name in ("confusion", "roc", "pr", "calibration")]
PLOTS += [f"data/5_evaluated/house/{name}.csv" for name in ("predictions", "residuals")]
READ = {
    "split small": ["data/2_validated/small/report.json", "data/1_ingested/small.parquet"],
    "train small bcpm": ["data/3_split/small/train.parquet"],
    "evaluate small": [*SPLIT, *MODELS[:1], CHAMPION],
    "report": [
        "data/2_validated/small/report.json",
        *(*SPLIT, *MODELS, HISTORY, *EVALUATED, *PLOTS),
    ],
    "track": [*SPLIT, *MODELS, HISTORY, *EVALUATED, VERDICT, CHAMPION],
    "predict small in.csv": [*SPLIT, *EVALUATED[:1], VERDICT, CHAMPION],
    "predict small in.csv --model bcpm": [*SPLIT, *MODELS[:1], *EVALUATED[:1]],
    "results": ["metrics/small.json", "metrics/house.json", VERDICT],
    "promote small bcpm": [*EVALUATED[:1], VERDICT, CHAMPION],
    "sweep small bcpm lr=0.1": SPLIT,
}


def between_lines(content: bytes) -> bytes:
    """With a letter at the beginning of a line in the middle; in the middle, if there is none."""
    middle = content.find(b"\n", len(content) // 2) + 1 or len(content) // 2
    return content[:middle] + b"x" + content[middle:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half of it": lambda content: content[: len(content) // 2],
    "nothing": lambda content: b"",
    "{}": lambda content: b"{}",
    "[]": lambda content: b"[]",
    "null": lambda content: b"null",
    "a list of lists": lambda content: 100_000 * b"[",
    "one number": lambda content: b"1" * 10_000,
    "no text": lambda content: bytes(range(256)),
    "a letter between its lines": lambda content: between_lines(content),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "path"), [(command, path) for command, paths in READ.items() for path in paths]
)
def test_damaged_files_are_named_with_what_makes_them_again(
    say: Run, command: str, path: str
) -> None:
    content = Path(path).read_bytes()
    for name, damage in DAMAGES.items():
        if (path, name) == (CHAMPION, "{}"):
            continue  # there is no champion
        Path(path).write_bytes(damage(content or b"{}"))
        try:
            remedy = "`git checkout`" if path == CHAMPION else "`dvc repro`"
            assert_refused(say, command, Path(path).name, remedy)
        except BaseException as error:
            error.add_note(f"{path}: {name}")
            raise
