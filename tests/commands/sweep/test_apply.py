import difflib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.commands.sweep.apply import apply_winner, edited
from pipeline.core.errors import PipelineError
from pipeline.core.params import load_params, parse_params
from pipeline.core.trainers import Value
from tests.conftest import ROOT

COMMITTED = (ROOT / "params.yaml").read_text(encoding="utf-8")
BEFORE = parse_params(COMMITTED, "")
HOUSE = "    descent: {}\n    # What trainers"
CANCER = "    descent:\n      batch_size: 32\n"
VALUES = {
    "lr": st.floats(1e-12, 1e12),
    "epochs": st.integers(1, 10**6),
    "batch_size": st.just("full") | st.integers(1, 10**4),
    "optimizer": st.sampled_from(["sgd", "momentum", "adam"]),
    "weight_decay": st.floats(0, 1),
}


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line.rstrip("\n") for line in lines if line[0] in "+-"]


@settings(max_examples=10)  # each reads a params.yaml four times
@given(
    dataset=st.sampled_from([*BEFORE.datasets]), changes=st.fixed_dictionaries({}, optional=VALUES)
)
def test_the_values_are_there_and_every_other_line_is_as_it_was(
    dataset: str, changes: dict[str, Value]
) -> None:
    after = edited(COMMITTED, dataset, changes)
    now = parse_params(after, "")
    for name in BEFORE.datasets:
        wanted = BEFORE.descent(name).model_dump() | (changes if name == dataset else {})
        assert now.descent(name).model_dump() == wanted
    gone = [line for line in changed_lines(COMMITTED, after) if line.startswith("-")]
    assert set(gone) <= {"-     descent: {}", "-       batch_size: 32"}


@pytest.mark.parametrize(
    ("old", "block", "new"),
    [
        (HOUSE, "    descent: { }\n    #", "    descent: {lr: 1e-05, epochs: 50 }\n    #"),
        (
            HOUSE,
            "    descent:   {epochs: 7,  seed: 3}   # mine\n    #",
            "    descent:   {epochs: 50,  seed: 3, lr: 1e-05}   # mine\n    #",
        ),
        (
            HOUSE,
            "    descent: {\n      seed: 3,  # so\n      epochs: 7  # it is\n    }\n    #",
            "    descent: {\n      seed: 3,  # so\n      epochs: 50, lr: 1e-05  # it is\n"
            "    }\n    #",
        ),
        (
            CANCER,
            "    descent:\n         # first\n         lr:    0.2  # why\n\n         # last\n",
            "    descent:\n         # first\n         lr:    1e-05  # why\n"
            "         epochs: 50\n\n         # last\n",
        ),
        (
            CANCER,
            '    descent:\n      "epochs": 7\n      lr: 2\n',
            '    descent:\n      "epochs": 50\n      lr: 1e-05\n',
        ),
    ],
)
def test_layout_and_comments_stay(old: str, block: str, new: str) -> None:
    dataset = "house" if old == HOUSE else "breast_cancer"
    rest = " What trainers" if old == HOUSE else ""
    assert COMMITTED.count(old) == 1
    before = COMMITTED.replace(old, block + rest)
    assert edited(before, dataset, {"lr": 1e-05, "epochs": 50}) == COMMITTED.replace(
        old, new + rest
    )


def test_line_ends_stay(workspace: Path) -> None:
    params = workspace / "params.yaml"
    before = COMMITTED.replace("\n", "\r\n").encode()
    params.write_bytes(before)
    said = apply_winner("breast_cancer", {"lr": 0.2})
    assert said == (
        "params.yaml: datasets.breast_cancer.descent has lr: 0.2 now; `dvc repro` confirms it"
    )
    assert params.read_bytes() == before.replace(
        b"      batch_size: 32\r\n", b"      batch_size: 32\r\n      lr: 0.2\r\n"
    )


def test_a_file_may_end_with_the_block() -> None:
    head, _, block = COMMITTED.partition(CANCER)
    last = head + block.rstrip("\n") + "\n" + CANCER.rstrip("\n")
    assert edited(last, "breast_cancer", {"lr": 0.2}) == last + "\n      lr: 0.2"


def test_what_all_its_trainers_get_is_said(workspace: Path) -> None:
    assert "has lr: 10 now, for manual_gd and torch_sgd;" in apply_winner("house", {"lr": 10.0})
    assert load_params().descent("house").lr == 10
    assert load_params().lr == 0.1


def test_what_cannot_be_edited_safely_is_left_alone(workspace: Path) -> None:
    params = workspace / "params.yaml"
    before = COMMITTED.replace(HOUSE, "    descent: !!map {}\n    # What trainers")
    assert before != COMMITTED
    params.write_text(before)
    with pytest.raises(PipelineError, match=r"descent: cannot be edited safely .* put lr: 0\.2"):
        apply_winner("house", {"lr": 0.2})
    assert params.read_text() == before


def test_nothing_to_change_changes_nothing(workspace: Path) -> None:
    before = (workspace / "params.yaml").stat()
    assert apply_winner("house", {}) == "params.yaml stays as it is"
    assert (workspace / "params.yaml").stat() == before
