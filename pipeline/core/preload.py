"""Imports paid once for all stages of one dvc command.

A stage spends most of its time importing numpy, pandas, torch and their like. So the first stage of
a dvc command starts a server in the background, which imports the installed packages (never this
one: a stage runs the code that is on disk when it starts) and forks a worker for each stage.

The server is a chain of processes, one for each of `LEVELS`. Each has imported what the one before
it has, and one group more, and listens on a socket of its own: no stage waits for a group that it
does not need. All of them end with the dvc command, at once.

The process that dvc started stays as a proxy: it passes signals on, and ends as the worker does.
The worker has its arguments and standard streams. Environment, folder, umask and limits are the
server's, because the sockets' name holds a hash of them: where one differs, that stage gets a
server of its own. Where none can be had (`unavailable` says why) stages run in their own processes,
slower and with the same bytes.
"""

import atexit
import ctypes
import gc
import hashlib
import os
import resource
import runpy
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper

# In the order in which stages come to need them after a change of params; the first process
# imports nothing, and watches.
LEVELS: tuple[tuple[str, ...], ...] = (
    (),
    (
        "concurrent.futures.thread",
        "numpy.ma",
        "numpy.random",
        "numpy.typing",
        "pyarrow.compute",
        "pyarrow.csv",
        "pyarrow.parquet",
        "pydantic.fields",
        "pydantic.root_model",  # the first model that is made looks for plugins, in every package
        "pydantic.type_adapter",
        "ruamel.yaml",
        "sqlite3",
        "threadpoolctl",
        "tqdm",
    ),
    ("torch.optim",),
    (
        "sklearn.datasets",
        "sklearn.frozen",
        "sklearn.linear_model",
        "sklearn.pipeline",
    ),
    (
        "pandera.backends.pandas.register",
        "pandera.io.pandas_io",
        "pandera.pandas",
        "pyarrow.pandas_compat",
        "tabulate",
    ),
    (
        "jinja2",
        "matplotlib.backends.backend_svg",
        "matplotlib.figure",
        "matplotlib.style",
    ),
    (
        "mlflow.pyfunc",
        "mlflow.sklearn",
        "mlflow.store.tracking.sqlalchemy_store",
        "requests",
        "skops.io",
    ),
)
# The level that a stage needs, by the part of its name before @; others run as plain processes.
LEVEL_OF = {
    "params": 1,
    "ingest": 1,
    "train_direct": 1,
    "train_gradient": 2,
    "train_network": 1,
    "train_sklearn": 3,
    "split": 3,
    "evaluate": 3,
    "validate": 4,
    "report": 5,
    "textbook": 5,
    "track": 6,
}
FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
)
PR_SET_PDEATHSIG = 1
Handler = Callable[..., object] | int | None  # of a signal
STREAMS = (0, 1, 2)
MOST = 65_536  # bytes of a stage's arguments
# Milliseconds after which a proxy looks for signals: one that came just before it began to wait has
# not ended the wait, and would be passed on with the end of its worker.
GRACE = 200


def unavailable() -> str | None:
    """Why stages run as plain processes here; None where a server can serve them."""
    if os.environ.get("PIPELINE_PRELOAD") == "0":
        return "PIPELINE_PRELOAD is 0"
    if os.environ.get("PIPELINE_THREADS", "1") != "1":
        return "PIPELINE_THREADS is not 1, and a process with threads cannot be forked"
    if sys.platform != "linux":
        return "only Linux has the sockets for it"
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        return "memory is limited (ulimit -v), and a server takes more than a stage"
    try:
        os.close(os.pidfd_open(os.getpid()))
        with _socket() as test:
            test.bind(f"\0pipeline-{os.getpid()}")
    except (OSError, AttributeError) as error:
        return f"this system has no abstract sockets or pidfds: {error}"
    return None


def die_with_parent() -> None:
    """Let the kernel end this process with its parent, if that has not ended before."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end_without_dvc() -> None:
    """End this process with its dvc, beside whose next `dvc repro` it would run on."""
    die_with_parent()
    # dvc may have died before; in a container it may be process 1 itself
    if os.getppid() == 1 and not is_dvc(1):
        os.kill(os.getpid(), signal.SIGKILL)


def hand_over(arguments: Sequence[str]) -> int | None:
    """Have a worker run this stage, and end as it does.

    Parameters
    ----------
    arguments : sequence of str
        What stands behind `python -m pipeline`.

    Returns
    -------
    int or None
        The exit code of the stage; None where it has not begun, and has to run here.
    """
    dvc, level = os.getppid(), LEVEL_OF.get(os.environ["DVC_STAGE"].partition("@")[0])
    if _is_repro(dvc):
        dvc = _command(dvc)
    closed = None in (sys.stdin, sys.stdout, sys.stderr)
    if level is None or closed or unavailable() or not is_dvc(dvc):
        return None
    before = dict[int, Handler]()
    try:
        with _connected(dvc, level) as server:
            words = [os.environ["DVC_STAGE"], *arguments]
            socket.send_fds(server, [b"\0".join(map(os.fsencode, words))], STREAMS)
            _, descriptors, *_ = socket.recv_fds(server, 1, 1)
            if not descriptors:
                return None
            before = _forward_signals(*descriptors)
            ended = select.poll()
            ended.register(server, select.POLLIN)
            while not ended.poll(GRACE):
                pass  # handlers of signals run between two calls
            # without a word the server was killed, and the worker with it
            return _end_as(int(server.recv(MOST) or -signal.SIGKILL))
    except OSError:
        for number, handler in before.items():
            signal.signal(number, handler)
        return None


def is_dvc(process: int) -> bool:
    """Whether its command begins with dvc, or python and dvc, or python -m dvc, or is `repro`."""
    dvc = any(word.rpartition(b"/")[2] == b"dvc" for word in _words(process)[:3])
    return dvc or _is_repro(process)


def _is_repro(process: int) -> bool:
    """Whether it is `python -m pipeline repro`, or one of its forks, each of which is a dvc."""
    return _words(process)[1:4] == [b"-m", b"pipeline", b"repro"]


def _words(process: int) -> list[bytes]:
    with suppress(OSError), open(f"/proc/{process}/cmdline", "rb") as file:
        return file.read().split(b"\0")
    return []


def _command(fork: int) -> int:
    """The `repro` whose fork this is: all of its stages have one server."""
    parent = int(_stat(fork)[1])
    return parent if _is_repro(parent) else fork


def _connected(dvc: int, level: int) -> socket.socket:
    """A connection to the process of a level, started where dvc has no server yet.

    Raises
    ------
    OSError
        When there is none: a server that dies leaves its stages to themselves.
    """
    name, server = _name(dvc), _socket()
    try:
        server.connect(f"{name}{level}")
    except ConnectionRefusedError:
        with suppress(OSError):  # another stage starts it at the same time, or one has died
            _start(dvc, name)
        server.connect(f"{name}{level}")
    if not trusted(server, os.getuid()):
        server.close()
        raise PermissionError
    return server


def trusted(peer: socket.socket, user: int) -> bool:
    """Whether the process at the other end is that user's."""
    size = struct.calcsize("3i")
    _, owner, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(owner == user)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _name(dvc: int) -> str:
    """The sockets' name without the level: of this dvc, and of what this process begins with."""
    umask = os.umask(0o77)
    os.umask(umask)
    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    limits = [resource.getrlimit(kind) for kind in kinds]
    environment = sorted(item for item in os.environb.items() if item[0] != b"DVC_STAGE")
    code = os.stat(__file__)
    begin = (sys.executable, os.getcwd(), umask, limits, environment, code.st_mtime_ns)
    digest = hashlib.sha256(repr(begin).encode()).hexdigest()
    return f"\0pipeline-{os.getuid()}-{dvc}-{_started(dvc)}-{digest[:32]}-"


def _started(process: int) -> str:
    """When a process was started, in ticks since the system was: its number may be used again."""
    return _stat(process)[19]


def _stat(process: int) -> list[str]:
    """What the kernel says of a process, from its state on: that, its parent, ..."""
    with open(f"/proc/{process}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].decode().split()


def _start(dvc: int, name: str) -> None:
    """Start the server; it listens at once, whenever it comes to answer.

    Raises
    ------
    OSError
        When there is one already, of which a process has died.
    """
    listeners = [_socket() for _ in LEVELS]
    for level, listener in enumerate(listeners):
        listener.bind(f"{name}{level}")
        listener.listen()
        listener.set_inheritable(True)
    with open(os.devnull, "r+b") as nothing:
        numbers = [str(listener.fileno()) for listener in listeners]
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", __file__, str(dvc), _started(dvc), *numbers],
            {key: value for key, value in os.environb.items() if key != b"DVC_STAGE"},
            file_actions=[(os.POSIX_SPAWN_DUP2, nothing.fileno(), to) for to in STREAMS],
            setsid=True,  # Ctrl-C is for the proxy, which passes it on
        )
    for listener in listeners:
        listener.close()


def _forward_signals(worker: int) -> dict[int, Handler]:
    """Send a worker what is sent to this process, but for signals that it ignores.

    Returns
    -------
    dict
        By the number of a signal what was done with it before.
    """

    def forward(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(worker, number)

    def stop(*_: object) -> None:
        forward(signal.SIGSTOP, None)
        os.kill(os.getpid(), signal.SIGSTOP)

    handlers = dict.fromkeys(FORWARDED, forward) | {signal.SIGTSTP: stop}
    return {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if signal.getsignal(number) is not signal.SIG_IGN
    }


def _end_as(code: int) -> int:
    """Die of the signal that a worker died of; else give its exit code."""
    if code >= 0:
        return code
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the worker's own is the one to look at
    if -code not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code


class Worker:
    """A stage at work: its process, a pidfd of it, and the connection to its proxy."""

    def __init__(self, process: int, descriptor: int, proxy: socket.socket) -> None:
        self.process, self.descriptor, self.proxy = process, descriptor, proxy


class Level:
    """One process of the server.

    Parameters
    ----------
    dvc : int
        A pidfd of the dvc command, with which everything ends.
    listeners : sequence of socket
        This level's own, and those of the levels behind it.
    """

    def __init__(self, dvc: int, listeners: Sequence[socket.socket]) -> None:
        self.dvc = dvc
        self.own, *self.later = listeners
        self.workers = dict[int, Worker]()  # by each of their two descriptors
        # with one CPU, imports that no stage waits for would hold up the one at work
        self.eager = len(os.sched_getaffinity(0)) > 1

    def serve(self) -> socket.socket | None:
        """Serve until dvc ends.

        Returns
        -------
        socket or None
            In a fork alone: a worker's connection to its proxy, or None in the next level.
        """
        while True:
            if self.later and self.eager and self._begin_next():
                return None
            for ready in self._wait():
                if ready == self.dvc:
                    os._exit(0)  # and with this process the workers and the next level
                elif ready == self.own.fileno():
                    if proxy := self._accept():
                        return proxy
                elif worker := self.workers.pop(ready, None):
                    self._end(worker, ready)
                else:  # a later level is asked for, or both ends of a worker came at once
                    self.eager = True

    def _wait(self) -> list[int]:
        poll = select.poll()
        for awaited in (self.dvc, self.own, *(() if self.eager else self.later)):
            poll.register(awaited, select.POLLIN)
        for descriptor, worker in self.workers.items():
            # of a proxy only the end: what it sends is the worker's to read
            poll.register(descriptor, select.POLLIN if descriptor == worker.descriptor else 0)
        return [descriptor for descriptor, _ in poll.poll()]

    def _begin_next(self) -> bool:
        """Fork the process that imports the next group; True there."""
        if _fork() == 0:
            return True
        for listener in self.later:
            listener.close()
        self.later = []
        return False

    def _accept(self) -> socket.socket | None:
        """Fork a worker for a stage that asks; its connection there, None here."""
        proxy, _ = self.own.accept()
        if not trusted(proxy, os.getuid()):
            proxy.close()
        elif (process := _fork()) == 0:
            return proxy
        else:
            worker = Worker(process, os.pidfd_open(process), proxy)
            self.workers |= {worker.descriptor: worker, proxy.fileno(): worker}
            with suppress(OSError):  # the proxy has died, and poll says so
                socket.send_fds(proxy, [b"w"], [worker.descriptor])
        return None

    def _end(self, worker: Worker, ready: int) -> None:
        """Tell the proxy how its worker has ended; or end a worker whose proxy has died."""
        if ready != worker.descriptor:
            os.kill(worker.process, signal.SIGKILL)
            return
        code = os.waitstatus_to_exitcode(os.waitpid(worker.process, 0)[1])
        with suppress(OSError):
            worker.proxy.send(str(code).encode())
        self.workers.pop(worker.proxy.fileno(), None)
        worker.proxy.close()
        os.close(worker.descriptor)

    def close(self) -> None:
        """Close in a fork what is this process's alone."""
        self.own.close()
        for descriptor, worker in self.workers.items():
            if descriptor == worker.descriptor:
                os.close(descriptor)
                worker.proxy.close()


def _fork() -> int:
    """Fork, where no other thread would be missing in the child, which ends with its parent."""
    if len(os.listdir("/proc/self/task")) > 1:
        os._exit(1)
    parent = os.getpid()
    process = os.fork()
    if process == 0:
        die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
    return process


def serve(dvc: int, started: str, listeners: Sequence[socket.socket]) -> socket.socket:
    """Import level after level, each in a fork; returns in workers alone.

    Parameters
    ----------
    dvc : int
        The process to serve, which was started then.
    listeners : sequence of socket
        One a level.

    Returns
    -------
    socket
        A worker's connection to its proxy.
    """
    watched = os.pidfd_open(dvc)
    if _started(dvc) != started:
        sys.exit()  # another process of that number
    gc.disable()  # a collection would copy the pages that the forks share
    for number, modules in enumerate(LEVELS):
        for module in modules:
            with suppress(ImportError):  # the stage that needs it says what is wrong
                import_module(module)
        gc.freeze()
        level = Level(watched, listeners[number:])
        proxy = level.serve()
        level.close()
        if proxy:
            for listener in level.later:
                listener.close()
            os.close(watched)
            return proxy
    raise AssertionError("the last level has none behind it")


class Ending:
    """Ends a worker once its threads and exit functions are done.

    Taking down the thousands of modules that it shares with the server would cost a second; and the
    proxy need not wait until the kernel has taken down the memory. Where its last words cannot be
    written, Python ends it as any process, and says so.

    Attributes
    ----------
    code : int
        The exit code; 1 until the stage itself says otherwise, as for an uncaught exception.
    proxy : socket or None
        The connection to the proxy; None in the server itself.
    """

    code = 1
    proxy: socket.socket | None = None

    def __call__(self) -> None:
        """Flush, tell the proxy, and leave."""
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
            if self.proxy:
                self.proxy.send(str(self.code).encode())
            os._exit(self.code)


def work(proxy: socket.socket, ending: Ending) -> None:
    """Be the stage that a proxy asks for: its arguments and streams, and the code on disk."""
    gc.enable()
    words, descriptors, *_ = socket.recv_fds(proxy, MOST, len(STREAMS))
    if not descriptors:
        sys.exit()  # the proxy has died
    for descriptor, stream in zip(descriptors, STREAMS, strict=True):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    stage, *arguments = map(os.fsdecode, words.split(b"\0"))
    os.environ |= {"DVC_STAGE": stage, "PIPELINE_PRELOAD": "0"}
    sys.argv[1:] = arguments
    sys.path.insert(0, os.getcwd())  # as `python -m` does
    try:
        runpy.run_module("pipeline.core", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            ending.code = end.code or 0
        raise


if __name__ == "__main__":
    ending = Ending()
    atexit.register(ending)  # the first, and so called last
    dvc, started, *numbers = sys.argv[1:]
    listeners = [socket.socket(fileno=int(number)) for number in numbers]
    ending.proxy = serve(int(dvc), started, listeners)
    work(ending.proxy, ending)
