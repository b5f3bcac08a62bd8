"""A fitted linear model as scikit-learn's own, saved by MLflow in the skops format.

The model is a plain Pipeline of scikit-learn: it loads where this package is not installed, takes
raw units, and skops trusts every type in it. No pickle is written.
"""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.tracking.entry import Fitted

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

NEEDS = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")


def save_model(
    folder: Path, model: Fitted, metadata: dict[str, str], model_id: str, run_id: str
) -> None:
    """Save a model as a folder that MLflow loads, serves and registers.

    mlflow.sklearn.log_model would need the global tracking URI, which changes the environment of
    this process for good; so the folder is saved here and `publish` logs it.

    Parameters
    ----------
    folder : Path
        It is empty, or not there yet.
    metadata : dict
        What the file MLmodel says of the model besides what `Fitted` holds.
    model_id, run_id : str
        Those of the logged model and of the run that it belongs to.
    """
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import Model

    mlflow.sklearn.save_model(
        as_estimator(model),
        str(folder),
        mlflow_model=Model(artifact_path="model", run_id=run_id, model_id=model_id),
        serialization_format="skops",
        signature=_signature(model),
        input_example=pd.DataFrame(model.example, columns=model.features),
        # MLflow would run the model in a process of its own to find these: 20 s a model
        pip_requirements=[f"{name}=={version(name)}" for name in NEEDS],
        metadata=metadata
        | {
            "target": model.target,
            "task": model.task,
            "classes": model.classes,
            "threshold": model.threshold,
            "ranges": {name: list(ends) for name, ends in model.ranges.items()},
        },
    )


def as_estimator(model: Fitted) -> "BaseEstimator":
    """Give the numbers of a fitted model to scikit-learn's estimators.

    Returns
    -------
    Pipeline or FixedThresholdClassifier
        Pipeline(StandardScaler, LinearRegression or LogisticRegression) on raw units. A threshold
        other than 0.5 is kept by a FixedThresholdClassifier around it.
    """
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import FixedThresholdClassifier
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(_scaler(model), _linear(model))
    if model.threshold in (None, 0.5):
        return pipeline
    frozen = FrozenEstimator(pipeline)
    around = FixedThresholdClassifier(
        frozen, threshold=model.threshold, pos_label=1, response_method="predict_proba"
    )
    return _fitted(around, model, estimator_=frozen)


def _scaler(model: Fitted) -> "BaseEstimator":
    """Give the mean and scale of the training rows to a StandardScaler: z = (x - mean) / scale."""
    from sklearn.preprocessing import StandardScaler

    scale = np.array(model.scale)
    return _fitted(
        StandardScaler(),
        model,
        mean_=np.array(model.mean),
        scale_=scale,
        var_=scale**2,
        n_samples_seen_=model.n_train,
    )


def _linear(model: Fitted) -> "BaseEstimator":
    """The last step; it takes the scaler's arrays and so knows no names of features."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    coef, intercept = np.array(model.coef), model.intercept
    if model.task == "regression":
        linear = LinearRegression()
        linear.coef_, linear.intercept_ = coef, intercept
    else:
        linear = LogisticRegression()
        linear.coef_, linear.intercept_ = coef[np.newaxis], np.array([intercept])
        linear.classes_ = np.array([0, 1])
    linear.n_features_in_ = len(coef)
    return linear


def _fitted(estimator: Any, model: Fitted, **learned: Any) -> "BaseEstimator":
    """Set what `fit` would have learned from a table with the names of the features."""
    names = np.array(model.features, dtype=object)
    vars(estimator).update(learned, n_features_in_=len(names), feature_names_in_=names)
    return estimator


def _signature(model: Fitted) -> Any:
    """Double columns: an inferred signature would refuse 140 where it saw 140.5, or the reverse."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema, TensorSpec

    labels = np.dtype("float64" if model.task == "regression" else "int64")
    return ModelSignature(
        inputs=Schema([ColSpec("double", name) for name in model.features]),
        outputs=Schema([TensorSpec(labels, (-1,))]),
    )
