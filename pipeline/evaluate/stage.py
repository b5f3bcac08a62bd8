"""Judge the models of a dataset, and fit what they are measured by.

By cross-validation (below 30 rows leave-one-out; where evaluate.repeats is auto not from 2,000
test rows on) and on the test rows, which no other stage reads, with intervals; audits for leakage.
The names of the scores say which rows they come from: cv_mse, loo_mse (leave-one-out), test_mse,
train_mse.

Reads data/1_ingested, data/3_split and data/4_models of the dataset, metrics/champion.json.
Writes metrics/DATASET.json and data/5_evaluated/DATASET: what was found, the reference model, the
baseline, and the data of the plots.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.core import layout
from pipeline.core.artifacts.champions import Champion, read_champion
from pipeline.core.artifacts.evaluated import Evaluated
from pipeline.core.artifacts.models import Model, read_history, read_models, write_model
from pipeline.core.artifacts.split_columns import open_columns
from pipeline.core.artifacts.splits import Split, read_split
from pipeline.core.artifacts.strangers import remove_strangers
from pipeline.core.columns import Raw, read_raw
from pipeline.core.errors import PipelineWarning, naming
from pipeline.core.files import atomic_write, md5, write_json
from pipeline.core.params import Params, load_params
from pipeline.core.passes import engine
from pipeline.core.tables import Array, as_arrays, read_table, row_groups
from pipeline.core.text import csv_writer, escape_formula
from pipeline.core.trainers import TRAINERS, measures
from pipeline.evaluate.curves import PlotData
from pipeline.evaluate.dataset import Given, judge_all, of_trainings, plots
from pipeline.evaluate.folds import test_rows_alone
from pipeline.evaluate.many import Given as GivenMany
from pipeline.evaluate.many import judge_by_test_rows
from pipeline.solvers.fit import fit
from pipeline.solvers.rows import ParquetRows


def evaluate(dataset: str) -> None:
    """Judge every model of a dataset, with the reference model, the baseline and the champion.

    Reads what `ingest`, `split` and `train` left, and fits the reference model and the baseline to
    the training rows. Keys say which rows a score comes from: cv_mse, loo_mse (leave-one-out),
    test_mse, train_mse.

    Raises
    ------
    PipelineError
        When a file is missing, damaged or of another run, or a model cannot be judged.
    """
    params = load_params()
    remove_strangers(params)
    _, ends = row_groups(layout.split_part(dataset, "test"))
    with engine(params.engine, params.ray_address):
        if test_rows_alone(params, dataset, ends[-1] if ends else 0):
            many = _read_many(params, dataset)
            with naming(dataset):
                evaluated, data = judge_by_test_rows(many)
            features, models, histories = many.table.features, many.models, many.histories
        else:
            given = _read(params, dataset)
            with naming(dataset):
                evaluated = judge_all(given)
            features, models, histories = [*given.rows.features], given.models, given.histories
            data = plots(given, evaluated)
    told = {*of_trainings(dataset, models, histories)}  # by train
    for text in (text for text in evaluated.warnings if text not in told):
        warnings.warn(text, PipelineWarning, stacklevel=2)
    _write(dataset, features, models, evaluated, data)


def _read(params: Params, dataset: str) -> Given:
    settings, train = params.dataset(dataset), layout.split_part(dataset, "train")
    table = read_table(layout.ingested(dataset))
    rows = read_split(dataset, settings, table)
    models, histories = _models(params, dataset, rows.features, ParquetRows(train))
    champion = read_champion(dataset, settings, table.column_names)
    return Given(
        dataset=dataset,
        params=params,
        rows=rows,
        trained=as_arrays(read_table(train))[0],
        models=models,
        histories=histories,
        champion=None if champion is None else (champion, _raw(champion, table, rows, dataset)),
    )


def _read_many(params: Params, dataset: str) -> GivenMany:
    settings = params.dataset(dataset)
    table = open_columns(dataset, settings)
    train, test = (ParquetRows(layout.split_part(dataset, part)) for part in ("train", "test"))
    models, histories = _models(params, dataset, table.features, train)
    champion = read_champion(dataset, settings, table.schema.names)
    return GivenMany(dataset, params, table, train, test, models, histories, champion)


def _models(
    params: Params, dataset: str, features: Sequence[str], train: ParquetRows
) -> tuple[dict[str, Model], dict[str, Array]]:
    """The models of a dataset, with those that they are measured by; and how they descended."""
    trained_on = md5(layout.split_part(dataset, "train"))
    models = read_models(dataset, params.own_models_of(dataset), features, trained_on)
    measured_by = {
        name: fit(one.trainer, one.params, train)[0]
        for name, one in params.measures_of(dataset).items()
    }
    histories = {
        name: read_history(layout.history(dataset, name))
        for name, one in models.items()
        if TRAINERS[one.trainer].loss is not None
    }
    return models | measured_by, histories


def _raw(champion: Champion, table: pa.Table, rows: Split, dataset: str) -> Raw:
    return read_raw(table, champion.columns, f"{layout.CHAMPION}: {dataset}").alone(rows.used)


def _write(
    dataset: str,
    features: Sequence[str],
    models: Mapping[str, Model],
    evaluated: Evaluated,
    data: Mapping[str, PlotData],
) -> None:
    train_md5 = md5(layout.split_part(dataset, "train"))
    for name in measures(evaluated.task):
        write_model(layout.model(dataset, name), features, models[name], train_md5)
    for name, one in data.items():
        _write_csv(layout.plot(dataset, name), one)
    write_json(layout.evaluated(dataset), evaluated.model_dump())
    scores = {n: one.scores for n, one in evaluated.judged.items() if one.role != "champion"}
    write_json(layout.metrics(dataset), scores)


def _write_csv(path: Path, data: PlotData) -> None:
    header, rows = data
    with atomic_write(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        csv_writer(file).writerows(map(_cell, row) for row in (header, *rows))


def _cell(cell: object) -> object:
    """Text that no spreadsheet executes; numbers to 10 digits."""
    if isinstance(cell, str):
        return escape_formula(cell)
    return float(f"{cell:.10g}") if isinstance(cell, float) else cell
