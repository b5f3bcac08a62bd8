"""engine: ray, on a cluster on this machine: the same bytes, faults, and what it refuses."""

import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

ROWS = 200_000  # four row groups, three of those that train
MODELS = """\
models:
  direct:
    t-closed_form: {dataset: t, trainer: closed_form}
  gradient:
    t-mae: {dataset: t, trainer: manual_gd, loss: mae, epochs: 20}
    t-batches: {dataset: t, trainer: torch_sgd, batch_size: 1000, epochs: 3}
    t-lines: {dataset: t, trainer: manual_gd, loss: mae, batch_size: 10001, epochs: 3}
  network:
    t-net: {dataset: t, trainer: network, hidden: [4], batch_size: full, epochs: 10}
    t-deep: {dataset: t, trainer: network, hidden: [4], batch_size: 1000, epochs: 2, dropout: 0.1}
  sklearn: {}
datasets:
  t:
    task: regression
    target: y
    ingest: {source: data/raw/t.csv}
    split: {features: all, test_size: 0.2, columns: {city: category}}
    evaluate: {metric: mse, repeats: auto}
"""
SCHEMA = """\
columns:
  a: {dtype: float64}
  b: {dtype: float64}
  city: {dtype: str}
  y: {dtype: float64}
strict: true
"""
STAGES = (["validate", "t"], ["split", "t"], ["train", "t", "closed_form", "mae", "net"])
BATCHES = ["train", "t", "batches", "lines", "deep"]
EVALUATE = ["evaluate", "t"]
RUN = """
import sys
from pipeline.core.__main__ import main
for words in {}:
    if code := main(words):
        sys.exit(code)
"""


def run(
    folder: Path, *stages: Sequence[str], environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Begin some stages, one after the other, in one process."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN.format([*stages])],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        stderr=subprocess.PIPE,
        text=True,
    )


def done(process: subprocess.Popen[str]) -> str:
    """What is said by a process that ends well."""
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


def engine(folder: Path, name: str, address: str = "") -> None:
    """Write an engine into the project's params.yaml."""
    path = folder / "params.yaml"
    lines = [
        f"engine: {name}" if line.startswith("engine:") else line
        for line in path.read_text().splitlines()
    ]
    lines = [
        f'ray_address: "{address}"' if line.startswith("ray_address:") else line for line in lines
    ]
    path.write_text("\n".join(lines) + "\n")


def made(folder: Path, *of: str) -> dict[str, str]:
    """The SHA-256 of what stages have made."""
    files = [path for name in of for path in sorted((folder / name).rglob("*")) if path.is_file()]
    assert files
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


VALIDATED, SPLIT, TRAINED = "data/2_validated", "data/3_split", "data/4_models"
ALL = (VALIDATED, SPLIT, TRAINED, "data/5_evaluated", "metrics")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of a table of three row groups that has gone through every stage, engine: local."""
    folder = tmp_path_factory.mktemp("ray")
    for name in ("data/raw", "data/schema", "metrics"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "requirements.lock", folder)
    (folder / "metrics/champion.json").write_text("{}\n")
    (folder / "data/schema/t.yaml").write_text(SCHEMA)
    top = (ROOT / "params.yaml").read_text().split("# The models to train")[0]
    (folder / "params.yaml").write_text(top + MODELS)
    generator = np.random.default_rng(0)
    X, city = generator.normal(size=(ROWS, 2)).round(3), generator.integers(0, 3, ROWS)
    y = (X @ [1.0, -2.0] + city + generator.normal(size=ROWS)).round(3)
    columns = (*X.T.tolist(), city.tolist(), y.tolist())
    lines = (f"{a},{b},c{c},{z}" for a, b, c, z in zip(*columns, strict=True))
    (folder / "data/raw/t.csv").write_text("\n".join(["a,b,city,y", *lines, ""]))
    done(run(folder, ["ingest", "t"], *STAGES, BATCHES, EVALUATE))
    return folder


@pytest.fixture(scope="module")
def local(project: Path) -> dict[str, str]:
    """What engine: local has made."""
    return made(project, *ALL)


class Nodes:
    """A cluster of one node, to which others are added and of which some are killed."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ray_nodes"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self._answer()
        self.count = 1

    def be(self, count: int) -> None:
        """Add nodes up to this many."""
        while self.count < count:
            self.count = self._tell("add")

    def kill(self) -> None:
        """Kill the node that was added last."""
        self.count = self._tell("kill")

    def _tell(self, word: str) -> int:
        assert self.process.stdin
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return int(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout
        answer = self.process.stdout.readline().strip()
        assert answer, "the cluster has ended"
        return answer


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """A cluster of one node on 127.0.0.1, for who has the token."""
    with pytest.MonkeyPatch.context() as patch:
        token = secrets.token_hex(32)
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", token)
        found = Nodes()
        yield found
        found.process.communicate(timeout=60)
        for one in having("RAY_AUTH_TOKEN", token):  # of nodes that were killed
            with suppress(psutil.Error):
                one.kill() if one.pid != os.getpid() else None


def having(name: str, value: str) -> list[psutil.Process]:
    """The processes that have a variable in their environment."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if one.environ().get(name) == value:
                found.append(one)
    return found


def workers(named: str = "ray::_Worker") -> list[int]:
    """The processes of Ray's workers."""
    every = psutil.process_iter(["cmdline"])
    return [one.pid for one in every if (one.info["cmdline"] or [""])[0].startswith(named)]


@contextmanager
def meanwhile(work: Callable[[], bool]) -> Iterator[None]:
    """Call this on another thread, again and again, until it says that it is done."""
    ended, done = threading.Event(), threading.Event()

    def repeat() -> None:
        last = False
        while not last and not done.is_set():
            last = ended.wait(0.01)  # then once more: it may have just been done
            if work():
                done.set()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert done.is_set()


def remade(project: Path, *of: str) -> None:
    """Remove what stages are to make anew."""
    for name in of:
        shutil.rmtree(project / name)
    for path in (project / TRAINED / "t").iterdir():
        if path.stem.partition("_")[0] in ("t-closed", "t-mae", "t-net"):
            path.unlink()


@pytest.mark.parametrize("count", [1, 2])
def test_nodes_make_the_bytes_of_engine_local(
    project: Path, local: dict[str, str], nodes: Nodes, count: int
) -> None:
    nodes.be(count)
    engine(project, "ray", nodes.address)
    remade(project)
    done(run(project, STAGES[2]))
    assert made(project, *ALL) == local


@pytest.mark.nightly
def test_a_worker_that_is_killed_in_each_stage_changes_nothing(
    project: Path, local: dict[str, str], nodes: Nodes
) -> None:
    nodes.be(3)
    engine(project, "ray", nodes.address)
    remade(project, "data/5_evaluated")
    every, last = [*STAGES, EVALUATE], set[int]()
    killed = list[int]()

    def kill() -> bool:
        there = workers()
        if len(there) == 3 and not last.intersection(there):  # those of another stage
            last.update(there)
            os.kill(there[0], signal.SIGKILL)
            killed.append(there[0])
        return len(killed) == len(every)

    with meanwhile(kill):
        done(run(project, *every))
    assert made(project, *ALL) == local


@pytest.mark.nightly
def test_a_node_that_is_killed_changes_nothing(
    project: Path, local: dict[str, str], nodes: Nodes
) -> None:
    nodes.be(3)
    engine(project, "ray", nodes.address)
    remade(project)

    def kill() -> bool:
        if len(workers()) < 3:
            return False
        nodes.kill()
        return True

    with meanwhile(kill):
        done(run(project, STAGES[2]))
    assert nodes.count == 2
    assert made(project, *ALL) == local


@pytest.fixture(scope="module")
def by_torchrun(project: Path, local: dict[str, str]) -> dict[str, bytes]:
    """What two processes of torchrun make of the models that train in batches."""
    return _in_batches(project, lambda: _torchrun(project, 2))


def _in_batches(project: Path, train: Callable[[], None]) -> dict[str, bytes]:
    """The files that a training in batches makes; those of engine: local are put back."""
    before = {path.name: path.read_bytes() for path in (project / TRAINED / "t").iterdir()}
    try:
        train()
        files = (project / TRAINED / "t").iterdir()
        return {path.name: path.read_bytes() for path in files if _of_batches(path.name)}
    finally:
        for name, content in before.items():
            (project / TRAINED / "t" / name).write_bytes(content)


def _of_batches(name: str) -> bool:
    return name.startswith(tuple(f"t-{one}" for one in BATCHES[2:]))


def _torchrun(project: Path, count: int) -> None:
    engine(project, "ray", "127.0.0.1:1")  # no Ray is asked
    process = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", str(count), "-m", "pipeline", *BATCHES),
        ],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("count", [1, 3])
def test_any_number_of_processes_makes_the_same_bytes_in_batches(
    project: Path, by_torchrun: dict[str, bytes], count: int
) -> None:
    assert len(by_torchrun) == 7
    assert _in_batches(project, lambda: _torchrun(project, count)) == by_torchrun


@pytest.mark.nightly
def test_ray_train_makes_the_bytes_of_torchrun_though_a_worker_is_killed(
    project: Path, by_torchrun: dict[str, bytes], nodes: Nodes
) -> None:
    nodes.be(2)
    engine(project, "ray", nodes.address)

    def kill() -> bool:
        there = workers("ray::RayTrainWorker")
        if there:
            os.kill(there[0], signal.SIGKILL)
        return bool(there)

    def train() -> None:
        with meanwhile(kill):
            done(run(project, ["train", "t", "deep"]))

    found = _in_batches(project, train)
    assert {name for name in found if found[name] == by_torchrun[name]} >= {
        "t-deep.json",
        "t-deep.safetensors",
        "t-deep_history.csv",
    }
    assert not [*(project / "data/checkpoints").iterdir()]


def test_batches_of_shards_train_as_well_as_those_of_engine_local(
    project: Path, by_torchrun: dict[str, bytes]
) -> None:
    for name in ("batches", "lines"):
        one = json.loads((project / TRAINED / f"t/t-{name}.json").read_text())
        other = json.loads(by_torchrun[f"t-{name}.json"])
        weights = [[*model["coef"].values(), model["intercept"]] for model in (one, other)]
        assert weights[0] != weights[1]
        # y has a standard deviation of 2.6; a weight is known to 2.6 / sqrt(160,000) at best
        np.testing.assert_allclose(*weights, atol=0.05)
        histories = (
            (project / TRAINED / f"t/t-{name}_history.csv").read_bytes(),
            by_torchrun[f"t-{name}_history.csv"],
        )
        losses = [np.loadtxt(text.decode().splitlines()[1:], delimiter=",") for text in histories]
        np.testing.assert_allclose(*losses, rtol=0.01)


def test_torchrun_under_engine_local_is_refused(project: Path) -> None:
    engine(project, "local")
    said = refused(project, BATCHES, TORCHELASTIC_RUN_ID="1")
    assert "engine: local: under torchrun batches have the rows that engine: ray gives" in said


@pytest.mark.nightly
def test_ray_of_one_machine_ends_with_its_stage_also_when_that_is_killed(
    project: Path, local: dict[str, str]
) -> None:
    engine(project, "ray")
    remade(project)
    mark = {"OF_TEST": secrets.token_hex(16)}
    process = run(project, STAGES[2], environment=mark)

    def kill() -> bool:
        if workers():
            process.kill()
        return process.poll() is not None

    with meanwhile(kill):
        process.communicate(timeout=200)
    assert process.returncode == -signal.SIGKILL
    end = time.monotonic() + 30
    while having(*next(iter(mark.items()))) and time.monotonic() < end:
        time.sleep(0.2)
    assert not having(*next(iter(mark.items())))
    done(run(project, STAGES[2], environment=mark))
    assert not having(*next(iter(mark.items())))
    assert made(project, *ALL) == local


def refused(folder: Path, stage: Sequence[str] = STAGES[2], **environment: str) -> str:
    """The message with which a stage refuses, having left what was there."""
    before = made(folder, "data", "metrics")
    process = run(folder, stage, environment=environment)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 2, said
    assert said.count("\n") == 1
    assert said.startswith(f"error: {stage[0]}: ")
    assert made(folder, "data", "metrics") == before
    return said


def test_an_address_where_no_ray_answers_is_refused(project: Path) -> None:
    engine(project, "ray", "127.0.0.1:1")
    assert "ray_address 127.0.0.1:1: no Ray answers there in 10 s" in refused(project)
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        engine(project, "ray", address)
        begun = time.monotonic()
        assert f"ray_address {address}: no Ray answers there" in refused(project)
        assert time.monotonic() - begun < 40


def test_a_cluster_of_another_version_is_refused(project: Path, nodes: Nodes) -> None:
    engine(project, "ray", nodes.address)
    claim = (
        "import json, sys; from ray._raylet import GcsClient\n"
        "store = GcsClient(address=sys.argv[1]); key = b'CLUSTER_METADATA'\n"
        "found = json.loads(store.internal_kv_get(key, b'cluster'))\n"
        "before, found['ray_version'] = found['ray_version'], sys.argv[2]\n"
        "store.internal_kv_put(key, json.dumps(found).encode(), True, b'cluster'); print(before)"
    )
    with ExitStack() as ending:
        words = [sys.executable, "-c", claim, nodes.address]
        ours = subprocess.run([*words, "2.59.0"], capture_output=True, text=True, check=True).stdout
        ending.callback(subprocess.run, [*words, ours.strip()], check=True, capture_output=True)
        assert "that cluster has Ray 2.59.0 on Python" in refused(project)


def test_a_file_that_changes_while_it_is_read_is_refused(project: Path, nodes: Nodes) -> None:
    engine(project, "ray", nodes.address)
    path = project / SPLIT / "t/train.parquet"
    before = path.stat()
    process = run(project, ["train", "t", "mae"])

    def touch() -> bool:
        if workers():
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
        return bool(workers())

    with meanwhile(touch):
        _, said = process.communicate(timeout=100)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert process.returncode == 2, said
    assert "train.parquet: was changed while it was read" in said


def test_a_node_without_the_folder_is_refused() -> None:
    from pipeline.core.cluster import enter

    here = Path.cwd()
    try:
        with tempfile.TemporaryDirectory() as folder:
            assert "params.yaml is missing there" in (enter(folder) or "")
            os.chdir(here)
        assert f"a node does not see {folder}" in (enter(folder) or "")
    finally:
        os.chdir(here)


def test_python_without_ray_says_what_to_install(project: Path, tmp_path: Path) -> None:
    engine(project, "ray")
    without = "import importlib.util\nimportlib.util.find_spec = lambda name, *more: None\n"
    (tmp_path / "sitecustomize.py").write_text(without)
    said = refused(project, PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert "`pip install '.[ray]'` installs it, or set engine: local" in said
