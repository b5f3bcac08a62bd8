"""Stage `split`: training and test rows, standardized with what the training rows teach."""

import warnings

import numpy as np
import pyarrow as pa

from pipeline.core import layout
from pipeline.core.errors import SHOWN, PipelineError, PipelineWarning
from pipeline.core.files import md5, read_json, write_json
from pipeline.core.params import Dataset, load_params, nearest
from pipeline.core.tables import Array, as_arrays, number_table, read_table, write_table
from pipeline.splitting import columns_to_doubt, draw_features, fit_scaler, split_rows

EXACT = 2**53  # beyond it a float no longer tells neighbouring integers apart


def split(dataset: str) -> None:
    """Cut a validated table into 3_split/<dataset>/train.parquet and test.parquet.

    Features are standardized with mean and scale of the training rows, kept in scaler.json; the
    target keeps its units and stands last. rows.json says which ingested row went where.
    """
    params = load_params()
    settings = params.dataset(dataset)
    where = f"{layout.PARAMS}: datasets.{dataset}"
    _refuse_unvalidated(dataset)
    names, X, y = _numbers(read_table(layout.ingested(dataset)), settings, params.seed, where)
    train, test = split_rows(len(y), settings.test_size, params.seed)
    _refuse_unfit(y[train], settings, where)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = fit_scaler(X[train])
        Z = (X - mean) / scale
    for name, spread, column in zip(names, scale, Z.T, strict=True):
        if not np.isfinite([spread, *column]).all():
            raise PipelineError(f"{where}: column {name} is too large to standardize; rescale it")
    _warn_of_columns(names, Z[train], where)
    for part, rows in (("train", train), ("test", test)):
        table = number_table([*names, settings.target], [*Z[rows].T, y[rows]])
        write_table(layout.split_part(dataset, part), table)
    learned = zip(names, mean.tolist(), scale.tolist(), strict=True)
    write_json(layout.scaler(dataset), {n: {"mean": m, "scale": s} for n, m, s in learned})
    write_json(layout.split_rows(dataset), {"train": train.tolist(), "test": test.tolist()})


def _refuse_unvalidated(dataset: str) -> None:
    report, table = layout.validated(dataset), layout.ingested(dataset)
    if read_json(report).get("data_md5") != md5(table):
        raise PipelineError(f"{report} is about other data than {table}; run `dvc repro`")


def _numbers(
    table: pa.Table, settings: Dataset, seed: int, where: str
) -> tuple[list[str], Array, Array]:
    names = [name for name in table.column_names if name != settings.target]
    if len(names) == table.num_columns:
        hint = nearest(settings.target, names)
        raise PipelineError(f"{where}.target: there is no column {settings.target}{hint}")
    if not names:
        raise PipelineError(f"{where}: has no feature, only its target {settings.target}")
    if settings.features != "all":
        wanted = settings.features.random
        if wanted > len(names):
            raise PipelineError(
                f"{where}.features.random: there are {len(names)} features, got {wanted}"
            )
        names = [names[k] for k in draw_features(len(names), wanted, seed)]
        table = table.select([*names, settings.target])
    texts = [n for n in table.column_names if table[n].type not in (pa.float64(), pa.int64())]
    if texts:
        raise PipelineError(f"{where}: column {', '.join(texts)} is text; features are numbers")
    X, y = as_arrays(table.select([*names, settings.target]))
    for name, column in zip([*names, settings.target], [*X.T, y], strict=True):
        if table[name].type == pa.int64() and np.abs(column).max() >= EXACT:
            raise PipelineError(f"{where}: column {name} has integers beyond 2^53; rescale it")
    return names, X, y


def _warn_of_columns(names: list[str], Z: Array, where: str) -> None:
    """Columns that leave a linear model undetermined over the training rows."""
    constant, dependent, condition = columns_to_doubt(Z)
    if constant:
        shown = ", ".join(names[k] for k in constant[:SHOWN])
        _warn(f"{where}: constant over the training rows: {shown}; nothing is learned from it")
    if len(Z) <= len(names):
        _warn(
            f"{where}: {len(Z)} training rows do not determine {len(names)} features and an "
            "intercept: of many solutions that fit, one is taken"
        )
    elif dependent:
        shown = ", ".join(names[k] for k in dependent[:SHOWN])
        _warn(
            f"{where}: columns {shown} depend on each other over the training rows (condition "
            f"number {condition:.1e}): their weights are not determined; remove one"
        )


def _warn(message: str) -> None:
    warnings.warn(message, PipelineWarning, stacklevel=2)


def _refuse_unfit(y: Array, settings: Dataset, where: str) -> None:
    """Training rows that no trainer of the task could learn from."""
    if not len(y):
        raise PipelineError(
            f"{where}.test_size: {settings.test_size:g} leaves no row for training; lower it"
        )
    if settings.task == "regression":
        if len(y) > 1 and (y == y[0]).all():
            _warn(f"{where}.target: {settings.target} is {y[0]:g} in all {len(y)} training rows")
        return
    labels = sorted(set(y.tolist()))
    if not set(labels) <= {0, 1}:
        raise PipelineError(f"{where}.target: expected labels 0 and 1, got {labels[:5]}")
    if len(labels) == 1:
        raise PipelineError(
            f"{where}: all {len(y)} training rows have label {labels[0]:g}; two classes are needed"
        )
