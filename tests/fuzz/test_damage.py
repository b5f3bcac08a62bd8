"""Damaged copies of the real CSV files: every one is refused, with file and line.

FUZZ=N takes N files of each kind instead of one; `make fuzz` does.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from pipeline.core import layout
from pipeline.core.tables import read_table
from tests.conftest import ROOT
from tests.fuzz.damage import DAMAGE, HARMLESS, Change, Lines

DATASETS = ("house", "breast_cancer")
MANY = int(os.environ.get("FUZZ", "1"))
PLACE = r"error: \w+: data/raw/\w+\.csv(, line \d+|: column|: looks like UTF-16|: is compressed)"
Run = Callable[[str], tuple[int, str]]


def lines_of(dataset: str) -> Lines:
    text = (ROOT / f"data/raw/{dataset}.csv").read_text()
    return [line.split(",") for line in text.splitlines()]


def send(dataset: str, change: Change, seed: int) -> None:
    content = change(Random(seed), lines_of(dataset))
    raw = content if isinstance(content, bytes) else content.encode()
    Path(f"data/raw/{dataset}.csv").write_bytes(raw)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_refused_with_file_and_line(
    run: Run, workspace: Path, dataset: str, kind: str
) -> None:
    table, report = layout.ingested(dataset), layout.validated(dataset)
    for seed in range(MANY):
        send(dataset, DAMAGE[kind], seed)
        code, said = run(f"ingest {dataset}")
        if code == 0:
            code, said = run(f"validate {dataset}")
        else:
            assert not table.exists(), f"seed {seed}"
        assert code == 2, f"seed {seed}: {said}"
        assert re.match(PLACE, said), said
        assert "Traceback" not in said
        assert not report.exists(), f"seed {seed}"
        table.unlink(missing_ok=True)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("kind", HARMLESS)
def test_harmless_changes_give_the_same_table(
    run: Run, workspace: Path, dataset: str, kind: str
) -> None:
    table = Path(f"data/1_ingested/{dataset}.parquet")
    assert run(f"ingest {dataset}") == (0, "")
    expected = read_table(table)
    for seed in range(MANY):
        send(dataset, HARMLESS[kind], seed)
        assert run(f"ingest {dataset}") == (0, ""), f"seed {seed}"
        assert read_table(table).equals(expected), f"seed {seed}"
