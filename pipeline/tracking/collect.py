"""What is on disk about the models of a dataset, as entries for MLflow."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.core import layout
from pipeline.core.artifacts.champions import holder
from pipeline.core.artifacts.evaluated import (
    LOWER_IS_BETTER,
    Evaluated,
    Verdict,
    read_evaluated,
    read_verdicts,
    read_warnings,
)
from pipeline.core.artifacts.models import Model, read_history, read_model
from pipeline.core.artifacts.splits import Split, read_split
from pipeline.core.files import md5, missing
from pipeline.core.params import Params
from pipeline.core.store.connection import in_main_repository, training_key
from pipeline.core.tables import read_table
from pipeline.core.thin import thinned
from pipeline.tracking.committed import base_revision, committed_params, differing
from pipeline.tracking.entry import Data, Entry, Fitted, Registered
from pipeline.tracking.provenance import Origin, origin
from pipeline.tracking.view import TAG, saved_view

POINTS = 1000  # one batch, one smooth curve
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
    where, committed = origin(list(params.datasets)), committed_params(base_revision())
    verdicts = read_verdicts()
    entries = [
        entry
        for dataset in params.datasets
        for entry in _Collector(dataset, params, verdicts[dataset], where, committed).entries()
    ]
    return [*entries, _report(where)]


class _Collector:
    """The files of one dataset, read once."""

    def __init__(
        self,
        dataset: str,
        now: Params,
        verdict: Verdict,
        where: Origin,
        committed: Params | None,
    ) -> None:
        settings = now.dataset(dataset)
        self.dataset, self.settings, self.verdict = dataset, settings, verdict
        self.where, self.now, self.committed = where, now, committed
        self.table: pa.Table = read_table(layout.ingested(dataset))
        self.split: Split = read_split(dataset, settings.target, self.table)
        self.evaluated: Evaluated = read_evaluated(dataset)
        self.data_md5 = md5(layout.ingested(dataset))
        self.warnings = "\n".join(read_warnings(dataset, self.evaluated))
        parts = [layout.split_part(dataset, part) for part in ("train", "test")]
        self.split_md5s = [md5(path) for path in (*parts, layout.scaler(dataset))]
        self.champion = holder(dataset, self.evaluated, verdict)

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
        tags = {
            "dataset": self.dataset,
            "trainer": model.trainer,
            "model": name,
            "data_md5": self.data_md5,
            "split_md5": _hash(self.split_md5s),
            **({"warnings": self.warnings[:TAG_LENGTH]} if self.warnings else {}),
        }
        changed = differing(self.dataset, name, model.params, self.now, self.committed)
        identity = [self.dataset, name, model.params, data, model_md5, judged.scores]
        return Entry(
            experiment=self.dataset,
            name=" ".join([name, *(f"{key}={value}" for key, value in changed.items())])[:NAME],
            fingerprint=_hash([*identity, judged.threshold]),
            training=training_key(self.dataset, name, model.params, self.split_md5s[0]),
            tags=tags | self.where.tags,
            links=self.where.links,
            judgement={"verdict": word, "verdict_reason": reason},
            params={"trainer": model.trainer} | {key: str(v) for key, v in model.params.items()},
            metrics=_allowed(scores | facts),
            loss=_history(layout.history(self.dataset, name)) if "lr" in model.params else [],
            model=self._fitted(model, judged.threshold),
            data=Data(md5=self.data_md5, rows=self.table.num_rows),
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
            TAG: saved_view([f"{kind}_{metric}" for kind in kinds[:2]], metric in LOWER_IS_BETTER),
        }

    def _fitted(self, model: Model, threshold: float | None) -> Fitted:
        """Put the numbers of a model together, so that it can be rebuilt without other files."""
        split = self.split
        ranges = zip(split.features, *split.ranges(), strict=True)
        return Fitted(
            task=self.settings.task,
            target=self.settings.target,
            classes=self.settings.evaluate.classes,
            threshold=threshold,
            features=[*split.features],
            mean=split.mean.tolist(),
            scale=split.scale.tolist(),
            coef=model.coef.tolist(),
            intercept=model.intercept,
            n_train=len(split.train),
            ranges={name: (float(low), float(high)) for name, low, high in ranges},
            example=split.X[split.train[:5]].tolist(),
        )

    def _registered(self, name: str) -> Registered:
        """The best trainer is a version of the dataset's model; so is the champion of a person."""
        champion = name == self.champion.model
        return Registered(
            version=champion or name == self.verdict.best,
            # A temporary or queued experiment says nothing about what is in use.
            champion=champion if in_main_repository() else None,
            override=self.champion.override if champion else None,
        )


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


def _hash(identity: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


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
