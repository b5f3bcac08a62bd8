"""Judge the models of a dataset, and fit what they are measured by.

By cross-validation (below 30 rows leave-one-out) and on the test rows, which no other stage reads,
with intervals; audits for leakage. The names of the scores say which rows they come from: cv_mse,
loo_mse (leave-one-out), test_mse, train_mse.

Reads data/1_ingested, data/3_split and data/4_models of the dataset, metrics/champion.json.
Writes metrics/DATASET.json and data/5_evaluated/DATASET: what was found, the reference model, the
baseline, and the data of the plots.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from pipeline.core import layout
from pipeline.core.artifacts.champions import Champion, read_champion
from pipeline.core.artifacts.evaluated import Evaluated
from pipeline.core.artifacts.models import read_history, read_models, write_model
from pipeline.core.artifacts.splits import Split, read_split
from pipeline.core.artifacts.strangers import remove_strangers
from pipeline.core.columns import Raw, read_raw
from pipeline.core.errors import PipelineWarning, naming
from pipeline.core.files import atomic_write, md5, write_json
from pipeline.core.params import Params, load_params
from pipeline.core.tables import as_arrays, read_table
from pipeline.core.text import csv_writer, escape_formula
from pipeline.core.trainers import TRAINERS, measures
from pipeline.evaluate.curves import PlotData
from pipeline.evaluate.dataset import Given, judge_all, of_trainings, plots
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
    given = _read(load_params(), dataset)
    with naming(dataset):
        evaluated = judge_all(given)
    told = {*of_trainings(given)}  # by train
    for text in (text for text in evaluated.warnings if text not in told):
        warnings.warn(text, PipelineWarning, stacklevel=2)
    _write(given, evaluated, plots(given, evaluated))


def _read(params: Params, dataset: str) -> Given:
    remove_strangers(params)
    settings, train = params.dataset(dataset), layout.split_part(dataset, "train")
    table = read_table(layout.ingested(dataset))
    rows = read_split(dataset, settings, table)
    models = read_models(dataset, params.own_models_of(dataset), rows.features, md5(train))
    champion = read_champion(dataset, settings, table.column_names)
    measured_by = {
        name: fit(one.trainer, one.params, ParquetRows(train))[0]
        for name, one in params.measures_of(dataset).items()
    }
    return Given(
        dataset=dataset,
        params=params,
        rows=rows,
        trained=as_arrays(read_table(train))[0],
        models=models | measured_by,
        histories={
            name: read_history(layout.history(dataset, name))
            for name, one in models.items()
            if TRAINERS[one.trainer].loss is not None
        },
        champion=None if champion is None else (champion, _raw(champion, table, rows, dataset)),
    )


def _raw(champion: Champion, table: pa.Table, rows: Split, dataset: str) -> Raw:
    return read_raw(table, champion.columns, f"{layout.CHAMPION}: {dataset}").alone(rows.used)


def _write(given: Given, evaluated: Evaluated, data: Mapping[str, PlotData]) -> None:
    dataset, train_md5 = given.dataset, md5(layout.split_part(given.dataset, "train"))
    for name in measures(evaluated.task):
        write_model(layout.model(dataset, name), given.rows.features, given.models[name], train_md5)
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
