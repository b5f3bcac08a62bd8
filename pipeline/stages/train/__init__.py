"""Stage `train`: one trainer on the training rows of one dataset."""

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.files import write_text
from pipeline.core.params import load_params, nearest
from pipeline.models import fit, params_of, write_model
from pipeline.solvers.descent import batch_size
from pipeline.stages.train.parquet_rows import ParquetRows


def train(dataset: str, trainer: str) -> None:
    """Train on 3_split/<dataset>/train.parquet; it never reads the test rows.

    Writes the weights with the params that made them to 4_models, and for a gradient trainer the
    loss of every epoch. A loss that stops being finite ends with exit code 3 and no model.
    """
    params = load_params()
    settings = params.dataset(dataset)
    known = next((name for name in settings.trainers if name == trainer), None)
    if known is None:
        raise PipelineError(
            f"{trainer!r} is not a trainer of {dataset}{nearest(trainer, settings.trainers)}; "
            f"{layout.PARAMS}: datasets.{dataset}.trainers has {', '.join(settings.trainers)}"
        )
    rows = ParquetRows(layout.split_part(dataset, "train"))
    model, history = fit(known, params_of(known, params), rows)
    if len(history):
        first = 0 if batch_size(rows, params) is None else 1  # before a step, or after an epoch
        lines = [f"{epoch},{loss!r}" for epoch, loss in enumerate(history.tolist(), first)]
        write_text(layout.history(dataset, trainer), "\n".join([f"epoch,{trainer}", *lines, ""]))
    write_model(layout.model(dataset, trainer), rows.features, model)
