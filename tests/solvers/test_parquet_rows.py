from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.tables import ROW_GROUP, number_table, write_table
from pipeline.solvers import bcpm, closed_form, manual_gd, torch_sgd
from pipeline.solvers.rows import ArrayRows, ParquetRows
from tests.conftest import descent

N = 2 * ROW_GROUP + 1000


def written(path: Path, n_rows: int) -> tuple[ParquetRows, ArrayRows]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n_rows, 2))
    y = X @ np.array([2.0, -1.0]) + rng.normal(size=n_rows)
    write_table(path, number_table(["a", "b", "y"], [*X.T, y]))
    return ParquetRows(path), ArrayRows(X, y)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[ParquetRows, ArrayRows]:
    return written(tmp_path_factory.mktemp("rows") / "x.parquet", N)


def test_row_groups_hold_all_rows_in_order(both: tuple[ParquetRows, ArrayRows]) -> None:
    streamed, rows = both
    assert (streamed.features, streamed.n_rows, streamed.n_features) == (["a", "b"], N, 2)
    blocks = [streamed.read(part) for part in streamed.parts()]
    assert [len(block) for block in blocks] == [ROW_GROUP, ROW_GROUP, 1000]
    np.testing.assert_array_equal(np.concatenate([block.X for block in blocks]), rows.X)
    np.testing.assert_array_equal(np.concatenate([block.y for block in blocks]), rows.y)


def test_a_shuffle_gives_every_row_once_and_mixes_two_groups(
    both: tuple[ParquetRows, ArrayRows],
) -> None:
    streamed, rows = both
    shuffles = []
    for seed in (3, 3, 4, 5, 6, 7):
        tasks = list(streamed.shuffled(np.random.default_rng(seed), 100))
        shuffles.append([task() for task in tasks])
    first, same, *others = (np.concatenate([block.y for block in s]) for s in shuffles)
    np.testing.assert_array_equal(np.sort(first), np.sort(rows.y))
    assert first.tobytes() == same.tobytes()
    assert len({np.sort(o[:1000]).tobytes() for o in [first, *others]}) == 5
    # the groups come in an order of their own: the short one not always in the same window
    assert len({tuple(len(block) for block in s) for s in shuffles}) > 1
    position = {value: k for k, value in enumerate(rows.y.tolist())}
    origins = np.array([position[value] for value in shuffles[0][0].y[:2000].tolist()])
    assert len(set((origins // ROW_GROUP).tolist())) == 2


@pytest.mark.parametrize("changes", [{}, {"loss": "mae"}, {"optimizer": "adam", "epochs": 20}])
def test_training_from_the_file_is_training_in_memory(
    both: tuple[ParquetRows, ArrayRows], changes: dict[str, object]
) -> None:
    streamed, rows = both
    settings = descent(**({"epochs": 5} | changes))
    for solver in (manual_gd, torch_sgd):
        ours, theirs = (solver.fit(r, settings).theta for r in (streamed, rows))
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_least_squares_and_batches_from_the_file(both: tuple[ParquetRows, ArrayRows]) -> None:
    streamed, rows = both
    exact = closed_form.fit(rows).theta
    np.testing.assert_allclose(closed_form.fit(streamed).theta, exact, rtol=1e-12)
    settings = descent(batch_size=1000, epochs=2, lr=0.05)
    np.testing.assert_allclose(manual_gd.fit(streamed, settings).theta, exact, atol=0.05)


def test_bcpm_in_batches_from_the_file(both: tuple[ParquetRows, ArrayRows], tmp_path: Path) -> None:
    _, rows = both
    labels = (rows.y > 0).astype(float)
    write_table(tmp_path / "c.parquet", number_table(["a", "b", "y"], [*rows.X.T, labels]))
    settings = descent(batch_size=1000, epochs=3, lr=0.5)
    ours = bcpm.fit(ParquetRows(tmp_path / "c.parquet"), settings)
    theirs = bcpm.fit(ArrayRows(rows.X, labels), settings)
    np.testing.assert_allclose(ours.theta, theirs.theta, atol=0.2)
    assert ours.history[-1] < ours.history[0] < np.log(2)


def test_a_small_file_is_read_once(tmp_path: Path) -> None:
    streamed, _ = written(tmp_path / "x.parquet", 50)
    before = streamed.read(streamed.parts()[0])
    (tmp_path / "x.parquet").unlink()
    assert streamed.read(streamed.parts()[0]) is before


@pytest.mark.parametrize(("content", "message"), [(None, "missing"), (b"PAR1", "damaged")])
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content:
        (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(PipelineError, match=rf"x\.parquet.*{message}"):
        ParquetRows(tmp_path / "x.parquet")
