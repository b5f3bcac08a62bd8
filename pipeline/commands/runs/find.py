"""Runs by the beginning of their id, as the store has them."""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import PipelineError
from pipeline.core.layout import NAME
from pipeline.core.store.connection import main_repository, open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

DIFF = "uncommitted.diff"
CODE = "pipeline"
SHOWN = 10
MADE_HERE = {"dataset", "trainer", "fingerprint", "training"}


@dataclass(frozen=True)
class Found:
    """A run.

    Attributes
    ----------
    start, end : int or None
        Milliseconds since 1970; `end` is None while it runs.
    model : bool
        Whether it holds a model.
    versions : list of str
        Places in the model registry: `house version 3, alias champion`.
    changes : str or None
        Its uncommitted.diff; None where it has none.
    """

    id: str
    experiment: str
    name: str
    status: str
    start: int | None
    end: int | None
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    model: bool
    versions: list[str]
    changes: str | None

    @property
    def of_pipeline(self) -> bool:
        """Whether this pipeline made it, by its tags."""
        return bool(MADE_HERE & self.tags.keys())

    @property
    def dataset(self) -> str:
        """The name of its dataset; "" where it has none that could be one of params.yaml."""
        name = self.tags.get("dataset", "")
        return name if re.fullmatch(NAME, name) else ""

    @property
    def model_name(self) -> str:
        """The name of its model within the dataset."""
        return self.tags.get("model", self.tags.get("trainer", ""))

    @property
    def commits(self) -> list[str]:
        """The commits it is linked to, the one that it was made at first."""
        return [c for c in self._names("git_commit") if re.fullmatch("[0-9a-f]{40,64}", c)]

    @property
    def experiments(self) -> list[str]:
        """The DVC experiments it is linked to."""
        return self._names("dvc_experiment")

    @property
    def dirty(self) -> bool | None:
        """Whether files differed from the commit; None where that was not recorded."""
        return {"true": True, "false": False}.get(self.tags.get("git_dirty", ""))

    @property
    def changed(self) -> dict[str, str]:
        """The uncommitted changes, by file."""
        parts = re.split(r"(?m)^(?=diff --git )", self.changes or "")
        named = ((re.match(r'diff --git .* "?b/(.+?)"?\r?\n', part), part) for part in parts)
        return {match[1]: part for match, part in named if match}

    @property
    def changed_code(self) -> dict[str, str]:
        """Those of the uncommitted changes that are of pipeline/."""
        return {name: part for name, part in self.changed.items() if f"{CODE}/" in name}

    @property
    def changes_kept(self) -> bool:
        """Whether the store has the uncommitted changes; of too many it has a comment."""
        return self.changes is not None and not self.changes.startswith("#")

    @property
    def code_known(self) -> bool:
        """Whether commit and uncommitted changes say all of the code that ran."""
        return self.dirty is False or bool(self.dirty and self.changes_kept)

    def _names(self, tag: str) -> list[str]:
        return [name for name in self.tags.get(tag, "").split(", ") if name]


def find(*beginnings: str) -> list[Found]:
    """The runs whose ids begin so; deleted ones are not found.

    Raises
    ------
    PipelineError
        When a text is no beginning of an id, or not that of exactly one run.
    StoreError
        When there is no store, or it is down.
    """
    for text in beginnings:
        refuse_no_id(text)
    with open_store(main_repository(), reading=True) as store:
        runs = [one(store.client, text) for text in beginnings]
        return [_read(store.client, run) for run in runs]


def refuse_no_id(text: str) -> None:
    """Refuse what cannot be the beginning of a run's id."""
    if not re.fullmatch("[0-9a-f]{4,32}", text):
        raise PipelineError(
            f"{text!r} is no run id: expected its first characters, 4 to 32 of 0-9 and a-f, as "
            "`mlflow ui` shows them"
        )


def when(milliseconds: int | None) -> str:
    """A moment in this machine's time zone."""
    if milliseconds is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    except (ValueError, OverflowError, OSError):  # no year of a calendar
        return f"{milliseconds} ms"


def one(client: "MlflowClient", beginning: str) -> Any:
    """The run whose id begins so.

    Raises
    ------
    PipelineError
        When there is none, or more than one; names some.
    """
    experiments = [e.experiment_id for e in client.search_experiments()]
    like = f"attributes.run_id LIKE '{beginning}%'"
    found = client.search_runs(experiments, like, max_results=SHOWN + 1)
    if len(found) == 1:
        return found[0]
    problem = f"{beginning}: several run ids begin so:"
    more = [f"and more than {SHOWN} in all"] if len(found) > SHOWN else []
    if not found:
        newest = ["attributes.start_time DESC"]
        found = client.search_runs(experiments, order_by=newest, max_results=SHOWN)
        there = "The newest runs:" if found else "The store has no runs"
        problem = f"{beginning}: no run id begins so (deleted runs are not shown). {there}"
    raise PipelineError("\n  ".join([problem, *map(_line, found), *more]))


def _line(run: Any) -> str:
    return f"{run.info.run_id}  {when(run.info.start_time)}  {run.info.run_name}"


def _read(client: "MlflowClient", run: Any) -> Found:
    id_ = run.info.run_id
    files = {file.path for file in client.list_artifacts(id_)}
    clean = run.data.tags.get("git_dirty") == "false"
    return Found(
        id=id_,
        experiment=client.get_experiment(run.info.experiment_id).name,
        name=run.info.run_name,
        status=run.info.status,
        start=run.info.start_time,
        end=run.info.end_time,
        **run.data.to_dictionary(),
        model="model" in files or bool(run.outputs and run.outputs.model_outputs),
        versions=list(_versions(client, id_)),
        # one that a clean commit was linked to keeps the file of the first
        changes=_text(client, id_, DIFF) if DIFF in files and not clean else None,
    )


def _versions(client: "MlflowClient", run: str) -> Iterator[str]:
    for found in client.search_model_versions(f"run_id = '{run}'"):
        version = client.get_model_version(found.name, found.version)  # a search knows no aliases
        aliases = f", alias {', '.join(version.aliases)}" if version.aliases else ""
        yield f"{version.name} version {version.version}{aliases}"


def _text(client: "MlflowClient", run: str, path: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        there = Path(client.download_artifacts(run, path, folder))
        return there.read_bytes().decode("utf-8", "surrogateescape")
