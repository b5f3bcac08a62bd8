import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.solvers.losses import sigmoid
from pipeline.tracking.entry import Fitted
from pipeline.tracking.skops_file import skops_file
from tests.tracking.sample import fitted, rows

KINDS = [("regression", None), ("classification", 0.5), ("classification", 0.2)]


def scikit_learns(model: Fitted) -> Any:
    """The same model made by scikit-learn's own classes."""
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = np.array(model.mean), np.array(model.scale)
    scaler.var_, scaler.n_samples_seen_ = scaler.scale_**2, model.n_train
    scaler.n_features_in_ = len(model.features)
    scaler.feature_names_in_ = np.array(model.features, dtype=object)
    if model.task == "regression":
        linear = LinearRegression()
        linear.coef_, linear.intercept_ = np.array(model.coef), model.intercept
    else:
        linear = LogisticRegression()
        linear.coef_, linear.intercept_ = np.array([model.coef]), np.array([model.intercept])
        linear.classes_ = np.array([0, 1])
    linear.n_features_in_ = len(model.features)
    pipeline = make_pipeline(scaler, linear)
    if model.threshold in (None, 0.5):
        return pipeline
    around = FixedThresholdClassifier(
        FrozenEstimator(pipeline),
        threshold=model.threshold,
        pos_label=1,
        response_method="predict_proba",
    )
    return around.fit(np.array(model.example[:2]), [0, 1])


def nodes(content: bytes) -> Any:
    """What a skops file says, without the ids of its nodes and the names of its arrays."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:

        def plain(node: Any) -> Any:
            if isinstance(node, list):
                return [plain(one) for one in node]
            if not isinstance(node, dict):
                return node
            kept = {k: plain(v) for k, v in node.items() if k not in ("__id__", "file")}
            if "file" in node:
                array = np.load(io.BytesIO(file.read(node["file"])), allow_pickle=False)
                kept["array"] = (array.tolist(), str(array.dtype), array.shape)
            return kept

        return plain(json.loads(file.read("schema.json")))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize(("task", "threshold"), KINDS)
def test_the_file_says_what_skops_says_of_the_same_estimators(
    task: str, threshold: float | None
) -> None:
    model = fitted(task, threshold)
    assert nodes(skops_file(model)) == nodes(skops.io.dumps(scikit_learns(model)))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize(("task", "threshold"), KINDS)
def test_what_is_loaded_predicts_as_the_weights_do_on_raw_units(
    task: str, threshold: float | None
) -> None:
    model, X = fitted(task, threshold), rows()
    loaded = skops.io.loads(skops_file(model), trusted=[])  # nothing that must be trusted
    z = (X - model.mean) / np.array(model.scale) @ model.coef + model.intercept
    if task == "regression":
        np.testing.assert_allclose(loaded.predict(X), z, rtol=1e-12)
    else:
        np.testing.assert_allclose(loaded.predict_proba(X)[:, 1], sigmoid(z), rtol=1e-12)
        np.testing.assert_array_equal(loaded.predict(X), sigmoid(z) >= threshold)


def test_the_same_model_gives_the_same_bytes() -> None:
    assert skops_file(fitted()) == skops_file(fitted())
