from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.artifacts.evaluated import ByOrders
from pipeline.core.artifacts.models import Model
from pipeline.core.forms import Linear
from pipeline.core.kept import Kept
from pipeline.core.params import parse_params
from pipeline.core.settings.descent import params_of
from pipeline.core.trainers import Value
from pipeline.evaluate.permutation import by_orders, holm, orders
from pipeline.solvers import side_by_side
from pipeline.solvers.fit import fit
from pipeline.solvers.rows import ArrayRows
from tests.conftest import descent
from tests.evaluate.sample import split_of

HOUSE = np.array([[80, 200], [95, 230], [104, 245], [112, 247], [125, 259], [135, 262]], float)
DESCENTS = ["manual_gd", "torch_sgd"]
Params = Mapping[str, Value]


declared = cache(partial(parse_params, file="params.yaml"))


def told(
    X: np.ndarray,
    y: np.ndarray,
    models: Mapping[str, tuple[str, Params]] | None = None,
    dataset: str = "house",
    kept: Kept | None = None,
) -> dict[str, ByOrders]:
    """By name of the models, each a trainer with its params; closed_form alone unless given."""
    every, params = np.arange(len(y)), declared(Path("params.yaml").read_text())
    rows = replace(split_of(X, y, every, every[:0]), kept=kept)
    none = Linear(np.zeros(X.shape[1]), np.zeros(1))
    given = models or {"closed_form": ("closed_form", {})}
    made = {name: Model(one, dict(own), {}, none, None) for name, (one, own) in given.items()}
    return by_orders(rows, params.dataset(dataset), made, params.cross_validation)


def test_p_of_six_flats_is_that_of_all_their_orders(workspace: Path) -> None:
    X, y = HOUSE[:, :1], HOUSE[:, 1]
    A = np.column_stack([X, np.ones(6)])
    hat = A @ np.linalg.pinv(A)
    orders_of_y = np.array([*permutations(y)])
    left_out = (orders_of_y - orders_of_y @ hat) / (1 - np.diag(hat))  # Allen 1974
    each = (left_out**2).mean(axis=1)
    assert np.argmin(each) == 0
    assert each[0] == pytest.approx(149.9, abs=0.05)
    found = told(X, y)["closed_form"]
    assert (found.as_good, found.orders, found.exact) == (1, 720, True)
    assert found.p == pytest.approx(1 / 720, rel=1e-5)
    rate = descent(lr=0.1, epochs=100)
    models = {name: (name, params_of(name, rate)) for name in DESCENTS}
    models |= {name: (name, {}) for name in ("closed_form", "pairwise_mean")}
    for one in told(X, y, models).values():
        assert (one.as_good, one.p) == (1, found.p)
        assert one.holm == pytest.approx(4 * found.p)


def test_equal_numbers_have_one_order(workspace: Path) -> None:
    y = np.array([1.0, 0, 0, 1, 0, 0, 0, 0])
    found, exact = orders(y, None, 100, 0)
    assert exact
    assert found.shape == (8, 28)
    assert (found[:, 0] == y).all()
    assert len(np.unique(found, axis=1).T) == 28
    drawn, exact = orders(np.arange(8.0), None, 100, 0)
    assert not exact
    assert drawn.shape == (8, 100)
    assert (np.sort(drawn, axis=0) == np.arange(8.0)[:, None]).all()
    assert (drawn == orders(np.arange(8.0), None, 100, 0)[0]).all()
    assert (drawn[:, 1:] != orders(np.arange(8.0), None, 100, 1)[0][:, 1:]).any()


def test_whole_groups_change_places(workspace: Path) -> None:
    codes = np.array([0, 1, 1, 2, 0, 2])
    y = np.array([0.0, 10, 11, 20, 1, 21])
    found, exact = orders(y, Kept("groups", codes), 100, 0)
    assert exact
    assert found.shape == (6, 6)
    assert (found[:, 0] == y).all()
    for one in found.T:
        pairs = {tuple(one[codes == k]) for k in range(3)}
        assert pairs == {(0.0, 1.0), (10.0, 11.0), (20.0, 21.0)}


@pytest.mark.parametrize("alike", [True, False])
def test_a_target_that_hangs_on_the_group_alone_is_no_find(workspace: Path, alike: bool) -> None:
    """Rows of a group share a target that no feature foretells but by telling the group."""
    better = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        codes = np.repeat(np.arange(8), 5)
        X = generator.normal(size=(8, 2))[codes]
        y = generator.normal(size=8)[codes] + 0.1 * generator.normal(size=40)
        kept = Kept("groups", codes) if alike else None
        better += told(X, y, kept=kept)["closed_form"].p <= 0.05
    assert better <= 5 if alike else better > 15


@pytest.mark.filterwarnings("ignore:the training loss:pipeline.core.errors.PipelineWarning")
@pytest.mark.parametrize(
    ("trainer", "changes"),
    [
        ("closed_form", {}),
        ("pairwise_mean", {}),
        ("manual_gd", {"epochs": 30}),
        ("manual_gd", {"loss": "mae", "batch_size": 7, "epochs": 20, "lr": 0.5}),
        ("torch_sgd", {"optimizer": "adam", "epochs": 30, "weight_decay": 0.1}),
        ("bcpm", {"batch_size": 8, "epochs": 20, "optimizer": "momentum"}),
        ("bcpm", {"epochs": 40, "class_weight": "balanced"}),
        ("bcpm", {"batch_size": 8, "epochs": 5, "class_weight": "balanced"}),
    ],
)
def test_side_by_side_each_model_is_that_of_a_training_by_itself(
    trainer: str, changes: dict[str, Value]
) -> None:
    generator = np.random.default_rng(3)
    X = generator.normal(size=(40, 1 if trainer == "pairwise_mean" else 3))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    targets = generator.normal(size=(40, 5)) + X[:, :1]
    targets = (targets > 0.5).astype(float) if trainer == "bcpm" else targets
    params: Params = {}
    if trainer not in ("closed_form", "pairwise_mean"):
        params = params_of(trainer, descent(**changes))
    found = side_by_side.fit(trainer, params, X, targets)
    for theta, y in zip(found, targets.T, strict=True):
        alone = fit(trainer, params, ArrayRows(X, y.copy()))[0].form
        assert isinstance(alone, Linear)
        np.testing.assert_allclose(theta, np.append(alone.coef, alone.intercept), atol=1e-10)


def test_a_logged_target_is_shuffled_as_it_is(workspace: Path) -> None:
    x = np.arange(6.0)
    y = np.exp(0.5 * x + 0.1 * np.array([1, -1, 1, 1, -1, 0]))
    logged = {"log": ("closed_form", {"target_transform": "log"})}
    found = told(x[:, None], y, logged)["log"]
    each = []
    for one in map(np.array, permutations(np.log(y))):
        lines = (np.polyfit(np.delete(x, k), np.delete(one, k), 1) for k in range(6))
        z = np.array([np.polyval(line, x[k]) for k, line in enumerate(lines)])
        each.append(np.square(np.exp(z) - np.exp(one)).mean())
    assert found.as_good == np.sum(each <= each[0] * (1 + 1e-9))
    assert found.as_good < 30


def test_there_is_no_p_where_it_would_say_nothing(workspace: Path) -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(30, 2))
    y = X[:, 0] + 0.5 * generator.normal(size=30)
    assert told(X, y)["closed_form"].p == 0.01
    assert told(X, np.ones(30)) == {}
    assert told(X, y, kept=Kept("moments", np.arange(30))) == {}
    many = np.tile(X, (7, 1))
    assert told(many, many[:, 0]) == {}
    rate = params_of("manual_gd", descent(lr=5.0, epochs=2000))
    assert told(X, y, {"beyond": ("manual_gd", rate)}) == {}
    assert told(X, y, {"network": ("network", {})}) == {}


def test_classes_are_judged_by_their_metric(workspace: Path) -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(40, 2))
    rate = {"bcpm": ("bcpm", params_of("bcpm", descent(epochs=50)))}
    clear = (X[:, 0] + 0.3 * generator.normal(size=40) > 0).astype(float)
    assert told(X, clear, rate, "breast_cancer")["bcpm"].p == 0.01
    text = Path("params.yaml").read_text()
    for metric in ("roc_auc", "log_loss", "brier"):
        Path("params.yaml").write_text(text.replace("metric: accuracy", f"metric: {metric}"))
        assert told(X, clear, rate, "breast_cancer")["bcpm"].p == 0.01
    goal = "threshold: {recall: malignant, at_least: 0.95}"
    Path("params.yaml").write_text(text.replace("threshold: 0.5", goal))
    assert told(X, clear, rate, "breast_cancer") == {}


@pytest.mark.parametrize(
    ("rows", "times"),
    [(6, 100), (30, 100), *(pytest.param(n, 1000, marks=pytest.mark.nightly) for n in (6, 30))],
)
def test_noise_is_found_in_one_of_twenty_tables(workspace: Path, rows: int, times: int) -> None:
    found = 0
    for seed in range(times):
        generator = np.random.default_rng(seed)
        X, y = generator.normal(size=(rows, 2)), generator.normal(size=rows)
        found += told(X, y)["closed_form"].p <= 0.05
    assert 0.01 * times <= found <= 0.05 * times + 2 * np.sqrt(0.05 * 0.95 * times)


def test_a_class_at_random_is_found_in_one_of_twenty_tables(workspace: Path) -> None:
    """Folds that suit the classes seen, and not those of other orders, would find more."""
    found = 0
    rate = {"bcpm": ("bcpm", params_of("bcpm", descent(epochs=20)))}
    for seed in range(60):
        generator = np.random.default_rng(seed)
        X, y = generator.normal(size=(30, 2)), (np.arange(30) % 3 == 0).astype(float)
        found += told(X, generator.permutation(y), rate, "breast_cancer")["bcpm"].p <= 0.05
    assert found <= 6


@pytest.mark.parametrize("p", [[0.03, 0.01, 0.04], [0.5, 0.9], [0.01], []])
def test_holm_is_the_closed_test_by_bonferroni(p: list[float]) -> None:
    """A hypothesis falls where each set of hypotheses that holds it does, by its smallest p."""
    sets = range(1, 2 ** len(p))
    for k, corrected in enumerate(holm(p)):
        each = [[q for j, q in enumerate(p) if one >> j & 1] for one in sets if one >> k & 1]
        assert corrected == pytest.approx(min(1, max(len(one) * min(one) for one in each)))


@pytest.mark.nightly
@pytest.mark.parametrize(("rows", "least"), [(6, 0.3), (10, 0.6), (20, 0.9), (30, 0.95)])
def test_lines_are_found(workspace: Path, rows: int, least: float) -> None:
    found = 0
    for seed in range(300):
        generator = np.random.default_rng(seed)
        X = generator.normal(size=(rows, 1))
        found += told(X, X[:, 0] + generator.normal(size=rows))["closed_form"].p <= 0.05
    assert found >= least * 300
