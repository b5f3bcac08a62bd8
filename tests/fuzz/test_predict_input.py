"""Damaged and arbitrary files to predict: refused by their name and line, or predicted as written.

FUZZ=N takes N files of each kind instead of one, and N times as many arbitrary ones.
"""

import csv
import io
import json
import os
import re
import warnings
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from pipeline.commands.predict import predict
from pipeline.core.errors import PipelineError, PipelineWarning
from tests.fuzz.damage import DAMAGE, HARMLESS
from tests.small_project import make_project, small_csv

MANY = int(os.environ.get("FUZZ", "1"))
CELLS = st.sampled_from(
    [
        "1",
        "-2",
        "0.5",
        "007",
        "1e400",
        "nan",
        "",
        "x",
        '"x',
        '"1"',
        " 1",
        "é",
        "=1",
        "1,5",
        "\0",
        "n",
    ]
)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", ""])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("trained"))


def outcome(trained: Path, raw: bytes) -> str | None:
    """Predict a file; None where it was refused as it should be, else what was written."""
    source, output = trained / "in.csv", trained / "out.csv"
    source.write_bytes(raw)
    output.write_text("earlier")
    before = {path.name for path in trained.iterdir()}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(trained)
        warnings.simplefilter("ignore", PipelineWarning)  # rows outside the training range
        try:
            predict("small", Path("in.csv"), Path("out.csv"), "bcpm")
        except PipelineError as error:
            assert error.exit_code == 2  # noqa: PT017
            assert re.match(r"in\.csv(, line \d+|: )", str(error)), str(error)  # noqa: PT017
            assert output.read_text() == "earlier"
            return None
        finally:
            assert {path.name for path in trained.iterdir()} == before
    return output.read_text()


def check(trained: Path, raw: bytes, written: str) -> None:
    """Every record, as Python's csv reads it, with what the model's own numbers give."""
    model = json.loads((trained / "data/4_models/small/small-bcpm.json").read_text())
    learned = json.loads((trained / "data/3_split/small/scaler.json").read_text())
    given_ = [*csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)]
    shown = [*csv.DictReader(io.StringIO(written, newline=""))]
    assert len(shown) == len(given_)
    for record, row in zip(given_, shown, strict=True):
        assert row["note"].removeprefix("'") == record["note"].removeprefix("'")
        assert float(row["a"]) == float(record["a"])
        assert int(row["n"]) == int(record["n"])
        z = model["intercept"] + sum(
            w * (float(record[name]) - learned[name]["mean"]) / learned[name]["scale"]
            for name, w in model["coef"].items()
        )
        bad = expit(-z)  # it is label 0
        assert float(row["probability_bad"]) == pytest.approx(bad, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("kind", [*DAMAGE, *HARMLESS])
def test_a_damaged_file_is_refused_or_predicted_as_written(trained: Path, kind: str) -> None:
    change = (DAMAGE | HARMLESS)[kind]
    for seed in range(MANY):
        lines = [line.split(",") for line in small_csv(9).splitlines()]
        content = change(Random(seed), lines)
        raw = content if isinstance(content, bytes) else content.encode()
        written = outcome(trained, raw)
        # 5.0 is no integer, as the schema wants it
        assert written is not None or kind in {*DAMAGE, "other digits"}, f"seed {seed}"
        if written is not None:
            check(trained, raw, written)


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS, LINE_ENDS), max_size=4))
def test_any_cells_are_refused_or_predicted_as_written(
    trained: Path, rows: list[tuple[str, str, str, str]]
) -> None:
    raw = "".join(["note,a,n\n", *(f"{a},{b},{c}{end}" for a, b, c, end in rows)]).encode()
    written = outcome(trained, raw)
    if written is not None:
        check(trained, raw, written)


@given(raw=st.binary(max_size=60) | st.text(max_size=30).map(str.encode))
def test_any_bytes_are_refused(trained: Path, raw: bytes) -> None:
    assert outcome(trained, raw) is None
