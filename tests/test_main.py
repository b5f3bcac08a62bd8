"""The command line, stage by stage, without DVC."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML
from sklearn.datasets import load_breast_cancer, make_regression

from pipeline.__main__ import main
from pipeline.cli import COMMANDS
from pipeline.core import layout
from pipeline.core.params import load_params
from pipeline.core.run import STAGES
from pipeline.core.tables import as_arrays, read_table
from pipeline.core.trainers import TRAINERS
from pipeline.report.verdict import give_verdicts
from tests.conftest import ROOT, keep_datasets

Run = Callable[[str], tuple[int, str]]
Prepare = Callable[[str], None]


HOUSE = "pairwise_mean closed_form manual_gd torch_sgd linear_regression mean"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_whole_way_of_a_dataset(run: Run, prepared: Prepare, workspace: Path) -> None:
    prepared("house")
    assert run(f"train house {HOUSE}") == (0, "")
    assert run("evaluate house") == (0, "")
    scores = json.loads((workspace / "metrics/house.json").read_text())
    assert scores["closed_form"]["train_mse"] == pytest.approx(42.86984761, abs=1e-8)
    assert scores["pairwise_mean"]["train_mse"] == pytest.approx(70.894645, abs=1e-6)


def test_split_gives_the_chapters_table_of_standardized_values(prepared: Prepare) -> None:
    prepared("breast_cancer")
    X, _ = as_arrays(read_table(Path("data/3_split/breast_cancer/train.parquet")))
    first = [-0.36180827, -0.26521011, -0.31715702, -0.46713841, 1.80382609]
    np.testing.assert_allclose(X[0, :5], first, atol=5e-9)
    assert X.shape == (455, 30)
    assert len(as_arrays(read_table(Path("data/3_split/breast_cancer/test.parquet")))[1])
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)


def test_breast_cancer_is_scikit_learns_copy(run: Run) -> None:
    run("ingest breast_cancer")
    X, y = as_arrays(read_table(Path("data/1_ingested/breast_cancer.parquet")))
    theirs = load_breast_cancer()
    np.testing.assert_array_equal(X, theirs.data)
    np.testing.assert_array_equal(y, theirs.target)


def test_synthetic_is_scikit_learns_make_regression(run: Run) -> None:
    run("ingest synthetic")
    X, y = as_arrays(read_table(Path("data/1_ingested/synthetic.parquet")))
    theirs = make_regression(n_samples=100, n_features=1, noise=20, random_state=12)
    np.testing.assert_array_equal(X, theirs[0])
    np.testing.assert_array_equal(y, theirs[1])


def test_test_rows_teach_nothing(run: Run, prepared: Prepare, workspace: Path) -> None:
    """Other values in the test rows change the test part and not a byte else of the split."""
    prepared("breast_cancer")
    folder = workspace / "data/3_split/breast_cancer"
    before = snapshot(folder)
    raw = workspace / "data/raw/breast_cancer.csv"
    lines = raw.read_text().splitlines()
    for row in json.loads((folder / "rows.json").read_text())["test"]:
        _, rest = lines[row + 1].split(",", 1)
        lines[row + 1] = "59.5," + rest
    raw.write_text("\n".join(lines) + "\n")
    prepared("breast_cancer")
    changed = {path for path, content in snapshot(folder).items() if content != before[path]}
    assert changed == {str(folder / "test.parquet")}


def test_training_does_not_need_the_test_rows(run: Run, prepared: Prepare, workspace: Path) -> None:
    prepared("synthetic")
    assert run("train synthetic manual_gd")[0] == 0
    model = workspace / "data/4_models/synthetic/synthetic-manual_gd.json"
    before = model.read_bytes()
    (workspace / "data/3_split/synthetic/test.parquet").unlink()
    assert run("train synthetic manual_gd") == (0, "")
    assert model.read_bytes() == before


def test_the_model_records_the_params_that_made_it(
    run: Run, prepared: Prepare, workspace: Path
) -> None:
    prepared("house")
    run("train house manual_gd")
    model = json.loads((workspace / "data/4_models/house/house-manual_gd.json").read_text())
    params = load_params()
    assert model["params"] == {name: getattr(params, name) for name in TRAINERS["manual_gd"].params}
    assert model["facts"] == {"stable_lr": pytest.approx(1)}
    run("train house closed_form")
    model = json.loads((workspace / "data/4_models/house/house-closed_form.json").read_text())
    assert (model["params"], model["facts"]) == ({}, {"rank": 1, "condition": 1})


BAD_HOUSE = {
    "text": ("95,230", "95,abc", ["house.csv, line 3, column price_wan", "'abc'"]),
    "nan": ("95,230", "nan,230", ["house.csv, line 3, column area_m2", "'nan'"]),
    "inf": ("95,230", "inf,230", ["house.csv, line 3, column area_m2", "'inf'"]),
    "empty cell": ("95,230", ",230", ["house.csv, line 3, column area_m2", "''"]),
    "field too few": ("95,230", "95", ["house.csv, line 3", "1 field, expected 2"]),
    "field too many": ("95,230", "95,230,1", ["house.csv, line 3", "3 fields, expected 2"]),
}


@pytest.mark.parametrize("name", BAD_HOUSE)
def test_bad_csv_ends_with_2_a_message_and_nothing_changed(
    name: str, run: Run, prepared: Prepare, workspace: Path
) -> None:
    old, new, words = BAD_HOUSE[name]
    prepared("house")
    path = workspace / "data/raw/house.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    before = snapshot(workspace / "data/2_validated") | snapshot(workspace / "data/3_split")
    code, message = run("ingest house")
    if code == 0:
        code, message = run("validate house")
    assert code == 2
    assert all(word in message for word in words), message
    assert before == snapshot(workspace / "data/2_validated") | snapshot(workspace / "data/3_split")


def test_labels_are_checked_beyond_the_schema(run: Run, workspace: Path) -> None:
    for path, old, new in (
        (workspace / "data/raw/breast_cancer.csv", ",0\n", ",2\n"),
        (workspace / "data/schema/breast_cancer.yaml", "isin: [0, 1]", "isin: [1, 2]"),
    ):
        path.write_text(path.read_text().replace(old, new))
    assert run("ingest breast_cancer")[0] == run("validate breast_cancer")[0] == 0
    code, message = run("split breast_cancer")
    assert code == 2
    assert "target: expected labels 0 and 1, or the names of evaluate.classes, got 1, 2" in message


def test_what_was_not_validated_is_not_split(run: Run, prepared: Prepare, workspace: Path) -> None:
    prepared("house")
    path = workspace / "data/raw/house.csv"
    path.write_text(path.read_text().replace("95,230", "95,231"))
    assert run("ingest house")[0] == 0
    code, message = run("split house")
    assert code == 2
    assert "2_validated/house/report.json is about other data" in message


@pytest.mark.parametrize(
    ("csv", "columns", "words"),
    [
        ("id,price_wan\na,1\nb,2\n", "  id: {dtype: str}\n", "column id is text"),
        ("price_wan\n1\n2\n", "", "has no feature"),
        ("x,price_wan\n1e300,1\n-1e300,2\n", "  x: {dtype: float64}\n", "column x is too large"),
    ],
)
def test_features_that_cannot_be_standardized_are_named(
    run: Run, workspace: Path, csv: str, columns: str, words: str
) -> None:
    schema = f"columns:\n{columns}  price_wan: {{dtype: float64}}\nstrict: true\n"
    (workspace / "data/raw/house.csv").write_text(csv)
    (workspace / "data/schema/house.yaml").write_text(schema)
    assert run("ingest house")[0] == run("validate house")[0] == 0
    code, message = run("split house")
    assert code == 2
    assert words in message
    assert not (workspace / "data/3_split").exists()


def test_a_loss_that_grows_is_warned_about(run: Run, prepared: Prepare, workspace: Path) -> None:
    prepared("house")
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("lr: 0.1", "lr: 1.01"))
    code, message = run("train house manual_gd")
    assert code == 0
    above, grew = message.splitlines()
    assert above.startswith("warning: train: lr 1.01 is above 1, the largest stable lr")
    assert grew.startswith("warning: train: the training failed: the loss grew from 58276.5 to")


def test_a_training_that_failed_looks_failed_to_the_end(
    run: Run, prepared: Prepare, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared("house")
    params = workspace / "params.yaml"
    content = YAML().load(params.read_text())
    content["lr"] = 1.5
    YAML().dump(content, params)
    keep_datasets(params, "house")
    for command in (f"train house {HOUSE}", "evaluate house"):
        assert run(command)[0] == 0
    give_verdicts(load_params())
    model = json.loads((workspace / "data/4_models/house/house-manual_gd.json").read_text())
    assert model["ending"] == "grew"
    verdict = json.loads((workspace / "metrics/verdict.json").read_text())["datasets"]["house"]
    assert verdict["failed"] == ["manual_gd", "torch_sgd"]
    assert verdict["best"] == "closed_form"
    assert main(["results"]) == 0
    table = capsys.readouterr().out.splitlines()
    shown = {line.split()[1]: line for line in table if line.startswith("house ")}
    assert shown["manual_gd"].endswith("  training failed")
    assert not shown["closed_form"].endswith("failed")
    (workspace / "in.csv").write_text("area_m2\n100\n")
    code, message = run("predict house in.csv --model manual_gd")
    assert code == 2
    assert "house-manual_gd.json: its training failed, the loss grew" in message
    assert run("predict house in.csv --model manual_gd --failed") == (0, "")
    assert run("predict house in.csv --model closed_form") == (0, "")


def test_a_dataset_whose_trainings_all_failed_is_rejected(
    run: Run, prepared: Prepare, workspace: Path
) -> None:
    prepared("house")
    params = workspace / "params.yaml"
    keep_datasets(params, "house")
    content = YAML().load(params.read_text())
    content["lr"], content["models"]["direct"] = 1.5, {}
    YAML().dump(content, params)
    for command in ("train house manual_gd torch_sgd", "evaluate house"):
        assert run(command)[0] == 0
    give_verdicts(load_params())
    verdict = json.loads((workspace / "metrics/verdict.json").read_text())["datasets"]["house"]
    assert (verdict["verdict"], verdict["reason"]) == ("rejected", "its loss grew")
    (workspace / "in.csv").write_text("area_m2\n100\n")
    code, message = run("predict house in.csv")
    assert code == 2
    assert "is rejected (its loss grew)" in message


def test_a_training_that_has_not_converged_is_said_to_the_end(
    run: Run, prepared: Prepare, workspace: Path
) -> None:
    """And where it has, nothing is said, and the history is as long as it took."""
    prepared("house")
    params = workspace / "params.yaml"
    keep_datasets(params, "house")
    content = YAML().load(params.read_text())
    own = content["models"]["gradient"]["house-manual_gd"]
    own["tolerance"], own["epochs"] = 1e-6, 20
    content["models"]["gradient"]["house-torch_sgd"]["tolerance"] = 1e-6
    YAML().dump(content, params)
    code, message = run("train house manual_gd torch_sgd")
    assert code == 0
    (line,) = message.splitlines()
    said = "not converged: 20 epochs took the training loss from 58276.5 to "
    assert line.startswith(f"warning: train: manual_gd: {said}")
    assert "than tolerance 1e-06 allows: raise epochs, or lr (below 1, the largest" in line
    for command in ("train house closed_form pairwise_mean", "evaluate house"):
        assert run(command)[0] == 0
    kept = json.loads(layout.evaluated("house").read_text())
    assert kept["warnings"][0].startswith(f"house: manual_gd: {said}")
    endings = [kept["judged"][name]["ending"] for name in ("manual_gd", "torch_sgd")]
    assert endings == ["unconverged", "settled"]
    steps = (workspace / "data/4_models/house/house-torch_sgd_history.csv").read_text()
    assert 20 < len(steps.splitlines()) < 100


def test_a_target_of_zeros_is_no_training(run: Run, prepared: Prepare, workspace: Path) -> None:
    raw = workspace / "data/raw/house.csv"
    header, *rows = raw.read_text().splitlines()
    raw.write_text("\n".join([header, *(f"{row.split(',')[0]},0" for row in rows), ""]))
    schema = workspace / "data/schema/house.yaml"
    schema.write_text(schema.read_text().replace("min_value: 1\n", "min_value: 0\n"))
    for stage in ("ingest", "validate", "split"):
        run(f"{stage} house")
    code, message = run("train house manual_gd")
    assert code == 0
    assert "the training took no step: the loss is 0 before the first" in message


def test_a_loss_that_still_falls_is_said_with_the_remedy(
    run: Run, prepared: Prepare, workspace: Path
) -> None:
    prepared("house")
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("optimizer: sgd", "optimizer: adam"))
    code, message = run("train house manual_gd")
    assert code == 0
    assert message.startswith(
        "warning: train: the training loss still falls steeply at the last epoch"
    )
    assert "raise epochs, or lr, whose steps are about lr long with adam" in message
    assert run("train house pairwise_mean closed_form torch_sgd")[0] == 0
    code, message = run("train house manual_gd closed_form")
    assert message.startswith("warning: train: manual_gd: the training loss still falls steeply")
    assert run("evaluate house") == (0, "")  # train has said it
    kept = json.loads(layout.evaluated("house").read_text())["warnings"]
    assert kept[0].startswith(
        "house: manual_gd: the training loss still falls steeply at the last epoch"
    )


def test_in_batches_the_history_has_one_loss_an_epoch(
    run: Run, prepared: Prepare, workspace: Path
) -> None:
    prepared("breast_cancer")
    params = workspace / "params.yaml"
    assert run("train breast_cancer bcpm") == (0, "")
    history = (
        (workspace / "data/4_models/breast_cancer/breast_cancer-bcpm_history.csv")
        .read_text()
        .split()
    )
    assert (history[1].split(",")[0], history[-1].split(",")[0]) == ("1", "100")
    params.write_text(params.read_text().replace("bcpm, batch_size: 32", "bcpm, batch_size: 1000"))
    code, message = run("train breast_cancer bcpm")
    assert code == 0
    assert "warning: train: batch_size 1000 is more than the 455 training rows" in message


CANCER = "source: data/raw/breast_cancer.csv\n      csv: {}\n    split:\n      features: "


def test_random_features_are_drawn_by_the_seed(
    run: Run, prepared: Prepare, workspace: Path
) -> None:
    prepared("breast_cancer")
    path, params = workspace / "params.yaml", (workspace / "params.yaml").read_text()
    drawn = []
    for seed in (1, 1, 2):
        changed = params.replace(f"{CANCER}all", f"{CANCER}{{random: 20}}")
        path.write_text(changed.replace("seed: 1234", f"seed: {seed}"))
        assert run("split breast_cancer") == (0, "")
        drawn.append(list(json.loads(layout.scaler("breast_cancer").read_text())))
    assert len(drawn[0]) == 20
    assert drawn[0] == drawn[1] != drawn[2]
    path.write_text(params.replace(f"{CANCER}all", f"{CANCER}{{random: 31}}"))
    code, message = run("split breast_cancer")
    assert code == 2
    assert "features.random: there are 30 features, got 31" in message


def test_divergence_ends_with_3_and_no_model(run: Run, prepared: Prepare, workspace: Path) -> None:
    prepared("house")
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("lr: 0.1", "lr: 1e100"))
    code, message = run("train house manual_gd")
    assert code == 3
    assert "diverged at epoch 2" in message
    assert "largest stable lr on these training rows, for steps on all of them" in message
    assert {path.name for path in (workspace / "data/4_models").rglob("*.*")} == {"warnings.json"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ingest ../x", "unknown dataset '../x'"),
        ("train house bcpm", "'bcpm' is no model of house"),
        ("train house torch_sdg", "(did you mean torch_sgd?)"),
        ("validate house", "data/1_ingested/house.parquet is missing"),
        ("split house", "data/2_validated/house/report.json is missing"),
        ("train house manual_gd", "data/3_split/house/train.parquet is missing"),
        ("results", "metrics/verdict.json is missing"),
        ("report", "data/5_evaluated/house/evaluated.json is missing"),
        ("promote house", "metrics/verdict.json is missing"),
    ],
)
def test_what_is_missing_or_unknown_is_named(run: Run, command: str, words: str) -> None:
    code, message = run(command)
    assert code == 2
    assert words in message


@pytest.mark.parametrize("command", ["params", "evaluate synthetic"])
def test_a_model_of_a_line_that_is_gone_is_removed(
    run: Run, prepared: Prepare, workspace: Path, command: str
) -> None:
    """DVC leaves what a stage has made that is no more, and it would be judged with the others."""
    prepared("synthetic")
    run("train synthetic closed_form manual_gd torch_sgd linear_regression mean")
    models = workspace / "data/4_models/synthetic"
    ours = {path.name for path in models.iterdir()}
    shutil.copy(models / "synthetic-closed_form.json", models / "synthetic-old.json")
    assert run(command) == (0, "")
    assert {path.name for path in models.iterdir()} == ours


def test_outputs_where_they_lay_before_are_removed(run: Run, workspace: Path) -> None:
    """A checkout of before has them, in folders on which stages depend."""
    former = ["2_validated/house.json", "2_validated/house.txt", "5_evaluated/house-baseline.json"]
    for path in former:
        (workspace / "data" / path).parent.mkdir(exist_ok=True)
        (workspace / "data" / path).write_text("old")
    mine = workspace / "data/2_validated/notes.txt"
    mine.write_text("mine")
    assert run("params") == (0, "")
    assert not [path for path in former if (workspace / "data" / path).exists()]
    assert mine.read_text() == "mine"


def test_what_a_dataset_that_is_gone_has_left_is_removed_and_nothing_else(
    run: Run, prepared: Prepare, workspace: Path
) -> None:
    prepared("house")
    assert run(f"train house {HOUSE}") == (0, "")
    assert run("evaluate house") == (0, "")
    kept = ["metrics/notes.json", "data/4_models/house/README.md", "data/3_split/old_try/k"]
    kept += ["data/3_external/raw/x.parquet", "data/1_ingested/notes.txt", "metrics/champion.json"]
    for path in kept:
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_text("mine")
    file = workspace / "params.yaml"
    text = re.sub(r"(?m)^    house-.*\n", "", file.read_text())
    file.write_text(re.sub(r"(?ms)^  # Six flats.*?(?=^  #)", "", text))
    assert "house" not in load_params().datasets
    assert run("params") == (0, "")
    left = {*snapshot(workspace / "data"), *snapshot(workspace / "metrics")}
    ours = {str(workspace / path) for path in kept}
    assert ours <= left
    assert not [
        path
        for path in left - ours
        if "house" in path and "/raw/" not in path and "/schema/" not in path
    ]


def test_what_cannot_be_removed_is_named(run: Run, workspace: Path) -> None:
    (workspace / "data/1_ingested/old.parquet").mkdir(parents=True)
    code, message = run("params")
    assert code == 2
    assert "data/1_ingested/old.parquet: no stage makes it any more" in message


def test_files_that_a_dataset_has_to_have_are_named(run: Run, workspace: Path) -> None:
    (workspace / "data/raw/house.csv").unlink()
    (workspace / "data/schema/breast_cancer.yaml").unlink()
    code, message = run("params")
    assert code == 2
    assert "datasets.house.ingest.source: data/raw/house.csv is missing" in message
    assert (
        "datasets.breast_cancer: data/schema/breast_cancer.yaml is missing; write it, or begin "
        "with: python -m pipeline schema draft data/raw/breast_cancer.csv"
    ) in message


@pytest.mark.parametrize(("allowed", "most"), [(None, 1), ("2", 2)])
def test_libraries_use_one_thread_or_what_verify_allows(allowed: str | None, most: int) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PIPELINE_THREADS"}
    env |= {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"}
    env |= {"PIPELINE_THREADS": allowed} if allowed else {}
    code = "import pipeline.__main__, numpy, torch, threadpoolctl as t; print(t.threadpool_info())"
    output = subprocess.check_output([sys.executable, "-c", code], env=env, cwd=ROOT, text=True)
    found = [int(number) for number in re.findall(r"'num_threads': (\d+)", output)]
    assert max(found) == most  # where there is but one CPU, OpenBLAS keeps to it


def test_libraries_run_the_same_code_on_every_cpu_with_avx2() -> None:
    env = os.environ | {"OPENBLAS_CORETYPE": "Nehalem", "ATEN_CPU_CAPABILITY": "default"}
    env |= {"MKL_CBWR": "AVX512", "NPY_DISABLE_CPU_FEATURES": "X86_V3"}
    code = """
import pipeline.__main__, os, scipy.linalg, torch, threadpoolctl
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
print({blas["architecture"] for blas in threadpoolctl.threadpool_info() if "architecture" in blas})
print(torch.backends.cpu.get_cpu_capability(), os.environ["MKL_CBWR"])
print([feature for feature in __cpu_dispatch__ if __cpu_features__[feature]])
"""
    output = subprocess.check_output([sys.executable, "-c", code], env=env, cwd=ROOT, text=True)
    assert output == "{'Haswell'}\nAVX2 COMPATIBLE\n['X86_V3']\n"


@pytest.mark.parametrize("words", [["pipeline.core", "split@house"], ["pipeline", "doctor"]])
def test_a_python_without_the_packages_is_told_what_to_type(words: list[str]) -> None:
    alone = [sys.executable, "-S", "-m", *words]  # -S: no installed packages
    done = subprocess.run(alone, capture_output=True, text=True, check=False)
    [line] = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith(f"error: {words[1].partition('@')[0]}: {sys.executable} has no ")
    assert "`make setup` installs all" in line


def test_a_full_or_closed_stdout_is_no_traceback() -> None:
    command = f"{sys.executable} -m pipeline results"
    for line, expected in ((f"{command} > /dev/full", 2), (f"{command} | true", 0)):
        for unbuffered in ("", "1"):
            env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", line], cwd=ROOT, env=env, capture_output=True
            )
            assert done.returncode == expected, done.stderr
            assert (b"stdout: cannot be written: No space left" in done.stderr) == bool(expected)
            assert b"Traceback" not in done.stderr
            assert b"Exception ignored" not in done.stderr


def test_what_a_terminal_would_obey_is_written_out(run: Run, workspace: Path) -> None:
    (workspace / "data/raw/house.csv").write_text("\x1b[2J,\x1b[2J\n1,2\n")
    code, message = run("ingest house")
    assert code == 2
    assert "column \\x1b[2J stands there twice" in message
    assert "\x1b" not in message


@pytest.mark.parametrize("threads", ["0", "-1", "x", "1,", "999"])
def test_threads_are_small_numbers(threads: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["verify", f"--threads={threads}"])
    assert ended.value.code == 2
    assert "expected numbers from 1 to 99, as 1,2" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["track", "--help"]])
def test_help_says_what_a_command_does(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 0
    text = capsys.readouterr().out
    assert "dvc repro" in text if arguments == ["--help"] else "Reads" in text


def test_pictures_go_to_files_whatever_the_users_backend_is() -> None:
    code = "import pipeline.__main__, matplotlib.pyplot as plt; print(plt.get_backend())"
    env = os.environ | {"MPLBACKEND": "module://of_a_notebook"}
    output = subprocess.check_output([sys.executable, "-c", code], env=env, cwd=ROOT, text=True)
    assert output == "agg\n"


@pytest.mark.parametrize("name", [*STAGES, *COMMANDS])
def test_every_command_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main([name, "--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: python -m pipeline {name} ")
    assert text.split("\n\n")[1].endswith(".")  # its docstring begins


@pytest.mark.parametrize("word", ["ingest@../x", "ingest@$(touch)", "train_direct@a-b-c", "@house"])
def test_a_name_that_dvc_cannot_have_given_is_refused(run: Run, word: str) -> None:
    code, message = run(word)
    assert code == 2
    assert f"{word}: expected STAGE@DATASET or STAGE@DATASET-MODEL" in message


def test_dvcs_names_of_stages_are_taken(run: Run, workspace: Path) -> None:
    for stage in ("ingest@house", "validate@house", "split@house"):
        assert run(stage) == (0, "")
    assert run("train_gradient@house-manual_gd") == run("train house manual_gd") == (0, "")
    assert len(list((workspace / "data/4_models/house").glob("house-*.json"))) == 1
    code, message = run("train_gradient@house-bcpm")
    assert code == 2
    assert "'bcpm' is no model of house" in message


def test_editing_a_command_reruns_no_stage(workspace: Path) -> None:
    """A stage does not pass through a module of the commands, and no dep is one."""
    code = (
        "import sys; from pipeline.__main__ import main; main(['ingest@house']); "
        "print([m for m in sys.modules if m.startswith(('pipeline.cli', 'pipeline.commands'))])"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    output = subprocess.check_output([sys.executable, "-c", code], env=env, text=True)
    assert output == "[]\n"
    deps = re.findall("- (pipeline.*)", (ROOT / "dvc.yaml").read_text())
    assert deps
    assert not {"pipeline", "pipeline/cli.py"}.intersection(deps)
    assert not any(dep.startswith("pipeline/commands") for dep in deps)
