"""The table of trainers: what each is called, can do, takes and minimizes.

A new trainer is a line here and a module of its name in pipeline/solvers, with a function `fit`.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

Task = Literal["regression", "classification"]
# Of a param.
Value = bool | float | int | str | None | list[int] | list[float] | list[str]
Role = Literal["trainer", "reference", "baseline"]
Classes = Literal["two", "several"]  # more than two
Form = Literal["linear", "network", "sklearn"]  # of what a trainer gives: core.forms
Group = Literal["direct", "gradient", "network", "sklearn"]  # of lines under `models`
Ending = Literal["settled", "falling", "unconverged", "unmoved", "grew"]  # of a training's losses
# Is told an epoch, numbered as in the history, and its loss.
Callback = Callable[[int, float], None]

# Rows that scikit-learn's reference models learn from at most: they hold them in memory.
REFERENCE_ROWS = 65_536

# What every trainer that descends takes from params.yaml.
DESCENT = (
    "lr",
    "epochs",
    "batch_size",
    "optimizer",
    "momentum",
    "weight_decay",
    "init",
    "loss_threshold",
    "tolerance",
    "seed",
)

# What a network takes: it draws its first weights.
LAYERS = (
    "hidden",
    "activation",
    "dropout",
    "early_stopping",
    *(name for name in DESCENT if name != "init"),
    "loss",
    "class_weight",
    "device",
)

# Params that a model does not name where they are so: its file stays what it was without them.
UNLESS_NAMED: dict[str, Value] = {"class_weight": "none"}
OF_NETWORKS: dict[str, Value] = {"device": "cpu"}  # beside it, of networks
# Params of one task alone, which a trainer of both has for that one.
OF_TASK: dict[str, Task] = {"loss": "regression", "class_weight": "classification"}
# What stands before a param of an estimator among those of its model.
OF_ESTIMATOR = "params."
# The one param that the dataset says (datasets.NAME.split), for all of its models alike.
TRANSFORM = "target_transform"


def no_callback(epoch: int, loss: float) -> None:
    """Do nothing: the callback of who wants none."""


class Trainer(NamedTuple):
    """One trainer.

    Attributes
    ----------
    task : str or None
        `regression` or `classification`; None: both.
    params : tuple of str
        The params that reach it; none where it solves directly. Of `sklearn` those of its line.
    loss : str or None
        The key of `solvers.losses.LOSSES` that it minimizes; `choice`: the param `loss` says it;
        `task`: of a regression the param, of classes their cross-entropy; None where it does not
        descend.
    role : str
        `trainer`: a line of params.yaml asks for it; `reference`: scikit-learn's counterpart, and
        `baseline`: the trivial model, are trained for every dataset, to measure the others by.
    classes : str or None
        Of which classifications it is, where it is not of all: of `two` classes, or of `several`.
    form : str
        Whether it gives linear weights, layers of them, or an estimator of scikit-learn.
    """

    task: Task | None
    params: tuple[str, ...]
    loss: str | None
    role: Role = "trainer"
    classes: Classes | None = None
    form: Form = "linear"

    @property
    def transforms(self) -> bool:
        """Whether it learns the logarithm of a target; the trivial model stays what it is."""
        return self.task != "classification" and self.role != "baseline"

    @property
    def group(self) -> Group:
        """Under which key of `models` its lines stand."""
        if self.form != "linear":
            return self.form
        return "gradient" if self.params else "direct"


TRAINERS: dict[str, Trainer] = {
    "pairwise_mean": Trainer("regression", (), None),
    "closed_form": Trainer("regression", (), None),
    "manual_gd": Trainer("regression", (*DESCENT, "loss"), "choice"),
    "torch_sgd": Trainer("regression", (*DESCENT, "loss", "device"), "choice"),
    "bcpm": Trainer(
        "classification", (*DESCENT, "device", "class_weight"), "bce_with_logits", classes="two"
    ),
    "softmax": Trainer(
        "classification", (*DESCENT, "device", "class_weight"), "cross_entropy", classes="several"
    ),
    "network": Trainer(None, LAYERS, "task", form="network"),
    "sklearn": Trainer(None, ("estimator", "params"), None, form="sklearn"),
    "linear_regression": Trainer("regression", (), None, "reference"),
    "mean": Trainer("regression", (), None, "baseline"),
    "logistic_regression": Trainer("classification", (), None, "reference"),
    "majority": Trainer("classification", (), None, "baseline"),
}


def unless_named(trainer: str) -> dict[str, Value]:
    """The params that a model of the trainer does not name where they are so."""
    return UNLESS_NAMED | (OF_NETWORKS if TRAINERS[trainer].form == "network" else {})


def takes(trainer: str, params: Mapping[str, Value]) -> bool:
    """Whether a model of the trainer has these params, no more and no fewer."""
    one = TRAINERS[trainer]
    every, of_dataset = {*one.params}, {TRANSFORM} if one.transforms and logged(params) else set()
    optional = {*unless_named(trainer), *(() if one.task else OF_TASK)}
    if one.form == "sklearn":  # `params` of its line, one by one
        every, optional = {k for k in params if k.startswith(OF_ESTIMATOR)} | {"estimator"}, set()
    return every - optional <= params.keys() - of_dataset <= every


def logged(params: Mapping[str, Value]) -> bool:
    """Whether a model of these params has learned the logarithm of its target."""
    return params.get(TRANSFORM) == "log"


def scale_of(params: Mapping[str, Value]) -> str:
    """What is said behind a model's losses and weights that are of the logarithm, else nothing.

    >>> scale_of({"target_transform": "log"})
    ' (log of the target)'
    """
    return " (log of the target)" if logged(params) else ""


def spelled_out(trainer: str, params: Mapping[str, Value]) -> dict[str, Value]:
    """The params of a model with those that it does not name."""
    rest = {k: v for k, v in unless_named(trainer).items() if k in TRAINERS[trainer].params}
    return {**params, **{k: v for k, v in rest.items() if k not in params}}


def measures(task: Task) -> tuple[str, str]:
    """The reference model and the baseline of a task, by which its trainers are measured.

    >>> measures("regression")
    ('linear_regression', 'mean')
    """
    by_role = {one.role: name for name, one in TRAINERS.items() if one.task == task}
    return by_role["reference"], by_role["baseline"]
