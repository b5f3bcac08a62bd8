"""Settings that cannot be, and settings that would do harm: refused, or no more than text."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Clone, clone_into

Run = Callable[[str], tuple[int, str]]
Prepare = Callable[[str], None]
Change = Callable[[str, str], None]

CANARY = "executed"
BOMB = "[&a [x, x, x, x, x, x, x, x, x]" + "".join(
    f", &{after} [{', '.join(9 * [f'*{before}'])}]"
    for before, after in zip("abcdefghi", "bcdefghij", strict=True)
)
# What stands for the value of a key in params.yaml, by hand.
HOSTILE = [
    f"$(touch {CANARY})", f"`touch {CANARY}`", f"; touch {CANARY}", f"&& touch {CANARY}",
    f"|| touch {CANARY}", f"| touch {CANARY}", f"& touch {CANARY} &", f"> {CANARY}",
    f">> {CANARY}", f"< {CANARY}", f"'; touch {CANARY}; '", f'"; touch {CANARY}; "',
    f"'$(touch {CANARY})'", f'"$(touch {CANARY})"', f'"`touch {CANARY}`"', f"0.1; touch {CANARY}",
    f"0.1 $(touch {CANARY})", f'"0.1\\ntouch {CANARY}"', f'"0.1\\r\\ntouch {CANARY}"',
    f"|\n  0.1\n  touch {CANARY}", f">\n  touch {CANARY}", f"$'\\x74ouch {CANARY}'",
    "${oc.env:PATH}", "${oc.env:HOME,0.1}", "${seed}", "$${seed}", "${item.dataset}", "{{ lr }}",
    "{% raw %}", f"${{IFS}}touch${{IFS}}{CANARY}", "$HOME", "~", "~/x", "../x", "../../etc/passwd",
    "/etc/passwd", "file:///etc/passwd", '"\\0"', '"a\\0b"', "x" * 100_000, "9" * 10_000,
    "é" * 100, '"\\u202e1.0"', '"\\U0001F600"', "١٢", "\u22121", "\uff11", "1_000", "0x10",
    "0b11", "1,5", "1e999999999", "-.inf", ".NAN", "-0.0", "1:30", "2026-01-01", "yes", "!!str 1",
    f"!!python/object/apply:os.system [touch {CANARY}]",
    f"!!python/object/apply:subprocess.check_output [[touch, {CANARY}]]",
    f"!!python/object/new:os.system [touch {CANARY}]", "!!python/name:os.system",
    "!!python/module:os", "!!python/tuple [1, 2]", "!!binary dG91Y2g=", "!!set {a, b}",
    "!!js/function 'function(){}'", "!include /etc/passwd", "!ENV ${HOME}", "!exec touch",
    "*unknown", "&a [*a]", "&a 0.1", BOMB, "[" * 5000, "{a: " * 500, "? [a]", "--flag", "-rf *",
    "*", "?", "@x", "%x", "!", "\t0.1", "0.1\t# x", "0.1 #", "[0.1]", "{0.1: 0.1}", "null", "",
]  # fmt: skip
NUMBERS = {"1_000", "0x10", "0b11", "&a 0.1", "0.1 #"}  # to DVC, too


@pytest.fixture
def change(workspace: Path) -> Change:
    """Replace text in params.yaml."""

    def change(old: str, new: str) -> None:
        path = workspace / "params.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8", errors="surrogatepass")

    return change


def assert_refused(run: Run, command: str, *words: str) -> None:
    """Exit code 2, a message that has the words, and not a file written."""
    before = sorted(Path().rglob("*"))
    code, message = run(command)
    assert code == 2, message
    assert message.startswith("error: "), message
    assert all(word in message for word in words), message
    assert sorted(Path().rglob("*")) == before


def test_fault_57_lr_0(run: Run, change: Change) -> None:
    change("lr: 0.1", "lr: 0")
    assert_refused(run, "params", "params.yaml: lr: expected greater than 0, got 0")


def test_fault_58_lr_negative(run: Run, change: Change) -> None:
    change("lr: 0.1", "lr: -0.1")
    assert_refused(run, "params", "params.yaml: lr: expected greater than 0, got -0.1")


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
def test_fault_59_lr_nan_or_inf(run: Run, change: Change, value: str) -> None:
    change("lr: 0.1", f"lr: {value}")
    assert_refused(run, "params", "params.yaml: lr: expected a finite number")


def test_fault_60_lr_far_too_large(
    run: Run, prepared: Prepare, change: Change, workspace: Path
) -> None:
    prepared("house")
    change("lr: 0.1", "lr: 1e100")
    code, message = run("train house manual_gd")
    assert code == 3
    assert re.search(r"diverged at epoch 2: .* the largest stable lr .* is 1\b", message)
    assert {path.name for path in (workspace / "data/4_models").rglob("*.*")} == {"warnings.json"}


@pytest.mark.parametrize("value", ["abc", "true", "[1]", "null"])
@pytest.mark.parametrize("key", ["lr: 0.1", "epochs: 100", "seed: 1234", "momentum: 0.9"])
def test_fault_61_no_number_where_one_belongs(
    run: Run, change: Change, key: str, value: str
) -> None:
    name = key.split(":")[0]
    change(f"\n{key}", f"\n{name}: {value}")
    assert_refused(run, "params", f"params.yaml: {name}: expected ", f"got {shown(value)}")


def shown(value: str) -> str:
    return '"abc"' if value == "abc" else value


def test_fault_62_unknown_key(run: Run, change: Change) -> None:
    change("\nmomentum: 0.9", "\nmomentun: 0.9")
    words = "params.yaml: momentun: unknown key (did you mean momentum?)"
    assert_refused(run, "params", words)


@pytest.mark.parametrize("value", ["0", "-1", "1.5"])
def test_fault_64_epochs_that_cannot_be(run: Run, change: Change, value: str) -> None:
    change("\nepochs: 100", f"\nepochs: {value}")
    assert_refused(run, "params", "params.yaml: epochs: expected ", f"got {value}")


def test_fault_65_batch_size_beyond_the_rows(
    run: Run, prepared: Prepare, change: Change, workspace: Path
) -> None:
    prepared("house")
    change("batch_size: full", "batch_size: 7")
    code, message = run("train house manual_gd")
    assert code == 0
    assert "warning: train: batch_size 7 is more than the 6 training rows" in message
    model = json.loads((workspace / "data/4_models/house/house-manual_gd.json").read_text())
    assert model["params"]["batch_size"] == 7


@pytest.mark.parametrize("value", ["1", "1.0", "-0.1", "2"])
def test_fault_66_test_size_outside(run: Run, change: Change, value: str) -> None:
    change("test_size: 0.2", f"test_size: {value}")
    assert_refused(run, "params", "params.yaml: datasets.synthetic.split.test_size: expected ")


@pytest.mark.parametrize("value", ["-1", "1.5", "4294967296", "x"])
def test_fault_67_bad_seed(run: Run, change: Change, value: str) -> None:
    change("\nseed: 1234", f"\nseed: {value}")
    assert_refused(run, "params", "params.yaml: seed: expected ")


def test_fault_68_duplicate_key(run: Run, change: Change) -> None:
    change("\nlr: 0.1", "\nlr: 0.1\nlr: 0.2")
    assert_refused(run, "params", "params.yaml, line ", "column 1: ", "duplicate key")


@pytest.mark.parametrize("value", [value for value in HOSTILE if value.startswith("!!py")])
def test_fault_69_tags(run: Run, change: Change, value: str) -> None:
    change("\nlr: 0.1", f"\nlr: {value}")
    assert_refused(run, "params", "params.yaml, line ", "column 5: ", "tag")
    assert not Path(CANARY).exists()


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_fault_70_hostile_values_are_text(run: Run, change: Change, value: str) -> None:
    """Where a number belongs they are refused; nothing of them is executed or expanded."""
    change("\nlr: 0.1", f"\nlr: {value}")
    if value in NUMBERS:
        assert run("params") == (0, "")
    else:
        assert_refused(run, "params", "params.yaml")
    assert not Path(CANARY).exists()


def test_there_are_enough_hostile_values() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 50


@pytest.mark.slow
@pytest.mark.parametrize(
    "key", ["target: price_wan", "positive: malignant", "trainer: bcpm", "  house:"]
)
def test_fault_70_hostile_names_are_refused_or_text(
    run: Run, change: Change, workspace: Path, key: str
) -> None:
    """Text is allowed there: whatever the name, it is looked for among the data's, in vain."""
    params = (workspace / "params.yaml").read_text()
    for value in HOSTILE[:36]:
        quoted = json.dumps(value)
        new = f"  {quoted}:" if key[0] == " " else f"{key.split(':')[0]}: {quoted}"
        change(key, new)
        run("ingest house")
        run("validate house")
        code, message = run("split house")
        assert code == 2 or key == "positive: malignant", (value, message)
        assert not Path(CANARY).exists()
        (workspace / "params.yaml").write_text(params)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "/etc", "..", ".", "", "a b", "-x", "Ä", "A", "$x"]
)
def test_fault_71_names_of_datasets(run: Run, change: Change, name: str) -> None:
    change("  house:", f"  {json.dumps(name)}:")
    assert_refused(run, "params", "params.yaml: datasets.", "expected a name of a-z, 0-9 and _")


@pytest.mark.parametrize(
    "command",
    [
        "ingest ../x", "validate ../x", "split ../x", "train ../x mean", "train house ../x",
        "evaluate ../x", "promote ../x", "predict ../x in.csv", "sweep ../x bcpm lr=1",
        "sweep house ../x lr=1", "predict house in.csv --model ../x",
        "predict house in.csv --run ../x", "run show ../x", "promote house ../x",
    ],
)  # fmt: skip
def test_fault_71_names_on_the_command_line(run: Run, workspace: Path, command: str) -> None:
    (workspace / "in.csv").write_text("area_m2\n100\n")
    assert_refused(run, command)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return clone_into(tmp_path_factory.mktemp("hostile"))


@pytest.mark.slow
@pytest.mark.parametrize("value", [*HOSTILE[:4], "${oc.env:HOME,0.1}", "../x"])
def test_fault_70_dvc_runs_nothing_of_a_value(clone: Clone, value: str) -> None:
    """By hand and as -S: DVC hands no value to a shell, and `params` refuses it."""
    params = clone.folder / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("\nlr: 0.1", f"\nlr: {json.dumps(value)}"))
    edited = clone.run("dvc repro params")
    clone.ok("git checkout -q -- .")
    given = clone.run(f"dvc exp run -S {shlex.quote(f'lr={value}')} params")
    clone.ok("git checkout -q -- .")
    for done in (edited, given):
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stdout
    assert "params.yaml: lr: expected number" in edited.stdout
    assert not list(clone.folder.rglob(CANARY))


@pytest.mark.slow
def test_fault_63_a_key_that_is_not_there(clone: Clone) -> None:
    known = clone.run("dvc exp run -S typo=1 params")
    assert known.returncode != 0
    assert "typo" in known.stdout
    added = clone.run("dvc exp run -S +typo=1 params")
    clone.ok("git checkout -q -- .")
    assert added.returncode != 0
    assert "params.yaml: typo: unknown key" in added.stdout
