import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.commands.runs.bring_back import Way, way_back
from pipeline.commands.runs.find import Found
from pipeline.core.store.connection import Store, open_store
from pipeline.tracking.committed import git
from tests.conftest import ROOT, Clone, copied

Cli = Callable[..., tuple[int, str, str]]

# MLflow's registry asks SQLAlchemy for something that is to go.
of_mlflow = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

RUN = Found(
    id="0123456789abcdef0123456789abcdef",
    experiment="house",
    name="torch_sgd",
    status="FINISHED",
    start=1_700_000_000_000,
    end=1_700_000_001_500,
    params={"trainer": "torch_sgd", "lr": "0.1", "epochs": "100"},
    metrics={"loo_mse": 1.5},
    tags={"dataset": "house", "trainer": "torch_sgd"},
    model=True,
    versions=[],
    changes=None,
)
CHANGES = """\
diff --git a/params.yaml b/params.yaml
index 1..2 100644
--- a/params.yaml
+++ b/params.yaml
@@ -1 +1 @@
-lr: 0.1
+lr: 0.01
diff --git a/pipeline/new name.py b/pipeline/new name.py
new file mode 100644
--- /dev/null
+++ b/pipeline/new name.py
@@ -0,0 +1 @@
+pass
"""


def tagged(run: Found = RUN, changes: str | None = None, **tags: str) -> Found:
    return replace(run, tags=run.tags | tags, changes=changes)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command line: exit code, and what it printed on stdout and stderr."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow sets it for good

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["run", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


class Repository:
    """A git repository with params.yaml and scores, in the current folder."""

    def __init__(self) -> None:
        self.git("init", "-q", "-b", "main")
        self.score(1.5)
        self.start = self.commit()

    def git(self, *arguments: str) -> None:
        you = ("-c", "user.name=You", "-c", "user.email=you@example.com")
        subprocess.run(["git", *you, *arguments], check=True)

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a change")
        return (git("rev-parse", "HEAD") or "").strip()

    def score(self, value: float) -> None:
        Path("metrics/house.json").write_text(json.dumps({"torch_sgd": {"loo_mse": value}}))

    def experiment(self, name: str) -> None:
        """What the files are now, as DVC keeps an experiment on the last commit."""
        baseline = (git("rev-parse", "HEAD") or "").strip()
        commit = self.commit()
        self.git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}", commit)
        self.git("reset", "-q", "--hard", baseline)


@pytest.fixture
def repository(workspace: Path) -> Repository:
    return Repository()


@pytest.mark.parametrize("text", ["abc", "ABCD1234", "torch_sgd", "0" * 33, "12 34", "%%%%", ""])
def test_a_text_that_is_no_run_id_is_refused(cli: Cli, workspace: Path, text: str) -> None:
    code, _, error = cli("show", text)
    assert (code, error.count("\n")) == (2, 1)
    assert f"error: run: {text!r} is no run id: expected its first characters" in error
    assert cli("diff", "abcd", text)[0] == 2


def test_a_store_is_not_made_to_look_into_it(cli: Cli, workspace: Path) -> None:
    before = sorted(workspace.rglob("*"))
    code, _, error = cli("show", "abcd")
    assert code == 2
    assert "no MLflow store yet" in error
    assert "`dvc repro`" in error
    assert sorted(workspace.rglob("*")) == before


def test_a_clean_commit_brings_a_run_back(repository: Repository) -> None:
    run = tagged(git_commit=repository.start, git_dirty="false")
    assert way_back(run) == Way(["dvc repro"])
    repository.commit()
    assert way_back(run) == Way([f"git checkout {repository.start}", "dvc repro"])


def test_uncommitted_files_are_said_to_be_in_the_way(repository: Repository) -> None:
    repository.score(7)
    run = tagged(git_commit=repository.start, git_dirty="false")
    assert way_back(run) == Way(["dvc repro"])  # which makes scores anew
    Path("params.yaml").write_text("")
    assert re.search("uncommitted changes.*git stash", " ".join(way_back(run).remarks))
    repository.git("checkout", "-q", "--", "params.yaml")
    later = repository.commit()
    repository.git("checkout", "-q", repository.start)
    repository.score(8)
    way = way_back(tagged(git_commit=later, git_dirty="false"))
    assert way.commands == [f"git checkout {later}", "dvc repro"]
    assert re.search("uncommitted changes.*git stash", " ".join(way.remarks))


def test_an_experiment_brings_a_run_back(repository: Repository) -> None:
    repository.score(2.5)
    repository.experiment("a;b")
    run = replace(
        tagged(git_commit=repository.start, git_dirty="true", dvc_experiment="gone, a;b"),
        metrics={"loo_mse": 2.5},
    )
    assert way_back(run) == Way(["dvc exp apply 'a;b'"])
    repository.commit()
    assert way_back(run) == Way([f"git checkout {repository.start}", "dvc exp apply 'a;b'"])


def test_of_experiments_of_one_name_that_of_this_commit_is_taken(repository: Repository) -> None:
    repository.experiment("twice")
    repository.commit()
    repository.experiment("twice")
    run = tagged(git_commit=repository.start, git_dirty="true", dvc_experiment="twice")
    assert way_back(run) == Way(["dvc exp apply twice"])


@pytest.mark.parametrize("other", ["score", "param"])
def test_an_experiment_that_became_another_is_not_taken(repository: Repository, other: str) -> None:
    repository.score(9 if other == "score" else 1.5)
    if other == "param":
        text = Path("params.yaml").read_text()
        Path("params.yaml").write_text(text.replace("lr: 0.1", "lr: 0.2"))
    repository.experiment("mine")
    way = way_back(tagged(git_commit=repository.start, git_dirty="false", dvc_experiment="mine"))
    assert way == Way(["dvc repro"], ["Experiment mine is of other params or scores by now."])


def test_uncommitted_changes_are_applied_again(repository: Repository) -> None:
    run = replace(
        tagged(git_commit=repository.start, git_dirty="true", changes=CHANGES),
        metrics={"loo_mse": 2.5},
    )
    applied = [
        f"mlflow artifacts download -r {run.id} -a uncommitted.diff -d .",
        "git apply uncommitted.diff && rm uncommitted.diff",
        "dvc repro",
    ]
    assert way_back(run) == Way(applied)
    repository.commit()
    assert way_back(run) == Way([f"git checkout {repository.start}", *applied])


def test_a_commit_with_the_scores_serves_where_the_run_came_first(repository: Repository) -> None:
    repository.score(2.5)
    second = repository.commit()
    run = replace(
        tagged(git_commit=f"{repository.start}, {second}", git_dirty="true", changes=CHANGES),
        metrics={"loo_mse": 2.5},
    )
    assert way_back(run) == Way(["dvc repro"])


@pytest.mark.parametrize(
    ("changes", "reason"), [(None, "not in the store"), ("# 2000000 characters", "not kept whole")]
)
def test_changes_that_were_not_kept_bring_nothing_back(
    repository: Repository, changes: str | None, reason: str
) -> None:
    run = tagged(git_commit=repository.start, git_dirty="true", changes=changes)
    way = way_back(replace(run, metrics={"loo_mse": 2.5}))
    assert way.commands == []
    assert reason in way.remarks[0]


@pytest.mark.parametrize("commit", ["f" * 40, "--output=made", ""])
def test_a_commit_that_is_not_here_is_said(repository: Repository, commit: str) -> None:
    way = way_back(tagged(git_commit=commit, git_dirty="false"))
    assert way.commands == []
    expected = f"Not in this repository: commit {commit}." if commit[:1] == "f" else "no commit"
    assert expected in way.remarks[0]
    assert not Path("made").exists()


def test_without_git_nothing_can_be_checked_out(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tagged(git_commit="f" * 40, git_dirty="false")
    assert "no git" in way_back(run).remarks[0]
    monkeypatch.setenv("PATH", "")
    assert "no git" in way_back(run).remarks[0]


def test_a_diff_names_its_files() -> None:
    run = tagged(changes=CHANGES)
    assert list(run.changed) == ["params.yaml", "pipeline/new name.py"]
    assert list(run.changed_code) == ["pipeline/new name.py"]
    assert "".join(run.changed.values()) == CHANGES


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with an MLflow store, and the ids of its runs by name."""
    folder = tmp_path_factory.mktemp("stored")
    shutil.copy(ROOT / "params.yaml", folder)
    ids: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLFLOW_TRACKING_URI", "")
        with open_store(folder) as store:
            fill(store, ids)
    twin(folder / "mlflow.db", ids["base"], ids["base"][:8] + "0" * 24)
    return folder, ids


def fill(store: Store, ids: dict[str, str]) -> None:
    """Add runs; their ids by name."""
    client = store.client

    def add(experiment: str, name: str, tags: dict[str, str], **metrics: float) -> str:
        run = client.create_run(store.experiment(experiment), tags=tags, run_name=name)
        id_ = str(run.info.run_id)
        for key, value in metrics.items():
            client.log_metric(id_, key, value)
        client.set_terminated(id_)
        ids[name] = id_
        return id_

    def of(dataset: str, trainer: str, **tags: str) -> dict[str, str]:
        made = {"git_commit": "a" * 40, "git_dirty": "false", "data_md5": "1" * 32}
        return {"dataset": dataset, "trainer": trainer} | made | tags

    base = add("house", "base", of("house", "torch_sgd"), loo_mse=100.0, loo_mae=8, loss=2)
    client.log_param(base, "lr", "0.1")
    client.log_param(base, "epochs", "100")
    verdict = {"verdict": "accepted", "verdict_reason": "better than the mean \x1b[31m"}
    slow = add("house", "slow", of("house", "torch_sgd", **verdict), loo_mse=123.45678, loss=2)
    client.log_param(slow, "lr", "0.01")
    client.log_param(slow, "epochs", "100")
    client.create_registered_model("house")
    version = client.create_model_version("house", f"runs:/{slow}/model", slow)
    client.set_registered_model_alias("house", "champion", version.version)
    other = of("breast_cancer", "bcpm", data_md5="2" * 32, git_commit="b" * 40)
    add("breast_cancer", "bcpm", other, cv_accuracy=1)
    add("Default", "stranger", {})
    client.delete_run(add("house", "deleted", {}))


def twin(database: Path, run: str, id_: str) -> None:
    """Copy a run's row under another id: MLflow draws ids, which hardly ever begin alike."""
    with sqlite3.connect(database) as db:
        columns = [row[1] for row in db.execute("pragma table_info(runs)")]
        taken = ", ".join("?" if name == "run_uuid" else name for name in columns)
        db.execute(f"insert into runs select {taken} from runs where run_uuid = ?", (id_, run))


@pytest.fixture
def ids(stored: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(stored[0])
    return stored[1]


@pytest.mark.slow
@of_mlflow
def test_show_says_what_the_store_knows(cli: Cli, ids: dict[str, str]) -> None:
    code, shown, error = cli("show", ids["slow"][:12])
    assert (code, error) == (0, "")
    lines = {" ".join(line.split()) for line in shown.splitlines()}
    assert lines >= {
        f"run {ids['slow']}",
        "name slow",
        "experiment house",
        "trainer torch_sgd",
        "params lr 0.01",  # outside git nothing is committed that it could differ from
        f"code commit {'a' * 40}, which git has not here",
        f"data md5 {'1' * 32}, data/1_ingested/house.parquet: which is not here",
        "verdict accepted",
        "better than the mean ?[31m",
        "registered house version 1, alias champion",
        "metrics loo_mse 123.457",
        "It cannot be brought back from here:",
        "There is no git repository here, or no git: nothing to check out.",
    }
    assert max(map(len, shown.splitlines())) <= 100


@pytest.mark.slow
@of_mlflow
def test_show_says_that_a_run_is_a_strangers(cli: Cli, ids: dict[str, str]) -> None:
    code, shown, _ = cli("show", ids["stranger"])
    assert code == 0
    assert "not made by this pipeline" in shown


@pytest.mark.slow
@of_mlflow
def test_ids_must_be_those_of_one_run_each(cli: Cli, ids: dict[str, str]) -> None:
    code, _, error = cli("show", ids["base"][:8])
    assert code == 2
    assert "several run ids begin so" in error
    assert ids["base"] in error
    assert ids["base"][:8] + "0" * 24 in error
    for missing in (ids["deleted"], "f" * 32):
        code, _, error = cli("diff", ids["base"], missing)
        assert code == 2
        assert f"{missing}: no run id begins so (deleted runs are not shown)" in error
        assert error.count(ids["deleted"]) == (missing == ids["deleted"])
        assert {ids["base"], ids["slow"], ids["stranger"]} <= set(error.split())


@pytest.mark.slow
@of_mlflow
def test_diff_shows_what_differs_alone(cli: Cli, ids: dict[str, str]) -> None:
    code, shown, _ = cli("diff", ids["base"], ids["slow"])
    assert code == 0
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "lr 0.1 0.01" in lines
    assert "loo_mse 100 123.457 +23.4568" in lines
    assert "A alone has loo_mae" in lines
    assert not any(line.startswith(("epochs", "loss")) for line in lines)
    assert "the same: 1 of the params, data, code, 1 of the metrics" in lines


@pytest.mark.slow
@of_mlflow
def test_diff_of_two_datasets_says_so(cli: Cli, ids: dict[str, str]) -> None:
    code, shown, _ = cli("diff", ids["base"], ids["bcpm"])
    assert code == 0
    assert "different datasets: house and breast_cancer" in shown
    assert f"A {'1' * 32}\n            B {'2' * 32}" in shown
    assert f"A {'a' * 40}, clean\n            B {'b' * 40}, clean" in shown
    assert "not both commits are in a git repository here" in shown
    assert "B alone has cv_accuracy" in shown


@pytest.mark.slow
@of_mlflow
def test_a_store_that_is_down_is_an_error(
    cli: Cli, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, shown, error = cli("show", ids["base"])
    assert (code, shown, error.count("\n")) == (2, "", 1)
    assert "MLflow store http://127.0.0.1:9" in error


def tracked(clone: Clone) -> str:
    """The fingerprint of what stands in the clone."""
    receipt = json.loads((clone.folder / "data/tracked.json").read_text())
    return str(receipt["house torch_sgd"]["fingerprint"])


def run_id(clone: Clone, fingerprint: str) -> str:
    with sqlite3.connect(clone.folder / "mlflow.db") as db:
        query = "select run_uuid from tags where key = 'fingerprint' and value = ?"
        ((id_,),) = db.execute(query, (fingerprint,)).fetchall()
    return str(id_)


@pytest.mark.slow
@of_mlflow
def test_the_commands_shown_bring_runs_back(
    cli: Cli, house_alone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = copied(house_alone, tmp_path)
    monkeypatch.chdir(clone.folder)

    def bring_back(fingerprint: str) -> list[str]:
        """Type what is shown, from a later commit; gives the commands but for the checkout."""
        clone.ok("git checkout -q -f main")
        code, shown, _ = cli("show", run_id(clone, fingerprint)[:10])
        assert code == 0
        checkout, *others = re.findall(r"(?m)^    (\S.*)$", shown)
        assert checkout == f"git checkout {start}"
        clone.ok(" && ".join([checkout, *others]))
        return others

    clone.ok("git commit -q --allow-empty -am start && dvc repro")
    start, clean = clone.ok("git rev-parse HEAD").strip(), tracked(clone)
    clone.ok("dvc exp run -q -n slower -S +models.gradient.house-torch_sgd.lr=0.01")
    slower = tracked(clone)
    assert slower != clean
    clone.ok("git checkout -q . && git commit -q --allow-empty -m later")

    assert bring_back(clean) == ["dvc repro"]
    assert tracked(clone) == clean

    assert bring_back(slower) == ["dvc exp apply slower"]
    clone.ok("dvc repro -s track")  # it says what stands in the folder now
    assert tracked(clone) == slower

    (clone.folder / "data/tracked.json").unlink()
    clone.ok(f"git update-ref -d refs/exps/{start[:2]}/{start[2:]}/slower")
    assert bring_back(slower) == [
        f"mlflow artifacts download -r {run_id(clone, slower)} -a uncommitted.diff -d .",
        "git apply uncommitted.diff && rm uncommitted.diff",
        "dvc repro",
    ]
    assert tracked(clone) == slower
