"""Stages in forks of a server, with real dvc, in a project of toy stages and the real entry."""

import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import preload
from pipeline.core.run import STAGES
from tests.conftest import ROOT, Clone, copied
from tests.kills import commands_in, stage_of, wait_for

pytestmark = pytest.mark.slow

DVC_YAML = """\
stages:
  params:
    cmd: %s exec python -m pipeline.core "$DVC_STAGE"
    outs: [params.out]
  report:
    cmd: %s exec python -m pipeline.core "$DVC_STAGE"
    deps: [params.out]
    outs: [report.out]
"""
FACTS = """
import json, os, resource, signal, sys
from importlib import import_module
from pipeline.core.preload import LEVEL_OF, LEVELS
before = "numpy" in sys.modules
for module in sum(LEVELS[:LEVEL_OF["report"] + 1], ()):  # some of them set variables
    import_module(module)
limits = [name for name in dir(resource) if name.startswith("RLIMIT_")]
handled = [s for s in signal.Signals if signal.getsignal(s) is signal.SIG_IGN]
facts = {
    "folder": os.getcwd(), "umask": os.umask(0), "arguments": sys.argv[1:], "path": sys.path[0],
    "limits": {name: resource.getrlimit(getattr(resource, name)) for name in limits},
    "environment": {k: v for k, v in os.environ.items() if k != "PIPELINE_PRELOAD"},
    "streams": [os.readlink(f"/proc/self/fd/{k}").split(":")[0] for k in range(3)],
    "descriptors": len(os.listdir("/proc/self/fd")), "ignored": handled,
    "buffering": [sys.stdout.line_buffering, sys.stderr.line_buffering],
    "encodings": [sys.stdin.encoding, sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors],
    "main": sys.modules["__main__"].__spec__.name, "blocked": list(signal.pthread_sigmask(0, [])),
}
json.dump([before, facts], open("report.out", "w"))
"""


class Project(Clone):
    """A folder with toy stages: `params`, and `report` after it."""

    def __init__(self, folder: Path, of_dvc: Path) -> None:
        super().__init__(folder)
        folder.mkdir()
        shutil.copytree(of_dvc, folder / ".dvc")
        shutil.copytree(ROOT / "pipeline/core", folder / "pipeline/core")
        shutil.copy(ROOT / "pipeline/__main__.py", folder / "pipeline")
        self.stage("params", "open('params.out', 'w').write('1')")
        self.stage("report", "open('report.out', 'w').write('1')")
        self.begin_with("")

    def begin_with(self, shell: str) -> None:
        (self.folder / "dvc.yaml").write_text(DVC_YAML % (shell, shell))

    def stage(self, name: str, code: str) -> None:
        path = self.folder / f"{STAGES[name].module.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        lines = "".join(f"    {line}\n" for line in code.strip().splitlines())
        path.write_text(f"def {name}():\n{lines}")

    def at_work(self, **env: str) -> subprocess.Popen[str]:
        """Start dvc, and wait until its stage `params` has written its worker's number."""
        # the tests may run in the background, where SIGINT is ignored
        dvc = self.start("exec env --default-signal=INT dvc repro", **env)
        assert wait_for(self._noted.exists)
        return dvc

    @property
    def _noted(self) -> Path:
        return self.folder / "worker"

    @property
    def worker(self) -> int:
        return int(self._noted.read_text())

    def is_left(self) -> bool:
        return not wait_for(lambda: not commands_in(self.folder), 5)


SLEEPS = """
import os, time
open("part", "w").write(str(os.getpid()))
os.rename("part", "worker")
time.sleep(60)
"""


@pytest.fixture(scope="module")
def of_dvc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `dvc init` makes."""
    folder = tmp_path_factory.mktemp("initialized")
    Clone(folder).ok("dvc init -q --no-scm")
    return folder / ".dvc"


@pytest.fixture
def project(tmp_path: Path, of_dvc: Path) -> Project:
    return Project(tmp_path / "a project", of_dvc)


def test_a_stage_begins_with_what_it_would_have_alone(project: Project) -> None:
    project.stage("report", FACTS)
    project.begin_with("umask 027; ulimit -n 300; X=1")
    (alone, expected), (forked, found) = (
        _facts(project, **env) for env in ({"PIPELINE_PRELOAD": "0"}, {})
    )
    assert (alone, forked) == (False, True)
    assert found.pop("descriptors") == 1 + expected.pop("descriptors")  # to say that it is done
    assert found == expected
    assert (found["umask"], found["limits"]["RLIMIT_NOFILE"][0]) == (0o027, 300)
    assert (found["arguments"], found["environment"]["X"]) == (["report"], "1")


def _facts(project: Project, **env: str) -> tuple[bool, dict[str, Any]]:
    project.ok("dvc repro -f", **env)
    before, facts = json.loads((project.folder / "report.out").read_text())
    return before, facts


def test_a_server_is_gone_with_its_dvc(project: Project) -> None:
    project.ok("dvc repro")
    assert not project.is_left()
    assert "Running" not in project.ok("dvc repro")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_dvc_leaves_neither_server_nor_worker(
    project: Project, number: signal.Signals
) -> None:
    project.stage("params", SLEEPS)
    dvc = project.at_work()
    dvc.send_signal(number)
    dvc.communicate()
    assert not project.is_left()


def test_a_killed_proxy_takes_its_worker_along(project: Project) -> None:
    project.stage("params", SLEEPS)
    dvc = project.at_work()
    proxy = stage_of(dvc.pid)
    assert proxy is not None
    assert proxy != project.worker
    os.kill(proxy, signal.SIGKILL)
    output, _ = dvc.communicate()
    assert "exited with -9" in output
    assert not project.is_left()


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("from pipeline.core.errors import PipelineError\nraise PipelineError('no')", "2"),
        ("import sys\nsys.exit(3)", "3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "-9"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", "-15"),
        ("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nsignal.pause()", "-9"),
    ],
)
def test_a_stage_ends_as_it_would_alone(project: Project, code: str, ends: str) -> None:
    project.stage("params", code)
    done = project.run("dvc repro")
    assert f"exited with {ends}\n" in done.stdout
    assert ("error: params: no" in done.stdout) == (ends == "2")
    assert not project.is_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_worker_once(project: Project, number: signal.Signals) -> None:
    """As from a terminal: to dvc and to the process that it started."""
    project.stage("params", SLEEPS)
    dvc = project.at_work()
    proxy = stage_of(dvc.pid)
    assert proxy is not None
    os.kill(proxy, number)
    output, _ = dvc.communicate()
    assert f"exited with {130 if number == signal.SIGINT else -15}\n" in output
    assert output.count("params: interrupted") == (number == signal.SIGINT)
    assert not project.is_left()


THREAD = """
import sys, threading, time
if "pipeline.core" in sys.orig_argv:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
"""


def test_a_signal_that_ends_no_wait_is_passed_on(project: Project) -> None:
    """As one does that comes when the proxy is about to wait: here another thread receives it."""
    (project.folder / "sitecustomize.py").write_text(THREAD)
    project.stage("params", SLEEPS)
    dvc = project.at_work(PYTHONPATH=str(project.folder))
    proxy = stage_of(dvc.pid)
    assert proxy is not None
    threads = {int(thread.name) for thread in Path(f"/proc/{proxy}/task").iterdir()}
    [another] = threads - {proxy}
    assert ctypes.CDLL(None).tgkill(proxy, another, signal.SIGTERM) == 0
    output, _ = dvc.communicate(timeout=30)
    assert "exited with -15\n" in output
    assert not project.is_left()


def test_ctrl_z_stops_the_worker_too(project: Project) -> None:
    project.stage("params", SLEEPS)
    dvc = project.at_work()
    proxy = stage_of(dvc.pid)
    assert proxy is not None
    stopped = lambda: _state(project.worker) == "T"  # noqa: E731
    os.kill(proxy, signal.SIGTSTP)
    assert wait_for(stopped, 5)
    os.kill(proxy, signal.SIGCONT)
    assert wait_for(lambda: not stopped(), 5)
    dvc.kill()
    dvc.communicate()
    assert not project.is_left()


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def test_what_a_stage_says_arrives_in_order(project: Project) -> None:
    project.stage(
        "params",
        "import sys\nfor k in range(200):\n"
        "    print(k, file=(sys.stdout, sys.stderr)[k % 2], flush=True)\n"
        "print('left in a buffer')\nopen('params.out', 'w')",
    )
    lines = project.ok("dvc repro").splitlines()
    begin = lines.index("0")
    assert lines[begin : begin + 201] == [*map(str, range(200)), "left in a buffer"]


def test_code_that_is_edited_between_two_stages_is_what_runs(project: Project) -> None:
    new = 'def report():\\n    print("edited")\\n    open("report.out", "w")\\n'
    project.stage(
        "params",
        f"open('pipeline/report/stage.py', 'w').write('{new}')\nopen('params.out', 'w')",
    )
    assert "edited" in project.ok("dvc repro")


def test_the_server_knows_no_stage_and_no_code_of_ours(project: Project) -> None:
    seen = "import os\nprint('@@', open(f'/proc/{os.getppid()}/environ').read().split(chr(0)))"
    project.stage("params", f"{seen}\nopen('params.out', 'w')")
    line = project.ok("dvc repro").split("@@")[1].splitlines()[0]
    assert "PIPELINE" not in line
    assert "DVC_ROOT=" in line
    assert "DVC_STAGE=" not in line
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1]); "
        "print([m for m in sys.modules if m.startswith('pipeline')])"
    )
    command = [sys.executable, "-c", code, str(ROOT / "pipeline/core/preload.py")]
    assert subprocess.check_output(command, text=True, cwd=ROOT) == "[]\n"


def test_packages_bring_no_threads_which_a_fork_would_lack() -> None:
    code = """
import pipeline.__main__, os
from importlib import import_module
from pipeline.core.preload import LEVELS
print([(m, len(os.listdir("/proc/self/task"))) for g in LEVELS for m in g if import_module(m)])
"""
    output = subprocess.check_output([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT)
    assert {threads for _, threads in eval(output)} == {1}


def test_with_threads_a_level_ends_instead_of_forking() -> None:
    code = """
import threading
from pipeline.core.preload import _fork
threading.Thread(target=threading.Event().wait, daemon=True).start()
print(_fork())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")


def test_another_users_process_is_not_trusted() -> None:
    with preload._socket() as listener:
        listener.bind(f"\0pipeline-test-{os.getpid()}")
        listener.listen()
        with preload._socket() as client:
            client.connect(listener.getsockname())
            server, _ = listener.accept()
            with server:
                for end in (client, server):
                    assert preload.trusted(end, os.getuid())
                    assert not preload.trusted(end, os.getuid() + 1)


def test_a_foreign_server_gets_no_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"\0pipeline-test-{os.getpid()}-"
    monkeypatch.setattr(preload, "_name", lambda _: name)
    monkeypatch.setattr(preload, "is_dvc", lambda _: True)
    monkeypatch.setattr(preload, "trusted", lambda *_: False)
    monkeypatch.setenv("DVC_STAGE", "params")
    with preload._socket() as listener:
        listener.bind(f"{name}1")
        listener.listen()
        assert preload.hand_over(["params"]) is None
        server, _ = listener.accept()
        with server:
            assert server.recv(1) == b""


def test_the_sockets_name_holds_all_that_a_process_begins_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = [preload._name(os.getpid())]
    monkeypatch.setenv("DVC_STAGE", "another")
    assert preload._name(os.getpid()) == names[0]
    monkeypatch.setenv("LANG", "another")
    names.append(preload._name(os.getpid()))
    monkeypatch.chdir(tmp_path)
    names.append(preload._name(os.getpid()))
    before = os.umask(0o007)
    try:
        names.append(preload._name(os.getpid()))
    finally:
        os.umask(before)
    assert len({*names, preload._name(os.getppid())}) == 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.setenv("PIPELINE_PRELOAD", "0"), "PIPELINE_PRELOAD is 0"),
        (lambda m: m.setenv("PIPELINE_THREADS", "2"), "PIPELINE_THREADS is not 1"),
        (lambda m: m.setattr(sys, "platform", "darwin"), "only Linux"),
        (lambda m: m.setattr(resource, "getrlimit", lambda _: (1, 1)), "memory is limited"),
        (lambda m: m.delattr(os, "pidfd_open"), "no abstract sockets or pidfds"),
        (lambda m: m.delattr(socket, "AF_UNIX"), "no abstract sockets or pidfds"),
    ],
)
def test_where_no_server_can_be_the_reason_is_known(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], reason: str
) -> None:
    monkeypatch.delenv("PIPELINE_THREADS", raising=False)
    assert preload.unavailable() is None
    change(monkeypatch)
    assert reason in str(preload.unavailable())


OF_EACH_KIND = (
    "params",
    "ingest@synthetic",
    "ingest@breast_cancer",
    "validate@breast_cancer",
    "split@breast_cancer",
    "train_direct@synthetic-closed_form",
    "train_gradient@synthetic-manual_gd",
    "train_gradient@house-torch_sgd",
    "train_gradient@breast_cancer-bcpm",
    "evaluate@breast_cancer",
    "report",
)


def test_plain_processes_make_the_same_bytes(reproduced: Clone, tmp_path: Path) -> None:
    """Those of the committed dvc.lock, as the forked workers of `reproduced` made them."""
    clone = copied(reproduced, tmp_path)
    clone.ok(f"dvc repro -f -s {' '.join(OF_EACH_KIND)}", PIPELINE_PRELOAD="0")
    assert clone.ok("git status --porcelain") == ""
    assert {stage.split("@")[0] for stage in OF_EACH_KIND} == {*preload.LEVEL_OF} - {
        "train_network",  # of which no committed dataset has a model
        "train_sklearn",
        "textbook",  # which tests/test_main_job.py runs by itself
        "track",  # which makes no bytes
    }


def test_every_stage_has_its_level() -> None:
    from ruamel.yaml import YAML

    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    assert set(stages) == set(preload.LEVEL_OF)
    assert set(preload.LEVEL_OF.values()) <= set(range(len(preload.LEVELS)))
