"""Listings 3-23 to 3-31: breast cancer."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer

from pipeline.core.tables import Array
from pipeline.solvers.bcpm import BCPM
from pipeline.solvers.descent import stable_lr
from pipeline.solvers.losses import LOSSES, sigmoid
from pipeline.solvers.rows import ArrayRows
from pipeline.solvers.torch_steps import ModuleLoss, train_module
from pipeline.statistics.preprocessing import fit_scaler, split_rows
from pipeline.textbook.figures import Figure, Listing
from pipeline.textbook.synthetic import SETTINGS

TABLE = (  # table 3.2: raw, and standardized where the chapter's figure is known
    ("mean_radius", "12.88", "-0.36180827"),
    ("mean_texture", "18.22", "-0.26521011"),
    ("mean_perimeter", "84.45", "-0.31715702"),
    ("mean_area", "493.1", "-0.46713841"),
    ("mean_smoothness", "0.1218", "1.80382609"),
)
SEEDS = range(5)
bce = torch.nn.functional.binary_cross_entropy_with_logits


def listings() -> Iterator[Listing]:
    """All of them, in order."""
    X, y = load_breast_cancer(return_X_y=True)
    y = y.astype(np.float64)
    yield Listing(
        "3-23, 3-24",
        "569 rows, 30 features, the label in the last column",
        [
            Figure("shape of X", "(569, 30)", str(X.shape)),
            Figure("shape of y", "(569,)", str(y.shape)),
            Figure("rows with label 1", "", float(y.sum())),
        ],
        ["The chapter calls label 1 cancer. In this data 0 is malignant and 1 benign."],
    )
    train, test = split_rows(len(y), 0.2, 1234)
    yield Listing(
        "3-25",
        "train_test_split(test_size=0.2, random_state=1234)",
        [
            Figure("training rows", "455", float(len(train))),
            Figure("test rows", "114", float(len(test))),
        ],
    )
    mean, scale = fit_scaler(X[train])
    yield _table(X[train[0]], (X[train[0]] - mean) / scale)
    yield Listing(
        "3-27",
        "float32 tensors, labels of shape (n, 1)",
        [Figure("shape of the training labels", "", str((len(train), 1)))],
    )
    rows = ArrayRows((X[train] - mean) / scale, y[train])
    yield _losses()
    fits = [trained(rows, seed) for seed in SEEDS]
    final = [history[99] for _, history in fits]  # as listed: before the step of epoch 100
    yield Listing(
        "3-30",
        "BCPM trained: SGD with lr 0.1, 100 epochs, an early stop at loss 0.00001 (fig. 3.34)",
        [
            Figure("loss of epoch 100, lowest of seeds 0 to 4", "", min(final)),
            Figure("loss of epoch 100, highest of seeds 0 to 4", "", max(final)),
            Figure(
                "the book's 0.0894 lies between them", "", str(min(final) < 0.0894 < max(final))
            ),
        ],
        ["The early stop never acts: the loss stays thousands of times above the threshold."],
    )
    leaky = (X[test] - X[test].mean(axis=0)) / X[test].std(axis=0)
    honest = (X[test] - mean) / scale
    yield _accuracies([theta for theta, _ in fits], honest, leaky, y[test])


def trained(rows: ArrayRows, seed: int) -> tuple[Array, Array]:
    """Listings 3-28 to 3-30 from torch's own single-precision start at `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BCPM(torch.nn.Linear(rows.n_features, 1).double())
    objective = ModuleLoss(model, model.linear, partial(bce, reduction="none"), rows, SETTINGS)
    return train_module(objective, SETTINGS, partial(stable_lr, rows, SETTINGS, "bce_with_logits"))


def _table(raw: Array, standardized: Array) -> Listing:
    figures = []
    for (name, book, z), ours, ours_z in zip(TABLE, raw, standardized, strict=False):
        figures += [
            Figure(f"{name}, raw", book, float(ours)),
            Figure(f"{name}, standardized", z, float(ours_z)),
        ]
    return Listing(
        "3-26",
        "StandardScaler; table 3.2: the first training row, its first five columns",
        figures,
        ["The listing fits the scaler a second time, on the test rows: leakage. See 3-31."],
    )


def _losses() -> Listing:
    z = torch.tensor([-3.0, 0.5, 2.0], dtype=torch.float64)
    y = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)
    two_steps = torch.nn.functional.binary_cross_entropy(torch.sigmoid(z), y).item()
    far = torch.tensor([40.0], dtype=torch.float64)
    wrong = torch.zeros(1, dtype=torch.float64)
    rounded = torch.nn.functional.binary_cross_entropy(torch.sigmoid(far), wrong).item()
    return Listing(
        "3-28, 3-29",
        "BCPM: nn.Linear(30, 1), a sigmoid, BCELoss (fig. 3.33)",
        [
            Figure("BCELoss of the sigmoid at three logits", "", two_steps),
            Figure("BCEWithLogitsLoss there", "", bce(z, y).item()),
            Figure("ours there, written out (eq. 3-22)", "", _written_out("bce", z, y)),
            Figure("ours of the logits", "", _written_out("bce_with_logits", z, y)),
            Figure("BCELoss of the sigmoid at logit 40, label 0", "", rounded),
            Figure("BCEWithLogitsLoss there", "", bce(far, wrong).item()),
        ],
        [
            "The two are one function until the sigmoid rounds to 1; there torch cuts BCELoss at "
            "100. Our BCPM trains on the logits."
        ],
    )


def _written_out(loss: str, z: torch.Tensor, y: torch.Tensor) -> float:
    return float(LOSSES[loss].value(z.numpy(), y.numpy()).mean())


def _accuracies(thetas: list[Array], honest: Array, leaky: Array, y: Array) -> Listing:
    def accuracy(theta: Array, X: Array) -> float:
        return float(np.mean((sigmoid(X @ theta[:-1] + theta[-1]) >= 0.5) == y))

    figures = []
    for seed, theta in zip(SEEDS, thetas, strict=True):
        figures += [
            Figure(f"seed {seed}: accuracy", "", accuracy(theta, honest)),
            Figure(f"seed {seed}: accuracy with the leak of 3-26", "", accuracy(theta, leaky)),
        ]
    return Listing(
        "3-31",
        "The probability rounded at 0.5 (eq. 3-21); accuracy on the 114 test rows",
        [*figures, Figure("nearest accuracies of 114 rows", "0.9479", "108/114 = 0.9474")],
        [
            "0.9479 is no multiple of 1/114: a misprint, of 108/114 = 0.9474 probably.",
            "Scaled with its own mean the test set gains accuracy that a single new patient, who "
            "has no mean, would not see.",
        ],
    )
