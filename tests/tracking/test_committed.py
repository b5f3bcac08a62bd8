import subprocess
from pathlib import Path

import pytest

from pipeline.core.params import Params, load_params, parse_params
from pipeline.core.trainers import Value
from pipeline.tracking.committed import committed_params, differing, git, settings_of

GOAL: dict[str, Value] = {"recall": "malignant", "at_least": 0.98}


@pytest.fixture
def repository(workspace: Path) -> Path:
    """The workspace, with params.yaml committed."""
    commit("start")
    return workspace


def commit(message: str) -> str:
    you = ("-c", "user.name=You", "-c", "user.email=you@example.com")
    for command in (["init", "-q"], ["add", "-A"], [*you, "commit", "-q", "-m", message]):
        subprocess.run(["git", *command], check=True)
    return (git("rev-parse", "HEAD") or "").strip()


def slower() -> None:
    """Lower the rate in params.yaml."""
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("lr: 0.1", "lr: 0.01"))


def changed(params: Params, changes: dict[str, object]) -> Params:
    """Params but for changes: {"datasets.house.split.test_size": 0.5}."""
    content = params.model_dump()
    for key, value in changes.items():
        *blocks, last = key.split(".")
        block = content
        for name in blocks:
            block = block[name]
        block[last] = value
    return Params.model_validate(content)


def test_what_is_committed_stays_while_the_file_changes(repository: Path) -> None:
    slower()
    committed = committed_params()
    assert committed is not None
    assert (committed.lr, load_params().lr) == (0.1, 0.01)


def test_any_commit_can_be_asked(repository: Path) -> None:
    slower()
    second = commit("smaller steps")
    rates = [params.lr for params in map(committed_params, ("HEAD~1", second)) if params]
    assert rates == [0.1, 0.01]


def test_the_folder_may_be_one_within_a_repository(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = workspace / "inner"
    inner.mkdir()
    (workspace / "params.yaml").rename(inner / "params.yaml")
    commit("start")
    monkeypatch.chdir(inner)
    assert committed_params() == load_params()


def test_outside_git_nothing_is_committed(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert committed_params() is None
    monkeypatch.setenv("PATH", "")
    assert git("--version") is None
    assert committed_params() is None


def test_a_file_of_other_keys_is_no_committed_file(repository: Path) -> None:
    text = (repository / "params.yaml").read_text()
    (repository / "params.yaml").write_text(text.replace("lr: 0.1", "rate: 0.1"))
    commit("older form")
    assert committed_params() is None


def test_a_commit_is_never_an_option(repository: Path) -> None:
    assert committed_params("--output=made") is None
    assert not list(repository.glob("made*"))


def test_git_keeps_every_byte(repository: Path) -> None:
    (repository / "odd.txt").write_bytes(b"a\r\n\xff\n")
    commit("odd")
    text = git("show", "HEAD:odd.txt")
    assert text is not None
    assert text.encode("utf-8", "surrogateescape") == b"a\r\n\xff\n"


@pytest.mark.parametrize(
    ("dataset", "name", "changes", "expected"),
    [
        ("house", "torch_sgd", {}, {}),
        ("house", "torch_sgd", {"lr": 0.01}, {"lr": 0.01}),
        ("house", "closed_form", {"lr": 0.01}, {}),
        ("house", "torch_sgd", {"models.gradient.house-torch_sgd.lr": 0.05}, {"lr": 0.05}),
        ("breast_cancer", "bcpm", {"batch_size": 64}, {}),  # it has a batch size of its own
        (
            "breast_cancer",
            "bcpm",
            {"models.gradient.breast_cancer-bcpm.batch_size": "full"},
            {"batch_size": "full"},
        ),
        (
            "house",
            "torch_sgd",
            {"lr": 0.01, "datasets.house.split.test_size": 0.5},
            {"lr": 0.01, "test_size": 0.5},
        ),
        ("house", "torch_sgd", {"datasets.synthetic.split.test_size": 0.5}, {}),
        (
            "synthetic",
            "closed_form",
            {"datasets.synthetic.ingest.make_regression.noise": 5},
            {"make_regression.noise": 5.0},
        ),
        (
            "breast_cancer",
            "majority",
            {"datasets.breast_cancer.split.features": {"random": 20}},
            {"features.random": 20},
        ),
        (
            "breast_cancer",
            "bcpm",
            {
                "datasets.breast_cancer.evaluate.threshold": {
                    "recall": "malignant",
                    "at_least": 0.98,
                }
            },
            {"threshold.recall": "malignant", "threshold.at_least": 0.98},
        ),
        (
            "breast_cancer",
            "bcpm",
            {"datasets.breast_cancer.evaluate.classes": ["malignant", "fine"]},
            {"classes": "malignant/fine"},
        ),
        ("house", "torch_sgd", {"datasets.house.evaluate.metric": "mae"}, {}),
        ("house", "closed_form", {"seed": 7}, {"seed": 7}),
        ("house", "mean", {"cross_validation.repeats": 3}, {"cross_validation.repeats": 3}),
    ],
)
def test_a_run_differs_by_what_reached_it(
    workspace: Path,
    dataset: str,
    name: str,
    changes: dict[str, object],
    expected: dict[str, Value],
) -> None:
    committed = load_params()
    now = changed(committed, changes)
    params = now.model_of(dataset, name).params
    assert differing(dataset, name, settings_of(dataset, params, now), committed) == expected


@pytest.mark.parametrize("words", [("none", "log"), ("log", "none")])
def test_a_run_differs_by_the_logarithm_both_ways(workspace: Path, words: tuple[str, str]) -> None:
    key = "datasets.house.split.target_transform"
    before, now = (changed(load_params(), {key: word}) for word in words)
    for name in ("closed_form", "manual_gd", "linear_regression"):
        settings = settings_of("house", now.model_of("house", name).params, now)
        assert differing("house", name, settings, before) == {"target_transform": words[1]}


@pytest.mark.parametrize("missing", ["its line", "its dataset"])
def test_a_model_that_is_not_committed_differs_from_the_params_at_the_top(
    workspace: Path, missing: str
) -> None:
    now = load_params()
    content = now.model_dump()
    for block in content["models"].values():
        for key in [key for key in block if key.startswith("house-")]:
            del block[key]
    if missing == "its dataset":
        del content["datasets"]["house"]
    committed = Params.model_validate(content)
    params = now.model_of("house", "torch_sgd").params | {"lr": 0.5}
    assert differing("house", "torch_sgd", settings_of("house", params, now), committed) == {
        "lr": 0.5
    }
    assert differing("house", "torch_sgd", settings_of("house", params, now), None) == {}


def test_errors_name_the_file_that_was_read(workspace: Path) -> None:
    with pytest.raises(ValueError, match=r"HEAD:\./params\.yaml, line 1, column 2"):
        parse_params("[", "HEAD:./params.yaml")


@pytest.mark.parametrize("known", [True, False])
def test_a_network_that_is_not_committed_differs_from_the_block_of_networks(
    workspace: Path, known: bool
) -> None:
    line = {"dataset": "house", "trainer": "network", "hidden": [4], "epochs": 7}
    committed = load_params()
    now = changed(committed, {"models.network.house-network": line})
    if not known:
        others = {name: one for name, one in committed.datasets.items() if name != "house"}
        committed = committed.model_copy(update={"datasets": others})
    settings = settings_of("house", now.model_of("house", "network").params, now)
    assert differing("house", "network", settings, committed) == {"hidden": [4], "epochs": 7}
