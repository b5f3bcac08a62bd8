"""dvc.lock: what it has of outputs, and what is left of one that was cut short."""

import json
from pathlib import Path

import pytest

from pipeline.core.dvc_lock import (
    CACHE,
    LOCK,
    Output,
    made_of,
    mended,
    outputs,
    whole,
    with_files,
)
from pipeline.core.errors import PipelineError
from tests.conftest import ROOT

TEXT = (ROOT / "dvc.lock").read_text()
A, B = "a" * 32, "b" * 32
FOLDER = Output("report", Path("metrics/report"), f"{A}.dir")


def test_outputs_are_listed_in_order_with_their_stage(workspace: Path) -> None:
    LOCK.write_text(TEXT)
    found = outputs()
    assert [output.stage for output in found if output.path.parent.name == "1_ingested"] == [
        *("ingest@house", "ingest@synthetic", "ingest@breast_cancer")
    ]
    assert next(output.path for output in found) == Path("data/1_ingested/house.parquet")
    assert whole()


def test_what_a_stage_made_is_of_a_source_until_that_is_made_anew(workspace: Path) -> None:
    LOCK.write_text(TEXT)
    made, source = Path("data/3_split/house"), Path("data/1_ingested/house.parquet")
    assert made_of(made, source)
    assert not made_of(made, Path("data/1_ingested/synthetic.parquet"))
    assert not made_of(Path("data/3_split/other"), source)
    of_source = next(one.md5 for one in outputs() if one.path == source)
    LOCK.write_text(TEXT.replace(of_source, B, 1))
    assert not made_of(made, source)


@pytest.mark.parametrize(
    "change",
    [
        ("      size: ", "      sise: "),
        ("stages:", "stages: ["),
        ("schema: '2.0'\n", "<<<<<<< HEAD\nschema: '2.0'\n"),
        ("    outs:\n    - path", "    outs:\n    - pith"),
        ("stages:\n", "stages: 5\nothers:\n"),
    ],
)
def test_what_has_not_dvcs_form_is_refused(workspace: Path, change: tuple[str, str]) -> None:
    LOCK.write_text(TEXT.replace(*change))
    assert not whole()
    with pytest.raises(PipelineError, match="is missing or damaged; `python -m pipeline doctor`"):
        outputs()


def test_a_file_that_is_cut_within_a_line_is_not_whole(workspace: Path) -> None:
    """Even where YAML can read it: the last value may be a part of another."""
    LOCK.write_text(TEXT[:-2])
    assert outputs()
    assert not whole()


def test_a_cut_file_is_completed_wherever_it_was_cut() -> None:
    for length in range(0, len(TEXT), 97):
        assert mended(TEXT[:length], TEXT) == TEXT


def test_whole_stages_stay_and_new_ones_come_last() -> None:
    committed = "head\nstages:\n  a:\n    1\n  b:\n    1\n"
    cut = "head\nstages:\n  b:\n    2\n  c:\n    2\n  a:\n    2"
    assert mended(cut, committed) == "head\nstages:\n  a:\n    1\n  b:\n    2\n  c:\n    2\n"


def test_a_folder_is_followed_by_its_files(workspace: Path) -> None:
    assert [*with_files([FOLDER])] == [FOLDER]
    (CACHE / FOLDER.md5[:2]).mkdir(parents=True)
    FOLDER.cached.write_text(json.dumps([{"md5": B, "relpath": "x.svg"}]))
    file = Output("report", Path("metrics/report/x.svg"), B)
    assert [*with_files([FOLDER])] == [FOLDER, file]
    FOLDER.cached.write_text(json.dumps([{"md5": "1", "relpath": "x.svg"}]))
    assert [*with_files([FOLDER])] == [FOLDER]
