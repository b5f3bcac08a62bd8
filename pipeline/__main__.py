"""The command line: `python -m pipeline STAGE DATASET [TRAINER]`."""

import argparse
import contextlib
import ctypes
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

# One thread is the fastest here, whatever a user's environment says; `verify --threads` allows
# more, to see the same bytes. Set before numpy is imported.
threads = os.environ.get("PIPELINE_THREADS", "1")
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = threads if re.fullmatch("[1-9][0-9]?", threads) else "1"
os.environ["MPLBACKEND"] = "agg"  # pictures go to files, whatever the user's own is

# One code for all x86-64 CPUs with AVX2 and FMA, where each library would choose by CPU: they take
# sums in another order, and the last digits differ.
os.environ["MKL_CBWR"] = "COMPATIBLE"
with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as cpuinfo:
    if {"avx2", "fma"}.issubset(cpuinfo.read(16_384).split()):
        os.environ["OPENBLAS_CORETYPE"] = "Haswell"
        os.environ["ATEN_CPU_CAPABILITY"] = "avx2"
        os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"

from pipeline.core.errors import PipelineError, PipelineWarning

EPILOG = """\
Run from the folder of dvc.yaml. Usually DVC calls the stages, in order and only where needed:

  dvc repro                      rebuild everything that is out of date
  dvc exp run -S lr=0.01         run an experiment with another learning rate
  mlflow ui                      compare runs in the browser

Exit codes: 0 done; 2 bad input or a bad setting; 3 the training diverged; 130 interrupted.
"""
DATASET = ("DATASET", "a name under params.yaml: datasets")
SWEPT = ("PARAM=VALUES", "values lr=0.001,0.01 or, with --trials, a range lr=0.001..1")
TRAINER = ("MODEL", "the name of a line of params.yaml: models, or a reference model")

# name: (operands, what --help says)
COMMANDS: dict[str, tuple[list[tuple[str, str]], str]] = {
    "params": (
        [],
        """check params.yaml

Unknown keys, wrong types and impossible values are named, all at once. What earlier stages made of
datasets and models that params.yaml no longer has is removed.""",
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

Types, ranges, labels and columns; the first 20 failures, with file, line and column, and a count.
No value is changed. Warns of what fits the schema and is odd all the same: repeated rows, rare
classes, columns that count the rows, that give the target away or whose digits are lost.

Reads data/1_ingested/DATASET.parquet, data/schema/DATASET.yaml, and from metrics/champion.json
the ranges on which the champion was trained; params task and target.
Writes data/2_validated/DATASET.json, a report, and DATASET.txt, the same for people, when all is
well.""",
    ),
    "split": (
        [DATASET],
        """cut into training and test rows, and standardize

Mean and scale are learned from the training rows alone. test_size: 0 trains on every row,
features: {random: 20} keeps 20 features. Warns of constant and of collinear columns.

Reads data/1_ingested/DATASET.parquet and the report of validate.
Writes train.parquet, test.parquet, scaler.json, rows.json and warnings.json to
data/3_split/DATASET.""",
    ),
    "train": (
        [DATASET, TRAINER],
        """fit trainers to the training rows

Ends with exit code 3, and no model, when the loss stops being finite.

Warns of a learning rate above the largest stable one, which the model file records. A training of
more than a few seconds has a progress bar, and a run in MLflow that grows.

Reads data/3_split/DATASET/train.parquet; params lr, epochs, batch_size, optimizer, momentum,
weight_decay, loss, init, loss_threshold, seed, device.
Writes data/4_models/DATASET/DATASET-MODEL.json and, of one that descends,
DATASET-MODEL_history.csv.""",
    ),
    "train_reference": ([DATASET], "train the reference model and the baseline of a dataset"),
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
The best trainer of a dataset is a version of its registered model, the champion by its alias.
The store is MLFLOW_TRACKING_URI or, without it, mlflow.db in the main repository. Where it cannot
be reached, what is to be published waits in data/unpublished: see `sync`.

Reads metrics, models and splits. Writes to MLflow, and data/tracked.json, a receipt.""",
    ),
    "sync": (
        [],
        """publish what MLflow could not take, because it was down

Reads data/unpublished, where track leaves it. Ends with exit code 2 where MLflow is still down.""",
    ),
    "textbook": (
        [],
        """recompute what the chapter prints, listing by listing

Writes metrics/textbook.json, docs/textbook.md and its pictures.""",
    ),
    "predict": (
        [DATASET, ("INPUT", "a CSV file: the columns of the schema, not the target")],
        """predict the rows of a CSV file

Gives the input's columns, as received and in their order, and behind them predicted_TARGET; for
classification the label, its name (class) and probability_POSITIVE; and out_of_range: the features
that lie outside the range of the training rows, where a model is a guess. Warns of such rows.

The model is the champion of DATASET (where the verdict is undecided the best, with a warning), or
--model's; neither needs MLflow. --run takes the model of a run there.

A file that breaks the schema is refused as a whole: file, line, column and text of the first 20
problems, and a count. OUT.csv appears whole or not at all; memory does not grow with the file.
Text that a spreadsheet would execute (=, +, -, @ in front) gets a quote in front.

Reads INPUT, data/schema, data/1_ingested, data/3_split, data/4_models, data/5_evaluated and
metrics/verdict.json; --run: MLflow. Writes OUT.csv, or prints it.
Exit codes: 0 done; 2 bad input, an unknown model, or a store that does not answer.""",
    ),
    "sweep": (
        [DATASET, ("MODEL", "a model of DATASET that descends")],
        """try many params of a trainer in one process

Every point of the grid is cross-validated on the training rows, by the same folds (params.yaml:
cross_validation, one repeat); the current params are always among them. The table is ranked by the
dataset's metric. The test rows are never used: `dvc repro` has the last word.

  python -m pipeline sweep house torch_sgd lr=0.001,0.01,0.1 epochs=50,100
  python -m pipeline sweep breast_cancer bcpm lr=0.001..1 batch_size=16,full --trials 30

Ctrl-C ends the search; what was found by then is shown and kept, and the exit code is 130.

Reads data/1_ingested and data/3_split of the dataset. Writes table.csv and pictures to
data/sweeps/DATASET_MODEL, and runs to MLflow's experiment `DATASET sweeps`.""",
    ),
    "run": (
        [],
        """say what made a run of the MLflow store and what brings it back, or how two runs differ

  python -m pipeline run show RUN_ID
  python -m pipeline run diff RUN_ID RUN_ID

The first characters of a run's id, four or more, do where no other run's begin so.

Reads MLflow, git, params.yaml and data/1_ingested. Changes nothing.""",
    ),
    "schema": (
        [],
        """draft the schema of a new dataset, for a person to edit

  python -m pipeline schema draft FILE [-o data/schema/NAME.yaml]

Types, ranges wider than what was seen, the labels of columns with few values; and in comments what
was seen and what to check. An existing file is never overwritten.

Reads FILE, a CSV file. Writes data/schema/NAME.yaml, NAME as of FILE, or another file.""",
    ),
    "results": ([], "print one table of all datasets and trainers\n\nReads metrics/*.json."),
    "doctor": (
        [],
        """look for what stops or spoils work, and say what mends it

What killed commands leave (locks, dvc.lock cut short, begun files, processes), damaged files of
DVC's cache, outputs that something else has changed, results that wait for MLflow, faults of
params.yaml. Says, too, when every stage has to import its libraries anew.

Reads .dvc, dvc.lock, params.yaml, the outputs and the list of processes. Changes nothing, but with
--mend a lock of DVC's that was left, a dvc.lock that was cut short (every stage that is whole in
it is kept, for the others the committed ones are taken) and files that were begun.
Exit codes: 0 nothing found, or all mended; 2 something is left.""",
    ),
    "verify": (
        [],
        """make the committed results anew and compare every byte

Clones HEAD to a temporary folder, runs every stage there, whatever DVC's cache holds, and compares
all outputs with dvc.lock. Where they differ it says in which number, and by how much. Uncommitted
changes are no part of it; the MLflow store is left alone. It takes as long as a first `dvc repro`.

Reads the git repository, and DVC's cache where something differs. Writes nothing here.
Exit codes: 0 all identical; 1 something differs.""",
    ),
    "promote": (
        [DATASET, ("MODEL", "whatever the verdict; recorded as an override")],
        """make the accepted model of DATASET its champion, or the MODEL named

From then on `verdict` rejects what is worse, and `predict` uses it. Run `dvc repro` afterwards,
which moves the alias `champion` in MLflow's registry, and commit.

Reads metrics/verdict.json and data/5_evaluated. Writes metrics/champion.json.""",
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    if "DVC_STAGE" in os.environ and sys.platform == "linux":
        _die_with_parent()
    arguments = _of_stage(sys.argv[1:] if arguments is None else arguments)
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
    except BaseException as error:
        # A thread, too, may find no room for its stack.
        if not isinstance(error, MemoryError) and str(error) != "can't start new thread":
            _restore()
            raise
        words = " ".join(sys.argv[1:] if arguments is None else arguments)
        message, code = f"error: {words}: out of memory; free some, or give it fewer rows", 2
    print(_visible(message), file=sys.stderr)
    _restore()
    return code


def _of_stage(arguments: list[str]) -> list[str]:
    """What DVC calls a stage, `train_gradient@house-manual_gd`, as the command for it."""
    if not arguments or "@" not in arguments[0]:
        return arguments
    stage, _, key = arguments[0].partition("@")
    operands = key.split("-", 1)
    return [stage if stage == "train_reference" else stage.split("_")[0], *operands]


def _run(command: str, **options: Any) -> None:
    if command == "params":
        from pipeline.stages.params import params

        params()
    elif command == "results":
        from pipeline.commands.results import results

        _say(results(**options))
    elif command == "doctor":
        from pipeline.commands.doctor import doctor

        for text in doctor(**options):
            _say(text)
    elif command == "verify":
        from pipeline.commands.verify import verify

        for text in verify(**options):
            _say(text)
    elif command == "promote":
        from pipeline.artifacts.champions import promote

        dataset = options["DATASET"]
        _say(f"{dataset}: {promote(dataset, options['MODEL'])}")
    elif command == "predict":
        from pipeline.commands.predict import predict

        predict(options.pop("DATASET"), Path(options.pop("INPUT")), **options)
    elif command == "sweep":
        from pipeline.commands.sweep import sweep

        for text in sweep(options.pop(DATASET[0]), options.pop(TRAINER[0]), **options):
            _say(text)
    elif command == "run":
        from pipeline.commands import runs

        a, b = options["A"], options.get("B")
        _say(runs.show(a) if b is None else runs.diff(a, b))
    elif command == "schema":
        from pipeline.commands.schema_draft import draft

        _say(f"{draft(options['FILE'], options['output'])}: drafted; check every line of it")
    elif command == "sync":
        from pipeline.stages.track import sync

        sync()
    else:
        several = options.pop(TRAINER[0], [])
        operands = [options.pop(DATASET[0])] if DATASET[0] in options else []
        with _params_unchanged(command, *operands):
            _stage(command)(*operands, *several, **options)


def _say(text: str) -> None:
    """Print; where nobody reads on, as behind `| head`, nothing is said of it."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at its end
        if not isinstance(error, BrokenPipeError):
            raise PipelineError(f"stdout: cannot be written: {error.strerror}") from None


def _visible(message: str) -> str:
    """A message in which what a terminal would obey is written out; names come from outside."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in message)


def _params_unchanged(
    command: str, dataset: str | None = None
) -> contextlib.AbstractContextManager[None]:
    if command in {"track", "textbook"}:  # no result of theirs hangs on a value there
        return contextlib.nullcontext()
    from pipeline.core.checked_inputs import params_unchanged

    return params_unchanged(dataset)


@contextlib.contextmanager
def _warnings_on_stderr(command: str) -> Iterator[None]:
    """One line each, without Python's file names; other packages' warnings stay as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", PipelineWarning)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
            if issubclass(category, PipelineWarning):
                print(_visible(f"warning: {command}: {message}"), file=sys.stderr)
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
            nargs = {"train": "+", "promote": "?"}.get(name) if operand == TRAINER[0] else None
            command.add_argument(operand, help=meaning, nargs=nargs)
        if name == "run":
            _add_run(command)
        if name == "schema":
            what = command.add_subparsers(dest="what", required=True, metavar="draft")
            drafted = what.add_parser("draft", help="write a first schema")
            drafted.add_argument("FILE", type=Path, help="a CSV file with a header line")
            drafted.add_argument("-o", "--output", metavar="NAME.yaml", type=Path)
        if name == "sweep":
            command.add_argument("arguments", help=SWEPT[1], nargs="+", metavar=SWEPT[0])
            trials = "draw N points, each where those before were good (Optuna), instead of a grid"
            command.add_argument("--trials", type=int, metavar="N", help=trials)
            winner = "write the winner to the line of the model in params.yaml"
            command.add_argument("--apply", action="store_true", help=winner)
        if name == "verify":
            command.add_argument(
                "--threads", type=_counts, default=(), metavar="N,N", help="once with each, as 1,2"
            )
        if name == "doctor":
            mend = "mend what DVC cannot start with: its rwlock, a dvc.lock cut short, begun files"
            command.add_argument("--mend", action="store_true", help=mend)
        if name == "results":
            command.add_argument("--markdown", action="store_true", help="as a Markdown table")
        if name == "predict":
            command.add_argument(
                "-o", "--output", metavar="OUT.csv", type=Path, help="without it, to stdout"
            )
            model = command.add_mutually_exclusive_group()
            model.add_argument(
                "--model", metavar="NAME", dest="name", help="of params.yaml: models"
            )
            model.add_argument("--run", metavar="RUN_ID", help="of DATASET's experiment in MLflow")
        if name == "textbook":
            full = "take all 5,000,000 torch steps of listing 3-14 instead (about 20 minutes)"
            command.add_argument("--full", action="store_true", help=full)
    return parser


def _counts(text: str) -> tuple[int, ...]:
    if not re.fullmatch("[1-9][0-9]?(,[1-9][0-9]?)*", text):
        raise argparse.ArgumentTypeError(f"expected numbers from 1 to 99, as 1,2, got {text!r}")
    return tuple(map(int, text.split(",")))


def _add_run(command: argparse.ArgumentParser) -> None:
    what = command.add_subparsers(dest="what", required=True, metavar="show|diff")
    show = what.add_parser("show", help="what made a run, and the commands that bring it back")
    show.add_argument("A", help="the id of a run, or its first characters", metavar="RUN_ID")
    diff = what.add_parser("diff", help="the params, data, code and metrics that differ")
    for run in ("A", "B"):
        diff.add_argument(run, help="the id of a run, or its first characters")


def _stage(name: str) -> Callable[..., None]:
    module = "train" if name == "train_reference" else name
    function: Callable[..., None] = getattr(import_module(f"pipeline.stages.{module}"), name)
    return function


if __name__ == "__main__":
    sys.exit(main())
