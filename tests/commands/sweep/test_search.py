from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from pipeline.commands.sweep.search import Bench, search
from pipeline.commands.sweep.space import parse_space, shown
from pipeline.core import layout
from pipeline.core.artifacts.splits import read_split
from pipeline.core.files import read_json
from pipeline.core.params import load_params
from pipeline.core.settings.evaluate import CrossValidation
from pipeline.core.tables import as_arrays, number_table, read_table, write_table
from pipeline.evaluate.cross_validation import cross_validate
from pipeline.evaluate.folds import folds
from pipeline.evaluate.scores import fold_scores

Prepare = Callable[[str], None]


def bench(dataset: str, model: str, *arguments: str, trials: int | None = None) -> Bench:
    params = load_params()
    wanted = params.model_of(dataset, model)
    made = Bench(dataset, wanted, params)
    space = parse_space(arguments, wanted, trials)
    assert search(made, space, params.seed, tqdm(disable=True)) is False
    return made


def by_params(made: Bench) -> dict[tuple[object, ...], object]:
    return {key: (point.folds, point.scores) for key, point in made.points.items()}


@pytest.mark.parametrize(
    ("dataset", "trainer"), [("breast_cancer", "bcpm"), ("house", "torch_sgd")]
)
def test_the_committed_params_score_as_the_pipeline_scores_them(
    prepared: Prepare, dataset: str, trainer: str
) -> None:
    prepared(dataset)
    params = load_params()
    settings = params.dataset(dataset)
    split = read_split(dataset, settings, read_table(layout.ingested(dataset)))
    raw, y = split.raw[split.train], split.y[split.train]
    cuts = folds(y, settings.task, CrossValidation(folds=5, repeats=1, seed=0))
    own = params.model_of(dataset, trainer).params
    threshold, classes = settings.evaluate.threshold, settings.evaluate.classes or []
    held = cross_validate(trainer, own, raw, y, cuts, threshold, classes)
    expected = fold_scores(held, y, settings)
    for lrs in ("lr=0.1", "lr=0.5,0.1"):
        found = bench(dataset, trainer, lrs, "epochs=100").points[tuple(map(shown, own.values()))]
        assert found.folds == expected
    key = f"{'cv' if len(y) > 30 else 'loo'}_{settings.evaluate.metric}"
    assert found.scores[key] == pytest.approx(np.mean(expected[settings.evaluate.metric]))


def test_a_point_does_not_depend_on_the_others(prepared: Prepare) -> None:
    prepared("synthetic")
    lists = [("lr=0.3,0.01", "epochs=5,2"), ("epochs=2,5", "lr=0.01,0.3"), ("epochs=5", "lr=0.3")]
    one, other, few = (by_params(bench("synthetic", "torch_sgd", *grid)) for grid in lists)
    assert one == other
    assert few.items() <= one.items()
    assert len(few) == 2  # the current params are one of them


def test_threads_change_nothing(prepared: Prepare) -> None:
    import torch

    prepared("breast_cancer")
    found, before = [], torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            grid = ("batch_size=full,64", "epochs=5")
            found.append(by_params(bench("breast_cancer", "bcpm", *grid)))
    torch.set_num_threads(before)
    assert found[0] == found[1]


def test_test_rows_are_not_looked_at(prepared: Prepare) -> None:
    prepared("synthetic")
    path = layout.ingested("synthetic")
    before = by_params(bench("synthetic", "manual_gd", "lr=0.2,0.3"))
    table = read_table(path)
    X, y = as_arrays(table)
    test = read_json(layout.split_rows("synthetic"))["test"]
    assert len(test) == 20
    X[test], y[test] = np.nan, np.nan
    write_table(path, number_table(table.column_names, [*X.T, y]))
    for part in Path("data/3_split/synthetic").glob("test*"):
        part.unlink()
    assert by_params(bench("synthetic", "manual_gd", "lr=0.2,0.3")) == before


def test_a_diverging_point_ends_nothing(prepared: Prepare) -> None:
    prepared("synthetic")
    found = bench("synthetic", "manual_gd", "lr=1e200,0.2")
    assert [(p.params["lr"], bool(p.folds)) for p in found.points.values()] == [
        (0.1, True),
        (1e200, False),
        (0.2, True),
    ]


def test_the_same_trials_are_drawn_again(prepared: Prepare) -> None:
    prepared("synthetic")
    typed = ("lr=1e-5..10", "batch_size=16,full", "epochs=1..4", "momentum=0.5..0.500001")
    one, other = (bench("synthetic", "manual_gd", *typed, trials=14) for _ in range(2))
    assert by_params(one) == by_params(other)
    _, *drawn = (point.params for point in one.points.values())
    assert 12 < len(drawn) <= 14
    assert all(1e-5 <= p["lr"] <= 10 and 0.5 <= p["momentum"] <= 0.500001 for p in drawn)
    assert {p["batch_size"] for p in drawn} == {16, "full"}
    assert {p["epochs"] for p in drawn} <= {1, 2, 3, 4}
    decades = np.histogram(np.log10([p["lr"] for p in drawn]), [-5, -2, 1])[0]
    assert decades.min() >= 2  # the log scale: even draws would leave 0.1 % below 0.01


def test_trials_find_what_a_grid_would(prepared: Prepare) -> None:
    prepared("synthetic")
    found = bench("synthetic", "manual_gd", "lr=1e-6..1e6", "epochs=20", trials=25)
    assert any(not point.folds for point in found.points.values())  # beyond the stable rate
    best = min(p.scores["cv_mse"] for p in found.points.values() if p.folds)
    grid = bench("synthetic", "manual_gd", "lr=0.3,0.5,0.7", "epochs=100").points.values()
    assert best <= 1.01 * min(point.scores["cv_mse"] for point in grid)
