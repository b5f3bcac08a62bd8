import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_circles
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import parametrize_with_checks

from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.estimators import (
    BCPMClassifier,
    ClosedFormRegressor,
    GradientDescentRegressor,
    NetworkClassifier,
    NetworkRegressor,
    PairwiseMeanRegressor,
    SoftmaxClassifier,
    TorchSGDRegressor,
)
from tests.conftest import ROOT

REGRESSORS = [ClosedFormRegressor(), GradientDescentRegressor(), TorchSGDRegressor()]


@pytest.mark.filterwarnings("ignore")  # some checks look at warnings themselves
@parametrize_with_checks(
    [*REGRESSORS, BCPMClassifier(), SoftmaxClassifier(), NetworkRegressor(), NetworkClassifier()]
)
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


@pytest.mark.parametrize(
    "estimator",
    [
        ClosedFormRegressor(fit_intercept=False),
        GradientDescentRegressor(fit_intercept=False, epochs=20_000),
        GradientDescentRegressor(fit_intercept=False, epochs=3000, optimizer="momentum"),
        TorchSGDRegressor(fit_intercept=False, epochs=1500, optimizer="momentum"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_no_intercept_is_no_intercept(estimator: object) -> None:
    X, y = regression()
    ours = clone(estimator).fit(X, y)
    assert ours.intercept_ == 0
    theirs = LinearRegression(fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4)


@pytest.mark.parametrize(("fit_intercept", "C"), [(True, np.inf), (True, 1.0), (False, 1.0)])
def test_bcpm_reaches_logistic_regression(fit_intercept: bool, C: float) -> None:
    X, y = regression()
    labels = np.where(y + 20 * np.random.default_rng(1).normal(size=400) > y.mean(), "yes", "no")
    X = (X - X.mean(axis=0)) / X.std(axis=0) + (0 if fit_intercept else 0.5)
    decay = 1 / (C * 400)
    ours = BCPMClassifier(lr=2, epochs=2500, optimizer="momentum", weight_decay=decay)
    ours.set_params(fit_intercept=fit_intercept)
    scale = np.ones(6) if fit_intercept else np.sqrt(np.mean(X**2, axis=0))
    ours.fit(X, labels)
    theirs = LogisticRegression(C=C, tol=1e-10, max_iter=10_000, fit_intercept=fit_intercept)
    theirs.fit(X / scale, labels)
    np.testing.assert_allclose(ours.coef_ * scale, theirs.coef_, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X / scale), atol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X / scale))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_softmax_reaches_logistic_regression(n_classes: int) -> None:
    X, y = regression()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    cuts = np.quantile(y, np.linspace(0, 1, n_classes + 1)[1:-1])
    labels = np.array([*"dbca"])[
        np.digitize(y + 5 * np.random.default_rng(1).normal(size=400), cuts)
    ]
    ours = SoftmaxClassifier(lr=2, epochs=4000, optimizer="momentum", weight_decay=1 / 400)
    ours.fit(X, labels)
    # two rows of weights, w and -w, have a penalty of 2 |w|^2, and differ by 2 w
    theirs = LogisticRegression(C=1 if n_classes > 2 else 2, tol=1e-10, max_iter=10_000)
    theirs.fit(X, labels)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    shown = ours.decision_function(X)
    np.testing.assert_allclose(shown, theirs.decision_function(X), atol=1e-3)


def test_pairwise_mean_is_the_chapters_line() -> None:
    area, price = [[80], [95], [104], [112], [125], [135]], [200, 230, 245, 247, 259, 262]
    ours = PairwiseMeanRegressor().fit(area, price)
    assert ours.predict([[140]])[0] == pytest.approx(278.3851, abs=1e-4)
    with pytest.raises(PipelineError, match="takes one feature, got 6"):
        PairwiseMeanRegressor().fit(*regression())
    with pytest.raises(ValueError, match="takes no sample_weight"):
        PairwiseMeanRegressor().fit(area, price, np.ones(6))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": -1}, r"lr: expected greater than 0, got -1"),
        ({"epochs": 0}, r"epochs: expected"),
        ({"optimizer": "adm"}, r"optimizer: expected 'sgd', 'momentum', 'rmsprop' or 'adam'"),
        ({"batch_size": "half"}, r"batch_size: expected full or a whole number from 1"),
        ({"init": "ones"}, r"init: expected 'zeros' or 'uniform'"),
    ],
)
@pytest.mark.parametrize(
    "estimator", [GradientDescentRegressor(), TorchSGDRegressor(), BCPMClassifier()]
)
def test_impossible_params_are_named(
    estimator: object, changes: dict[str, object], message: str
) -> None:
    X, y = regression()
    with pytest.raises(ValueError, match=message):
        clone(estimator).set_params(**changes).fit(X, y > y.mean())


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(ValueError, match="loss: expected 'mse' or 'mae', got \"huber\""):
        GradientDescentRegressor(loss="huber").fit(*regression())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": ()}, r"hidden: expected .*at least 1 item"),
        ({"hidden": (8, 0)}, r"hidden.1: expected greater than or equal to 1, got 0"),
        ({"hidden": 8}, r"hidden: expected list, got 8"),
        ({"activation": "gelu"}, r"activation: expected 'relu', 'tanh' or 'sigmoid'"),
        ({"dropout": 1.0}, r"dropout: expected less than 1"),
        ({"early_stopping": 1.0}, r"early_stopping: expected less than or equal to 0.5"),
    ],
)
def test_impossible_networks_are_named(changes: dict[str, object], message: str) -> None:
    X, y = regression()
    for estimator in (NetworkRegressor(), NetworkClassifier()):
        with pytest.raises(ValueError, match=message):
            estimator.set_params(**changes).fit(X, y > y.mean())


def test_networks_learn_what_no_line_can() -> None:
    X, y = make_circles(400, noise=0.05, factor=0.5, random_state=0)
    names = np.array(["out", "in"])[y]
    network = NetworkClassifier(hidden=[16, 8])
    assert cross_validate(network, X, names)["test_score"].mean() >= 0.99
    assert cross_validate(BCPMClassifier(), X, names)["test_score"].mean() < 0.6
    network.fit(X, names)
    p = network.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (network.classes_[p.argmax(axis=1)] == network.predict(X)).all()
    assert (network.decision_function(X) > 0).tolist() == (network.predict(X) == "out").tolist()
    search = GridSearchCV(network, {"hidden": [(1,), (16, 8)]}, cv=2).fit(X, names)
    assert search.best_params_ == {"hidden": (16, 8)}


def test_a_network_of_numbers_learns_far_from_zero() -> None:
    X, y = regression()
    fitted = NetworkRegressor(hidden=[32]).fit(X, 1e6 + 1000 * y)
    assert fitted.score(X, 1e6 + 1000 * y) > 0.98
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    assert fitted.n_iter_ == len(fitted.loss_curve_)


@pytest.mark.parametrize(
    "estimator",
    [GradientDescentRegressor(lr=1.1), TorchSGDRegressor(lr=1.1), BCPMClassifier(lr=9000)],
)
def test_a_rate_above_the_stable_one_is_warned_of(estimator: object) -> None:
    X, y = regression()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clone(estimator).set_params(epochs=3).fit(X, y > y.mean())
    above, *grew = (str(w.message) for w in caught if w.category is PipelineWarning)
    assert "largest stable lr" in above
    if not isinstance(estimator, BCPMClassifier):  # separable classes bear any rate
        assert ["the loss grew" in message for message in grew] == [True]


@pytest.mark.parametrize(
    "estimator", [GradientDescentRegressor(), TorchSGDRegressor(), BCPMClassifier()]
)
def test_a_tolerance_ends_a_training_or_is_missed_with_a_warning(estimator: object) -> None:
    X, y = regression()
    y = (y > y.mean()) ^ (np.arange(len(y)) % 10 == 0)  # no line separates these classes
    ours = clone(estimator).set_params(epochs=1000, tolerance=1e-5).fit(X, y)
    assert 10 <= ours.n_iter_ < 1000
    longer = clone(estimator).set_params(epochs=3000).fit(X, y)
    assert ours.loss_curve_[-1] == pytest.approx(longer.loss_curve_[-1], rel=1e-2)
    with pytest.warns(PipelineWarning, match="not converged: 15 epochs took"):
        ours.set_params(epochs=15).fit(X, y)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_partial_fit_of_all_rows_is_fit_epoch_by_epoch(optimizer: str) -> None:
    X, y = regression()
    whole = GradientDescentRegressor(optimizer=optimizer, epochs=30).fit(X, y)
    parts = GradientDescentRegressor(optimizer=optimizer)
    for _ in range(30):
        parts.partial_fit(X, y)
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-8)
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_[:30], rtol=1e-8)
    assert parts.n_iter_ == 30


def test_partial_fit_learns_from_chunks_whose_scale_differs() -> None:
    X, y = regression()
    order = np.argsort(X[:, 3])  # each chunk sees another range of this feature
    parts = GradientDescentRegressor(lr=0.05, batch_size=10)
    for _ in range(60):
        for rows in np.array_split(order, 4):
            parts.partial_fit(X[rows], y[rows])
    assert parts.score(X, y) > 0.999


def test_partial_fit_of_bcpm_goes_on_from_fit_and_knows_its_classes() -> None:
    X, y = regression()
    labels = np.where(y > y.mean(), "b", "a")
    model = BCPMClassifier(epochs=5).fit(X, labels)
    before = model.loss_curve_[-1]
    for _ in range(20):
        model.partial_fit(X, labels)
    assert model.loss_curve_[-1] < before
    with pytest.raises(ValueError, match="classes must be given"):
        BCPMClassifier().partial_fit(X, labels)
    with pytest.raises(ValueError, match="'c', which is not one of"):
        model.partial_fit(X[:2], ["a", "c"])
    one = BCPMClassifier().partial_fit(X[:1], labels[:1], classes=["a", "b"])
    assert one.predict_proba(X).shape == (400, 2)


def test_batches_of_weighted_rows_near_the_weighted_optimum() -> None:
    rng = np.random.default_rng(2)
    X, weights = rng.normal(size=(400, 3)), rng.integers(0, 3, 400)
    y = np.where(weights == 2, 5.0, -5.0) + X @ np.array([1.0, 2, 3])  # each weight has its line
    weighted, plain = ClosedFormRegressor().fit(X, y, weights), ClosedFormRegressor().fit(X, y)
    ours = GradientDescentRegressor(lr=0.003, epochs=300, batch_size=50).fit(X, y, weights)
    assert abs(weighted.intercept_ - plain.intercept_) > 1
    assert ours.intercept_ == pytest.approx(weighted.intercept_, abs=0.2)


def test_rows_of_weight_zero_do_not_count_whatever_they_hold() -> None:
    X, y = regression()
    weights = np.ones(400)
    weights[7], y[7], X[7] = 0, 1e200, 1e200
    kept = np.arange(400) != 7
    for model in (*REGRESSORS, GradientDescentRegressor(batch_size=50)):
        ours, theirs = clone(model).fit(X, y, weights), clone(model).fit(X[kept], y[kept])
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9)


SPOILT = {
    "features 1 are constant": lambda X: np.column_stack([X[:, 0], np.full(len(X), 0.1)]),
    "features 0, 2 depend on each other": lambda X: np.column_stack([X[:, :2], 3 * X[:, 0] + 1]),
    "4 rows do not determine 6 features": lambda X: X[:4],
}


@pytest.mark.parametrize("message", SPOILT)
@pytest.mark.parametrize(
    "estimator",
    [
        GradientDescentRegressor(),
        GradientDescentRegressor(loss="mae", epochs=5),
        TorchSGDRegressor(epochs=5),
        BCPMClassifier(epochs=5),
    ],
)
def test_columns_that_settle_nothing_are_warned_of(estimator: object, message: str) -> None:
    X = SPOILT[message](np.random.default_rng(1).normal(size=(50, 6)))
    with pytest.warns(PipelineWarning, match=message) as caught:
        fitted = clone(estimator).fit(X, np.arange(len(X)) % 2)
    assert len(caught) == 1
    assert np.isfinite(fitted.coef_).all()


def test_a_constant_column_serves_where_there_is_no_intercept() -> None:
    X = SPOILT["features 1 are constant"](np.random.default_rng(1).normal(size=(50, 6)))
    fitted = GradientDescentRegressor(fit_intercept=False, epochs=500).fit(X, np.full(50, 3.0))
    assert fitted.coef_[1] == pytest.approx(30, rel=1e-6)


def test_columns_equal_in_the_first_rows_alone_are_no_trouble() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(20_000, 3))
    X[:17_000, 1], X[:17_000, 2] = X[:17_000, 0], 7
    GradientDescentRegressor(epochs=2).fit(X, X[:, 0])


def test_partial_fit_follows_its_params_and_survives_a_refusal() -> None:
    X, y = regression()
    first, second = (GradientDescentRegressor(lr=0.01).partial_fit(X, y) for _ in range(2))
    second.set_params(lr=0.4).partial_fit(X, y)
    first.partial_fit(X, y)
    assert np.abs(first.coef_ - second.coef_).max() > 1e-3
    before = first.coef_.tobytes()
    with pytest.raises(PipelineError):
        first.partial_fit(X, y * 1e200)
    assert first.coef_.tobytes() == before
    assert first._spread.weight == 800
    fresh = GradientDescentRegressor()
    with pytest.raises(PipelineError):
        fresh.partial_fit(X, y * 1e200)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    with pytest.warns(PipelineWarning, match="largest stable lr"):
        clone(first).set_params(lr=1.5).partial_fit(X, y)
    with pytest.warns(PipelineWarning, match="batch_size 500 is more"):
        first.set_params(batch_size=500).partial_fit(X, y)
    one = GradientDescentRegressor(batch_size=7).partial_fit(X, y)
    again = GradientDescentRegressor(batch_size=7, seed=1235).partial_fit(X, y)
    assert one.coef_.tobytes() != again.coef_.tobytes()
    with pytest.raises(ValueError, match="classes were"):
        BCPMClassifier().partial_fit(X, y > 0, [False, True]).partial_fit(X, y > 0, [0, 5])


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
models = [
    ClosedFormRegressor(),
    GradientDescentRegressor(),
    GradientDescentRegressor(loss="mae", epochs=3),
    GradientDescentRegressor(batch_size=1000, epochs=2),
    TorchSGDRegressor(epochs=3),
    TorchSGDRegressor(batch_size=5000, optimizer="adam", epochs=2),
]
classifiers = [BCPMClassifier(epochs=3), BCPMClassifier(batch_size=1024, epochs=2)]
fitted = [*(m.fit(X, y) for m in models), *(m.fit(X, y > 0) for m in classifiers)]
arrays = [a for m in fitted for a in (m.coef_, getattr(m, "loss_curve_", m.coef_))]
few = [NetworkRegressor(epochs=2, batch_size=size, dropout=0.1) for size in (256, "full")]
for network in (few[0].fit(X, y), few[1].fit(X, y), NetworkClassifier(epochs=2).fit(X, y > 0)):
    arrays += [*network.layers_.weights, *network.layers_.biases, network.loss_curve_]
bytes_ = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)
print("@@" + hashlib.sha256(bytes_).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "allowed",
    [
        ("", "1", "4"),
        pytest.param(("", "1", "2", "4", "") * 2, marks=pytest.mark.nightly, id="ten runs"),
    ],
)
def test_runs_with_any_number_of_threads_give_the_same_bytes(allowed: tuple[str, ...]) -> None:
    found = set()
    for threads in allowed:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        env = {k: v for k, v in os.environ.items() if k not in names}
        env |= dict.fromkeys(names, threads) if threads else {}
        output = subprocess.check_output([sys.executable, "-c", HASH], env=env, cwd=ROOT, text=True)
        found.add(output.split("@@")[1])
    assert len(found) == 1
