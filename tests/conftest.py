import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

# scikit-learn's estimator checks skip one of theirs without it; read when scipy is imported.
os.environ["SCIPY_ARRAY_API"] = "1"

from hypothesis import settings
from ruamel.yaml import YAML

from pipeline.__main__ import main
from pipeline.core.settings.descent import Descent

ROOT = Path(__file__).resolve().parents[1]

# Some examples import torch or scikit-learn first; a busy machine is no failure.
# `make fuzz` asks for more.
EXAMPLES = 20 * int(os.environ.get("FUZZ", "1"))
settings.register_profile("suite", max_examples=EXAMPLES, deadline=None)
settings.load_profile("suite")


# The files that take longest, the longest first but for the second: a worker has it while the other
# makes the clone that the rest copies.
LONGEST = (
    "test_mlflow",
    "test_live",
    "test_kills",
    "test_experiments",
    "test_artifacts",
    "test_doctor",
    "test_main_job",
    "test_mlflow_ui",
    "test_preload",
    "test_readme",
    "test_predict_served",
    "test_concurrency",
    "test_verify",
    "test_runs",
    "test_plots_page",
    "test_file_system",
    "test_estimators",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, then those with other slow tests: the two processes then end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    places = {name: place for place, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        return places.get(item.path.stem, len(LONGEST) + (item.path not in slow))

    items.sort(key=place)


def descent(**changes: object) -> Descent:
    """Settings of a descent: the committed ones, but for `changes`."""
    committed = {
        "seed": 1234,
        "lr": 0.1,
        "epochs": 100,
        "batch_size": "full",
        "optimizer": "sgd",
        "momentum": 0.9,
        "weight_decay": 0.0,
        "init": "zeros",
        "loss_threshold": 0.0,
        "tolerance": 0.0,
    }
    return Descent.of(**(committed | changes))


def keep_datasets(params: Path, *datasets: str) -> None:
    """Leave these datasets alone, and their models, in a params.yaml."""
    yaml = YAML()
    content = yaml.load(params.read_text())
    for name in [*content["datasets"]]:
        if name not in datasets:
            del content["datasets"][name]
    for lines in content["models"].values():
        for key in [*lines]:
            if lines[key]["dataset"] not in datasets:
                del lines[key]
    yaml.dump(content, params)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml, data/raw and data/schema, and nothing made yet."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for folder in ("raw", "schema"):
        shutil.copytree(ROOT / "data" / folder, tmp_path / "data" / folder)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/champion.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str]]:
    """Run a command line in the workspace: exit code and what it said on stderr."""

    def run(command: str) -> tuple[int, str]:
        code = main(command.split())
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def prepared(run: Callable[[str], tuple[int, str]]) -> Callable[[str], None]:
    """Bring a dataset through ingest, validate and split."""

    def prepare(dataset: str) -> None:
        for stage in ("ingest", "validate", "split"):
            assert run(f"{stage} {dataset}") == (0, "")

    return prepare


def mount(*arguments: str | Path) -> None:
    """Mount, or skip where only root may; CI is root, and skips nothing."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode and os.geteuid() != 0 and os.environ.get("CI") != "true":
        pytest.skip(f"only root can make a small disk: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


class Clone:
    """A checkout of this repository as it stands, in which dvc and mlflow run for real."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, command: str, **env: str) -> subprocess.Popen[str]:
        """Start a shell command as a user would, with this Python's environment activated.

        dvc runs stages by /bin/sh then, as where nobody has logged in, and not by $SHELL.
        """
        bin_ = Path(sys.executable).parent
        left_out = ("DVC_", "MLFLOW_", "SCIPY_", "SHELL", "PYTHONDONTWRITEBYTECODE")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
        return subprocess.Popen(
            command,
            shell=True,
            cwd=self.folder,
            env=inherited | {"PATH": f"{bin_}:{os.environ['PATH']}"} | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.start(command, **env)
        output, _ = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, output)

    def ok(self, command: str, **env: str) -> str:
        done = self.run(command, **env)
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout


def clone_into(folder: Path) -> Clone:
    """Commit the working tree's files to a new repository, in a folder with a space in its name."""
    clone = Clone(folder / "a clone")
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        text=True,
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (clone.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone.folder / name)
    clone.ok("git init -q -b main && git add -A && git config user.name You")
    clone.ok("git config user.email you@example.com && git commit -q -m start")
    return clone


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first of all workers who asks makes, what `make` gives in its said.json."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{folder}.lock"):
        if not (folder / "said.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            said = make(folder)
            (folder / "said.json").write_text(json.dumps(said))
    return folder


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which `dvc repro` has run, once for all workers; to be read, not changed."""

    def make(folder: Path) -> tuple[str, str]:
        clone = clone_into(folder)
        return clone.ok("dvc repro"), clone.ok("git status --porcelain")

    return Clone(made_once(tmp_path_factory, "reproduced", make) / "a clone")


@pytest.fixture(scope="session")
def house_alone(reproduced: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The same with one dataset, committed: for what one can show, in half the time."""

    def make(folder: Path) -> None:
        reduced(reproduced, folder, "house")

    return Clone(made_once(tmp_path_factory, "house alone", make) / "a copy")


def first_repro(reproduced: Clone) -> tuple[str, str]:
    """What `dvc repro` printed in the fresh clone, and then `git status`."""
    said, status = json.loads(reproduced.folder.with_name("said.json").read_text())
    return said, status


def copied(clone: Clone, folder: Path) -> Clone:
    """A copy of a clone, its MLflow store empty: the old one names folders."""
    shutil.copytree(clone.folder, folder / "a copy", symlinks=True)
    copy = Clone(folder / "a copy")
    for path in ("mlflow.db", "data/tracked.json"):
        (copy.folder / path).unlink(missing_ok=True)
    shutil.rmtree(copy.folder / "mlartifacts", ignore_errors=True)
    return copy


def reduced(clone: Clone, folder: Path, *datasets: str) -> Clone:
    """A copy of a clone with some of its datasets alone, reproduced and committed."""
    copy = copied(clone, folder)
    keep_datasets(copy.folder / "params.yaml", *datasets)
    _keep_stages(copy.folder / "dvc.lock", *datasets)
    copy.ok("dvc repro && git commit -q -a -m made")
    return copy


def _keep_stages(lock: Path, *datasets: str) -> None:
    """Leave the stages of these datasets alone, and those of none: DVC reads all at each stage."""
    yaml = YAML()
    content = yaml.load(lock.read_text())
    for name in [*content["stages"]]:
        _, _, key = name.partition("@")
        if key and key.partition("-")[0] not in datasets:
            del content["stages"][name]
    yaml.dump(content, lock)
