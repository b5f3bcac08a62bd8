"""Stage `train`: trainers on the training rows of one dataset."""

from pipeline.artifacts.models import fit, params_of, write_model
from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.files import md5, write_text
from pipeline.core.params import Dataset, ModelName, load_params, nearest
from pipeline.solvers.descent import batch_size
from pipeline.solvers.parquet_rows import ParquetRows
from pipeline.tracking.live import shown


def train(dataset: str, *trainers: str) -> None:
    """Train on 3_split/<dataset>/train.parquet; it never reads the test rows.

    Writes the weights with the params that made them to 4_models, and for a gradient trainer the
    loss of every epoch. A loss that stops being finite ends with exit code 3 and no model. A
    training that lasts is shown while it runs.
    """
    params = load_params()
    settings, descent = params.dataset(dataset), params.descent(dataset)
    names = [_known(trainer, dataset, settings) for trainer in trainers]
    path = layout.split_part(dataset, "train")
    rows, trained_on = ParquetRows(path), md5(path)
    for name in names:
        chosen = params_of(name, descent)
        with shown(dataset, name, chosen) as callback:
            model, history = fit(name, chosen, rows, callback)
            if len(history):
                # before a step, or after an epoch
                first = 0 if batch_size(rows, descent) is None else 1
                lines = [f"{epoch},{loss!r}" for epoch, loss in enumerate(history.tolist(), first)]
                write_text(layout.history(dataset, name), "\n".join([f"epoch,{name}", *lines, ""]))
            write_model(layout.model(dataset, name), rows.features, model, trained_on)


def _known(trainer: str, dataset: str, settings: Dataset) -> ModelName:
    for name in settings.models:
        if name == trainer:
            return name
    raise PipelineError(
        f"{trainer!r} is not a trainer of {dataset}{nearest(trainer, settings.models)}; "
        f"{layout.PARAMS}: datasets.{dataset}.trainers has {', '.join(settings.trainers)}"
    )
