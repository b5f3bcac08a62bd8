"""Make the accepted model of DATASET its champion, or the MODEL named.

From then on `report` rejects what is worse, and `predict` uses it. Run `dvc repro` afterwards,
which moves the alias `champion` in MLflow's registry, and commit.

Reads metrics/verdict.json and data/5_evaluated. Writes metrics/champion.json.
"""

from argparse import ArgumentParser, Namespace

from pipeline.core.artifacts.champions import promote
from pipeline.core.run import say


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `promote`."""
    parser.add_argument("DATASET", help="a name under params.yaml: datasets")
    override = "whatever the verdict; recorded as an override"
    parser.add_argument("MODEL", nargs="?", help=override)


def run(options: Namespace) -> None:
    """Run the command."""
    say(f"{options.DATASET}: {promote(options.DATASET, options.MODEL)}")
