"""Few rows, and rows of one class: from the file to the report, or one message."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.faults.small import CLASSIFICATION, REGRESSION, TRAIN, rows, write_small

Run = Callable[[str], tuple[int, str]]
pytestmark = pytest.mark.slow  # each goes through all stages


@pytest.fixture
def through(run: Run, workspace: Path) -> Callable[..., tuple[int, str]]:
    """Bring rows through every stage up to the table of results; the first refusal ends it."""

    def through(
        block: str, y: Sequence[float], test_size: float = 0, threshold: str = "0.5"
    ) -> tuple[int, str]:
        x = np.random.default_rng(0).normal(size=len(y)).round(3)
        columns = {"x": "dtype: float64", "y": "dtype: float64"}
        if block is CLASSIFICATION:
            columns["y"] = "dtype: int64"
        named = block.replace("[low", "['<low>'").replace("bcpm}", "bcpm, epochs: 10}")
        named = named.replace("threshold: 0.5", f"threshold: {threshold}")
        write_small(workspace, rows("x,y", x, y), columns, named, test_size)
        params = workspace / "params.yaml"
        params.write_text(params.read_text().replace("repeats: 10", "repeats: 2"))
        for command in (
            *("ingest small", "validate small", "split small", TRAIN[block]),
            *("evaluate small", "report", "results"),
        ):
            code, message = run(command)
            assert "Traceback" not in message
            if code:
                return code, message
        return 0, message

    return through


def verdict(workspace: Path) -> str:
    found = json.loads((workspace / "metrics/verdict.json").read_text())
    return str(found["datasets"]["small"]["verdict"])


@pytest.mark.parametrize(("rows", "test_size"), [(2, 0), (3, 0), (4, 0.25), (12, 0.2), (31, 0.1)])
def test_a_few_rows_of_a_regression_are_judged(
    through: Callable[..., tuple[int, str]], workspace: Path, rows: int, test_size: float
) -> None:
    y = np.random.default_rng(1).normal(size=rows).round(3)
    code, message = through(REGRESSION, y.tolist(), test_size=test_size)
    assert code == 0, message
    assert verdict(workspace) != "accepted"
    assert (workspace / "metrics/report.html").exists()


@pytest.mark.parametrize(
    ("ones", "zeros", "settings"),
    [
        (2, 2, {}),
        (12, 13, {}),
        (12, 13, {"test_size": 0.1}),
        (5, 38, {"test_size": 0.05}),  # two test rows, of one class
        (12, 12, {"threshold": "{recall: high, at_least: 0.9}"}),
    ],
)
def test_a_few_rows_of_a_classification_are_judged(
    through: Callable[..., tuple[int, str]],
    workspace: Path,
    ones: int,
    zeros: int,
    settings: dict[str, object],
) -> None:
    y = np.random.default_rng(2).permutation([1] * ones + [0] * zeros)
    code, message = through(CLASSIFICATION, y.tolist(), **settings)
    assert code == 0, message
    assert verdict(workspace) != "accepted"  # x is noise
    assert "&lt;low&gt;" in (workspace / "metrics/report.html").read_text()


@pytest.mark.parametrize(
    ("ones", "zeros", "settings", "words"),
    [
        (1, 12, {}, "cross_validation.folds: 13 folds need at least 2 rows of each class, got 1"),
        (3, 40, {}, "cross_validation.folds: 5 folds need at least 5 rows of each class, got 3"),
        (2, 12, {"threshold": "{recall: high, at_least: 0.9}"}, "need at least 2 rows of each"),
    ],
)
def test_a_class_of_too_few_rows_is_refused(
    through: Callable[..., tuple[int, str]],
    ones: int,
    zeros: int,
    settings: dict[str, object],
    words: str,
) -> None:
    y = np.random.default_rng(2).permutation([1] * ones + [0] * zeros)
    code, message = through(CLASSIFICATION, y.tolist(), **settings)
    assert code == 2
    assert words in message


def test_values_beyond_what_can_be_squared_are_refused(
    through: Callable[..., tuple[int, str]],
) -> None:
    y = 1e153 * np.random.default_rng(1).normal(size=40)
    code, message = through(REGRESSION, y.tolist(), test_size=0.2)
    assert code == 2
    assert "rescale" in message
