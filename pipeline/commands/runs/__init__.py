"""Say what made a run of the MLflow store and what brings it back, or how two runs differ.

  python -m pipeline run show RUN_ID
  python -m pipeline run diff RUN_ID RUN_ID

The first characters of a run's id, four or more, do where no other run's begin so.

Reads MLflow, git, params.yaml and data/1_ingested. Changes nothing.
"""

from argparse import ArgumentParser, Namespace

from pipeline.commands.runs.diff import diff
from pipeline.commands.runs.show import show
from pipeline.core.run import say


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `run`."""
    what = parser.add_subparsers(dest="what", required=True, metavar="show|diff")
    known = "the id of a run, or its first characters"
    shown = what.add_parser("show", help="what made a run, and the commands that bring it back")
    shown.add_argument("A", metavar="RUN_ID", help=known)
    compared = what.add_parser("diff", help="the params, data, code and metrics that differ")
    compared.add_argument("A", help=known)
    compared.add_argument("B", help=known)


def run(options: Namespace) -> None:
    """Run the command."""
    say(show(options.A) if options.what == "show" else diff(options.A, options.B))
