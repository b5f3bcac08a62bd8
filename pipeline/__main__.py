"""The command line: `python -m pipeline STAGE DATASET [TRAINER]`."""

import argparse
import contextlib
import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

# One thread: sums in another order would give other bytes. Set before numpy is imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["MPLBACKEND"] = "agg"  # pictures go to files, whatever the user's own is

from pipeline.core.errors import PipelineError, PipelineWarning

EPILOG = """\
Run from the folder of dvc.yaml. Usually DVC calls the stages, in order and only where needed:

  dvc repro                      rebuild everything that is out of date
  dvc exp run -S lr=0.01         run an experiment with another learning rate
  mlflow ui                      compare runs in the browser

Exit codes: 0 done; 2 bad input or a bad setting; 3 the training diverged; 130 interrupted.
"""
DATASET = ("DATASET", "a name under params.yaml: datasets")
TRAINER = ("TRAINER", "of params.yaml: datasets.DATASET.trainers, or a reference")

# name: (operands, what --help says)
COMMANDS: dict[str, tuple[list[tuple[str, str]], str]] = {
    "params": (
        [],
        """check params.yaml

Unknown keys, wrong types and impossible values are named, all at once.""",
    ),
    "ingest": (
        [DATASET],
        """data/raw/DATASET.csv, or generated rows, to Parquet

The values stay as received. A file that would have to be guessed about is refused: records with
too few or too many fields, blank or doubled column names, text that is not UTF-8.

Reads data/raw/DATASET.csv, or calls sklearn's make_regression (params.yaml: make_regression).
Writes data/1_ingested/DATASET.parquet.""",
    ),
    "validate": (
        [DATASET],
        """check the table against its pandera schema

Types, ranges, labels and columns; all failures at once, with file, line and column. No value is
changed.

Reads data/1_ingested/DATASET.parquet and data/schema/DATASET.yaml.
Writes data/2_validated/DATASET.json, a report, when all is well.""",
    ),
    "split": (
        [DATASET],
        """cut into training and test rows, and standardize

Mean and scale are learned from the training rows alone. test_size: 0 trains on every row,
features: {random: 20} keeps 20 features. Warns of constant and of collinear columns.

Reads data/1_ingested/DATASET.parquet and the report of validate.
Writes train.parquet, test.parquet, scaler.json and rows.json to data/3_split/DATASET.""",
    ),
    "train": (
        [DATASET, TRAINER],
        """fit trainers to the training rows

Ends with exit code 3, and no model, when the loss stops being finite.

Warns of a learning rate above the largest stable one, which the model file records.

Reads data/3_split/DATASET/train.parquet; params lr, epochs, batch_size, optimizer, momentum,
weight_decay, loss, init, loss_threshold, seed, device.
Writes data/4_models/DATASET/TRAINER.json and, for a gradient trainer, TRAINER_history.csv.""",
    ),
    "evaluate": (
        [DATASET],
        """judge the models of a dataset

By cross-validation (below 30 rows leave-one-out) and on the test rows, which no other stage reads,
with intervals; audits for leakage. The names of the scores say which rows they come from: cv_mse,
loo_mse (leave-one-out), test_mse, train_mse.

Reads data/1_ingested, data/3_split and data/4_models of the dataset, metrics/champion.json.
Writes metrics/DATASET.json, data/5_evaluated/DATASET.json, and metrics/plots, the plots' data.""",
    ),
    "verdict": (
        [],
        """compare the trainers of every dataset and accept, reject or leave undecided the best

Reads data/5_evaluated. Writes metrics/verdict.json and metrics/summary.json.""",
    ),
    "report": (
        [],
        """write metrics/report.html

One page that opens from disk, with tables and pictures of every dataset; params.yaml: report has
its language. Reads what the other stages wrote. Writes the single pictures to metrics/report.""",
    ),
    "track": (
        [],
        """show every model as a run in MLflow

One run for each (dataset, trainer, inputs); what is there already is linked, not logged again.
The store is MLFLOW_TRACKING_URI or, without it, mlflow.db in the main repository.

Reads metrics, models and splits. Writes to MLflow, and data/tracked.json, a receipt.""",
    ),
    "textbook": (
        [],
        """recompute what the chapter prints, listing by listing

Writes metrics/textbook.json, docs/textbook.md and its pictures.""",
    ),
    "results": ([], "print one table of all datasets and trainers\n\nReads metrics/*.json."),
    "promote": (
        [DATASET],
        """make the accepted trainer of DATASET its champion

From then on `verdict` rejects what is worse. Run `dvc repro` afterwards, and commit.

Reads metrics/verdict.json. Writes metrics/champion.json.""",
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    if "DVC_STAGE" in os.environ and sys.platform == "linux":
        _die_with_parent()
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        with _warnings_on_stderr(command):
            _run(command, **options)
        return 0
    except PipelineError as error:
        message, code = f"error: {command}: {error}", error.exit_code
    except KeyboardInterrupt:
        message, code = f"{command}: interrupted", 130
    except BaseException:
        _restore()
        raise
    print(message, file=sys.stderr)
    _restore()
    return code


def _run(command: str, **options: Any) -> None:
    if command == "params":
        from pipeline.core.params import load_params

        load_params()
    elif command == "results":
        from pipeline.results import results

        print(results(**options))
    elif command == "promote":
        from pipeline.champions import promote

        dataset = options["DATASET"]
        print(f"{dataset}: {promote(dataset)} is the champion; `dvc repro`, then commit")
    else:
        several = options.pop(TRAINER[0], [])
        operands = [options.pop(DATASET[0])] if DATASET[0] in options else []
        _stage(command)(*operands, *several, **options)


@contextlib.contextmanager
def _warnings_on_stderr(command: str) -> Iterator[None]:
    """One line each, without Python's file names; other packages' warnings stay as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", PipelineWarning)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
            if issubclass(category, PipelineWarning):
                print(f"warning: {command}: {message}", file=sys.stderr)
            else:
                others(message, category, *where, **how)

        warnings.showwarning = show
        yield


def _restore() -> None:
    from pipeline.core.restore import restore_outputs

    restore_outputs()


def _die_with_parent() -> None:
    """Let the kernel end this stage with dvc: a second `dvc repro` would run beside it."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    # dvc may have died before; in a container it may be process 1 itself
    if os.getppid() == 1 and b"dvc" not in Path("/proc/1/cmdline").read_bytes():
        os.kill(os.getpid(), signal.SIGKILL)


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m pipeline", description=__doc__, epilog=EPILOG, formatter_class=raw
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (operands, text) in COMMANDS.items():
        command = commands.add_parser(
            name, help=text.splitlines()[0], description=text, formatter_class=raw
        )
        for operand, meaning in operands:
            nargs = "+" if operand == TRAINER[0] else None
            command.add_argument(operand, help=meaning, nargs=nargs)
        if name == "results":
            command.add_argument("--markdown", action="store_true", help="as a Markdown table")
        if name == "textbook":
            full = "take all 5,000,000 torch steps of listing 3-14 instead (about 20 minutes)"
            command.add_argument("--full", action="store_true", help=full)
    return parser


def _stage(name: str) -> Callable[..., None]:
    function: Callable[..., None] = getattr(import_module(f"pipeline.stages.{name}"), name)
    return function


if __name__ == "__main__":
    sys.exit(main())
