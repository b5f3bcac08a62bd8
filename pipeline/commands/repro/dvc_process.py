"""The part of DVC in `repro`: what is out of date, and a fork of this process that runs one stage.

DVC is imported once and reads dvc.yaml and dvc.lock once. A fork does with one stage what
`dvc repro` does with each, by DVC's own functions, under DVC's own locks; DVC lets go of its lock
while the stage's command runs.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dvc.lock
from dvc.config import ConfigError
from dvc.dvcfile import PROJECT_FILE, Lockfile
from dvc.exceptions import DvcException, NotDvcRepoError, ReproductionError
from dvc.logger import ColorFormatter
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import Stage
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml

from pipeline.core.dvc_lock import PLAIN, names, with_stage
from pipeline.core.files import write_text
from pipeline.core.preload import die_with_parent

FAILED, INTERRUPTED = 255, 252  # DVC's exit codes
CODES = {ConfigError: 251, KeyboardInterrupt: INTERRUPTED, NotDvcRepoError: 253}
WORDS = {ConfigError: "configuration error", KeyboardInterrupt: "interrupted by the user"}
OF_DVC = "\0"  # before each line that is DVC's, not the stage's
# Seconds in which DVC tries six times to get a lock. A stage lets go of it, and wants it again,
# within milliseconds; DVC's own pause of half a second would be longer than most stages.
PATIENCE = 0.06
LOGGERS = ("dvc", "dvc_objects", "dvc_data")


class Plan(NamedTuple):
    """The stages of dvc.yaml.

    Attributes
    ----------
    repo : Repo
    stages : dict
        Each by its name, in the order in which `dvc repro` takes them.
    needs : dict
        By name the names of those whose outputs it depends on.
    behind : list of str
        What is out of date, and what depends on that and so may be.
    """

    repo: Repo
    stages: dict[str, Stage]
    needs: dict[str, set[str]]
    behind: list[str]


def plan() -> Plan:
    """Ask DVC for its stages, and which are out of date.

    Raises
    ------
    DvcException
        When dvc.yaml cannot be read, or another dvc is at work.
    """
    repo = Repo()
    with lock_repo(repo):
        graph = get_active_graph(repo.index.graph)
        steps = plan_repro(graph, collect_stages(repo, [PROJECT_FILE]))
        stages = {step.addressing: step for step in steps}
        needs = {
            name: {other.addressing for other in graph.successors(step)}
            for name, step in stages.items()
        }
        behind = dict[str, None]()
        for name, step in stages.items():
            if needs[name] & behind.keys() or step.changed():
                behind[name] = None
    return Plan(repo, stages, needs, [*behind])


def order_of_lock(plan: Plan) -> list[str]:
    """The order that `dvc repro` gives dvc.lock: what stands there, then what is new."""
    return [*dict.fromkeys([*names(), *plan.stages])]


def fork(plan: Plan, name: str, order: Sequence[str], out: int, err: int) -> int:
    """Have a fork of this process run a stage; returns its number.

    Parameters
    ----------
    plan : Plan
    name : str
        One of the plan's stages.
    order : sequence of str
        Of the stages in dvc.lock.
    out, err : int
        Descriptors to which DVC and the stage write, DVC with `OF_DVC` before each line.
    """
    parent = os.getpid()
    process = os.fork()
    if process:
        return process
    code = FAILED
    try:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        die_with_parent()
        if os.getppid() == parent:
            _take_streams(out, err)
            code = _reproduce(plan.repo, plan.stages[name], order)
    finally:
        os._exit(code)


def _take_streams(out: int, err: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, stream in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(descriptor, stream)
    said, warned = (os.fdopen(os.dup(stream), "w", encoding="utf-8") for stream in (1, 2))
    handlers = [_Handler(said), _Handler(warned)]
    handlers[0].addFilter(lambda record: record.levelno < logging.WARNING)
    handlers[1].setLevel(logging.WARNING)
    for logger in map(logging.getLogger, LOGGERS):
        logger.handlers = [*handlers]
    sys.stdout = sys.stderr = os.fdopen(nothing, "w", encoding="utf-8")  # of DVC's hints


class _Handler(logging.StreamHandler[Any]):
    """DVC's messages, each line marked as such."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.setFormatter(ColorFormatter(log_colors=False))

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(f"{OF_DVC}{line}" for line in super().format(record).split("\n"))


def _reproduce(repo: Repo, stage: Stage, order: Sequence[str]) -> int:
    """What `dvc repro` does with one stage; the exit code that it has then."""
    dvc.lock.DEFAULT_TIMEOUT = PATIENCE
    hardlink = repo.config["core"].get("hardlink_lock", False)
    repo.lock = dvc.lock.make_lock(
        repo.lock.lockfile, tmp_dir=repo.tmp_dir, hardlink_lock=hardlink, wait=True
    )
    Lockfile.dump_stages = _recording(order)
    try:
        with lock_repo(repo), repo.scm_context(quiet=True):
            try:
                if stage.reproduce():
                    stage.dump(update_pipeline=False)
            except Exception as error:
                raise ReproductionError(f"failed to reproduce '{stage.addressing}'") from error
    except (Exception, KeyboardInterrupt) as error:
        return logged(error)
    return 0


def logged(error: BaseException) -> int:
    """Say what DVC's command line says of an error; its exit code then."""
    known = "" if isinstance(error, DvcException) else "unexpected error"
    logging.getLogger("dvc").error(WORDS.get(type(error), known), exc_info=error)
    return CODES.get(type(error), FAILED)


def _recording(order: Sequence[str]) -> Callable[..., None]:
    """A function that puts stages into dvc.lock as DVC does, in this order, whole or not at all.

    DVC writes into the file, of which a stage that runs at the same time would read a part; and of
    80 stages it takes a second for each.
    """
    by_dvc = Lockfile.dump_stages

    def dump_stages(lock: Lockfile, stages: Sequence[Stage], **how: Any) -> None:
        path = Path(lock.relpath)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if text and not PLAIN.fullmatch(text):  # another hand's: it has comments, or other keys
            by_dvc(lock, stages, **how)
            return
        for stage in stages:
            entry = dumps_yaml({"schema": "2.0", "stages": to_lockfile(stage, **how)})
            text = with_stage(text, entry, order) if text else entry
        write_text(path, text)
        lock.repo.scm_context.track_file(lock.relpath)

    return dump_stages
