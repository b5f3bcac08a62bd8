"""What is on disk about the models of a dataset, as entries for MLflow."""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.core import layout
from pipeline.core.artifacts.champions import holder
from pipeline.core.artifacts.evaluated import (
    LOWER_IS_BETTER,
    Verdict,
    read_evaluated,
    read_verdicts,
    read_warnings,
)
from pipeline.core.artifacts.models import Model, read_history, read_model
from pipeline.core.artifacts.split_columns import read_columns
from pipeline.core.files import md5, missing
from pipeline.core.forms import Estimator, Form, Layers
from pipeline.core.params import Params
from pipeline.core.preprocessing import thinned
from pipeline.core.store.connection import identity_hash, in_main_repository, training_key
from pipeline.core.tables import read_rejected, row_groups
from pipeline.core.target import label_names
from pipeline.core.trainers import logged
from pipeline.tracking.committed import differing, settings_of
from pipeline.tracking.entry import Data, Entry, Fitted, Registered
from pipeline.tracking.provenance import Origin, origin
from pipeline.tracking.view import TAG, saved_view

POINTS = 1000  # one batch, one smooth curve
MOST_FALL = 1e9  # of a loss in a picture, whose axis has no 0
NAME = 250  # characters that MLflow's databases keep
TAG_LENGTH = 5000
REPORT = "report"


def collect(params: Params) -> list[Entry]:
    """Make an entry for each model of each dataset, and one for the report.

    Parameters
    ----------
    params : Params
        Name the models. What an entry says of a model is read from the stages' files, whatever
        params.yaml says by now.

    Raises
    ------
    PipelineError
        When a file is missing, damaged, or of other inputs than those beside it.
    """
    where, verdicts = origin(list(params.datasets)), read_verdicts()
    entries = [
        entry
        for dataset in params.datasets
        for entry in _Collector(dataset, params, verdicts[dataset], where).entries()
    ]
    return [*entries, _report(where)]


class _Collector:
    """The files of one dataset, read once."""

    def __init__(self, dataset: str, now: Params, verdict: Verdict, where: Origin) -> None:
        self.dataset, self.now, self.verdict, self.where = dataset, now, verdict, where
        self.settings = settings = now.dataset(dataset)
        self.split = read_columns(dataset, settings)
        self.rows = row_groups(layout.ingested(dataset))[1][-1]
        self.ranges = self.split.ranges()
        self.evaluated = read_evaluated(dataset)
        self.data_md5 = md5(layout.ingested(dataset))
        self.warnings = "\n".join(read_warnings(dataset, self.evaluated))
        self.set_aside = len(read_rejected(layout.ingested(dataset)))
        parts = [layout.split_part(dataset, part) for part in ("train", "test")]
        self.split_md5s = [md5(path) for path in (*parts, layout.scaler(dataset))]
        self.champion = holder(dataset, self.evaluated)

    def entries(self) -> Iterator[Entry]:
        for name, one in self.now.models_of(self.dataset).items():
            path = layout.model(self.dataset, name)
            model = read_model(path, one.trainer, self.split.features, self.split_md5s[0])
            yield self._entry(name, model, md5(path))

    def _entry(self, name: str, model: Model, model_md5: str) -> Entry:
        """Gather all that MLflow is to show of one model.

        The fingerprint is the SHA-256 of dataset, name, params, data, weights, scores and
        threshold: of the result, and of nothing that says when or by whom it was made.
        """
        judged = self.evaluated.judged[name]
        data = [self.data_md5, *self.split_md5s]
        scores = {key: value for key, value in judged.scores.items() if value is not None}
        facts = {key: float(v) for key, v in model.facts.items() if v is not None}
        word, reason = self.verdict.standing(name)
        failed, held = name in self.verdict.failed, self.evaluated.held
        tags = {
            "dataset": self.dataset,
            "trainer": model.trainer,
            "model": name,
            "mlflow.source.name": f"python -m pipeline train {self.dataset} {name}",
            "mlflow.source.type": "LOCAL",
            "data_md5": self.data_md5,
            "split_md5": identity_hash(self.split_md5s),
            **({"records_set_aside": str(self.set_aside)} if self.set_aside else {}),
            **({"warnings": self.warnings[:TAG_LENGTH]} if self.warnings else {}),
            **({"training_ended": model.ending} if model.ending else {}),
            **({held: str(scores[held])} if failed and held in scores else {}),
        }
        settings = settings_of(self.dataset, model.params, self.now)
        changed = differing(self.dataset, name, settings, self.where.params)
        identity = [self.dataset, name, model.params, data, model_md5, judged.scores]
        return Entry(
            experiment=self.dataset,
            name=" ".join([name, *(f"{key}={value}" for key, value in changed.items())])[:NAME],
            fingerprint=identity_hash([*identity, judged.threshold]),
            training=training_key(self.dataset, name, model.params, self.split_md5s[0]),
            tags=tags | self.where.tags,
            links=self.where.links,
            judgement={"verdict": word, "verdict_reason": reason},
            params={"trainer": model.trainer} | {key: str(v) for key, v in model.params.items()},
            settings=settings,
            score=held,
            value=scores.get(held),
            failed=failed,
            metrics=_allowed(facts if failed else scores | facts),
            loss=_history(layout.history(self.dataset, name)) if "lr" in model.params else [],
            model=self._fitted(model, judged.threshold),
            data=Data(md5=self.data_md5, rows=self.rows),
            registered=self._registered(name),
            files=self.where.files,
            experiment_tags=self._experiment(scores) if name == self.verdict.best else {},
        )

    def _experiment(self, scores: Mapping[str, float]) -> dict[str, str]:
        """What MLflow shows above the runs, and in the columns of their table."""
        best, metric = self.verdict.best, self.settings.evaluate.metric
        word, reason = self.verdict.standing(best)
        kinds = [kind for kind in ("loo", "cv", "test", "train") if f"{kind}_{metric}" in scores]
        return {
            "mlflow.note.content": f"{best} {word}: {reason}",
            TAG: saved_view(
                [f"{kind}_{metric}" for kind in kinds[:2]],
                metric in LOWER_IS_BETTER,
                self._losses(),
            ),
        }

    def _losses(self) -> tuple[float, float] | None:
        """The range of losses that a picture of them needs: from the lowest to the first.

        Scores, of which the lowest counts, too, are of another size where the target is logged.
        """
        models = self.now.own_models_of(self.dataset).items()
        histories = [
            read_history(layout.history(self.dataset, name))[:, 1]
            for name, one in models
            if "lr" in one.params
        ]
        high = 2 * max((losses[0] for losses in histories), default=0.0)
        if high == 0:
            return None
        name = "train_mse" if self.settings.task == "regression" else "train_log_loss"
        alike = [] if self.settings.logged else self.evaluated.judged.values()
        others = (one.scores.get(name) for one in alike)
        lows = [*(losses.min() for losses in histories), *filter(None, others)]
        return max(min(lows) / 2, high / MOST_FALL), high

    def _fitted(self, model: Model, threshold: float | None) -> Fitted:
        """Put the numbers of a model together, so that it can be rebuilt without other files."""
        split, target = self.split, self.settings.target
        classes = self.settings.evaluate.classes
        example = split.examples(split.train[:5]).to_pylist()
        return Fitted(
            task=self.settings.task,
            target=target,
            classes=classes,
            labels=label_names(split.schema.field(target).type, classes),
            threshold=threshold,
            features=[*split.features],
            columns=dict(split.encoding),
            mean=split.mean.tolist(),
            scale=split.scale.tolist(),
            **_numbers(model.form),
            n_train=len(split.train),
            ranges=self.ranges,
            example=[[*row.values()] for row in example],
            logged=logged(model.params),
        )

    def _registered(self, name: str) -> Registered:
        """The best trainer is a version of the dataset's model; so is the champion of a person."""
        champion = name == self.champion.model
        best = name == self.verdict.best and name not in self.verdict.failed
        return Registered(
            version=champion or best,
            # A temporary or queued experiment says nothing about what is in use.
            champion=champion if in_main_repository() else None,
            accepted=self.verdict.verdict == "accepted" if name == self.verdict.best else None,
            override=self.champion.override if champion else None,
        )


def _numbers(form: Form) -> dict[str, Any]:
    """What an entry has of what a model computes."""
    if isinstance(form, Estimator):
        return {"estimator": form.name, "skops": b64encode(form.content).decode()}
    arrays = {name: one.tolist() for name, one in form.arrays.items()}
    if isinstance(form, Layers):
        return {"layers": arrays, "activation": form.activation}
    return arrays


def _report(where: Origin) -> Entry:
    """Make the entry of the report, with its page and its pictures as artifacts."""
    if not layout.REPORT.is_file():
        raise missing(layout.REPORT)
    pictures = sorted(layout.PICTURES.glob("*.svg"))
    return Entry(
        experiment=REPORT,
        name=REPORT,
        fingerprint=md5(layout.REPORT),
        tags=where.tags,
        links=where.links,
        files={"report.html": layout.REPORT.read_text(encoding="utf-8")}
        | {f"pictures/{path.name}": path.read_text(encoding="utf-8") for path in pictures},
    )


def _history(path: Path) -> list[tuple[int, float]]:
    """Read at most 1,000 points (epoch, loss) of a history, evenly spaced, both ends among them."""
    history = read_history(path)
    return [(int(epoch), loss) for epoch, loss in history[thinned(len(history), POINTS)].tolist()]


def _allowed(scores: dict[str, float]) -> dict[str, float]:
    """Give the scores keys that MLflow takes: the name of a class may hold what it does not.

    >>> _allowed({"recall_a/b": 1.0, "recall_a?b": 2.0})
    {'recall_a_b': 1.0, 'recall_a_b_': 2.0}
    """
    result: dict[str, float] = {}
    for name, value in scores.items():
        key = re.sub(r"[^\w.\- :]", "_", name)
        while key in result:
            key += "_"
        result[key] = value
    return result
