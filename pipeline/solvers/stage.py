"""Fit models to the training rows of a dataset.

Ends with exit code 3, and no model, when the loss stops being finite.

Warns of a learning rate above the largest stable one, which the model file records. A training of
more than a few seconds has a progress bar, and a run in MLflow that grows. A network whose training
was killed goes on where it was.

Reads data/3_split/DATASET/train.parquet; params lr, epochs, batch_size, optimizer, momentum,
weight_decay, loss, init, loss_threshold, tolerance, seed, device, class_weight, network, engine,
ray_address, and datasets.DATASET.split, which says whether the target is logged.
Writes data/4_models/DATASET/DATASET-MODEL.json and, of one that descends,
DATASET-MODEL_history.csv; of a network also DATASET-MODEL.safetensors and, while it trains,
data/checkpoints.
"""

import os
from contextlib import nullcontext

from pipeline.core import layout
from pipeline.core.artifacts.checkpoints import Checkpoint
from pipeline.core.artifacts.models import write_model
from pipeline.core.errors import PipelineError, naming
from pipeline.core.files import md5, write_text
from pipeline.core.params import load_params
from pipeline.core.passes import cluster, engine
from pipeline.core.settings.models import Wanted
from pipeline.core.settings.split import SplitRows
from pipeline.core.store.live import shown
from pipeline.core.tables import Array
from pipeline.core.trainers import TRAINERS
from pipeline.solvers.advice import warn_of
from pipeline.solvers.fit import fit
from pipeline.solvers.rows import ParquetRows

TORCHRUN = "TORCHELASTIC_RUN_ID"  # which torchrun sets for the processes that it starts


def train(dataset: str, *names: str) -> None:
    """Train models on 3_split/<dataset>/train.parquet; the test rows are never read.

    Writes the weights with the params that made them to 4_models, and for a gradient trainer the
    loss of every epoch. A loss that stops being finite ends with exit code 3 and no model. A
    training that lasts is shown while it runs.

    Raises
    ------
    PipelineError
        When params.yaml has no model of a name.
    """
    params = load_params()
    wanted = [params.model_of(dataset, name) for name in names]
    path = layout.split_part(dataset, "train")
    rows, train_md5 = ParquetRows(path), md5(path)
    torchrun = TORCHRUN in os.environ
    if torchrun:
        from pipeline.solvers import several  # torch, which few models need

        if params.engine == "local":
            raise PipelineError(
                f"{layout.PARAMS}: engine: local: under torchrun batches have the rows that "
                "engine: ray gives them; set engine: ray (no Ray is started)"
            )
        if several.join():
            several.follow(dataset, [one for one in wanted if _in_batches(one, rows)], train_md5)
            return
    with nullcontext() if torchrun else engine(params.engine, params.ray_address):
        for one in wanted:
            about = naming(one.name) if len(wanted) > 1 else nullcontext()
            with about, shown(dataset, one) as callback:
                warn_of(_parted(one, params.dataset(dataset).split))
                kept = (
                    Checkpoint(dataset, one, train_md5)
                    if TRAINERS[one.trainer].form == "network"
                    else None
                )
                if _in_batches(one, rows) and torchrun:
                    model, history = several.trained(dataset, one, train_md5, callback)
                elif _in_batches(one, rows) and (ray := cluster()):
                    from pipeline.solvers import several

                    model, history = several.by_ray(ray, dataset, one, train_md5)
                else:
                    model, history = fit(one.trainer, one.params, rows, callback, kept)
                if len(history):
                    _write_history(dataset, one, history, first=int(_in_batches(one, rows)))
                write_model(layout.model(dataset, one.name), rows.features, model, train_md5)
                if kept or _in_batches(one, rows):
                    Checkpoint(dataset, one, train_md5).remove()


def _parted(one: Wanted, split: SplitRows) -> str | None:
    """That the rows which end a network's training are parted from others that they belong to."""
    key = "group" if split.group is not None else "time"
    column = getattr(split, key)
    if column is None or not one.params.get("early_stopping"):
        return None
    others = (
        "of groups whose other rows train" if key == "group" else "from before others that train"
    )
    return (
        f"early_stopping holds out rows drawn one by one, also {others} (split.{key}: {column}): "
        "their loss may fall where that of new rows rises, and the training end late. Scores are "
        "not touched, whose rows are parted as split says; early_stopping: 0 trains up to the "
        "last epoch"
    )


def _in_batches(one: Wanted, rows: ParquetRows) -> bool:
    size = one.params.get("batch_size")
    return isinstance(size, int) and size < rows.n_rows


def _write_history(dataset: str, one: Wanted, history: Array, first: int) -> None:
    """The loss before a step, from epoch 0, or in batches after an epoch, from epoch 1."""
    lines = [f"{epoch},{loss!r}" for epoch, loss in enumerate(history.tolist(), first)]
    write_text(layout.history(dataset, one.name), "\n".join([f"epoch,{one.name}", *lines, ""]))
