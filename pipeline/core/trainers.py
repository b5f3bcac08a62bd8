"""The table of trainers: what each is called, can do, takes, minimizes and is solved by.

A new trainer is a line here and a module of pipeline/solvers with a function `fit`.
"""

from typing import Literal, NamedTuple

Task = Literal["regression", "classification"]
Value = float | int | str  # of a param
Role = Literal["trainer", "reference", "baseline"]

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
    "seed",
)


class Trainer(NamedTuple):
    """One trainer.

    Attributes
    ----------
    task : str
        `regression` or `classification`.
    params : tuple of str
        The params that reach it; none where it solves directly.
    loss : str or None
        The key of `solvers.losses.LOSSES` that it minimizes; `choice`: the param `loss` says it;
        None where it does not descend.
    solver : str
        The module of pipeline/solvers.
    role : str
        `trainer`: a line of params.yaml asks for it; `reference`: scikit-learn's counterpart, and
        `baseline`: the trivial model, are trained for every dataset, to measure the others by.
    """

    task: Task
    params: tuple[str, ...]
    loss: str | None
    solver: str
    role: Role = "trainer"


TRAINERS: dict[str, Trainer] = {
    "pairwise_mean": Trainer("regression", (), None, "pairwise_mean"),
    "closed_form": Trainer("regression", (), None, "closed_form"),
    "manual_gd": Trainer("regression", (*DESCENT, "loss"), "choice", "manual_gd"),
    "torch_sgd": Trainer("regression", (*DESCENT, "loss", "device"), "choice", "torch_sgd"),
    "bcpm": Trainer("classification", (*DESCENT, "device"), "bce_with_logits", "bcpm"),
    "linear_regression": Trainer("regression", (), None, "linear_regression", "reference"),
    "mean": Trainer("regression", (), None, "mean", "baseline"),
    "logistic_regression": Trainer("classification", (), None, "logistic_regression", "reference"),
    "majority": Trainer("classification", (), None, "majority", "baseline"),
}


def measures(task: Task) -> tuple[str, str]:
    """The reference model and the baseline of a task, by which its trainers are measured.

    >>> measures("regression")
    ('linear_regression', 'mean')
    """
    reference, baseline = (
        next(name for name, one in TRAINERS.items() if (one.task, one.role) == (task, role))
        for role in ("reference", "baseline")
    )
    return reference, baseline
