"""A fitted linear model as an MLflow model: a folder that MLflow loads, serves and registers."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.tracking.entry import Fitted
from pipeline.tracking.skops_file import skops_file

FILE = "model.skops"
NEEDS = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")


def write_model(
    folder: Path, model: Fitted, metadata: dict[str, str], model_id: str, run_id: str
) -> None:
    """Write the folder that mlflow.sklearn.log_model writes, without importing scikit-learn."""
    from mlflow.models import Model

    requirements = [f"{name}=={version(name)}" for name in NEEDS]
    python = ".".join(map(str, sys.version_info[:3]))
    texts = {
        "requirements.txt": "\n".join(requirements) + "\n",
        "python_env.yaml": f"python: {python}\ndependencies:\n- -r requirements.txt\n",
        "conda.yaml": f"name: mlflow-env\nchannels:\n- conda-forge\ndependencies:\n"
        f"- python={python}\n- pip\n- pip:\n" + "".join(f"  - {r}\n" for r in requirements),
    }
    example = {"columns": model.features, "data": model.example}
    texts["input_example.json"] = json.dumps(example)
    texts["serving_input_example.json"] = json.dumps({"dataframe_split": example})
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / FILE).write_bytes(skops_file(model))
    described = Model(
        artifact_path="model",
        run_id=run_id,
        model_id=model_id,
        signature=_signature(model),
        saved_input_example_info={
            "artifact_path": "input_example.json",
            "pandas_orient": "split",
            "serving_input_path": "serving_input_example.json",
            "type": "dataframe",
        },
        metadata=metadata
        | {
            "target": model.target,
            "task": model.task,
            "classes": model.classes,
            "threshold": model.threshold,
            "ranges": {name: list(ends) for name, ends in model.ranges.items()},
        },
    )
    described.add_flavor(
        "python_function",
        loader_module="mlflow.sklearn",
        model_path=FILE,
        predict_fn="predict",
        python_version=python,
        env={"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
    )
    described.add_flavor(
        "sklearn",
        pickled_model=FILE,
        serialization_format="skops",
        sklearn_version=version("scikit-learn"),
        skops_trusted_types=None,
        code=None,
    )
    described.save(str(folder / "MLmodel"))


def _signature(model: Fitted) -> Any:
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema, TensorSpec

    labels = np.dtype("float64" if model.task == "regression" else "int64")
    return ModelSignature(
        inputs=Schema([ColSpec("double", name) for name in model.features]),
        outputs=Schema([TensorSpec(labels, (-1,))]),
    )
