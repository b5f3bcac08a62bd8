import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import parametrize_with_checks

from pipeline.estimators import (
    BCPMClassifier,
    ClosedFormRegressor,
    GradientDescentRegressor,
    TorchSGDRegressor,
)
from tests.conftest import ROOT

REGRESSORS = [ClosedFormRegressor(), GradientDescentRegressor(), TorchSGDRegressor()]


@pytest.mark.filterwarnings("ignore")  # some checks look at warnings themselves
@parametrize_with_checks([*REGRESSORS, BCPMClassifier()])
def test_scikit_learns_checks(estimator: object, check: object) -> None:
    check(estimator)


def regression(seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 6)) * np.array([1, 10, 1, 100, 1, 1]) + np.array(
        [0, 5, 0, 0, 1000, 0]
    )
    return X, X @ rng.normal(size=6) + rng.normal(size=400)


@pytest.mark.parametrize("estimator", REGRESSORS, ids=lambda e: type(e).__name__)
def test_regressors_reach_least_squares(estimator: object) -> None:
    X, y = regression()
    theirs = LinearRegression().fit(X, y)
    ours = clone(estimator)
    if hasattr(ours, "epochs"):
        ours.set_params(epochs=2000)
    ours.fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-7)


def test_no_intercept_is_no_intercept() -> None:
    X, y = regression()
    ours = ClosedFormRegressor(fit_intercept=False).fit(X, y)
    assert ours.intercept_ == 0
    np.testing.assert_allclose(ours.coef_, LinearRegression(fit_intercept=False).fit(X, y).coef_)


def test_bcpm_reaches_logistic_regression() -> None:
    X, y = regression()
    labels = np.where(y + 20 * np.random.default_rng(1).normal(size=400) > y.mean(), "yes", "no")
    ours = BCPMClassifier(lr=5, epochs=10_000).fit(X, labels)
    scale = X.std(axis=0)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(X / scale, labels)
    np.testing.assert_allclose(ours.coef_ * scale, theirs.coef_, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X / scale), atol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X / scale))


def test_estimators_work_in_pipelines_and_searches() -> None:
    X, y = regression()
    model = make_pipeline(PolynomialFeatures(1, include_bias=False), GradientDescentRegressor())
    search = GridSearchCV(model, {"gradientdescentregressor__lr": [0.001, 0.3]}, cv=3).fit(X, y)
    assert search.best_params_ == {"gradientdescentregressor__lr": 0.3}
    scores = cross_validate(BCPMClassifier(), X, y > y.mean(), cv=3)
    assert scores["test_score"].mean() > 0.9


@pytest.mark.parametrize("estimator", [GradientDescentRegressor(), TorchSGDRegressor()])
def test_loss_curves_fall_and_count_the_epochs(estimator: object) -> None:
    ours = clone(estimator).fit(*regression())
    assert (np.diff(ours.loss_curve_) < 0).all()
    assert ours.n_iter_ == 100 == len(ours.loss_curve_) - 1


HASH = """
import hashlib, numpy as np
from pipeline.estimators import *
rng = np.random.default_rng(1)
X = rng.normal(size=(100_000, 20))
y = X @ rng.normal(size=20) + rng.normal(size=100_000)
models = [ClosedFormRegressor(), GradientDescentRegressor(), TorchSGDRegressor(epochs=3)]
fitted = [*(m.fit(X, y) for m in models), BCPMClassifier(epochs=3).fit(X, y > 0)]
bytes_ = b"".join(np.ascontiguousarray(m.coef_).tobytes() for m in fitted)
print("@@" + hashlib.sha256(bytes_).hexdigest())
"""


@pytest.mark.slow
def test_the_number_of_threads_changes_no_byte() -> None:
    found = set()
    for threads in ("", "1", "2", "4"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        env = {k: v for k, v in os.environ.items() if k not in names}
        env |= dict.fromkeys(names, threads) if threads else {}
        output = subprocess.check_output([sys.executable, "-c", HASH], env=env, cwd=ROOT, text=True)
        found.add(output.split("@@")[1])
    assert len(found) == 1
