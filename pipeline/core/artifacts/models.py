"""The files of data/4_models: a model as exact numbers, and the loss of each of its epochs.

A model file is readable JSON with the params that made it, never a pickle; the layers of a network
are a file of safetensors beside it, an estimator of scikit-learn one of skops. They are exactly
what was written, or refused.
"""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import model_validator

from pipeline.core import layout
from pipeline.core.checked_inputs import refuse_altered
from pipeline.core.errors import PipelineError
from pipeline.core.files import (
    as_json,
    atomic_write,
    damaged,
    missing,
    read_as,
    read_json,
    write_json,
)
from pipeline.core.forms import Estimator, Form, Layers, Linear, digest, layers_of, read_estimator
from pipeline.core.settings.block import Settings
from pipeline.core.settings.models import Wanted
from pipeline.core.tables import Array
from pipeline.core.trainers import TRAINERS, Ending, Value, logged, takes

FORMAT = 5
AGAIN = "`dvc repro` trains it again"


class ModelFile(Settings):
    """What a model file holds.

    Attributes
    ----------
    format : int
        Changes when older files can no longer be read.
    sha256 : str
        Of the text that `write_json` gives all the rest.
    train_md5 : str
        Of the 3_split/<dataset>/train.parquet that it was trained on.
    """

    format: Literal[5]
    sha256: str
    train_md5: str
    trainer: str
    params: dict[str, Value]
    facts: dict[str, float | int | None]
    ending: Ending | None


class LinearFile(ModelFile):
    """What it holds of a linear model.

    Attributes
    ----------
    intercept, coef
        A number, of several classes a list with one of each; coef by feature.
    """

    intercept: float | list[float]
    coef: dict[str, float | list[float]]

    @property
    def features(self) -> list[str]:
        """The features that it takes, in order."""
        return [*self.coef]

    @model_validator(mode="after")
    def _one_of_each_class(self) -> Self:
        if len({np.shape(one) for one in (self.intercept, *self.coef.values())}) > 1:
            raise ValueError("coef: expected as many numbers of each feature as intercept has")
        return self


class OtherFile(ModelFile):
    """What it holds of a network, or of an estimator of scikit-learn.

    Attributes
    ----------
    weights_sha256 : str
        Of the numbers, or the estimator, in the file beside it (`forms.digest`).
    """

    features: list[str]
    weights_sha256: str


@dataclass(frozen=True)
class Model:
    """A model on standardized features; of a logged target it gives the logarithm.

    Attributes
    ----------
    form : Linear, Layers or Estimator
        What it computes.
    params : dict
        The params that made it, and no others.
    trainer : str
        A key of TRAINERS.
    facts : dict
        What its trainer measured of the training rows: `rank` and `condition` of the closed form;
        `stable_lr`, the largest stable rate of full-batch SGD; `best_epoch` of a network, by the
        rows held out; `on_gpu` where a GPU trained it. None: there is none, or inf.
    ending : str or None
        How its losses ended (`solvers.advice.ending`); None of a trainer that takes no steps.
    """

    trainer: str
    params: dict[str, Value]
    facts: dict[str, float | int | None]
    form: Form
    ending: Ending | None = None

    @property
    def weights(self) -> Array:
        """Of a linear model one of each feature, or one of each and class; of others none."""
        return self.form.coef if isinstance(self.form, Linear) else np.empty(0)

    def predict(self, X: Array) -> Array:
        """The target (regression), the logit of label 1, or those of several classes.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_classes)
            A logged target in its own units, inf where the logarithm is too large.
        """
        z = self.form(X)
        with np.errstate(over="ignore"):
            return np.exp(z) if logged(self.params) else z


def write_model(path: Path, features: Sequence[str], model: Model, train_md5: str) -> None:
    """Write what a model computes of standardized features; what is not linear beside the file.

    Raises
    ------
    PipelineError
        When weights are not finite, or skops cannot hold the estimator; nothing is written.
    """
    form = model.form
    if not all(np.isfinite(one).all() for one in form.arrays.values()):
        raise PipelineError(f"{path}: the weights of {model.trainer} are not finite; not written")
    content: dict[str, Any] = {
        "train_md5": train_md5,
        "trainer": model.trainer,
        "params": model.params,
        "facts": model.facts,
        "ending": model.ending,
    }
    if isinstance(form, Linear):
        content["intercept"] = np.asarray(form.intercept).tolist()
        content["coef"] = dict(zip(features, form.coef.tolist(), strict=True))
    else:
        content |= {"features": [*features], "weights_sha256": digest(form)}
        with atomic_write(layout.beside(path, model.trainer)) as part:
            part.write_bytes(_bytes_of(form))
    write_json(path, _sealed(content))


def read_model(path: Path, trainer: str, features: Sequence[str], train_md5: str) -> Model:
    """Read the weights of exactly this trainer, these features and these training rows.

    Raises
    ------
    PipelineError
        When a file is missing, of another format, trainer or training, or not byte for byte what
        `write_model` wrote.
    """
    found = read_json(path)
    format_ = found.get("format") if isinstance(found, dict) else None
    if isinstance(format_, int) and format_ != FORMAT:
        raise PipelineError(
            f"{path}: has format {format_}, and this code reads {FORMAT}: another version of it "
            "trained the model; `dvc repro` trains it again"
        )
    other = isinstance(found, dict) and "weights_sha256" in found
    content = read_as(path, OtherFile) if other else read_as(path, LinearFile)
    written = as_json(_sealed(content.model_dump(exclude={"format", "sha256"})))
    if path.read_bytes() != written.encode():
        raise damaged(path, "its content is not that of its sha256", AGAIN)
    if content.trainer != trainer or not takes(trainer, content.params):
        raise PipelineError(f"{path}: is no model of {trainer}; train again")
    if content.features != list(features):
        raise PipelineError(f"{path}: was trained on other features; train again")
    if content.train_md5 != train_md5:
        raise PipelineError(
            f"{path}: was trained on other rows, or rows scaled otherwise, than train.parquet and "
            "scaler.json of the split are of; run `dvc repro`"
        )
    form: Form
    if isinstance(content, LinearFile):
        form = Linear(np.array(list(content.coef.values())), np.array(content.intercept))
    else:
        form = _read_beside(layout.beside(path, trainer), content)
    return Model(trainer, content.params, content.facts, form, content.ending)


def _bytes_of(form: Layers | Estimator) -> bytes:
    if isinstance(form, Estimator):
        return form.content
    from safetensors.numpy import save  # what few models need

    # safetensors writes an array as it lies in memory; ascontiguousarray would give () a length
    return save({name: np.array(one, order="C") for name, one in form.arrays.items()})


def _read_beside(path: Path, content: OtherFile) -> Layers | Estimator:
    """The layers, or the estimator, beside a model file.

    Raises
    ------
    PipelineError
        When they are missing, damaged or of another model.
    """
    refuse_altered(path)
    read = _layers if TRAINERS[content.trainer].form == "network" else _estimator
    try:
        form = read(path.read_bytes(), content)
    except FileNotFoundError:
        raise missing(path) from None
    except PipelineError:
        raise
    except (OSError, ValueError) as error:
        raise damaged(path, str(error), AGAIN) from None
    if form is None:
        raise damaged(path, "it is not that of the model file beside it", AGAIN)
    return form


def _layers(found: bytes, content: OtherFile) -> Layers | None:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        layers = layers_of(load(found), str(content.params["activation"]))
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    ours = digest(layers) == content.weights_sha256
    return layers if ours and len(layers.weights[0]) == len(content.features) else None


def _estimator(found: bytes, content: OtherFile) -> Estimator | None:
    """Looks at the checksum before anything is loaded."""
    if hashlib.sha256(found).hexdigest() != content.weights_sha256:
        return None
    return read_estimator(str(content.params["estimator"]), found)


def _sealed(content: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(as_json(content).encode()).hexdigest()
    return {"format": FORMAT, "sha256": digest, **content}


def read_history(path: Path) -> Array:
    """The epochs of a training and its loss in each, shape (n_epochs, 2).

    Raises
    ------
    PipelineError
        When the file is missing or damaged.
    """
    refuse_altered(path)
    try:
        header, *lines = path.read_text(encoding="utf-8").split("\n")
        with warnings.catch_warnings(action="ignore"):  # of a file without losses
            history = np.loadtxt(lines, delimiter=",", ndmin=2, comments=None)
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError) as error:
        raise damaged(path, str(error)) from None
    expected = f"epoch,{path.stem.removesuffix('_history').partition('-')[2]}"
    shape = header == expected and lines[-1:] == [""] and history.shape[1] == 2
    if not shape or not np.isfinite(history).all() or (np.diff(history[:, 0]) != 1).any():
        raise damaged(path, f"expected {expected}, and a finite loss for one epoch after the other")
    return history


def read_models(
    dataset: str, wanted: Mapping[str, Wanted], features: Sequence[str], train_md5: str
) -> dict[str, Model]:
    """Read all models of a dataset, by name.

    Raises
    ------
    PipelineError
        As `read_model`; of a missing one, what makes it.
    """
    return {
        name: read_model(layout.model(dataset, name), one.trainer, features, train_md5)
        for name, one in wanted.items()
    }
