"""Make docs/depth.md and its pictures: what a network learns that a single layer cannot.

    python examples/depth.py

Everything is computed here by the pipeline's own commands, in a folder of its own; the same bytes
each time, and a test holds the page to that.
"""

import contextlib
import io
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE, ROOT = Path(__file__).resolve().parent, Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# Before numpy: it says by which instructions to compute, so that each machine gets the same bytes.
from pipeline.__main__ import main  # noqa: E402, I001
import numpy as np  # noqa: E402
from pipeline.core import layout  # noqa: E402
from pipeline.core.errors import PipelineWarning  # noqa: E402
from pipeline.core.params import load_params  # noqa: E402
from pipeline.core.tables import as_arrays, read_table  # noqa: E402
from pipeline.solvers.fit import fit  # noqa: E402
from pipeline.solvers.rows import ArrayRows  # noqa: E402

DRAWN = {"rings": "ring", "moons": "moon", "xor": "signs"}  # and their targets
CHAPTERS = {"house": [2, 2], "synthetic": [8, 8], "breast_cancer": [16, 8]}
STARTS, UNITS = 30, ([1], [2], [4], [16, 8])
TEMPLATE = (HERE / "depth.md.template").read_text(encoding="utf-8")


def make(docs: Path) -> None:
    """Write the page and its pictures to a folder."""
    with workspace():
        for name, target in DRAWN.items():
            run(f"add {ROOT / 'examples' / name}.csv --target {target} --name {name}")
        declare([(name, [16, 8]) for name in DRAWN])
        train(DRAWN)
        drawn, starts = results(), "\n".join(of_starts())
        for name in DRAWN:
            shutil.copy(layout.picture(name, "boundary"), docs / f"depth_{name}.svg")
    with workspace():
        declare(CHAPTERS.items())
        train(CHAPTERS)
        chapters = results()
    text = TEMPLATE.format(drawn=drawn, chapters=chapters, starts=starts, count=STARTS)
    (docs / "depth.md").write_text(text, encoding="utf-8")


@contextlib.contextmanager
def workspace() -> Iterator[None]:
    """A folder with params.yaml and the data, and nothing made yet."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        shutil.copy(ROOT / "params.yaml", folder)
        for part in ("raw", "schema"):
            shutil.copytree(ROOT / "data" / part, Path("data") / part)
        layout.CHAMPION.parent.mkdir()
        layout.CHAMPION.write_text("{}", encoding="utf-8")
        yield


def declare(networks: Iterable[tuple[str, list[int]]]) -> None:
    """Put a line for each network into params.yaml."""
    lines = (
        f"    {name}-network: {{dataset: {name}, trainer: network, hidden: {units}}}\n"
        for name, units in networks
    )
    text = layout.PARAMS.read_text(encoding="utf-8")
    text = text.replace("  network: {}\n", "".join(["  network:\n", *lines]))
    layout.PARAMS.write_text(text, encoding="utf-8")


def train(datasets: Iterable[str]) -> None:
    """Run the stages of these datasets; of the others there are no results."""
    for name in {*load_params().datasets} - {*datasets}:
        run(f"remove {name}")
    for name in datasets:
        models = " ".join(load_params().own_models_of(name))
        for stage in ("ingest", "validate", "split", "train", "evaluate"):
            run(f"{stage} {name} {models if stage == 'train' else ''}")
    run("report")


def results() -> str:
    """What `results` prints, indented, without the verdicts below the table."""
    table, _, _ = run("results").rstrip("\n").rpartition("\n\n")
    return "\n".join(f"    {line}".rstrip() for line in table.split("\n"))


def run(command: str) -> str:
    """Run a command of the pipeline; what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = main(command.split())
    if code:
        sys.exit(f"{command}: exit {code}")
    return printed.getvalue()


def of_starts() -> Iterator[str]:
    """A row of the table for each network: the losses at which its trainings end."""
    X, y = as_arrays(read_table(layout.split_part("xor", "train")))
    warnings.simplefilter("ignore", PipelineWarning)  # of a training that could go on
    whole = {"batch_size": "full", "early_stopping": 0.0, "weight_decay": 0.0, "epochs": 1000}
    params = load_params().model_of("xor", "network").params | whole | {"lr": 0.03}
    for units in UNITS:
        losses = np.array(
            [
                fit("network", params | {"hidden": units, "seed": seed}, ArrayRows(X, y))[1][-1]
                for seed in range(STARTS)
            ]
        )
        least, median, most = np.quantile(losses, [0, 0.5, 1])
        near = np.sum(losses < least + 0.05)
        shown = "-".join(map(str, units))
        yield f"| {shown} | {least:.3f} | {median:.3f} | {most:.3f} | {near} |"


if __name__ == "__main__":
    make(ROOT / "docs")
