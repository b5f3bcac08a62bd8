"""Judge the models of a dataset.

By cross-validation (below 30 rows leave-one-out) and on the test rows, which no other stage reads,
with intervals; audits for leakage. The names of the scores say which rows they come from: cv_mse,
loo_mse (leave-one-out), test_mse, train_mse.

Reads data/1_ingested, data/3_split and data/4_models of the dataset, metrics/champion.json.
Writes metrics/DATASET.json, data/5_evaluated/DATASET.json, and metrics/plots, the plots' data.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.artifacts.champions import read_champion
from pipeline.artifacts.evaluated import Evaluated, Judged
from pipeline.artifacts.models import Model, read_models, remove_strangers
from pipeline.artifacts.splits import read_split
from pipeline.core import layout
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.escape import csv_writer, escape_formula
from pipeline.core.files import atomic_write, md5, write_json
from pipeline.core.params import Dataset, load_params
from pipeline.core.tables import Array, as_arrays, read_table
from pipeline.core.trainers import TRAINERS
from pipeline.evaluation import curves
from pipeline.evaluation.audits import audits
from pipeline.evaluation.judge import Judge


def evaluate(dataset: str) -> None:
    """Judge every model of a dataset, the references and the champion among them.

    By cross-validation on all rows (trained anew, scaled anew, in each fold) and on the test rows;
    nothing is fitted on these. Writes metrics/<dataset>.json, data/5_evaluated/<dataset>.json and
    the data of the plots. Keys say which rows a score comes from: cv_mse, loo_mse (leave-one-out),
    test_mse, train_mse.
    """
    params = load_params()
    settings = params.dataset(dataset)
    remove_strangers(params, dataset)
    table = read_table(layout.ingested(dataset))
    rows = read_split(dataset, settings.target, table)
    train = layout.split_part(dataset, "train")
    trained_on = md5(train)
    models = read_models(dataset, params.models_of(dataset), rows.features, trained_on)
    ours = [name for name, one in models.items() if TRAINERS[one.trainer].role == "trainer"]
    shown = rows.part(rows.test if len(rows.test) else rows.train)
    found = [
        *_of_one_value(dataset, settings, shown[1]),
        *_separated(dataset, settings, {n: models[n] for n in ours}, rows.part(rows.train)),
    ]
    for text in found:
        warnings.warn(text, PipelineWarning, stacklevel=2)
    trained, _ = as_arrays(read_table(train))
    judge = Judge(rows, dataset, params)
    judged: dict[str, Judged] = {name: judge.model(m) for name, m in models.items()}
    champion = _judge_champion(dataset, judge, models, judged, table)
    evaluated = Evaluated(
        task=settings.task,
        target=settings.target,
        classes=settings.evaluate.classes,
        positive=settings.evaluate.positive,
        metric=settings.evaluate.metric,
        threshold=settings.evaluate.threshold,
        confidence=params.intervals.confidence,
        scheme=judge.scheme,
        train_rows=len(rows.train),
        test_rows=len(rows.test),
        judged=judged,
        champion=champion,
        audits=audits(rows, trained, settings, {n: models[n] for n in ours}),
        warnings=found,
    )
    for name, data in _plots(evaluated, settings, models, shown).items():
        _write_csv(layout.plot(dataset, name), *curves.columns(data))
    write_json(layout.evaluated(dataset), evaluated.model_dump())
    write_json(layout.metrics(dataset), {name: judged[name].scores for name in models})


def _judge_champion(
    dataset: str,
    judge: Judge,
    models: Mapping[str, Model],
    judged: dict[str, Judged],
    table: pa.Table,
) -> str | None:
    """The name by which the champion is judged: a model's, where it is that model."""
    settings = judge.settings
    champion = read_champion(dataset, settings, table.column_names)
    if champion is None:
        return None
    for name, model in models.items():
        if champion.is_(model, judge.rows.features, settings.evaluate.threshold):
            return name
    X, _ = as_arrays(table.select([*champion.features, settings.target]))
    try:
        judged["champion"] = judge.champion(champion, X)
    except PipelineError as error:
        raise PipelineError(f"{layout.CHAMPION}: {dataset}: {error}") from None
    return "champion"


def _plots(
    evaluated: Evaluated,
    settings: Dataset,
    models: Mapping[str, Model],
    rows: tuple[Array, Array],
) -> dict[str, curves.PlotData]:
    values: dict[str, Array] = {name: m.predict(rows[0]) for name, m in models.items()}
    data = curves.of_all(evaluated.judged, settings.evaluate.metric)
    if settings.task == "regression":
        return data | curves.of_regression(values, rows[1])
    thresholds = {name: evaluated.judged[name].threshold or 0.5 for name in values}
    return data | curves.of_classification(
        values, rows[1], settings, thresholds, evaluated.confidence
    )


def _of_one_value(dataset: str, settings: Dataset, y: Array) -> Iterator[str]:
    """The warning that a score has no meaning, where it has none."""
    if len(set(y.tolist())) == 1:
        missing = "r2" if settings.task == "regression" else "roc_auc"
        yield (
            f"{dataset}: {settings.target} is the same in all {len(y)} rows judged by: "
            f"{missing} has no meaning there and is null"
        )


def _separated(
    dataset: str, settings: Dataset, models: Mapping[str, Model], train: tuple[Array, Array]
) -> Iterator[str]:
    """The warning that the cross-entropy has no minimum: larger weights always lower it."""
    if settings.task == "classification":
        X, y = train
        names = [n for n, one in models.items() if (np.sign(one.predict(X)) == 2 * y - 1).all()]
        if names:
            yield (
                f"{dataset}: {', '.join(names)} separates the classes of all {len(y)} training "
                "rows: the weights grow with every epoch, and probabilities go to 0 and 1; "
                "weight_decay above 0 bounds them"
            )


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic_write(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv_writer(file)
        for row in (header, *rows):
            writer.writerow(
                [escape_formula(cell) if isinstance(cell, str) else cell for cell in row]
            )
