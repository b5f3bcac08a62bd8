"""What a model computes: against scikit-learn's network, and row by row."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor

from pipeline.core.forms import Estimator, Layers, Linear, digest, layers_of, least
from pipeline.core.tables import Array
from pipeline.evaluate.metrics import predicted_labels

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}


def network(outputs: tuple[int, ...], activation: str, hidden: tuple[int, ...] = (5, 3)) -> Layers:
    """Layers of random numbers over four features."""
    rng, sizes = np.random.default_rng(1), [4, *hidden]
    shapes = [*pairwise(sizes)]
    weights = [rng.normal(size=shape) for shape in [*shapes, (sizes[-1], *outputs)]]
    biases = [rng.normal(size=shape[1:]) for shape in [*shapes, (sizes[-1], *outputs)]]
    arrays = {f"weights_{k}": w for k, w in enumerate(weights)}
    return layers_of(arrays | {f"bias_{k}": b for k, b in enumerate(biases)}, activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("outputs", [(), (3,)])
def test_layers_compute_what_scikit_learns_network_does(
    activation: str, outputs: tuple[int, ...]
) -> None:
    layers = network(outputs, activation)
    X = np.random.default_rng(2).normal(size=(50, 4))
    model = MLPRegressor(hidden_layer_sizes=(5, 3), activation=ACTIVATIONS[activation])
    model.partial_fit(X, X[:, :3] if outputs else X[:, 0])
    model.coefs_ = [w.reshape(len(w), -1) for w in layers.weights]
    model.intercepts_ = [np.atleast_1d(b) for b in layers.biases]
    np.testing.assert_allclose(layers(X), model.predict(X), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("outputs", [(), (3,)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_digits_of_a_row_do_not_hang_on_the_rows_beside_it(
    activation: str, outputs: tuple[int, ...]
) -> None:
    X = np.random.default_rng(3).normal(size=(101, 4))
    rng = np.random.default_rng(4)
    linear = Linear(rng.normal(size=(4, *outputs)), rng.normal(size=outputs))
    for form in (linear, network(outputs, activation)):
        together = form.by_row(X)
        np.testing.assert_allclose(together, form(X), rtol=1e-12, atol=1e-12)
        assert together.shape == (101, *outputs)
        for rows in (slice(0, 1), slice(7, 9), slice(50, 101)):
            assert form.by_row(X[rows]).tobytes() == together[rows].tobytes()


@pytest.mark.parametrize("threshold", np.arange(1, 20) / 20)
@pytest.mark.parametrize("n", [10, 20, 7])
def test_label_1_is_predicted_from_the_threshold_on(threshold: float, n: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 2))
    one = KNeighborsClassifier(n).fit(X, (X[:, 0] + rng.normal(size=1000) > 0).astype(int))
    rows = rng.normal(size=(1000, 2))
    votes = np.rint(one.predict_proba(rows)[:, 1] * n)
    form = Estimator("KNeighborsClassifier", one)
    expected = 20 * votes >= round(20 * threshold) * n  # in whole numbers
    for z in (form(rows), form.by_row(rows)):
        np.testing.assert_array_equal(predicted_labels(z, threshold), expected)
    np.testing.assert_array_equal(one.predict_proba(rows)[:, 1] >= least(threshold), expected)


def test_rows_are_predicted_beside_rows_alone() -> None:
    """No row of another place is asked for, of which an estimator may know nothing."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    X = rng.normal(size=(120, 2)) / 20 + np.array([[-1, -1], [1, 1], [1, -1]])[y]
    form = Estimator("", RadiusNeighborsClassifier(0.5).fit(X, y))
    expected = form(X)
    assert form.by_row(X).tobytes() == form.by_row(np.tile(X, (20, 1)))[:120].tobytes()
    np.testing.assert_allclose(form.by_row(X), expected, rtol=1e-12)
    unknown = np.full((2, 2), np.nan)
    assert np.isnan(form.by_row(unknown)).all()
    assert form.by_row(unknown).shape == (2, 3)
    assert form.by_row(X[:0]).shape == (0, 3)


def test_arrays_make_the_same_network_again() -> None:
    layers = network((3,), "tanh")
    again = layers_of(layers.arrays, "tanh")
    assert digest(again) == digest(layers)
    other = layers.arrays | {"bias_1": layers.biases[1] + 1e-16 + np.spacing(layers.biases[1])}
    assert digest(layers_of(other, "tanh")) != digest(layers)


def broken() -> dict[str, tuple[dict[str, Array], str, str]]:
    arrays = network((), "relu").arrays
    short = {k: v for k, v in arrays.items() if k != "bias_1"}
    return {
        "none": ({}, "relu", "holds nothing"),
        "one missing": (short, "relu", "no layers"),
        "another name": ({**short, "bias": arrays["bias_1"]}, "relu", "no layers"),
        "another shape": (arrays | {"bias_1": np.zeros(4)}, "relu", "weights_1 and bias_1 do not"),
        "not joined": (arrays | {"weights_1": np.zeros((6, 3))}, "relu", "weights_1 and bias_1"),
        "float32": (arrays | {"bias_0": np.zeros(5, np.float32)}, "relu", "weights_0 and bias_0"),
        "activation": (arrays, "gelu", "gelu is no activation"),
    }


@pytest.mark.parametrize("case", broken())
def test_other_arrays_are_no_network(case: str) -> None:
    arrays, activation, message = broken()[case]
    with pytest.raises(ValueError, match=message):
        layers_of(arrays, activation)


def test_scikit_learns_classifier_has_no_other_way_of_joining_layers() -> None:
    X = np.random.default_rng(5).normal(size=(60, 4))
    y = np.arange(60) % 3
    model = MLPClassifier((5, 3), activation="tanh", random_state=0)
    model.partial_fit(X, y, classes=[0, 1, 2])
    arrays = {f"weights_{k}": w for k, w in enumerate(model.coefs_)}
    arrays |= {f"bias_{k}": b for k, b in enumerate(model.intercepts_)}
    z = layers_of(arrays, "tanh")(X)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, model.predict_proba(X), rtol=1e-9)
