"""`python -m pipeline verify`: what is committed comes out again, or it says what does not."""

import hashlib
import json
import os
import signal
from pathlib import Path

import pytest

from pipeline.commands.verify import _result
from pipeline.commands.verify.difference import difference
from pipeline.core.dvc_lock import Output
from tests.conftest import ROOT, Clone, copied
from tests.kills import wait_for


def table(values: list[float]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"x": pa.array(values)}), sink)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    ("path", "old", "new", "words"),
    [
        ("a.parquet", table([1, 2.0]), table([1, 2.5]), "x, row 1: 2.0, now 2.5; all else agrees, "
         "numbers to a relative 2.0e-01"),
        ("a.csv", b"x,y\n1,2\n3,4\n", b"x,y\n1,2\n3,5\n", "line 3, y: '4', now '5'; all else"),
        ("a.json", b'{"a": {"b": [1]}}', b'{"a": {"b": [1, 2]}}', "a.b[1]: nothing, now 2"),
        ("a.json", b'{"a": true}', b'{"a": false}', "a: True, now False"),
        ("a.json", b'{"a": 1}', b'{"a":1}', "the same values in other bytes"),
        ("a.html", b"<p>1\n<p>2", b"<p>1\n<p>3", "line 2: '2', now '3'; all else agrees"),
        ("a.md", b"|x|1.5e-3|", b"|y|1.5e-3|", "line 1: '|x|', now '|y|'"),
        ("a.csv", b"x\n0\n", b"x\n-0\n", "line 2, x: '0', now '-0'; all else agrees, numbers to a "
         "relative 0.0e+00"),
        ("a.json", b'{"a": "nan"}', b'{"a": "1"}', "a: 'nan', now '1'"),
        ("a.json", b'["1.0"]', b'["1.25"]', "[0]: '1.0', now '1.25'; all else agrees, numbers to a "
         "relative 2.0e-01"),
        ("a.json", b'["%s", 1.0]' % (b"0" * 32), b'["%s", 1.25]' % (b"a" * 32), "[1]: 1.0, now 1.25"
         "; all else agrees, numbers to a relative 2.0e-01"),
        ("a.json", b'["%s"]' % (b"0" * 64), b'["%s"]' % (b"a" * 64), "hashes of what differs"),
        ("a.html", b"<b>%s</b>" % (b"1c" * 16), b"<b>%s</b>" % (b"c2" * 16), "hashes of what"),
        ("a.csv", None, b"", "differs; what was committed is not in DVC's cache here"),
        ("a.csv", b"", None, "is not made any more"),
    ],
)  # fmt: skip
def test_a_difference_is_placed_and_measured(
    path: str, old: bytes | None, new: bytes | None, words: str
) -> None:
    assert difference(path, old, new).startswith(words)


def test_the_largest_relative_difference_is_told_not_the_first() -> None:
    old, new = b'{"a": 1.0, "b": 1.0}', b'{"a": 1.0000000001, "b": 1.01}'
    assert difference("a.json", old, new).endswith("numbers to a relative 9.9e-03")


def test_of_a_folder_the_file_and_the_number_that_differ_are_told(workspace: Path) -> None:
    def kept(content: bytes, of: str) -> str:
        name = hashlib.md5(content, usedforsecurity=False).hexdigest()
        path = Output("", Path(), name + of).cached
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return name + of

    def folder(number: float) -> Output:
        file = kept(json.dumps({"w": number}).encode(), "")
        listing = json.dumps([{"md5": file, "relpath": "evaluated.json"}])
        return Output("evaluate", Path("data/5_evaluated/house"), kept(listing.encode(), ".dir"))

    path = Path("data/5_evaluated/house/evaluated.json")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"w": 2.5}))
    told = _result(Path(), "data/5_evaluated/house", folder(2.0), folder(2.5))
    assert told == "evaluated.json: w: 2.0, now 2.5; all else agrees, numbers to a relative 2.0e-01"


@pytest.fixture
def clone(house_alone: Clone, tmp_path: Path) -> Clone:
    """One dataset; dvc.lock has a stage of another, as after its block was taken out."""
    clone, text = copied(house_alone, tmp_path), (ROOT / "dvc.lock").read_text()
    gone = text[text.index("  evaluate@synthetic:\n") : text.index("  evaluate@breast_cancer:\n")]
    with (clone.folder / "dvc.lock").open("a") as lock:
        lock.write(gone)
    clone.ok("git commit -qam gone")
    return clone


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_a_committed_result_that_does_not_follow_is_found(
    clone: Clone, tmp_path: Path, threads: int
) -> None:
    """A number in metrics/house.json is forged; dvc.lock has the checksum of the right one."""
    scores = clone.folder / "metrics/house.json"
    clone.ok("git rm -q --cached data/raw/house.csv && dvc add -q data/raw/house.csv")
    clone.ok("git add data/raw/house.csv.dvc")
    values = json.loads(scores.read_text())
    true = values["mean"]["loo_mse"]
    values["mean"]["loo_mse"] = true * 2
    scores.write_text(json.dumps(values, indent=2) + "\n")
    clone.ok("git commit -q -a -m forged")
    clone.ok("echo '# mine' >> params.yaml")
    before = clone.ok("git status --porcelain")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = clone.run(f"python -m pipeline verify --threads {threads}", TMPDIR=str(temporary))
    assert done.returncode == 1, done.stdout
    allowed = f"{threads} thread{'s' * (threads > 1)} allowed"
    assert f"running every stage, {allowed}" in done.stdout
    assert "uncommitted changes are no part of this: what is verified is HEAD" in done.stdout
    lines = map(str.rstrip, done.stdout.splitlines())
    count = len([line for line in lines if line.endswith("  identical")])
    assert f"{count}/{count + 1} identical" in done.stdout
    assert count > 20
    assert "synthetic" not in done.stdout
    assert (
        f"error: verify: metrics/house.json: mean.loo_mse: {true * 2!r}, now {true!r}; "
        "all else agrees, numbers to a relative 5.0e-01"
    ) in done.stdout
    assert clone.ok("git status --porcelain") == before
    assert not [*temporary.iterdir()]


@pytest.mark.slow
def test_ctrl_c_leaves_nothing(clone: Clone, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    # the tests may run in the background, where SIGINT is ignored
    code = "import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL)"
    code += "; os.execvp('python', ['python', '-m', 'pipeline', 'verify'])"
    verify = clone.start(f'exec python -c "{code}"', TMPDIR=str(temporary))
    assert wait_for(lambda: any(temporary.glob("verify-*/clone/.dvc/tmp/lock")))
    os.kill(verify.pid, signal.SIGINT)
    output, _ = verify.communicate(timeout=60)
    assert verify.returncode == 130, output
    assert output.endswith("verify: interrupted\n")
    assert not [*temporary.iterdir()]
