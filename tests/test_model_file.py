import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.models import Model, read_model, write_model

MODEL = Model("closed_form", {}, {"rank": 2, "condition": None}, np.array([0.1, -1 / 3]), 2 / 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_model(tmp_path / "m.json", ["a", "b"], MODEL)
    return tmp_path / "m.json"


def test_a_model_comes_back_to_the_last_bit(path: Path) -> None:
    model = read_model(path, "closed_form", ["a", "b"])
    assert model.coef.tobytes() == MODEL.coef.tobytes()
    assert (model.intercept, model.facts) == (2 / 7, MODEL.facts)
    assert (model.params, model.trainer) == (MODEL.params, "closed_form")


def test_a_model_of_other_features_is_refused(path: Path) -> None:
    with pytest.raises(PipelineError, match="trained on other features"):
        read_model(path, "closed_form", ["b", "a"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 1}, "damaged: format: Input should be 2"),
        ({"trainer": "../x"}, "damaged: trainer"),
        ({"trainer": "manual_gd"}, "is no model of closed_form"),
        ({"params": {"lr": 0.1}}, "is no model of closed_form"),
        ({"coef": {"a": float("nan"), "b": 1}}, "damaged: coef.a"),
        ({"coef": {"a": True, "b": 1}}, "damaged: coef.a"),
        ({"coef": {"a": "x", "b": 1}}, "damaged"),
        ({"intercept": None}, "damaged"),
        ({"facts": {"rank": "2"}}, "damaged: facts"),
    ],
)
def test_a_damaged_model_is_refused(path: Path, change: dict[str, object], message: str) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(PipelineError, match=message):
        read_model(path, "closed_form", ["a", "b"])


def test_a_pickle_in_its_place_is_refused(path: Path) -> None:
    path.write_bytes(b"\x80\x04cposix\nsystem\n(S'touch executed'\ntR.")
    with pytest.raises(PipelineError, match="damaged"):
        read_model(path, "closed_form", ["a", "b"])


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    model = Model("closed_form", {}, {}, np.array([np.nan]), 0.0)
    with pytest.raises(PipelineError, match="not finite"):
        write_model(tmp_path / "n.json", ["a"], model)
    assert not (tmp_path / "n.json").exists()
