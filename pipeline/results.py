"""The results of all datasets as tables."""

from collections.abc import Sequence

from pipeline.core import layout
from pipeline.core.files import read_json
from pipeline.core.params import load_params


def results() -> str:
    """One table a dataset from metrics/*.json: a row a trainer, a column a metric."""
    return "\n\n".join(
        f"{dataset}\n{_table(read_json(layout.metrics(dataset)))}"
        for dataset in load_params().datasets
    )


def _table(scores: dict[str, dict[str, float | None]]) -> str:
    metrics = list(next(iter(scores.values())))
    rows = [["trainer", *metrics]]
    rows += [[name, *(_shown(row[metric]) for metric in metrics)] for name, row in scores.items()]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = (
        cell.rjust(width) if k else cell.ljust(width)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  " + "  ".join([name, *numbers])


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
