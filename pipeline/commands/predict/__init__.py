"""Predict the rows of a file.

Gives the input's columns, as received and in their order, and behind them predicted_TARGET; for
classification the label, its name (class) and probability_POSITIVE, or with more than two classes
probability_NAME of each; and out_of_range: the features that lie outside the range of the training
rows, where a model is a guess. Warns of such rows.

The model is the champion of DATASET, which somebody promoted; else the best, where the verdict
accepts it or, with a warning, is undecided; or --model's. None of them needs MLflow. --run takes
the model of a run there. One whose training failed is refused, without --failed.

A file that breaks the schema is refused as a whole: file, line, column and text of the first 20
problems, and a count. OUT.csv appears whole or not at all; memory does not grow with the file.
Text that a spreadsheet would execute (=, +, -, @ in front) gets a quote in front.

Reads INPUT, data/schema, data/1_ingested, data/3_split, data/4_models, data/5_evaluated,
metrics/verdict.json and metrics/champion.json; --run: MLflow. Writes OUT.csv, or prints it.
Exit codes: 0 done; 2 bad input, an unknown model, or a store that does not answer.
"""

import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.commands.predict.model import OutOfRange, Predictor, from_disk, from_run
from pipeline.commands.predict.output import opened, quoted, refuse_place
from pipeline.commands.predict.rows import CHUNK, Chunk, Rows
from pipeline.core.artifacts.champions import champion_model
from pipeline.core.dialect import WHITESPACE
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.params import Params, load_params
from pipeline.core.settings.dataset import Dataset
from pipeline.core.text import csv_writer, escape_formula
from pipeline.evaluate.metrics import predicted_labels
from pipeline.solvers.losses import sigmoid, softmax
from pipeline.validate.schema import text_columns


def predict(
    dataset: str,
    source: Path,
    output: Path | None = None,
    name: str | None = None,
    run: str | None = None,
    failed: bool = False,
    at_once: int = CHUNK,
) -> None:
    """Predict the rows of a CSV file, to `output` or stdout.

    By the champion of the dataset, another of its models, or the model of a run in MLflow. A file
    that breaks the schema anywhere is refused, and nothing is written.

    Parameters
    ----------
    dataset : str
        A name of params.yaml.
    source : Path
        The rows to predict, written as the dataset's own file is; a name that ends with .gz is
        unpacked.
    output : Path, optional
        Where the answers go; stdout unless given.
    name : str, optional
        A model of the dataset.
    run : str, optional
        The id of a run in MLflow.
    failed : bool
        Whether a model may answer whose training failed.
    at_once : int
        Rows in memory; the output does not hang on it.

    Raises
    ------
    PipelineError
        For a bad file, with its first problems; an unknown model or run; a place that cannot be
        written to.
    """
    params = load_params()
    settings = params.dataset(dataset)
    refuse_place(source, output)
    model = _model(dataset, params, name, run, failed)
    rows = Rows(source, dataset, settings, model.encoding)
    added, dialect = _added(settings, rows.header), settings.ingest.csv
    texts = [k for k, name in enumerate(rows.header) if name in text_columns(rows.schema)]
    count, strange = 0, OutOfRange([*model.encoding])
    with opened(output) as file:
        spaced = dialect.delimiter == WHITESPACE
        writer = csv_writer(file, " " if spaced else dialect.delimiter)
        writer.writerow(map(escape_formula, [*rows.header, *added]))
        for chunk in rows.chunks(at_once):
            answers = _answers(model, settings, f"{source}, {rows.unit}", chunk)
            outside = map(escape_formula, strange.names(model.outside(chunk.raw), chunk.lines))
            if dialect.decimal == ",":
                answers = [[_comma(value) for value in column] for column in answers]
            shown = zip(quoted(chunk.records, texts), *answers, outside, strict=True)
            writer.writerows([*record, *new] for record, *new in shown)
            count += len(chunk.lines)
    if not count:
        _warn(f"{source}: has a header but no rows; nothing was predicted")
    if strange.count:
        _warn(
            f"{source}: {strange.count} of {count} rows lie outside the range of the training "
            f"rows, first on {rows.unit} {strange.first} (columns {', '.join(strange.columns)}); "
            "what is predicted there is a guess; the column out_of_range tells the rows"
        )


def _model(
    dataset: str, params: Params, name: str | None, run: str | None, failed: bool
) -> Predictor:
    settings = params.dataset(dataset)
    if run is not None:
        return from_run(run, dataset, settings, failed)
    if name is None:
        name, doubt = champion_model(dataset)
        if doubt:
            _warn(doubt)
    return from_disk(dataset, settings, params.model_of(dataset, name), failed)


def _added(settings: Dataset, header: Sequence[str]) -> list[str]:
    """The names of the new columns.

    Raises
    ------
    PipelineError
        Where the input has one of that name.
    """
    added = [f"predicted_{settings.target}"]
    if settings.task == "classification":
        judged = settings.evaluate
        shown = judged.classes or [] if judged.several else [judged.positive]
        added += ["class", *(f"probability_{name}" for name in shown)]
    added.append("out_of_range")
    taken = [name for name in added if name in header]
    if taken:
        raise PipelineError(
            f"predict adds a column {taken[0]}, and the input has one of that name; rename it "
            "where the data come from, in data/raw and data/schema"
        )
    return added


def _answers(model: Predictor, settings: Dataset, place: str, chunk: Chunk) -> list[list[Any]]:
    """The new columns of a chunk, but for out_of_range.

    Returns
    -------
    list of lists of n_rows values
        The target; for classes the label, the name and the probability of the positive class, or
        that of each of several.

    Raises
    ------
    PipelineError
        For the first row whose prediction is not finite.
    """
    z = model.predict(chunk.raw)
    bad = np.flatnonzero(~np.isfinite(z.reshape(len(z), -1)).all(axis=1))
    if len(bad):
        raise PipelineError(
            f"{place} {chunk.lines[bad[0]]}: the prediction is not finite: "
            "values are too large for the model; correct or remove the row"
        )
    if settings.evaluate.classes is None:
        return [z.tolist()]
    places = predicted_labels(z, model.threshold).tolist()
    names = [escape_formula(settings.evaluate.classes[place]) for place in places]
    labels = [_as_label(model.labels[place]) for place in places]
    if settings.evaluate.several:
        return [labels, names, *softmax(z).T.tolist()]
    towards = z if settings.evaluate.positive_label == 1 else -z
    return [labels, names, sigmoid(towards).tolist()]


def _as_label(label: str | int) -> str | int:
    return escape_formula(label) if isinstance(label, str) else label


def _comma(value: object) -> object:
    return str(value).replace(".", ",") if isinstance(value, float) else value


def _warn(message: str) -> None:
    warnings.warn(message, PipelineWarning, stacklevel=2)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `predict`."""
    parser.add_argument("DATASET", help="a name under params.yaml: datasets")
    meaning = "CSV, or a file like the dataset's: the columns of the schema, not the target"
    parser.add_argument("INPUT", type=Path, help=meaning)
    output = "without it, to stdout"
    parser.add_argument("-o", "--output", metavar="OUT.csv", type=Path, help=output)
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="NAME", dest="name", help="of params.yaml: models")
    model.add_argument("--run", metavar="RUN_ID", help="of DATASET's experiment in MLflow")
    failed = "take a model, too, whose training failed"
    parser.add_argument("--failed", action="store_true", help=failed)


def run(options: Namespace) -> None:
    """Run the command."""
    predict(
        options.DATASET,
        options.INPUT,
        options.output,
        options.name,
        options.run,
        options.failed,
    )
