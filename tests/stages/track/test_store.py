from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from pipeline.core.errors import PipelineError
from pipeline.core.params import load_params
from pipeline.models import fit
from pipeline.solvers.losses import sigmoid
from pipeline.solvers.rows import ArrayRows
from pipeline.stages.track.provenance import Result
from pipeline.stages.track.store import open_store, sklearn_pipeline
from tests.conftest import descent


@pytest.mark.parametrize(
    ("dataset", "trainer"), [("house", "closed_form"), ("breast_cancer", "bcpm")]
)
def test_the_logged_pipeline_predicts_as_the_model_does_on_raw_units(
    dataset: str, trainer: str, workspace: object
) -> None:
    settings = load_params().dataset(dataset)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 3)) * [1, 10, 100] + [0, 5, -7]
    y = (X[:, 0] + rng.normal(size=60) > 0).astype(float)
    scaler = StandardScaler().fit(X)
    params = descent(epochs=50).model_dump() if trainer == "bcpm" else {}
    Z = scaler.transform(X)
    model, _ = fit(trainer, params, ArrayRows(Z, y))
    result = Result(
        dataset=dataset, settings=settings, model=model, scores={}, history=[],
        features=["a", "b", "c"], mean=scaler.mean_, scale=scaler.scale_, example=X[:5],
        n_rows=75, n_train=60, data_md5="", fingerprint="",
    )  # fmt: skip
    pipeline = sklearn_pipeline(result)
    del pipeline[0].feature_names_in_
    if settings.task == "regression":
        np.testing.assert_allclose(pipeline.predict(X), model.predict(Z), rtol=1e-12)
    else:
        np.testing.assert_allclose(pipeline.predict_proba(X)[:, 1], sigmoid(model.predict(Z)))
        np.testing.assert_array_equal(pipeline.predict(X), model.predict(Z) > 0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MLflow's own imports
@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "nothing://here", "sqlite:///mlflow.db"])
def test_a_store_that_cannot_be_opened_is_named(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    refused = pytest.raises(PipelineError, match=rf"MLflow store {uri}: .*All results are on disk")
    with refused, open_store(tmp_path) as store:
        store.client.search_experiments()
