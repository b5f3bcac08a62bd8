"""What cross-validation adds to a cold `dvc repro`.

    python benchmarks/cross_validation.py [ROUNDS]

In a fresh clone of HEAD after `dvc repro`: `evaluate` of every dataset as it is, and with no folds
(of fewer than three rows there are none), in turn; medians over ROUNDS (3 unless told).
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from main_job import ROOT, seconds

DATASETS = ("house", "synthetic", "breast_cancer")
# The same command in a process that cuts no folds, also not for the audit of shuffled targets.
WITHOUT = """\
import sys
from pipeline.__main__ import main
from pipeline.evaluate import audits
from pipeline.evaluate import judge
judge.folds = audits.folds = lambda *arguments: []
sys.exit(main(["evaluate", sys.argv[1]]))
"""


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        seconds(f"git clone -q '{ROOT}' ours", top)
        ours = top / "ours"
        start = time.perf_counter()
        seconds("dvc repro", ours)
        cold = time.perf_counter() - start
        (ours / "without.py").write_text(WITHOUT)
        with_, without = [], []
        for _ in range(rounds):
            without.append(sum(seconds(f"python without.py {d}", ours) for d in DATASETS))
            with_.append(sum(seconds(f"python -m pipeline evaluate {d}", ours) for d in DATASETS))
        added = statistics.median(with_) - statistics.median(without)
        print(f"cold dvc repro                     {cold:6.1f} s")
        print(f"evaluate, three datasets           {statistics.median(with_):6.1f} s")
        print(f"evaluate without folds             {statistics.median(without):6.1f} s")
        print(f"cross-validation / a cold repro without it: {added / (cold - added):.2f}", end="")
        print("  (at most 0.3)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
