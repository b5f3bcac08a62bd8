"""Validation of 1,000,000 rows of 31 floats against bare numpy passes that check the same.

    python benchmarks/validate.py

The bare pass reads the file a row group at a time. It asks of each column whether all values are
finite and within a range, as the schema does, and finds extremes, means, standard deviations,
correlations with the target, by sums and products (as fast as numpy does it, and without the care
for rounding), values outside the ranges trained on, and repeated rows, by one multiplication and
one addition a value and a sort. pandera's import is counted apart. Figures are the best of five.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # as `python -m pipeline` does
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from pipeline.core.artifacts.trained_on import Range, TrainedOn, sketched
from pipeline.core.files import md5
from pipeline.core.tables import number_table, read_groups, write_table

ROWS, COLUMNS = 1_000_000, 31
NAMES = [f"x{k}" for k in range(COLUMNS)]
SCHEMA = "".join(
    f"  {name}: {{dtype: float64, in_range: {{min_value: -10, max_value: 10}}}}\n" for name in NAMES
)


def main() -> None:
    """Print seconds, and their ratios to the bare pass."""
    start = time.perf_counter()
    from pipeline.validate.data_warnings import data_warnings
    from pipeline.validate.profile import Profile
    from pipeline.validate.schema import load_schema
    from pipeline.validate.table import check_table
    from pipeline.validate.values import Source

    print(f"imports, pandera among them: {time.perf_counter() - start:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        path, rules = Path(folder) / "x.parquet", Path(folder) / "x.yaml"
        rng = np.random.default_rng(0)
        write_table(path, number_table(NAMES, [rng.normal(size=ROWS) for _ in NAMES]))
        rules.write_text(f"columns:\n{SCHEMA}strict: true\n")
        schema, source = load_schema(rules), Source(path, "line", range(2, 10**9))

        ranges = {name: Range(min=-10, max=10) for name in NAMES}
        sketches = {name: sketched(rng.normal(size=10_000)) for name in NAMES}
        noted = TrainedOn(rows=ROWS, of=ROWS, columns=ranges)
        trained_on = noted.model_copy(update={"sketches": sketches, "missing": {}})

        def bare() -> None:
            hashes, sums = [], []
            for group in read_groups(path):
                columns = [column.to_numpy() for column in group.columns]
                target, mixed = columns[-1], np.zeros(len(columns[-1]), np.int64)
                for x in columns:
                    low, high = x.min(), x.max()
                    assert np.isfinite(x).all()
                    assert (x >= -10).all()
                    assert (x <= 10).all()
                    outside = ((x < -10) | (x > 10)).sum()
                    sums.append((low, high, outside, x.sum(), x @ x, x @ target))
                    mixed = mixed * 1_000_003 + x.view(np.int64)
                hashes.append(mixed)
            ordered = np.sort(np.concatenate(hashes))
            assert (ordered[1:] != ordered[:-1]).all()

        def ours() -> None:
            profile = Profile(path, NAMES[-1], trained_on=trained_on)
            assert not check_table(path, schema, source, profile).count
            assert not data_warnings(profile, source)

        seconds, peer = _best(ours), _best(bare)
        print(f"schema, profile and warnings: {seconds:.3f} s")
        print(f"bare numpy: {peer:.3f} s, {seconds / peer:.2f}")
        print(f"MD5 of the file, besides: {_best(lambda: md5(path)):.3f} s")


def _best(function: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
