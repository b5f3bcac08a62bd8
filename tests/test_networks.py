"""A network as a model of a dataset: from its line to the answers, the run and the report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from ruamel.yaml import YAML
from sklearn.datasets import load_iris, make_circles

from pipeline.commands.predict.model import _load, _predictor
from pipeline.core import layout
from pipeline.core.artifacts.evaluated import read_evaluated, read_verdicts
from pipeline.core.artifacts.models import Model, read_model
from pipeline.core.artifacts.splits import read_split
from pipeline.core.errors import PipelineError
from pipeline.core.files import md5
from pipeline.core.forms import Layers
from pipeline.core.params import load_params
from pipeline.core.tables import read_table
from pipeline.report.gather import gather
from pipeline.report.pictures import PICTURES, has
from pipeline.report.texts import Texts
from pipeline.tracking.collect import _Collector
from pipeline.tracking.entry import Entry
from pipeline.tracking.sklearn_model import save_model

Run = Callable[[str], tuple[int, str]]
LINE = {"dataset": "many", "trainer": "network", "hidden": [6, 4], "epochs": 60, "lr": 0.02}
SPECIES = ["setosa", "versicolor", "virginica"]


def several() -> tuple[pd.DataFrame, dict[str, Any]]:
    X, y = load_iris(return_X_y=True)
    table = pd.DataFrame(X, columns=[*"dbca"]).assign(y=np.array(SPECIES)[y]).drop_duplicates()
    return table, {"classes": SPECIES, "metric": "accuracy"}


def two() -> tuple[pd.DataFrame, dict[str, Any]]:
    X, y = make_circles(200, noise=0.05, factor=0.4, random_state=0)
    table = pd.DataFrame(X, columns=["u", "v"]).assign(y=np.array(["out", "in"])[y])
    judged = {"classes": ["out", "in"], "positive": "in", "metric": "accuracy", "threshold": 0.4}
    return table, judged


def number() -> tuple[pd.DataFrame, dict[str, Any]]:
    x = np.linspace(0, 6, 120)
    return pd.DataFrame({"x": x, "y": 1000 * np.exp(np.sin(x))}), {"metric": "mse"}


KINDS = {"several": several, "two": two, "number": number, "logged": number}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def declare(kind: str, **line: object) -> pd.DataFrame:
    table, judged = KINDS[kind]()
    table = table.sample(frac=1, random_state=0)
    table.to_csv("data/raw/many.csv", index=False)
    of = {name: "float64" for name in table if name != "y"}
    of["y"] = "str" if "classes" in judged else "float64"
    columns = {name: {"dtype": dtype} for name, dtype in of.items()}
    yaml = YAML()
    schema = {"schema_type": "dataframe", "columns": columns, "strict": True}
    yaml.dump(schema | {"unique_column_names": True}, layout.schema("many"))
    content = yaml.load(layout.PARAMS.read_text())
    content["datasets"] = {
        "many": {
            "task": "classification" if "classes" in judged else "regression",
            "target": "y",
            "ingest": {"source": "data/raw/many.csv"},
            "split": {"test_size": 0.2, "by": "random"}
            | ({"target_transform": "log"} if kind == "logged" else {}),
            "evaluate": judged,
        }
    }
    content["models"] = {"direct": {}, "gradient": {}, "network": {"many-network": LINE | line}}
    content["models"]["sklearn"] = {}
    content["cross_validation"]["repeats"] = 1
    yaml.dump(content, layout.PARAMS)
    return table


@pytest.fixture
def evaluated(kind: str, workspace: Path, run: Run) -> pd.DataFrame:
    table = declare(kind)
    for stage in ("ingest many", "validate many", "split many"):
        assert run(stage)[0] == 0
    code, said = run("train many network")
    assert code == 0, said
    code, said = run("evaluate many")
    assert code == 0, said
    return table


def trained() -> Model:
    split = read_split("many", load_params().dataset("many"), read_table(layout.ingested("many")))
    train = md5(layout.split_part("many", "train"))
    return read_model(layout.model("many", "network"), "network", split.features, train)


@pytest.mark.parametrize(
    ("key", "words"),
    [("group", "of groups whose other rows train"), ("time", "from before others that train")],
)
def test_rows_that_end_a_training_and_belong_to_others_are_warned_of(
    workspace: Path, run: Run, key: str, words: str
) -> None:
    for share in (0.2, 0):
        declare("number", early_stopping=share)
        yaml = YAML()
        content = yaml.load(layout.PARAMS.read_text())
        content["datasets"]["many"]["split"] = {key: "x", "columns": {"x": "number"}}
        yaml.dump(content, layout.PARAMS)
        for stage in ("ingest many", "validate many", "split many"):
            assert run(stage)[0] == 0
        code, said = run("train many network")
        assert code == 0
        assert (f"also {words} (split.{key}: x)" in said) == (share > 0)


@pytest.mark.filterwarnings("ignore")  # of MLflow's own imports, and of a training that goes on
def test_every_door_gives_the_same_answer(
    evaluated: pd.DataFrame, workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, settings = trained(), load_params().dataset("many")
    assert isinstance(model.form, Layers)
    assert [w.shape[1:] for w in model.form.weights[:-1]] == [(6,), (4,)]
    split = read_split("many", settings, read_table(layout.ingested("many")))
    z = model.predict(split.part(split.test)[0])
    evaluated.drop(columns="y").to_csv("new.csv", index=False)
    assert run("predict many new.csv --model network -o out.csv")[0] == 0
    out = pd.read_csv("out.csv")
    assert run("report")[0] == 0
    collector = _Collector("many", load_params(), read_verdicts()["many"], collect_origin())
    [entry] = [one for one in collector.entries() if one.name.startswith("network")]
    entry = Entry.model_validate_json(entry.model_dump_json())  # as it waits on disk
    assert entry.model is not None
    save_model(workspace / "saved", entry.model, {"dataset": "many"}, "m-1", "r" * 32)
    loaded = skops.io.load(workspace / "saved/model.skops")  # trusts nothing by hand
    rows = evaluated.drop(columns="y")
    answers = loaded.predict(rows)
    if settings.task == "classification":
        assert answers.tolist() == out["class"].tolist()
        assert np.mean(out["class"].to_numpy() == evaluated["y"].to_numpy()) > 0.9
    else:
        np.testing.assert_allclose(answers, out["predicted_y"], rtol=1e-9)
        assert np.corrcoef(answers, evaluated["y"])[0, 1] > 0.9
    back = _predictor(*_load(workspace / "saved", "r"), "r")
    np.testing.assert_allclose(back.predict(split.raw[split.test]), z, rtol=1e-9, atol=1e-9)


def collect_origin() -> Any:
    from pipeline.tracking.provenance import origin

    return origin(["many"])


def test_it_is_judged_and_has_no_coefficients(evaluated: pd.DataFrame, kind: str) -> None:
    found = read_evaluated("many")
    network = found.judged["network"]
    assert (network.role, network.coefficients) == ("trainer", [])
    assert (
        network.weights_sha256
        == json.loads(layout.model("many", "network").read_text())["weights_sha256"]
    )
    assert {len(of_folds) for of_folds in network.folds.values()} == {5}
    key = f"cv_{found.metric}"
    trivial = found.judged["majority" if found.classes else "mean"].scores[key]
    ours = network.scores[key]
    assert ours is not None
    assert trivial is not None
    assert ours > trivial + 0.3 if found.classes else ours < trivial / 2


def test_the_report_draws_it(evaluated: pd.DataFrame, kind: str, run: Run) -> None:
    code, said = run("report")
    assert code == 0, said
    d, t = gather("many", load_params(), read_verdicts()["many"]), Texts("en")
    drawn = {name for name in PICTURES if has(d, name)}
    assert ("boundary" in drawn, "fit" in drawn) == (kind == "two", kind in ("number", "logged"))
    for name in drawn & {"boundary", "fit", "loss", "coefficients"}:
        _, finding = PICTURES[name][1](d, t)
        assert "nan" not in finding
        assert "network" in finding or name == "coefficients"


@pytest.mark.parametrize("kind", ["two"], indirect=True)
def test_layers_that_are_not_those_of_the_model_file_are_refused(evaluated: pd.DataFrame) -> None:
    path = layout.beside(layout.model("many", "network"), "network")
    whole = path.read_bytes()
    assert trained().trainer == "network"
    for content, said in (
        (whole[:-1], "damaged"),
        (whole[:-1] + bytes([whole[-1] ^ 1]), "is not that of the model file beside it"),
        (b"", "damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(PipelineError, match=said):
            trained()
    path.unlink()
    with pytest.raises(PipelineError, match="safetensors"):
        trained()


@pytest.mark.parametrize("kind", ["two"], indirect=True)
def test_layers_of_a_model_that_is_none_any_more_are_removed(
    evaluated: pd.DataFrame, run: Run
) -> None:
    path = layout.beside(layout.model("many", "network"), "network")
    yaml = YAML()
    content = yaml.load(layout.PARAMS.read_text())
    content["models"]["network"] = {}
    content["models"]["gradient"] = {"many-network": {"dataset": "many", "trainer": "bcpm"}}
    yaml.dump(content, layout.PARAMS)
    assert path.exists()
    assert run("params")[0] == 0
    assert not path.exists()
