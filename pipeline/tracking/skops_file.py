"""A fitted linear model as scikit-learn's, in a skops file: no pickle, and nothing of this package.

skops writes JSON beside .npy files, one node for each value. Written out here, because importing
scikit-learn and skops costs three seconds in every `dvc repro`; a test holds the nodes equal to
those that skops itself writes of the same estimators.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.tracking.entry import Fitted

Node = dict[str, Any]


class Estimator(NamedTuple):
    """A class of scikit-learn, and the state of an object of it."""

    module: str
    name: str
    state: Mapping[str, Any]


def skops_file(model: Fitted) -> bytes:
    """Pipeline(StandardScaler, linear model) on raw units.

    A threshold other than 0.5 is kept by a FixedThresholdClassifier around it.
    """
    writer = _Writer()
    schema = writer.node(_estimator(model))
    schema |= {"protocol": 2, "_skops_version": version("skops")}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, array in writer.arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            file.writestr(zipfile.ZipInfo(name), buffer.getvalue())
        file.writestr(zipfile.ZipInfo("schema.json"), json.dumps(schema, indent=2))
    return content.getvalue()


def _estimator(model: Fitted) -> Estimator:
    names = np.array(model.features, dtype=object)
    scale = np.array(model.scale)
    scaler = {
        "with_mean": True,
        "with_std": True,
        "copy": True,
        "mean_": np.array(model.mean),
        "scale_": scale,
        "var_": scale**2,
        "n_samples_seen_": model.n_train,
        "n_features_in_": len(names),
        "feature_names_in_": names,
    }
    linear = _regression(model) if model.task == "regression" else _classification(model)
    steps = [
        ("standardscaler", Estimator("preprocessing._data", "StandardScaler", scaler)),
        (linear.name.lower(), linear),
    ]
    settings = {"transform_input": None, "memory": None, "verbose": False}
    pipeline = Estimator("pipeline", "Pipeline", {"steps": steps} | settings)
    if model.threshold in (None, 0.5):
        return pipeline
    frozen = Estimator("frozen._frozen", "FrozenEstimator", {"estimator": pipeline})
    state = {
        "estimator": frozen,
        "response_method": "predict_proba",
        "pos_label": 1,
        "threshold": model.threshold,
        "estimator_": frozen,
        "n_features_in_": len(names),
        "feature_names_in_": names,
    }
    module = "model_selection._classification_threshold"
    return Estimator(module, "FixedThresholdClassifier", state)


def _regression(model: Fitted) -> Estimator:
    state = {
        "fit_intercept": True,
        "copy_X": True,
        "tol": 1e-6,
        "n_jobs": None,
        "positive": False,
        "coef_": np.array(model.coef),
        "intercept_": model.intercept,
        "n_features_in_": len(model.features),
    }
    return Estimator("linear_model._base", "LinearRegression", state)


def _classification(model: Fitted) -> Estimator:
    state = {
        "penalty": "deprecated",
        "C": 1.0,
        "l1_ratio": 0.0,
        "dual": False,
        "tol": 1e-4,
        "fit_intercept": True,
        "intercept_scaling": 1,
        "class_weight": None,
        "random_state": None,
        "solver": "lbfgs",
        "max_iter": 100,
        "verbose": 0,
        "warm_start": False,
        "n_jobs": None,
        "coef_": np.array([model.coef]),
        "intercept_": np.array([model.intercept]),
        "classes_": np.array([0, 1]),
        "n_features_in_": len(model.features),
    }
    return Estimator("linear_model._logistic", "LogisticRegression", state)


class _Writer:
    """Values to nodes; arrays of numbers to files of their own."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self._ids = count(1)

    def node(self, value: Any) -> Node:
        if isinstance(value, Estimator):
            state = {**value.state, "_sklearn_version": version("scikit-learn")}
            return self._node(f"sklearn.{value.module}", value.name, "Object", content=state)
        if isinstance(value, Mapping):
            names = [self._node("builtins", "str", "Type") for _ in value]
            types = self._node("builtins", "list", "List", names)
            content = {key: self.node(of) for key, of in value.items()}
            return self._node("builtins", "dict", "Dict", content) | {"key_types": types}
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, tuple | list):
            loader = "Tuple" if isinstance(value, tuple) else "List"
            return self._node("builtins", loader.lower(), loader, [self.node(v) for v in value])
        return self._node("builtins", "str", "Json", json.dumps(value)) | {"is_json": True}

    def _array(self, array: NDArray[Any]) -> Node:
        if array.dtype == object:
            node = self._node("numpy", "ndarray", "NdArray", [self.node(v) for v in array])
            return node | {"type": "json", "shape": self.node(array.shape)}
        name = f"{next(self._ids)}.npy"
        self.arrays[name] = array
        return self._node("numpy", "ndarray", "NdArray") | {"type": "numpy", "file": name}

    def _node(
        self,
        module: str,
        name: str,
        loader: str,
        content: Mapping[str, Any] | Sequence[Any] | str | None = None,
    ) -> Node:
        """Each has an id of its own: skops would take equal ids for one object."""
        head = {"__class__": name, "__module__": module, "__loader__": f"{loader}Node"}
        if loader == "Object":
            content = self.node(content)
        inside = {} if content is None else {"content": content}
        return head | inside | {"__id__": next(self._ids)}
