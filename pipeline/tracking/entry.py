"""What a run in MLflow will hold, as a file: written before anything talks to MLflow.

The files lie in data/unpublished of the main repository until the store has taken them, so that
nothing is lost when it is down, and an experiment's results outlive its temporary folder.
"""

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from pipeline.core.columns import Learned
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.files import write_text
from pipeline.core.forms import Activation
from pipeline.core.layout import UNPUBLISHED
from pipeline.core.settings.block import Settings
from pipeline.core.trainers import Task, Value

Numbers = list[float]


class Fitted(Settings):
    """A model on standardized features, and what it needs to answer in other units.

    Attributes
    ----------
    labels : list of str or None
        What the file calls the classes; None where it has their places, 0 and 1.
    features : list of str
        Those that the columns become.
    columns : dict
        By name what the training rows taught of a column; empty in older entries, of plain numbers.
    mean, scale : list of float
        One for each feature.
    coef, intercept
        A number of each feature, and one; or of each a list, with one number for each of several
        classes. None of what is not linear.
    layers : dict or None
        The arrays of a network (`forms.Layers.arrays`).
    activation : str or None
        Of its hidden layers.
    estimator : str or None
        The name of an estimator of scikit-learn.
    skops : str or None
        Its file, in base64.
    threshold : float or None
        Label 1 of two from this probability on; None elsewhere.
    ranges : dict
        Smallest and largest value of each column of numbers over the training rows.
    example : list of list
        At most five training rows as received, column by column.
    logged : bool
        Whether it gives the logarithm of the target; older entries do not.
    """

    task: Task
    target: str
    classes: list[str] | None
    labels: list[str] | None = None
    threshold: float | None
    features: list[str]
    columns: dict[str, Learned] = Field(default_factory=dict)
    mean: Numbers
    scale: Numbers
    coef: Numbers | list[Numbers] | None = None
    intercept: float | Numbers | None = None
    layers: dict[str, float | Numbers | list[Numbers]] | None = None
    activation: Activation | None = None
    estimator: str | None = None
    skops: str | None = None
    n_train: int
    ranges: dict[str, tuple[float, float]]
    example: list[list[float | str | None]]
    logged: bool = False


class Data(Settings):
    """The table that a model comes from."""

    md5: str
    rows: int


class Registered(Settings):
    """The place of a model in the registry.

    Attributes
    ----------
    version : bool
        Whether it is one of its dataset's versions: the best, or the champion.
    champion : bool or None
        Whether somebody promoted it; None where that is not for this run to say.
    accepted : bool or None
        Whether the verdict on the best model is; None of another model.
    override : str or None
        The verdict that a person set aside for it.
    """

    version: bool
    champion: bool | None
    accepted: bool | None = None
    override: str | None = None


class Entry(Settings):
    """One run: everything that MLflow will show of it.

    Attributes
    ----------
    fingerprint : str
        Of all that the run depends on; a finished run with it is linked, not logged again.
    training : str or None
        Of what the training depended on: the live run of a long training has it, too.
    tags : dict
        Facts that stay.
    links : dict
        Names of a commit and an experiment, of which a run can have several.
    judgement : dict
        Tags that a later verdict on the same run replaces.
    settings : dict
        What the model was made and judged by, as in params.yaml.
    score, value : str, float or None
        What the dataset is judged by.
    failed : bool
        Whether the training failed: the run will be FAILED, and the scores that mean nothing are
        none of its metrics.
    loss : list of (epoch, loss)
    files : dict
        Text files, by their path among the artifacts.
    experiment_tags : dict
        What the experiment says of itself: its description, the columns of its table.
    """

    format: Literal[1] = 1
    experiment: Annotated[str, Field(pattern=r"^[^/\\.]+$")]
    name: str
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{32,64}$")]
    training: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    links: dict[str, str] = Field(default_factory=dict)
    judgement: dict[str, str] = Field(default_factory=dict)
    params: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, bool | Value] = Field(default_factory=dict)
    score: str = ""
    value: float | None = None
    failed: bool = False
    metrics: dict[str, float] = Field(default_factory=dict)
    loss: list[tuple[int, float]] = Field(default_factory=list)
    model: Fitted | None = None
    data: Data | None = None
    registered: Registered | None = None
    files: dict[str, str] = Field(default_factory=dict)
    experiment_tags: dict[str, str] = Field(default_factory=dict)

    @property
    def model_name(self) -> str:
        """The name of its model within the dataset; an older entry has the trainer's alone."""
        return self.tags.get("model", self.tags.get("trainer", ""))

    @property
    def trial(self) -> bool:
        """Whether it is of a temporary or queued experiment, beside the workspace."""
        return self.registered is not None and self.registered.champion is None


def save(root: Path, entries: list[Entry]) -> None:
    """Write the entries to the main repository at `root`."""
    for entry in entries:
        write_text(path_of(root, entry), entry.model_dump_json(indent=1) + "\n")


def waiting(root: Path) -> Iterator[Entry]:
    """The entries that no store has taken yet, oldest first; a damaged one is warned of."""
    paths = (root / UNPUBLISHED).glob("*.json")
    for path in sorted(paths, key=lambda path: (path.lstat().st_mtime_ns, path.name)):
        try:
            yield Entry.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            continue  # another process has just published it
        except (OSError, ValidationError):
            warnings.warn(
                f"{path}: damaged, cannot be published; delete it",
                PipelineWarning,
                stacklevel=2,
            )


def count_waiting(root: Path) -> int:
    """How many entries no store has taken yet."""
    folder = root / UNPUBLISHED
    if folder.exists() and not folder.is_dir():
        raise PipelineError(f"{folder}: is a file, expected a folder; move it away")
    return len(list(folder.glob("*.json")))


def taken(root: Path, entry: Entry) -> None:
    """Forget an entry: the store has it."""
    path_of(root, entry).unlink(missing_ok=True)


def path_of(root: Path, entry: Entry) -> Path:
    """A name for each result and origin: that of one experiment must not replace another's."""
    origin = entry.model_dump_json(include={"links", "tags", "registered"})
    short = hashlib.md5(origin.encode(), usedforsecurity=False).hexdigest()[:8]
    return root / UNPUBLISHED / f"{entry.fingerprint}-{short}.json"
