"""The MLflow store: where it is, whether it answers, and one process at a time in it."""

import contextlib
import fcntl
import functools
import hashlib
import json
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import PipelineError
from pipeline.core.files import atomic_write
from pipeline.core.trainers import Value

if TYPE_CHECKING:
    from mlflow import MlflowClient

ARTIFACTS = "mlartifacts"
ANSWER = 5  # seconds that a server has for its first answer
Point = tuple[int, float, int]  # epoch, loss, milliseconds since 1970
# With MLflow's own limits a server that is down costs four minutes.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # with the password in it
}
# What stores raise errors of; google: a server that is none of MLflow's gives no JSON.
STORES = {"mlflow", "sqlalchemy", "google"}


class StoreError(PipelineError):
    """The store cannot be reached, or refuses."""


class Store:
    """An open store; made by `open_store`.

    Attributes
    ----------
    client : MlflowClient
        Serves after the block of `open_store`, too.
    experiment : callable
        Gives the id of the experiment of a name, made where there is none; asks for it once.
    artifacts : Path or None
        Folder of the artifacts; None where a server keeps them.
    """

    def __init__(self, client: "MlflowClient", artifacts: Path | None) -> None:
        self.client, self.artifacts = client, artifacts
        self.experiment = functools.cache(self._experiment)

    def _experiment(self, name: str) -> str:
        """The id of the experiment, made where there is none."""
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            # MLflow would derive a location from the folder of whoever comes first, for good.
            location = (self.artifacts / name).as_uri() if self.artifacts else None
            try:
                return str(self.client.create_experiment(name, artifact_location=location))
            except MlflowException:
                found = self.client.get_experiment_by_name(name)
                if found is None:  # else another machine was first
                    raise
        if found.lifecycle_stage == "deleted":  # by hand, in the UI; its name stays taken
            self.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    @contextlib.contextmanager
    def new_run(
        self,
        experiment: str,
        name: str,
        tags: Mapping[str, str],
        params: Mapping[str, object],
        metrics: Mapping[str, float] | None = None,
    ) -> Iterator[str]:
        """Create a run that holds all this; what ends the block early leaves it FAILED.

        After the block it is RUNNING, unless the block has ended it.

        Parameters
        ----------
        experiment : str
            The id of the experiment.

        Yields
        ------
        str
            The id of the run.
        """
        from mlflow.entities import Metric, Param

        now, begun = milliseconds(), time.monotonic()
        run = str(self.client.create_run(experiment, now, dict(tags), name).info.run_id)
        try:
            self.client.log_batch(
                run,
                [Metric(key, value, now, 0) for key, value in (metrics or {}).items()],
                [Param(key, str(value)) for key, value in params.items()],
            )
            yield run
        except BaseException:  # Ctrl-C, too
            if time.monotonic() - begun < ANSWER:  # else the store has fallen silent
                with contextlib.suppress(Exception):
                    self.client.set_terminated(run, "FAILED")
            raise

    def log_losses(self, run: str, points: Iterable[Point]) -> None:
        """Add points to the metric `loss` of a run."""
        from mlflow.entities import Metric

        metrics = [Metric("loss", loss, ms, epoch) for epoch, loss, ms in points]
        self.client.log_batch(run, metrics)


def milliseconds() -> int:
    """Now, as MLflow counts time: in milliseconds since 1970."""
    return int(time.time() * 1000)


def main_repository() -> Path:
    """The folder of the main repository, also inside a temporary or queued DVC experiment."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def in_main_repository() -> bool:
    """Whether this is the main repository itself, not an experiment's temporary copy of it."""
    return main_repository() == Path.cwd().resolve()


def tracking_uri(root: Path) -> str:
    """MLFLOW_TRACKING_URI if set, else sqlite in mlflow.db of the main repository at `root`.

    A relative path of sqlite is one within `root`: MLflow would take it from the current folder,
    which is a temporary one in some DVC experiments, and goes.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    relative = re.fullmatch("sqlite:///([^/:].*)", uri)
    return f"sqlite:///{str(root).replace('?', '%3F')}/{relative[1]}" if relative else uri


def training_key(dataset: str, name: str, params: Mapping[str, Value], train_md5: str) -> str:
    """Compute what names a training before it has a result: the tag `training` of a run.

    Parameters
    ----------
    dataset, name : str
        Those of the model.
    params : dict
        The params that reach its trainer.
    train_md5 : str
        Of train.parquet.

    Returns
    -------
    str
        The SHA-256 of all this, 64 hexadecimal digits.
    """
    return identity_hash([dataset, name, dict(params), train_md5])


def identity_hash(identity: Sequence[object]) -> str:
    """The SHA-256 of all that makes something what it is, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def open_store(root: Path, reading: bool = False) -> Iterator[Store]:
    """Open the store of the main repository at `root`, for one process at a time.

    The lock keeps processes from creating tables at once, and a result from being logged twice.

    Parameters
    ----------
    root : Path
        The folder of mlflow.db, its lock and mlartifacts.
    reading : bool
        Who only reads waits for nobody, and makes no store.

    Yields
    ------
    Store
        Its client serves after the block, too, without the lock.

    Raises
    ------
    StoreError
        When the store is down, silent or refuses, then or within the block.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    uri = tracking_uri(root)
    with saying_why(uri):
        sqlite = _sqlite_file(uri)
        if reading and sqlite and not sqlite.exists():
            raise StoreError(
                f"no MLflow store yet at {uri}: run `dvc repro` or, where that is up to date, "
                "`python -m pipeline sync`"
            )
        _ask(uri)
        import mlflow

        for noisy in ("mlflow", "alembic"):  # what is an error is raised, too: a full disk, say
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        remote = uri.startswith(("http://", "https://"))
        artifacts = None if remote else root / ARTIFACTS
        with _one_at_a_time(root) if not reading else contextlib.nullcontext():
            if artifacts and sqlite and not sqlite.exists():
                _create(sqlite, artifacts)
            # mlflow.set_tracking_uri would change this process's environment, for good
            registry = os.environ.get("MLFLOW_REGISTRY_URI") or uri
            yield Store(mlflow.MlflowClient(uri, registry), artifacts)


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Hold the file lock beside the store; the kernel frees it however the process ends."""
    with (root / "mlflow.db.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def saying_why(uri: str) -> Iterator[None]:
    """Turn what MLflow and its store raise into a StoreError of one line, without passwords.

    Errors of this package pass, and so do errors that no store raises.
    """
    try:
        yield
    except Exception as error:
        if not _of_the_store(error):
            raise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise StoreError(without_password(f"MLflow store {uri}: {reason}")) from None


def without_password(text: str) -> str:
    """A text without the user and password of the addresses in it."""
    return re.sub(r"password=[^&\s]*", "password=***", re.sub(r"//[^/\s]*@", "//***@", text))


def _of_the_store(error: Exception) -> bool:
    """Whether a store raises it; to import all that it may be would take two seconds."""
    packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    known = isinstance(error, sqlite3.Error | OSError | ImportError)
    return known or not packages.isdisjoint(STORES)


def _ask(uri: str) -> None:
    """Ask for a first answer, before MLflow is imported, whose own attempts take minutes."""
    kind, sqlite = re.split("[:+]", uri)[0], _sqlite_file(uri)
    if kind in ("http", "https"):
        import requests

        try:
            requests.get(f"{uri.rstrip('/')}/health", timeout=ANSWER)
        except requests.exceptions.SSLError:
            return  # it answers; MLflow has more settings for certificates
        except requests.exceptions.Timeout:
            raise TimeoutError(f"no answer within {ANSWER} s") from None
        except requests.exceptions.ConnectionError:
            raise ConnectionError("it cannot be reached") from None
    elif kind in ("postgresql", "mysql"):
        from sqlalchemy import create_engine

        try:
            create_engine(uri, connect_args={"connect_timeout": ANSWER}).connect().close()
        except ValueError as error:
            raise OSError(f"it is no address: {error}") from None
    elif sqlite and sqlite.exists():
        sqlite3.connect(sqlite).execute("select 1 from sqlite_master").close()


def _sqlite_file(uri: str) -> Path | None:
    """The file of a sqlite store; None where the store is another."""
    if not uri.startswith("sqlite:"):
        return None
    path = uri.removeprefix("sqlite:///").split("?")[0]
    if uri == path or not path or ":memory:" in path:
        raise OSError("it would keep nothing: name a file, as sqlite:////folder/mlflow.db")
    if "%" in path:
        raise OSError("MLflow takes % and ? in the path for something else; set another place")
    return Path(path)


def _create(path: Path, artifacts: Path) -> None:
    """Create the tables beside the store: a process that dies here leaves no half of them."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    try:
        with atomic_write(path) as part:
            sqlite3.connect(part).close()  # where it cannot, MLflow would try for minutes
            SqlAlchemyStore(f"sqlite:///{part}", artifacts.as_uri()).engine.dispose()
    except PipelineError as error:
        raise StoreError(str(error)) from None
