"""The command line: `python -m pipeline STAGE DATASET [MODEL]`, or what DVC calls a stage.

Only what a stage needs is imported for it: `dvc repro` runs a stage again when that changes.
"""

import os
import sys
from contextlib import suppress

# One thread is the fastest here, whatever a user's environment says; `verify --threads` allows
# more, to see the same bytes. Set before numpy is imported.
threads = os.environ.get("PIPELINE_THREADS", "1")
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = threads if threads in map(str, range(1, 100)) else "1"
os.environ["MPLBACKEND"] = "agg"  # pictures go to files, whatever the user's own is
# Read when these are imported: no thread of Arrow's allocator, and no telemetry.
os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# One code for all x86-64 CPUs with AVX2 and FMA, where each library would choose by CPU: they take
# sums in another order, and the last digits differ.
os.environ["MKL_CBWR"] = "COMPATIBLE"
with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:  # noqa: PTH123
    if {"avx2", "fma"}.issubset(cpuinfo.read(16_384).split()):
        os.environ["OPENBLAS_CORETYPE"] = "Haswell"
        os.environ["ATEN_CPU_CAPABILITY"] = "avx2"
        os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"


def main(arguments: list[str] | None = None) -> int:
    """Run a stage or another command; returns its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if "DVC_STAGE" in os.environ and sys.platform == "linux":
        from pipeline.core.preload import end_without_dvc, hand_over

        end_without_dvc()
        try:
            code = hand_over(words)
        except KeyboardInterrupt:  # before a worker was there to be told
            from pipeline.core.run import ended

            return ended(words, KeyboardInterrupt())
        if code is not None:
            return code
    from pipeline.core.run import run

    code = run(words)
    if code is not None:
        return code
    from pipeline.cli import main as run_command

    return run_command(words)


if __name__ == "__main__":
    sys.exit(main())
