"""The commands, with --help for each: `python -m pipeline COMMAND`.

A command is a module. Its docstring is what --help says, `add_arguments(parser)` declares what
stands behind its name, and `run(options)` runs it. A stage is a module, too, with a function of its
name that takes a dataset, a dataset and models, or nothing.
"""

import ast
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.run import STAGES, call_stage, guarded

EPILOG = """\
Run from the folder of dvc.yaml. Usually DVC calls the stages, in order and only where needed:

  dvc repro                      rebuild everything that is out of date
  dvc exp run -S lr=0.01         run an experiment with another learning rate
  mlflow ui                      compare runs in the browser

Exit codes: 0 done; 2 bad input or a bad setting; 3 the training diverged; 130 interrupted.
"""
COMMANDS = (
    *("add", "remove", "repro", "sync", "predict", "sweep", "run", "schema", "results", "doctor"),
    *("verify", "promote"),
)
MODULES = {"run": "runs", "schema": "schema_draft"}  # of commands that are not named as theirs


def main(words: Sequence[str]) -> int:
    """Run the command that the words name; returns its exit code, as `core.run.run` has them."""
    return guarded(words or ["pipeline"], lambda: _run(words))


def _run(words: Sequence[str]) -> None:
    form = RawDescriptionHelpFormatter
    parser = ArgumentParser("python -m pipeline", epilog=EPILOG, formatter_class=form)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in (*STAGES, *COMMANDS):
        text = _docstring(name)
        line = text.splitlines()[0].rstrip(".")
        command = commands.add_parser(name, help=line, description=text, formatter_class=form)
        if name in words[:1]:  # importing all of them would take seconds
            _add_arguments(command, name)
    options = parser.parse_args(words)
    if options.command in COMMANDS:
        import_module(_module(options.command)).run(options)
        return
    given = vars(options)
    stage, dataset = given.pop("command"), given.pop("DATASET", None)
    call_stage(stage, [*([dataset] if dataset else []), *given.pop("MODEL", [])], **given)


def _add_arguments(command: ArgumentParser, name: str) -> None:
    if name in COMMANDS:
        import_module(_module(name)).add_arguments(command)
        return
    if STAGES[name].names:
        command.add_argument("DATASET", help="a name under params.yaml: datasets")
    if STAGES[name].names > 1:
        meaning = "the name of a line of params.yaml: models, or a reference model"
        command.add_argument("MODEL", nargs="+", help=meaning)
    if name == "textbook":
        full = "take all 5,000,000 torch steps of listing 3-14 instead (about 20 minutes)"
        command.add_argument("--full", action="store_true", help=full)


def _module(name: str) -> str:
    if name in STAGES:
        return STAGES[name].module
    return f"pipeline.commands.{MODULES.get(name, name)}"


def _docstring(name: str) -> str:
    """The docstring of a command's module, which is not imported for it."""
    module = _module(name)
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise PipelineError(f"{module} is missing; check out pipeline/ whole")
    return ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
