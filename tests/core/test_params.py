import re
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from pipeline.core.errors import PipelineError
from pipeline.core.params import load_params


def change(workspace: Path, old: str, new: str) -> None:
    path = workspace / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_committed_params_are_accepted(workspace: Path) -> None:
    params = load_params()
    assert (params.seed, params.lr, params.epochs) == (1234, 0.1, 100)
    assert params.dataset("breast_cancer").evaluate.positive == "malignant"


@pytest.mark.parametrize("written", ["1e-05", "1e-5", "0.00001", "1.0E-5"])
def test_every_spelling_of_a_small_rate_is_the_same_number(workspace: Path, written: str) -> None:
    change(workspace, "lr: 0.1", f"lr: {written}")
    assert load_params().lr == 1e-5


def test_a_number_that_dvc_would_change_is_refused(workspace: Path) -> None:
    change(workspace, "lr: 0.1", "# 5.551115123125783e-17 is half of it\nlr: 0.5")
    load_params()
    change(workspace, "lr: 0.5", "lr: 5.551115123125783e-17")
    with pytest.raises(PipelineError, match=r"params\.yaml, line \d+: 5.551115123125783e-17") as of:
        load_params()
    better = str(of.value).rpartition("write ")[2]
    change(workspace, "\nlr: 5.551115123125783e-17", f"\nlr: {better}")
    assert load_params().lr == float(better)
    apply_overrides(Path("params.yaml"), ["epochs=7"])  # as `dvc exp run -S` does
    assert (load_params().lr, load_params().epochs) == (float(better), 7)


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        *[("lr", "0.1", bad) for bad in ("-1", "0", "abc", ".nan", ".inf", "true", "null", "[1]")],
        *[("epochs", "100", bad) for bad in ("0", "-1", "1.5", "true", "1e400", "10000000000")],
        *[("seed", "1234", bad) for bad in ("-1", "1.5", "4294967296", "abc")],
        *[("loss_threshold", "0.00001", bad) for bad in ("-1", "1")],
        *[("tolerance", "0", bad) for bad in ("-1e-9", "1", ".nan", "null", "low")],
        *[("batch_size", "full", bad) for bad in ("0", "-3", "1.5", "true", "half", "null", "[1]")],
        ("optimizer", "sgd", "rmspropp"),
        *[("momentum", "0.9", bad) for bad in ("1", "-0.1", "null")],
        ("weight_decay", "0", "-1"),
        ("loss", "mse", "huber"),
        ("init", "zeros", "ones"),
        ("device", "cpu", "tpu"),
        ("features", "all", "some"),
        ("test_size", "0.2", "1"),
        ("test_size", "0.2", "-0.1"),
        ("task", "regression", "sorting"),
        ("target", "price_wan", "[1]"),
        ("noise", "20", "-1"),
    ],
)
def test_impossible_value_is_refused_by_name(
    workspace: Path, key: str, good: str, bad: str
) -> None:
    change(workspace, f"{key}: {good}", f"{key}: {bad}")
    with pytest.raises(PipelineError, match=rf"params\.yaml: (datasets\.\w+\.)?.*{key}: expected"):
        load_params()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lr: 0.1", "learning_rate: 0.1", r"learning_rate: unknown key"),
        ("lr: 0.1", "l_r: 0.1", r"l_r: unknown key \(did you mean lr\?\)"),
        ("lr: 0.1", "", r"params\.yaml: lr: is missing"),
        ("lr: 0.1", "lr: 0.1\nlr: 0.2", r"line 1\d, column 1: found duplicate key"),
        (
            "lr: 0.1",
            "lr: !!python/object/apply:os.system [true]",
            r"params\.yaml, line \d+, column 5: could not determine .* tag",
        ),
        ("lr: 0.1", "lr: [0.1", r"params\.yaml, line \d+, column \d+"),
        (
            "target: price_wan",
            "traget: price_wan",
            r"traget: unknown key \(did you mean target\?\)",
        ),
        ("  house:", "  ../house:", r"\.\./house"),
        (
            "positive: malignant",
            "positive: sick",
            r"evaluate: task: classification needs",
        ),
        (
            "trainer: bcpm",
            "trainer: torch_sgd",
            r"gradient\.breast_cancer-bcpm\.trainer: torch_sgd cannot do task: classification",
        ),
        ("- benign", "- malignant", r"two different names"),
        ("n_samples: 100", "n_samples: 1000000000000", r"n_samples: expected less than"),
        ("lr: 0.1", "lr: &a [*a]", r"line \d+, column 9: an alias \(\*\) is not taken"),
        ("lr: 0.1", "lr: " + 1000 * "[", r"params\.yaml"),
        ("features: all", "features: {random: 0}", r"features\.random: expected greater than"),
        (
            "features: all",
            "features: {rnd: 3}",
            r"features\.rnd: unknown key \(did you mean",
        ),
        (
            "optimizer: sgd",
            "optimizer: adm",
            r"optimizer: expected 'sgd', .* or 'adam'",
        ),
        (
            "batch_size: full",
            "batch_size: 0",
            r"batch_size: expected full or a whole number",
        ),
        ("  house:", "  textbook:", r"datasets\.textbook: the name is taken; rename it"),
        (
            "house-torch_sgd:",
            "house-manual_gd:",
            r"line \d+, column \d+: found duplicate key",
        ),
        ("trainer: bcpm", "trainer: magic", r"breast_cancer-bcpm\.trainer: expected one of"),
        ("trainer: bcpm", "trainer: bcpmm", r"got \"bcpmm\" \(did you mean bcpm\?\)"),
        ("trainer: bcpm", "trainer: majority", r"trainer: expected one of .*, got \"majority\""),
        (
            "house-torch_sgd:",
            "synthetic-a:",
            r"expected a key that begins with house-",
        ),
        ("house-torch_sgd:", "house-mean:", r"house-mean: mean means something else; give"),
        ("  gradient:\n", "", r"models\.gradient: is missing; where there is none, write \{\}"),
        ("    task: regression", "    task: [regression]", r"task: expected 'regression' or"),
        ("house-torch_sgd:", "house:", r"models\.gradient\.house.*: expected DATASET-NAME"),
        (
            "house-torch_sgd: {dataset: house,",
            "hause-x: {dataset: hause,",
            r"hause .*mean house",
        ),
        (
            "house-torch_sgd: {dataset: house, trainer: torch_sgd}",
            "house-x: {dataset: house, trainer: closed_form}",
            r"house-x: closed_form belongs under models\.direct; move the line there",
        ),
        ("trainer: closed_form}", "trainer: closed_form, lr: 1}", r"lr: unknown key; closed_form"),
        (
            "network: {}",
            "network: {house-deep: {dataset: house, trainer: network, hidden: []}}",
            r"network\.house-deep\.hidden: expected at least 1 item, got \[\]$",
        ),
        (
            "network: {}",
            "network: {house-d: {dataset: house, trainer: network, hidden: [" + 101 * "1," + "]}}",
            r"network\.house-d\.hidden: expected at most 100 items, got \[1",
        ),
        (
            "network: {}",
            "network: {house-d: {dataset: house, trainer: network, hidden: [1], "
            "class_weight: none}}",
            r"house-d\.class_weight: is of task: classification alone, and house is of task: regr",
        ),
        (
            "network: {}",
            "network: {breast_cancer-d: {dataset: breast_cancer, trainer: network, hidden: [1], "
            "loss: mae}}",
            r"breast_cancer-d\.loss: is of task: regression alone.*; remove it",
        ),
        ("batch_size: 32}", "loss: mse}", r"bcpm\.loss: unknown key.*; bcpm takes lr, epochs"),
        ("models:", "moddels:", r"moddels: unknown key \(did you mean models\?\)"),
        ("  direct:", "  directt:", r"directt: unknown key \(did you mean direct\?\)"),
        ("source: data/raw/house.csv", "source: ../x.csv", r"ingest\.source: expected data/raw/"),
        ("source: data/raw/house.csv", "source: data/raw/../x.csv", r"ingest\.source: expected"),
        (
            "source: data/raw/house.csv",
            "source: pipeline/ingest/make_regression.py",
            r"make_regression goes with source",
        ),
        ("threshold: 0.5", "", r"breast_cancer: evaluate\.threshold: is missing"),
        ("threshold: 0.5", "threshold: 1", r"threshold: expected a probability between 0 and 1"),
        ("threshold: 0.5", "threshold: true", r"threshold: expected a probability"),
        (
            "threshold: 0.5",
            "threshold: {recall: sick, at_least: 0.9}",
            r"threshold\.recall: expected one of malignant, benign, got sick",
        ),
        (
            "threshold: 0.5",
            "threshold: {recall: benign, at_least: 1.5}",
            r"threshold\.at_least: expected less than 1",
        ),
        (
            "threshold: 0.5",
            "threshold: {recal: benign, at_least: 0.9}",
            r"threshold\.recal: unknown key \(did you mean recall",
        ),
        ("metric: accuracy", "metric: mse", r"metric: expected one of accuracy, .* got mse"),
        ("metric: mse", "metric: acuracy", r"metric: expected 'mse'"),
        (
            "bcpm, batch_size: 32",
            "bcpm, lr: -1",
            r"gradient\.breast_cancer-bcpm\.lr: expected greater than 0",
        ),
        (
            "bcpm, batch_size: 32",
            "bcpm, epoch: 1",
            r"breast_cancer-bcpm\.epoch: unknown key .*mean epochs",
        ),
        (
            "{dataset: breast_cancer, trainer: bcpm, batch_size: 32}",
            "3",
            r"models\.gradient\.breast_cancer-bcpm: expected keys and values",
        ),
        ("folds: 5", "folds: 1", r"cross_validation\.folds: expected greater than or equal to 2"),
        ("folds: 5", "fold: 5", r"cross_validation\.fold: unknown key \(did you mean folds"),
        (
            "confidence: 0.95",
            "confidence: 95",
            r"intervals\.confidence: expected less than or equal to 0\.999",
        ),
        ("  tolerance: 0", "  tolerance: -1", r"verdict\.tolerance: expected"),
        ("language: en", "language: de", r"report\.language: expected 'en' or 'zh', got"),
    ],
)
def test_mistake_is_named(workspace: Path, old: str, new: str, message: str) -> None:
    change(workspace, old, new)
    with pytest.raises(PipelineError, match=message):
        load_params()


def test_all_mistakes_are_reported_at_once(workspace: Path) -> None:
    change(workspace, "lr: 0.1", "lr: 0")
    change(workspace, "epochs: 100", "epochs: 0")
    with pytest.raises(PipelineError, match=r"(?s)lr: .*epochs: "):
        load_params()


def test_missing_file_is_named(workspace: Path) -> None:
    (workspace / "params.yaml").unlink()
    with pytest.raises(PipelineError, match=r"params\.yaml is missing"):
        load_params()


def test_unknown_dataset_gets_a_suggestion(workspace: Path) -> None:
    with pytest.raises(PipelineError, match=r"'hause' \(did you mean house\?\)"):
        load_params().dataset("hause")


def test_models_of_a_dataset_take_the_top_and_what_their_line_says(workspace: Path) -> None:
    params = workspace / "params.yaml"
    line = "    breast_cancer-bcpm_adam: {dataset: breast_cancer, trainer: bcpm, optimizer: adam}\n"
    params.write_text(params.read_text().replace("    # Its batch size was", line + "    # Its"))
    models = load_params().models_of("breast_cancer")
    assert [*models] == ["bcpm_adam", "bcpm", "logistic_regression", "majority"]
    assert {one.trainer for name, one in models.items() if "bcpm" in name} == {"bcpm"}
    assert models["bcpm"].params["batch_size"] == 32
    assert models["bcpm"].params["optimizer"] == "sgd"
    assert models["bcpm_adam"].params["batch_size"] == "full"
    assert models["bcpm_adam"].params["optimizer"] == "adam"
    assert "loss" not in models["bcpm"].params
    with pytest.raises(PipelineError, match=r"'bcmp' is no model of breast_cancer \(did you mean"):
        load_params().model_of("breast_cancer", "bcmp")


def test_a_block_needs_little_and_has_the_usual_for_the_rest(workspace: Path) -> None:
    block = "  neu: {task: regression, target: y, ingest: {source: data/raw/neu.csv}, %s}\n"
    params = workspace / "params.yaml"
    params.write_text(params.read_text() + block % "split: {}, evaluate: {}")
    neu = load_params().dataset("neu")
    assert (neu.split.features, neu.split.test_size, neu.evaluate.metric) == ("all", 0.2, "mse")
    assert [*load_params().models_of("neu")] == ["linear_regression", "mean"]


def test_a_file_of_before_is_told_what_moved_where(workspace: Path) -> None:
    old = "  old: {task: regression, target: y, trainers: [closed_form], descent: {}, csv: {}}\n"
    (workspace / "params.yaml").write_text((workspace / "params.yaml").read_text() + old)
    with pytest.raises(PipelineError, match=r"(?s)is of version 0\.1; .* models\.direct") as error:
        load_params()
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "override",
    [
        "lr={k}e-3",
        "++models.gradient.house-manual_gd.lr={k}",
        "datasets.breast_cancer.split.features={{random: {k}}}",
        "datasets.breast_cancer.evaluate.classes=[malignant,b{k}]",
        "++datasets.house.ingest.csv.missing=['',NA]",
        "datasets.breast_cancer.evaluate.threshold={{recall: malignant, at_least: 0.9{k}}}",
    ],
)
def test_every_comment_survives_ten_experiments(workspace: Path, override: str) -> None:
    """By what `dvc exp run -S` writes params.yaml with: a list turns from flow to block style."""
    params = workspace / "params.yaml"
    above = re.compile(r"(#.*)\n *([^\s:]*)")  # a comment, and what stands below it
    comments = above.findall(params.read_text())
    for k in range(1, 11):
        apply_overrides(params, [override.format(k=k), f"seed={k}"])
    assert above.findall(params.read_text()) == comments
    assert load_params().seed == 10


def test_classes_whose_scores_would_share_a_name_are_refused(workspace: Path) -> None:
    text = Path("params.yaml").read_text()
    named = text.replace("- malignant", "- risk").replace("- benign", "- risk_low")
    Path("params.yaml").write_text(named.replace("positive: malignant", "positive: risk"))
    with pytest.raises(
        PipelineError, match="recall_risk_low would be a score of risk_low, and one"
    ):
        load_params()
