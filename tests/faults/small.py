"""A dataset `small` in a workspace, and all that stages have made there."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

REGRESSION = """\
models:
  direct:
    small-closed_form: {dataset: small, trainer: closed_form}
  gradient: {}
  network: {}
  sklearn: {}
datasets:
  small:
    task: regression
    target: y
    ingest: {source: data/raw/small.csv}
    evaluate: {metric: mse}
"""
CLASSIFICATION = """\
models:
  direct: {}
  gradient:
    small-bcpm: {dataset: small, trainer: bcpm}
  network: {}
  sklearn: {}
datasets:
  small:
    task: classification
    target: y
    ingest: {source: data/raw/small.csv}
    evaluate: {classes: [low, high], positive: high, threshold: 0.5, metric: accuracy}
"""
TRAIN = {
    REGRESSION: "train small closed_form linear_regression mean",
    CLASSIFICATION: "train small bcpm logistic_regression majority",
}


def write_small(
    workspace: Path, csv: str, columns: Mapping[str, str], block: str = REGRESSION, test: float = 0
) -> None:
    """Its file, its schema (what is asked of each column, by name) and its params."""
    params = workspace / "params.yaml"
    top = re.split("^# The models|^models:", params.read_text(), maxsplit=1, flags=re.M)[0]
    params.write_text(f"{top}{block}    split: {{features: all, test_size: {test}, by: random}}\n")
    (workspace / "data/raw/small.csv").write_text(csv)
    lines = "".join(f"  {name}: {{{rules}}}\n" for name, rules in columns.items())
    (workspace / "data/schema/small.yaml").write_text(f"columns:\n{lines}strict: true\n")


def rows(header: str, *columns: Iterable[object]) -> str:
    """A CSV text of columns."""
    records = zip(*columns, strict=True)
    return "\n".join([header, *(",".join(map(str, record)) for record in records), ""])


def refusal(run: Callable[[str], tuple[int, str]], workspace: Path) -> str:
    """What `validate` says of the ingested table of `small`; no output changes."""
    before = outputs(workspace)
    code, message = run("validate small")
    assert code == 2
    assert outputs(workspace) == before
    assert message.endswith("expected by data/schema/small.yaml\n")
    return message


def outputs(workspace: Path) -> dict[str, bytes]:
    """Every file that stages write."""
    folders = [*(workspace / "data").glob("[1-5]_*"), workspace / "metrics"]
    files = (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): path.read_bytes() for path in files}
