"""Trainings in batches by several processes: by Ray Train (engine: ray), or under torchrun.

Both run `trained` in each process. All of them read the training rows and take the same steps, and
share what a batch costs (`shards`); the first one's model is the result. One that is killed ends
the others, and all go on from the checkpoint (torch_sgd from its start), to the same bytes.

    torchrun --standalone --nproc-per-node 2 -m pipeline train DATASET MODEL
"""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch
from torch import distributed

from pipeline.core import layout
from pipeline.core.artifacts.checkpoints import Checkpoint
from pipeline.core.artifacts.models import Model
from pipeline.core.cluster import Cluster, enter
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.settings.models import Wanted
from pipeline.core.tables import Array
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.fit import fit
from pipeline.solvers.kept import Kept
from pipeline.solvers.rows import ParquetRows
from pipeline.solvers.shards import SHARDS, Group, together

AGAIN = 10  # times that a training begins anew after a process of it has died


class Follower:
    """The checkpoint of a process that is not the first: it reads what that one has written."""

    def __init__(self, kept: Kept) -> None:
        self.read = kept.read

    def write(self, state: Callable[[], Mapping[str, Array]]) -> None:
        """Leave it to the first."""


def trained(
    dataset: str, one: Wanted, train_md5: str, callback: Callback = no_callback
) -> tuple[Model, Array]:
    """Train with the processes of torch's default group; what each of them gives is the same.

    Parameters
    ----------
    dataset : str
    one : Wanted
        What is trained.
    train_md5 : str
        Of train.parquet.
    callback : callable, optional

    Raises
    ------
    PipelineError
        As `fit`, in all processes alike.
    """
    rank, size = distributed.get_rank(), distributed.get_world_size()
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"

    def gather(mine: Array) -> Sequence[Array]:
        if size == 1:
            return [mine]
        sent = torch.from_numpy(mine).to(device)
        received = [torch.empty_like(sent) for _ in range(size)]
        distributed.all_gather(received, sent)
        return [one.cpu().numpy() for one in received]

    kept: Kept = checkpoint(dataset, one, train_md5)
    kept = kept if rank == 0 else Follower(kept)
    rows = ParquetRows(layout.split_part(dataset, "train"))
    with together(Group(rank, size, gather, kept)):
        return fit(one.trainer, one.params, rows, callback, kept)


def join() -> int:
    """Join the processes that torchrun has started; the rank of this one, from 0.

    Raises
    ------
    PipelineError
        When they are more than there are shards.
    """
    count = int(os.environ["WORLD_SIZE"])
    if count > SHARDS:
        raise PipelineError(
            f"torchrun has started {count} processes, and batches are shared by at most {SHARDS}; "
            f"use --nproc-per-node {SHARDS}, or fewer"
        )
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return distributed.get_rank()


def follow(dataset: str, wanted: Sequence[Wanted], train_md5: str) -> None:
    """Train along with the first process, which says and writes what there is to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PipelineWarning)
        try:
            for one in wanted:
                trained(dataset, one, train_md5)
        except PipelineError as error:
            raise SystemExit(error.exit_code) from None


def checkpoint(dataset: str, one: Wanted, train_md5: str) -> Checkpoint:
    """Where a training by shards keeps its state: that of engine: local is another."""
    return Checkpoint(dataset, one, f"{train_md5} by {SHARDS} shards")


@dataclass(frozen=True)
class Outcome:
    """How a training has ended in the first process.

    Attributes
    ----------
    fitted : tuple or None
        The model and its history; None where it was refused.
    warned : list of str
    message : str
        Why it was refused.
    exit_code : int
    """

    fitted: tuple[Model, Array] | None
    warned: Sequence[str]
    message: str = ""
    exit_code: int = 0


def by_ray(cluster: Cluster, dataset: str, one: Wanted, train_md5: str) -> tuple[Model, Array]:
    """Train by Ray's workers, as many as there are CPUs and shards.

    Raises
    ------
    PipelineError
        As `fit`; or when Ray cannot run the training.
    """
    cluster.begin()
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    gpu = one.params.get("device") == "cuda"
    count = int(ray.cluster_resources().get("GPU" if gpu else "CPU", 1))
    # what Ray Train writes of a run, which all nodes have to see; a killed stage has left it
    storage = layout.checkpoint("", "", "").parent.absolute() / f".ray-{dataset}-{one.name}"
    rmtree(storage, ignore_errors=True)
    trainer = TorchTrainer(
        _train,
        train_loop_config={"folder": os.fspath(Path.cwd()), "of": (dataset, one, train_md5)},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        # with a node gone, fewer go on
        scaling_config=ScalingConfig(num_workers=(1, max(1, min(count, SHARDS))), use_gpu=gpu),
        run_config=RunConfig(
            storage_path=os.fspath(storage), failure_config=FailureConfig(max_failures=AGAIN)
        ),
    )
    try:
        outcome = trainer.fit().return_value
    finally:
        rmtree(storage, ignore_errors=True)
    for text in outcome.warned:
        warnings.warn(text, PipelineWarning, stacklevel=2)
    if outcome.fitted is None:
        error = PipelineError(outcome.message)
        error.exit_code = outcome.exit_code
        raise error
    fitted: tuple[Model, Array] = outcome.fitted
    return fitted


def _train(config: Mapping[str, Any]) -> Outcome:
    """Be one of Ray's workers."""
    if refused := enter(config["folder"]):
        return Outcome(None, [], refused, PipelineError.exit_code)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PipelineWarning)
        try:
            fitted, message, code = trained(*config["of"]), "", 0
        except PipelineError as error:
            fitted, message, code = None, str(error), error.exit_code
    ours = [str(one.message) for one in caught if issubclass(one.category, PipelineWarning)]
    return Outcome(fitted, ours, message, code)
