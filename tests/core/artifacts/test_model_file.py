import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.artifacts.models import Model, read_model, write_model
from pipeline.core.errors import PipelineError
from pipeline.core.forms import Linear, digest

LINEAR = Linear(np.array([0.1, -1 / 3]), 2 / 7)
MODEL = Model("closed_form", {}, {"rank": 2, "condition": None}, LINEAR)
ROWS = "0" * 32  # what stands for the md5 of the rows it was trained on


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_model(tmp_path / "m.json", ["a", "b"], MODEL, ROWS)
    return tmp_path / "m.json"


def test_a_model_comes_back_to_the_last_bit(path: Path) -> None:
    model = read_model(path, "closed_form", ["a", "b"], ROWS)
    assert model.weights.tobytes() == MODEL.weights.tobytes()
    assert (digest(model.form), model.facts) == (digest(LINEAR), MODEL.facts)
    assert (model.params, model.trainer) == (MODEL.params, "closed_form")


def test_a_model_of_other_features_is_refused(path: Path) -> None:
    with pytest.raises(PipelineError, match="trained on other features"):
        read_model(path, "closed_form", ["b", "a"], ROWS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": None}, "damaged: format: Input should be 5"),
        ({"trainer": "../x"}, "damaged: its content is not that of its sha256"),
        ({"trainer": "manual_gd"}, "damaged: its content is not that of its sha256"),
        ({"params": {"lr": 0.1}}, "damaged: its content is not that of its sha256"),
        ({"coef": {"a": float("nan"), "b": 1}}, "damaged: NaN is no number"),
        ({"coef": {"a": True, "b": 1}}, "damaged: coef.a"),
        ({"coef": {"a": "x", "b": 1}}, "damaged"),
        ({"intercept": None}, "damaged"),
        ({"facts": {"rank": "2"}}, "damaged: facts"),
    ],
)
def test_a_damaged_model_is_refused(path: Path, change: dict[str, object], message: str) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(PipelineError, match=message):
        read_model(path, "closed_form", ["a", "b"], ROWS)


def test_a_model_of_another_trainer_or_of_other_rows_is_refused(path: Path) -> None:
    with pytest.raises(PipelineError, match="is no model of manual_gd"):
        read_model(path, "manual_gd", ["a", "b"], ROWS)
    write_model(path, ["a", "b"], replace(MODEL, params={"lr": 0.1}), ROWS)
    with pytest.raises(PipelineError, match="is no model of closed_form"):
        read_model(path, "closed_form", ["a", "b"], ROWS)
    write_model(path, ["a", "b"], MODEL, "1" * 32)
    with pytest.raises(PipelineError, match="was trained on other rows"):
        read_model(path, "closed_form", ["a", "b"], ROWS)


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    model = Model("closed_form", {}, {}, Linear(np.array([np.nan]), 0.0))
    with pytest.raises(PipelineError, match="not finite"):
        write_model(tmp_path / "n.json", ["a"], model, ROWS)
    assert not (tmp_path / "n.json").exists()
