"""Servers for tests: real ones of MLflow and PostgreSQL, and ones that are dead, silent or fail."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy as sa

START = 120.0  # seconds that a server has for its first answer, on a busy machine


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def dead_server() -> str:
    """The address of a server that is down: nothing listens there."""
    return f"http://127.0.0.1:{free_port()}"


@contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections, and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@dataclass
class Server:
    """A running `mlflow server`.

    Attributes
    ----------
    url : str
        What MLFLOW_TRACKING_URI should be.
    store : str
        URI of the database behind it.
    artifacts : Path
        The folder where the server keeps artifacts.
    """

    url: str
    store: str
    artifacts: Path

    def empty(self) -> None:
        """Make the store as new, behind the server's back: a new server would take 7 s."""
        engine = sa.create_engine(self.store)
        tables = sa.MetaData()
        tables.reflect(engine)
        with engine.begin() as connection:
            for table in reversed(tables.sorted_tables):
                if table.name == "experiments":
                    connection.execute(table.delete().where(table.c.experiment_id != 0))
                elif table.name not in ("alembic_version", "workspaces"):
                    connection.execute(table.delete())
        engine.dispose()
        shutil.rmtree(self.artifacts, ignore_errors=True)


@contextmanager
def mlflow_server(folder: Path, store: str | None = None) -> Iterator[Server]:
    """Run `mlflow server` on loopback, artifacts through it; stops it and its workers at the end.

    Parameters
    ----------
    folder : Path
        For its artifacts, its log and, unless told otherwise, its sqlite database.
    store : str, optional
        URI of another database.
    """
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(
        f"http://127.0.0.1:{free_port()}", store or f"sqlite:///{folder / 'mlflow.db'}",
        folder / "artifacts",
    )  # fmt: skip
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1",
        "--port", str(urlsplit(server.url).port), "--workers", "1",
        "--backend-store-uri", server.store, "--artifacts-destination", str(server.artifacts),
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if "MLFLOW_" not in name} | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        _wait(lambda: _answers(f"{server.url}/health"), process, folder / "server.log")
        yield server
    finally:
        with suppress(ProcessLookupError):  # its workers are of its group
            os.killpg(process.pid, signal.SIGKILL)  # asked politely, they take 10 s
        process.wait()


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"a server did not start: {log.read_text()[-3000:]}")
        time.sleep(0.1)


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL of its own on loopback; gives the URI of an empty database.

    As Debian's package has it, by hand: `initdb` makes a cluster in a temporary folder, `postgres`
    serves it on a free port of 127.0.0.1, with no socket file, no passwords (`--auth=trust`) and,
    as nothing is kept, no fsync. Both refuse to run as root; root runs them as the package's user
    `postgres`, whose folder it then is. SIGINT ends it, whatever is still connected.
    """
    programs = _programs()
    user = "postgres" if os.geteuid() == 0 else None
    # no tmp_path: pytest's folders are closed to other users
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    cluster, log = folder / "cluster", folder / "log"
    if user:
        shutil.chown(folder, user, user)
    port = free_port()
    options = [
        f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=",
        "fsync=off", "synchronous_commit=off", "full_page_writes=off",
    ]  # fmt: skip
    make: list[str | Path] = [
        programs / "initdb",
        "--pgdata",
        cluster,
        "--username=mlflow",
        "--auth=trust",
    ]
    serve: list[str | Path] = [programs / "postgres", "-D", cluster]
    try:
        _start_as(user, [*make, "--encoding=UTF8", "--locale=C", "--no-sync"], log).wait()
        process = _start_as(user, [*serve, *(f"--{option}" for option in options)], log)
        try:
            database = f"mlflow@127.0.0.1:{port}/postgres"
            _wait(lambda: _connects(f"postgresql://{database}"), process, log)
            yield f"postgresql+psycopg://{database}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    """The folder of initdb and postgres; Debian keeps them off the PATH."""
    for folder in [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
                   *map(Path, os.environ["PATH"].split(":"))]:  # fmt: skip
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    can_install = os.geteuid() == 0 and shutil.which("apt-get")
    if can_install or os.environ.get("CI") == "true":
        pytest.fail("PostgreSQL is missing: `make test` installs it, or apt-get install postgresql")
    pytest.skip("PostgreSQL is missing, and only root on Debian can install it: postgresql")


def _start_as(
    user: str | None, command: Sequence[str | Path], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, user=user, group=user, extra_groups=[] if user else None,
        )  # fmt: skip


def _connects(uri: str) -> bool:
    with suppress(psycopg.OperationalError):
        psycopg.connect(uri, connect_timeout=5).close()
        return True
    return False


@dataclass
class Proxy:
    """Passes requests on to a real server, until it is told to fail.

    Attributes
    ----------
    url : str
        What MLFLOW_TRACKING_URI should be.
    upstream : str
        The real server.
    seen : list of str
        Method and path of the requests since the last order.
    failed : int
        How many of them failed.
    """

    url: str
    upstream: str
    seen: list[str] = field(default_factory=list)
    failed: int = 0
    _pattern: str | None = None
    _until: int = 0
    _faults: int = 0
    _failing: bool = False
    _silent: bool = False
    _healed: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail_from(
        self, pattern: str, number: int = 1, *, faults: int = 1_000_000, silent: bool = False
    ) -> None:
        """Answer 503, or nothing, from request `number` of a kind on, to requests of any kind.

        Parameters
        ----------
        pattern : str
            What the kind's method and path look like, as in `POST /api/2.0/mlflow/runs/create`.
        faults : int
            So many in all; then all is well again.
        """
        self.heal()
        self._pattern, self._until, self._faults = pattern, number, faults
        self._silent = silent
        self._healed.clear()

    def heal(self) -> None:
        """Pass everything on again."""
        self._pattern, self._failing, self.failed = None, False, 0
        self._healed.set()
        self.seen.clear()

    def fails(self, request: str) -> bool:
        """Note a request, and say whether it fails."""
        with self._lock:
            self.seen.append(request)
            if self._pattern and not self._failing and re.search(self._pattern, request):
                self._until -= 1
                self._failing = self._until == 0
            failing = self._failing and self._faults > 0
            self._faults -= failing
            self.failed += failing
            return failing


@contextmanager
def faulty(upstream: str) -> Iterator[Proxy]:
    """Run a proxy before a server, on a port of its own."""
    port = free_port()
    proxy = Proxy(f"http://127.0.0.1:{port}", upstream)

    class Handler(_Handler):
        orders = proxy

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.heal()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    orders: Proxy
    protocol_version = "HTTP/1.1"
    timeout = 60

    def pass_on(self) -> None:
        body = _body(self.rfile, self.headers)
        if self.orders.fails(f"{self.command} {self.path}"):
            self._fail()
            return
        upstream = urlsplit(self.orders.upstream)
        connection = http.client.HTTPConnection(upstream.netloc, timeout=60)
        try:
            hop = ("connection", "transfer-encoding", "content-length", "host")
            headers = {k: v for k, v in self.headers.items() if k.lower() not in hop}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in (*hop, "date", "server"):
                    self.send_header(name, value)
            self._end(content)
        finally:
            connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = pass_on  # noqa: N815

    def _fail(self) -> None:
        self.close_connection = True
        if self.orders._silent:
            self.orders._healed.wait()
        else:
            self.send_response(503)
            self.send_header("Connection", "close")
            self._end(b"out of order")

    def _end(self, content: bytes) -> None:
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a failing test shows `seen`."""


def _body(stream: BufferedIOBase, headers: Message) -> bytes:
    """What a request carries, at once or in chunks (as requests sends an empty file)."""
    if "chunked" not in headers.get("Transfer-Encoding", ""):
        return stream.read(int(headers.get("Content-Length", 0)))
    parts = []
    while size := int(stream.readline().split(b";")[0], 16):
        parts.append(stream.read(size))
        stream.readline()
    stream.readline()
    return b"".join(parts)
