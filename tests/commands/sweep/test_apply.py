import difflib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.commands.params_text import spliced
from pipeline.commands.sweep.apply import apply_winner, edited
from pipeline.core.errors import PipelineError
from pipeline.core.params import load_params, parse_params
from pipeline.core.trainers import Value
from tests.conftest import ROOT

COMMITTED = (ROOT / "params.yaml").read_text(encoding="utf-8")
BEFORE = parse_params(COMMITTED, "")
HOUSE = "    house-manual_gd: {dataset: house, trainer: manual_gd}\n"
CANCER = "    breast_cancer-bcpm: {dataset: breast_cancer, trainer: bcpm, batch_size: 32}\n"
BLOCK = "    breast_cancer-bcpm:\n      dataset: breast_cancer\n      trainer: bcpm\n"
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
    key=st.sampled_from([*BEFORE.models.gradient]),
    changes=st.fixed_dictionaries({}, optional=VALUES),
)
def test_the_values_are_there_and_every_other_line_is_as_it_was(
    key: str, changes: dict[str, Value]
) -> None:
    after = edited(COMMITTED, key, changes)
    now = parse_params(after, "")
    for name, line in BEFORE.models.gradient.items():
        wanted = BEFORE.descent(line).model_dump() | (changes if name == key else {})
        assert now.descent(now.models.gradient[name]).model_dump() == wanted
    gone = [line for line in changed_lines(COMMITTED, after) if line.startswith("-")]
    assert all(line.startswith(f"-     {key}: {{") for line in gone)
    assert len(gone) <= 1


@pytest.mark.parametrize(
    ("old", "line", "new"),
    [
        (
            HOUSE,
            "    house-manual_gd: { dataset: house, trainer: manual_gd }\n",
            "    house-manual_gd: { dataset: house, trainer: manual_gd, lr: 1e-05, epochs: 50 }\n",
        ),
        (
            HOUSE,
            "    house-manual_gd:   {epochs: 7,  dataset: house, trainer: manual_gd}   # mine\n",
            "    house-manual_gd:   {epochs: 50,  dataset: house, trainer: manual_gd, lr: 1e-05}"
            "   # mine\n",
        ),
        (
            HOUSE,
            "    house-manual_gd: {\n      dataset: house,  # so\n      trainer: manual_gd,\n"
            "      epochs: 7  # it is\n    }\n",
            "    house-manual_gd: {\n      dataset: house,  # so\n      trainer: manual_gd,\n"
            "      epochs: 50, lr: 1e-05  # it is\n    }\n",
        ),
        (
            CANCER,
            f"{BLOCK}      # first\n      lr:    0.2  # why\n\n      # last\n",
            f"{BLOCK}      # first\n      lr:    1e-05  # why\n      epochs: 50\n\n      # last\n",
        ),
        (
            CANCER,
            f'{BLOCK}      "epochs": 7\n      lr: 2\n',
            f'{BLOCK}      "epochs": 50\n      lr: 1e-05\n',
        ),
    ],
)
def test_layout_and_comments_stay(old: str, line: str, new: str) -> None:
    key = old.strip().partition(":")[0]
    assert COMMITTED.count(old) == 1
    before = COMMITTED.replace(old, line)
    assert edited(before, key, {"lr": 1e-05, "epochs": 50}) == COMMITTED.replace(old, new)


NETWORK = "  network: {}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "    house-deep: {dataset: house, trainer: network, hidden: [16, 8]}  # mine\n",
            "    house-deep: {dataset: house, trainer: network, hidden: [4], lr: 0.1}  # mine\n",
        ),
        (
            "    house-deep:\n      dataset: house\n      hidden:\n      - 16\n      - 8  # last\n"
            "      trainer: network\n",
            "    house-deep:\n      dataset: house\n      hidden:\n      - 4  # last\n"
            "      trainer: network\n      lr: 0.1\n",
        ),
        (
            "    house-deep:\n      dataset: house\n      trainer: network\n      hidden:\n"
            "        - 16\n  # what follows\n",
            "    house-deep:\n      dataset: house\n      trainer: network\n      hidden:\n"
            "        - 4\n      lr: 0.1\n  # what follows\n",
        ),
        (
            "    house-deep:\n      hidden: [16, 8]  # first\n      dataset: house\n"
            "      trainer: network\n",
            "    house-deep:\n      hidden: [4]  # first\n      dataset: house\n"
            "      trainer: network\n      lr: 0.1\n",
        ),
    ],
)
def test_layers_are_written_to_the_line_of_the_network(before: str, after: str) -> None:
    start = "  network:\n"
    assert COMMITTED.count(NETWORK) == 1
    text = COMMITTED.replace(NETWORK, start + before)
    changes: dict[str, Value] = {"hidden": [4], "lr": 0.1}
    assert edited(text, "house-deep", changes) == COMMITTED.replace(NETWORK, start + after)
    longer = edited(text, "house-deep", {"hidden": [5, 4, 3]})
    assert parse_params(longer, "").models.network["house-deep"].own["hidden"] == [5, 4, 3]


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("{alphas: 2}", [0.5, 1.0], "{alphas: [0.5, 1.0]}"),
        ("{alphas: [2]}", 1.0, "{alphas: 1.0}"),
        ("{alphas: 1}", 1.0, "{alphas: 1.0}"),
        ("\n        alphas: 2\n", [0.5, 1.0], "\n        alphas: [0.5, 1.0]\n"),
        ("\n        alphas:\n        - 2\n", [0.5, 1.0], "\n        alphas:\n        - 0.5\n"
         "        - 1.0\n"),
    ],
)  # fmt: skip
def test_a_list_takes_the_place_of_a_number_and_a_number_that_of_a_list(
    before: str, value: Value, after: str
) -> None:
    start = "  sklearn: {}\n"
    line = "  sklearn:\n    house-one:\n      dataset: house\n      trainer: sklearn\n"
    line += "      estimator: RidgeCV\n      params: "
    assert COMMITTED.count(start) == 1
    text, wanted = (COMMITTED.replace(start, f"{line}{of}\n") for of in (before, after))
    assert edited(text, "house-one", {"params.alphas": value}) == wanted


def test_another_type_is_another_value() -> None:
    line = "house-one: {dataset: house, trainer: sklearn, estimator: Ridge, params: {alpha: 1}}"
    text = COMMITTED.replace("  sklearn: {}\n", f"  sklearn:\n    {line}\n")
    expected = parse_params(text, "").model_dump()
    assert spliced(text, [], expected) == text
    expected["models"]["sklearn"]["house-one"]["params"]["alpha"] = 1.0
    with pytest.raises(ValueError, match="something else"):
        spliced(text, [], expected)


def test_line_ends_stay(workspace: Path) -> None:
    params = workspace / "params.yaml"
    before = COMMITTED.replace(CANCER, BLOCK).replace("\n", "\r\n").encode()
    params.write_bytes(before)
    said = apply_winner("breast_cancer-bcpm", {"lr": 0.2})
    assert said == (
        "params.yaml: models.gradient.breast_cancer-bcpm has lr: 0.2 now; `dvc repro` judges it"
    )
    assert params.read_bytes() == before.replace(
        b"      trainer: bcpm\r\n", b"      trainer: bcpm\r\n      lr: 0.2\r\n"
    )


def test_a_file_may_end_with_the_block() -> None:
    head, start, rest = COMMITTED.partition("\nmodels:")
    block, data, rest = rest.partition("\ndatasets:")
    block = "\n  network: {}\n  sklearn: {}" + block.partition(CANCER)[0]
    last = head + data + rest.rstrip("\n") + start + block + BLOCK.rstrip("\n")
    assert edited(last, "breast_cancer-bcpm", {"lr": 0.2}) == last + "\n      lr: 0.2"


def test_other_models_of_the_trainer_and_the_top_level_keep_theirs(workspace: Path) -> None:
    apply_winner("house-manual_gd", {"lr": 10.0})
    now = load_params()
    assert now.model_of("house", "manual_gd").params["lr"] == 10
    assert now.model_of("house", "torch_sgd").params["lr"] == 0.1
    assert now.model_of("synthetic", "manual_gd").params["lr"] == 0.1
    assert now.lr == 0.1


def test_what_cannot_be_edited_safely_is_left_alone(workspace: Path) -> None:
    params = workspace / "params.yaml"
    block = "      dataset: house\n      trainer: |-\n        manual_gd\n"
    before = COMMITTED.replace(HOUSE, f"    house-manual_gd:\n{block}")
    assert before != COMMITTED
    params.write_text(before)
    with pytest.raises(PipelineError, match=r"cannot be edited safely .* put lr: 0\.2"):
        apply_winner("house-manual_gd", {"lr": 0.2})
    assert params.read_text() == before


def test_nothing_to_change_changes_nothing(workspace: Path) -> None:
    before = (workspace / "params.yaml").stat()
    assert apply_winner("house-manual_gd", {}) == "params.yaml stays as it is"
    assert (workspace / "params.yaml").stat() == before
