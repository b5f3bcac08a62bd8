"""Time a sweep against as many DVC experiments, in one run, as a ratio.

    python benchmarks/sweep.py [ROUNDS]

In a fresh clone of HEAD after `dvc repro`: `python -m pipeline sweep breast_cancer bcpm` over 20
learning rates (100 epochs, 5 folds, logged to MLflow), and `dvc exp run` with one other rate; every
time other values, so that nothing is there already. Medians over ROUNDS (3 unless told).
"""

import statistics
import sys
import tempfile
from pathlib import Path

from main_job import ROOT, seconds

POINTS = 20
AUTHOR = "-c user.name=You -c user.email=you@example.com"
EXPERIMENT = "dvc exp run -S +models.gradient.breast_cancer-bcpm.lr={}"


def rates(number: int) -> list[str]:
    """20 from 0.001 to 1, in even steps of their logarithm; other ones for each round."""
    return [f"{10 ** (3 * k / (POINTS - 1) - 3) * (1 + number / 100):.4g}" for k in range(POINTS)]


def main(rounds: int) -> None:
    sweeps, experiments = [], []
    with tempfile.TemporaryDirectory() as name:
        seconds(f"git clone -q '{ROOT}' ours", Path(name))
        ours = Path(name) / "ours"
        seconds("dvc repro", ours)
        seconds(f"git {AUTHOR} commit -q --allow-empty -am reproduced", ours)  # to go back to
        for number in range(rounds):
            typed = f"python -m pipeline sweep breast_cancer bcpm lr={','.join(rates(number))}"
            sweeps.append(seconds(typed, ours))
            experiments.append(seconds(EXPERIMENT.format(0.05 + number / 100), ours))
            seconds("git checkout -q . && dvc checkout -q", ours)
    sweep, experiment = statistics.median(sweeps), statistics.median(experiments)
    for what, median, values in [
        (f"sweep, {POINTS} points", sweep, sweeps),
        ("dvc exp run, one point", experiment, experiments),
    ]:
        print(f"{what:24}{median:7.1f} s   ({min(values):.1f} .. {max(values):.1f})")
    print(f"{POINTS} dvc exp run / sweep: {POINTS * experiment / sweep:.1f}  (at least 15)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
