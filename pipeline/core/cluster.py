"""Passes by Ray's workers (params.yaml: engine: ray), on this machine or on a cluster.

A worker is an actor, a process that keeps the rows that it has read: part k of each pass goes to
worker k modulo their number, which reads it from the file once. Results come back in the parts'
order and are added up here, so that no byte hangs on who computed what. A worker that is killed,
alone or with its node, begins anew, elsewhere if need be, and repeats what it was at; a part's
result depends on the part alone.

All nodes see the project's folder at the same path.
"""

import fcntl
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple, Self, TypeVar

from pipeline.core import layout
from pipeline.core.errors import PipelineError

PATIENCE = 10  # seconds that a cluster has to answer
AHEAD = 2  # parts that each worker is given at once: one to work at, one to go on with
FRESH = 60.0  # seconds in which a folder of Ray's files is surely somebody's
SHORT = 40  # characters of a folder's path below which Ray's sockets have room for theirs
# What makes workers compute as this process does (core/__main__.py), and compare files as it does.
SAME = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "MKL_CBWR",
    "OPENBLAS_CORETYPE",
    "ATEN_CPU_CAPABILITY",
    "NPY_DISABLE_CPU_FEATURES",
    "JE_ARROW_MALLOC_CONF",
    "PYTHONDONTWRITEBYTECODE",
    "DVC_ROOT",
    "DVC_STAGE",
)

# Asks an address for the versions of its cluster; prints them, and those that are here.
ASK = """
import json, signal, sys
import ray
from ray._common.usage.usage_lib import get_cluster_metadata
from ray._raylet import GcsClient
signal.alarm(int(sys.argv[2]))
found = get_cluster_metadata(GcsClient(address=sys.argv[1]))
here = [ray.__version__, "%d.%d.%d" % sys.version_info[:3]]
print(json.dumps([[found["ray_version"], found["python_version"]], here]))
"""

Part = TypeVar("Part")
T = TypeVar("T")


class Cluster:
    """Ray's workers, one for each CPU; they begin with the first pass, and end with the block.

    Parameters
    ----------
    address : str
        HOST:PORT of a cluster; empty: one on this machine alone, begun and ended here.

    Raises
    ------
    PipelineError
        When Ray is not installed, none answers at the address, or it is another version.
    """

    def __init__(self, address: str) -> None:
        self.address, self._connected = address, False
        self._workers, self._ending = list[Any](), ExitStack()
        if importlib.util.find_spec("ray") is None:
            raise PipelineError(
                f"{layout.PARAMS}: engine: ray: {sys.executable} has no Ray; `pip install "
                "'.[ray]'` installs it, or set engine: local"
            )
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        if not address or address.startswith(("127.", "localhost:")):
            # read as Ray is imported: all sockets on 127.0.0.1, where else they take any address
            os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        if address:
            _refuse_unless_it_answers(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.close()

    def map(self, work: Callable[[Part], T], parts: Sequence[Part]) -> Iterator[T]:
        """Apply `work` to every part, and give the results in the parts' order.

        Raises
        ------
        PipelineError
            What `work` raises; or when Ray finds no room, or its workers cannot begin.
        """
        self.begin()
        import ray

        if not self._workers:
            self._workers = self._begun()
        waiting = deque[Any]()
        with _named(self.address):
            # in a list: a worker fetches it once, not for each part
            sent = [ray.put(ray.cloudpickle.dumps(work))]
            for k, part in enumerate(parts):
                worker = self._workers[k % len(self._workers)]
                waiting.append(worker.do.remote(sent, part))
                if len(waiting) > AHEAD * len(self._workers):
                    yield _result(ray.get(waiting.popleft()))
            while waiting:
                yield _result(ray.get(waiting.popleft()))

    def begin(self) -> None:
        """Connect to the cluster, or start one on this machine; once."""
        if self._connected:
            return
        self._connected = True
        if self.address:
            os.environ["RAY_NUM_REDIS_GET_RETRIES"] = "1"  # it has answered
        else:  # for who knows a token of this process alone; Ray would write one into ~/.ray
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        import ray

        environment = {name: os.environ[name] for name in SAME if name in os.environ}
        environment["PYTHONPATH"] = os.fspath(Path(__file__).absolute().parents[2])
        with _named(self.address):
            job: dict[str, Any] = {"runtime_env": {"env_vars": environment}}
            if self.address:
                job["address"] = self.address
            else:
                job |= {"address": "local", "num_cpus": len(os.sched_getaffinity(0))}
                job |= {"include_dashboard": False, "_temp_dir": _folder(self._ending)}
            self._ending.callback(ray.shutdown)
            ray.init(**job, log_to_driver=False, configure_logging=False)

    def _begun(self) -> list[Any]:
        """A worker for each CPU of each node; one whose node is gone begins on another."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # no CPU is theirs alone, or a worker whose node is gone would wait for another node
        kind = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Worker)
        nodes = sorted((one for one in ray.nodes() if one["Alive"]), key=lambda one: one["NodeID"])
        return [
            kind.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(one["NodeID"], soft=True)
            ).remote(os.fspath(Path.cwd()))
            for one in nodes
            for _ in range(int(one["Resources"].get("CPU", 0)))
        ]


class _Refused(NamedTuple):
    """A PipelineError of a worker."""

    message: str
    exit_code: int


class _Worker:
    """What a worker does, in the project's folder."""

    def __init__(self, folder: str) -> None:
        self._refused = enter(folder)
        self._sent: Any = None
        self._work: Callable[[Any], Any]

    def do(self, sent: list[Any], part: Any) -> Any:
        """Do a part of the work that was sent."""
        import ray

        if self._refused:
            return _Refused(self._refused, PipelineError.exit_code)
        try:
            if sent[0] != self._sent:
                # here, not by Ray, which would make another error of one that rows raise
                self._work, self._sent = ray.cloudpickle.loads(ray.get(sent[0])), sent[0]
            return self._work(part)
        except PipelineError as error:
            return _Refused(str(error), error.exit_code)


def enter(folder: str) -> str | None:
    """Go to the project's folder; why that fails, if it does."""
    try:
        os.chdir(folder)
        if not layout.PARAMS.exists():
            raise FileNotFoundError(2, f"{layout.PARAMS} is missing there")
    except OSError as error:
        return (
            f"engine: ray: a node does not see {folder}: {error.strerror}; all nodes need the "
            "project's folder at the same path, such as on a shared file system"
        )
    return None


def _result(found: Any) -> Any:
    if isinstance(found, _Refused):
        error = PipelineError(found.message)
        error.exit_code = found.exit_code
        raise error
    return found


@contextmanager
def _named(address: str) -> Iterator[None]:
    """Say in one message what Ray says in many words."""
    from ray import exceptions

    where = f"{layout.PARAMS}: ray_address {address}" if address else "engine: ray"
    try:
        yield
    except (exceptions.OutOfDiskError, exceptions.ObjectStoreFullError) as error:
        raise _no_room(where) from error
    except exceptions.RayTaskError as error:
        if isinstance(error.cause, exceptions.OutOfDiskError | exceptions.ObjectStoreFullError):
            raise _no_room(where) from error
        if isinstance(error.cause, MemoryError):
            raise error.cause from None
        raise
    except exceptions.RayActorError as error:
        raise PipelineError(
            f"{where}: workers cannot begin, or their cluster is gone: every node needs this "
            f"Python, its packages and the folder {Path.cwd()}; Ray says: {_last_line(error)}"
        ) from error
    except (RuntimeError, ValueError, OSError, exceptions.RayError) as error:
        if isinstance(error, PipelineError):
            raise
        raise PipelineError(f"{where}: Ray cannot be started: {_last_line(error)}") from error


def _no_room(where: str) -> PipelineError:
    return PipelineError(
        f"{where}: a node has no room for what a pass gives, neither in memory nor on the disk "
        f"that Ray spills to; free some space in {tempfile.gettempdir()}, or use fewer CPUs"
    )


def _last_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]


def _refuse_unless_it_answers(address: str) -> None:
    """Refuse a cluster that does not answer, or is of another version.

    Another process asks: Ray itself tries for 40 s, and writes warnings of its own.
    """
    where = f"{layout.PARAMS}: ray_address {address}"
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-c", ASK, address, str(PATIENCE)],
            capture_output=True,
            check=True,
        ).stdout
    except subprocess.CalledProcessError:
        raise PipelineError(
            f"{where}: no Ray answers there in {PATIENCE} s; `ray start --head` starts a "
            "cluster (it and this process need the same token, if any, in ~/.ray/auth_token), and "
            "an empty ray_address starts one on this machine alone"
        ) from None
    there, here = (tuple(one) for one in json.loads(answer))
    if there != here:
        raise PipelineError(
            f"{where}: that cluster has Ray {there[0]} on Python {there[1]}, this machine Ray "
            f"{here[0]} on Python {here[1]}; all need the same"
        )


def _folder(ending: ExitStack) -> str:
    """A folder for Ray's files, with a short path, that goes with the block.

    Those that killed processes have left go first: nobody holds their lock.
    """
    parent = tempfile.gettempdir()
    parent = parent if len(parent) < SHORT else "/tmp"
    prefix = f"pipeline-ray-{os.getuid()}-"
    for old in Path(parent).glob(f"{prefix}*"):
        with suppress(OSError), (old / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() > old.stat().st_mtime + FRESH:  # or it is not locked yet
                rmtree(old, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
    lock = ending.enter_context((Path(folder) / "lock").open("w"))
    fcntl.flock(lock, fcntl.LOCK_EX)
    ending.callback(rmtree, folder, ignore_errors=True)
    return folder
