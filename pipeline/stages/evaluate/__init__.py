"""Stage `evaluate`: the models of a dataset, judged; the one stage that reads test rows."""

import csv
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.core import layout
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.files import whole, write_json
from pipeline.core.params import Dataset, load_params
from pipeline.core.tables import as_arrays, read_table
from pipeline.models import read_model
from pipeline.stages.evaluate.scores import confusion, evaluate_model, predictions, roc


def evaluate(dataset: str) -> None:
    """Score every model of a dataset into metrics/<dataset>.json, and write the data of its plots.

    Keys say which rows a score comes from: test_mse, train_mse, loo_mse (leave-one-out). Nothing
    is fitted on test rows.
    """
    settings = load_params().dataset(dataset)
    tables = {part: read_table(layout.split_part(dataset, part)) for part in ("train", "test")}
    train, test = (as_arrays(table) for table in tables.values())
    features = tables["train"].column_names[:-1]
    _refuse_strangers(dataset, settings)
    models = {
        name: read_model(layout.model(dataset, name), name, features) for name in settings.trainers
    }
    scores = {name: evaluate_model(m, settings, train, test) for name, m in models.items()}
    judged = test if len(test[1]) else train
    if len(set(judged[1].tolist())) == 1:
        missing = "r2" if settings.task == "regression" else "roc_auc"
        warnings.warn(
            f"{dataset}: {settings.target} is the same in all {len(judged[1])} rows judged by: "
            f"{missing} has no meaning there and is null",
            PipelineWarning,
            stacklevel=2,
        )
    write_json(layout.metrics(dataset), scores)
    if settings.task == "regression":
        _write_csv(layout.plot(dataset, "predictions"), *predictions(models, judged))
    else:
        _write_csv(layout.plot(dataset, "confusion"), *confusion(models, judged, settings))
        _write_csv(layout.plot(dataset, "roc"), *roc(models, judged, settings))


def _refuse_strangers(dataset: str, settings: Dataset) -> None:
    """A model left over from a trainer that was removed would make the folder's hash differ."""
    expected = {layout.model(dataset, name) for name in settings.trainers}
    expected |= {layout.history(dataset, name) for name in settings.trainers}
    strangers = sorted(
        str(path)
        for path in layout.model(dataset, "any").parent.glob("[!.]*")
        if path not in expected
    )
    if strangers:
        raise PipelineError(
            f"{', '.join(strangers)}: of no trainer in {layout.PARAMS}: "
            f"datasets.{dataset}.trainers; delete it, or add the trainer"
        )


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
