"""A dataset in the text of params.yaml: put there and taken away, no byte changes."""

import re
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.params_text import Entry, dataset_entry, inserted, model_entry, removed
from pipeline.core.errors import PipelineError
from pipeline.core.params import parse_params
from tests.conftest import ROOT

COMMITTED = (ROOT / "params.yaml").read_text(encoding="utf-8")
TOP = re.sub(r"(?m)^ *#.*\n|^\n", "", COMMITTED.partition("# The models to train")[0])
SMALL = f"""{TOP}
models:
  network: {{}}
  sklearn: {{}}
  direct:
    # its own
    a-closed_form: {{dataset: a, trainer: closed_form}}
  gradient:
    a-manual_gd:
      dataset: a
      trainer: manual_gd
      lr: 0.1  # why

# below
datasets:
  # Of a.
  a:
    task: regression
    target: y
    ingest: {{source: data/raw/a.csv}}
    split: {{}}
    evaluate:
      metric: mse  # or mae
"""
names = st.from_regex(r"[a-z][a-z0-9_]{0,40}", fullmatch=True).map("z".__add__)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def block(target: str = "y", missing: list[str] | None = None) -> dict[str, Any]:
    csv = {"delimiter": ";", "missing": missing} if missing else {}
    return {
        "task": "classification",
        "target": target,
        "ingest": {"source": "data/raw/new.csv", "csv": csv},
        "split": {"features": "all", "test_size": 0.2},
        "evaluate": {
            "metric": "accuracy", "positive": "No", "threshold": 0.5, "classes": ["Yes", "No"],
        },
    }  # fmt: skip


def entries(name: str, **of_block: Any) -> list[Entry]:
    line = {"dataset": name, "trainer": "bcpm", "lr": 0.05, "weight_decay": 0.00001}
    return [
        dataset_entry(name, block(**of_block), "as it was found"),
        model_entry("gradient", f"{name}-bcpm", line),
    ]


def lines(name: str) -> list[Entry]:
    return [
        model_entry("gradient", f"{name}-gd", {"dataset": name, "trainer": "manual_gd"}),
        model_entry("direct", f"{name}-direct", {"dataset": name, "trainer": "closed_form"}),
    ]


@st.composite
def layouts(draw: st.DrawFn) -> str:
    """The committed file with comments and blank lines between its lines, and other line ends."""
    between = st.sampled_from(
        ["", "", "\n", "# none\n", "  # two\n", "    # four\n", "      # six\n"]
    )
    lines = SMALL
    if draw(st.booleans()):
        lines = re.sub(r"direct:\n(    .*\n)+", "direct: {}  # none\n", lines)
    text = "".join(line + draw(between) for line in lines.splitlines(keepends=True))
    if draw(st.booleans()):
        head, start, rest = text.partition("\nmodels:")
        models, data, rest = rest.partition("\ndatasets:")
        text = head + data + rest.rstrip("\n") + "\n" + start + models + "\n"
    text = text.rstrip("\n") + draw(st.sampled_from(["", "\n", "\n\n", "\n# end", "\n...\n"]))
    return draw(st.sampled_from(["", "\ufeff"])) + text.replace(
        "\n", draw(st.sampled_from(["\n", "\r\n"]))
    )


@given(text=layouts(), name=names, target=texts.filter(bool), missing=st.lists(texts, max_size=3))
def test_added_and_removed_the_file_has_its_bytes(
    text: str, name: str, target: str, missing: list[str]
) -> None:
    added = inserted(text, entries(name, target=target, missing=missing))
    found = parse_params(added, "")
    assert found.datasets[name].target == target
    assert found.datasets[name].ingest.csv.missing == missing
    assert found.models.gradient[f"{name}-bcpm"].own == {"lr": 0.05, "weight_decay": 0.00001}
    before, after = text.splitlines(), iter(added.splitlines())
    assert all(line in after or line.startswith("  direct: {}") for line in before)
    assert removed(added, name) == text


@given(text=layouts(), first=names, second=names)
def test_two_datasets_are_taken_out_in_any_order(text: str, first: str, second: str) -> None:
    second = f"{second}_2"
    one = inserted(text, entries(first))
    both = inserted(one, entries(second))
    assert removed(both, second) == one
    assert removed(removed(both, first), second) == text


def test_an_experiment_leaves_what_is_added_as_it_is(tmp_path: Path) -> None:
    path, name = tmp_path / "params.yaml", "a_dataset_with_a_long_name"
    path.write_text(inserted(inserted(COMMITTED, entries("new")), entries(name)))
    before = path.read_text()
    apply_overrides(path, ["lr=0.02"])
    rewritten = path.read_text().replace("lr: 0.02", "lr: 0.1", 1)
    assert [line for line in rewritten.splitlines() if line.endswith(" ")] == []
    assert plain(rewritten) == plain(before)
    assert f"    {name}-bcpm:\n      dataset: {name}\n" in rewritten


def plain(text: str) -> list[str]:
    """The lines, but blank ones, without the quotes: DVC writes its own."""
    return [line for line in text.replace('"', "").replace("'", "").splitlines() if line]


def test_what_is_added_reads_as_the_rest_does() -> None:
    added = inserted(COMMITTED, entries("new", missing=["", "NA"]))
    line = "    new-bcpm: {dataset: new, trainer: bcpm, lr: 0.05, weight_decay: 0.00001}\n"
    assert line in added
    assert added.removeprefix(COMMITTED.replace(
        "batch_size: 32}\n", f"batch_size: 32}}\n{line}"
    )) == """
  new:
    # as it was found
    task: classification
    target: y
    ingest:
      source: data/raw/new.csv
      csv:
        delimiter: ";"
        missing:
        - ""
        - NA
    split:
      features: all
      test_size: 0.2
    evaluate:
      metric: accuracy
      positive: "No"
      threshold: 0.5
      classes:
      - "Yes"
      - "No"
"""  # fmt: skip


@pytest.mark.parametrize("name", ["house", "synthetic", "breast_cancer"])
def test_a_dataset_that_a_person_wrote_goes_with_its_comments(name: str) -> None:
    text = removed(COMMITTED, name)
    kept = [n for n in ("house", "synthetic", "breast_cancer") if n != name]
    assert [*parse_params(text, "").datasets] == kept
    assert "Six flats" not in text or name != "house"
    assert "batch size was chosen" not in text or name != "breast_cancer"
    assert "\n\n\n" not in text


def test_a_group_without_models_is_written_in_braces() -> None:
    text = removed(COMMITTED, "breast_cancer")
    text = removed(text, "synthetic")
    text = inserted(text, [dataset_entry("new", block(), "new")])
    text = removed(text, "house")
    assert "  direct: {}\n" in text
    assert "  gradient: {}\n" in text


def test_what_cannot_be_edited_safely_is_said() -> None:
    line = "house-pairwise_mean: {dataset: house, trainer: pairwise_mean}"
    text = re.sub(r"(?m)^    (house|synthetic)-closed_form.*\n", "", COMMITTED)
    text = text.replace(f"direct:\n    {line}\n", f"direct: {{{line}}}\n")
    with pytest.raises(PipelineError, match="cannot be edited safely as it is written; add"):
        inserted(text, lines("house"))
