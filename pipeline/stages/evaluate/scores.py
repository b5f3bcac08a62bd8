"""Models of one dataset on the rows they may be judged by."""

import warnings
from collections.abc import Callable, Mapping

import numpy as np

from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.params import Dataset, TrainerName
from pipeline.core.tables import Array
from pipeline.models import Model, fit
from pipeline.solvers.losses import sigmoid
from pipeline.solvers.rows import ArrayRows
from pipeline.splitting import fit_scaler
from pipeline.stages.evaluate.metrics import (
    Scores,
    classification_scores,
    regression_scores,
)

Part = tuple[Array, Array]
Models = Mapping[TrainerName, Model]
PlotData = tuple[list[str], list[tuple[object, ...]]]
DIGITS = 10


def evaluate_model(model: Model, settings: Dataset, train: Part, test: Part) -> Scores:
    """Scores on test rows, with the training loss beside them.

    Where every row trains (test_size 0), all scores are of training rows and carry that name, and
    a regression adds its leave-one-out error.
    """
    score = _scorer(model, settings)
    if len(test[1]):
        loss = "mse" if settings.task == "regression" else "log_loss"
        scores = {f"train_{loss}": score(*train)[loss], **_prefixed("test", score(*test))}
    else:
        scores = _prefixed("train", score(*train))
        if settings.task == "regression":
            scores["loo_mse"] = leave_one_out_mse(model, *train)
    return {name: value if value is None else _rounded(value) for name, value in scores.items()}


def leave_one_out_mse(model: Model, X: Array, y: Array) -> float | None:
    """Train on all rows but one, with their own scaling, and predict that one; each row in turn.

    None with fewer than three rows: a line through one point is no model.
    """
    if len(y) < 3:
        return None
    errors = []
    for row in range(len(y)):
        rest = np.arange(len(y)) != row
        mean, scale = fit_scaler(X[rest])
        Z = (X[rest] - mean) / scale
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PipelineWarning)  # training has said it already
                other, _ = fit(model.trainer, model.params, ArrayRows(Z, y[rest]))
        except PipelineError as error:
            raise PipelineError(f"leave-one-out without training row {row}: {error}") from None
        errors.append(other.predict((X[[row]] - mean) / scale)[0] - y[row])
    return float(np.mean(np.square(errors)))


def predictions(models: Models, judged: Part) -> PlotData:
    """A row a row: the actual value and each model's prediction."""
    X, y = judged
    columns = [model.predict(X) for model in models.values()]
    return ["actual", *models], list(zip(y, *columns, strict=True))


def confusion(models: Models, judged: Part, settings: Dataset) -> PlotData:
    """Actual and predicted class name of each row."""
    X, y = judged
    names = np.array(settings.classes)
    rows: list[tuple[object, ...]] = [
        (trainer, names[int(label)], names[int(p >= 0.5)])
        for trainer, model in models.items()
        for label, p in zip(y, sigmoid(model.predict(X)), strict=True)
    ]
    return ["trainer", "actual", "predicted"], rows


def roc(models: Models, judged: Part, settings: Dataset) -> PlotData:
    """The ROC curve of the positive class; no rows where only one class is there."""
    from sklearn.metrics import roc_curve

    X, y = judged
    positive = positive_label(settings)
    sign = 1 if positive == 1 else -1
    rows: list[tuple[object, ...]] = []
    for trainer, model in models.items() if len(np.unique(y)) == 2 else ():
        false_rate, true_rate, _ = roc_curve(y, sign * model.predict(X), pos_label=positive)
        rows += [(f, t, trainer) for f, t in zip(false_rate, true_rate, strict=True)]
    return ["false_positive_rate", "true_positive_rate", "trainer"], rows


def _scorer(model: Model, settings: Dataset) -> Callable[[Array, Array], Scores]:
    if settings.task == "regression":
        return lambda X, y: regression_scores(y, model.predict(X))
    positive = positive_label(settings)
    return lambda X, y: classification_scores(y, sigmoid(model.predict(X)), positive)


def positive_label(settings: Dataset) -> int:
    """The label of the class that precision and recall are about."""
    return (settings.classes or []).index(settings.positive or "")


def _prefixed(rows: str, scores: Scores) -> Scores:
    return {f"{rows}_{name}": value for name, value in scores.items()}


def _rounded(value: float) -> float:
    # The digits behind differ between CPU types, and would show up in git.
    return float(f"{value:.{DIGITS}g}")
