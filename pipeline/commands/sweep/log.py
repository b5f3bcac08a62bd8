"""A sweep in MLflow: a parent run, and a run below it for each point."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.commands.sweep.search import REPEATS, Point
from pipeline.commands.sweep.table import Ranking
from pipeline.core.store.connection import Store, main_repository, open_store
from pipeline.core.trainers import Value
from pipeline.tracking.committed import base_commit

FOUND = 50_000  # at most so many runs in an answer; a sweep has fewer
PARENT = "mlflow.parentRunId"
LONG = 500  # characters of a param: what was typed may be longer than MLflow takes


def publish(ranking: Ranking, files: Sequence[Path], interrupted: bool) -> str:
    """Log a sweep, unless the same one, with the same results, is there already.

    A point that diverged has no scores and is FAILED. A sweep that is there half-written, by a
    process that died, is replaced.

    Parameters
    ----------
    ranking : Ranking
        What was asked, and every point that was measured.
    files : list of Path
        The table and the pictures, which become artifacts of the parent run.
    interrupted : bool
        Whether Ctrl-C ended the search: the parent run is KILLED then, else FINISHED.

    Returns
    -------
    str
        Where it is, in words.

    Raises
    ------
    StoreError
        When the store is down or refuses.
    """
    bench = ranking.bench
    key, times = fingerprint(ranking), " \N{MULTIPLICATION SIGN} "
    name = f"{bench.model} {times.join(ranking.space.axes)}"
    place = f"experiment `{bench.dataset} sweeps`, run `{name}`"
    with open_store(main_repository()) as store:
        experiment = store.experiment(f"{bench.dataset} sweeps")
        if _is_there(store, experiment, key):
            return f"{place}, was there already"
        if store.artifacts:  # the lock is ours: who left these is dead
            _end_running(store, experiment)
        own = {"dataset": bench.dataset, "trainer": bench.trainer, "model": bench.model}
        own |= {"data_md5": bench.data_md5, "sweep": key}
        origin = {"git_commit": base_commit(), "interrupted": "true" if interrupted else ""}
        tags = own | {tag: value for tag, value in origin.items() if value}
        with store.new_run(experiment, name, tags, _facts(ranking), _best(ranking)) as parent:
            below = own | {PARENT: parent}
            for point in ranking.points:
                name, scores = ranking.name(point), _scores(ranking, point)
                with store.new_run(experiment, name, below, point.params, scores) as run:
                    store.client.set_terminated(run, "FINISHED" if point.folds else "FAILED")
            for path in files:
                store.client.log_artifact(parent, str(path))
        store.client.set_terminated(parent, "KILLED" if interrupted else "FINISHED")
    return place


def _end_running(store: Store, experiment: str) -> None:
    """End the runs that nobody will."""
    running = "attributes.status = 'RUNNING'"
    for run in store.client.search_runs([experiment], running, max_results=FOUND):
        store.client.set_terminated(run.info.run_id, "KILLED")


def fingerprint(ranking: Ranking) -> str:
    """SHA-256 over what was asked, of which data, and what came out."""
    bench, space = ranking.bench, ranking.space
    asked = [bench.dataset, bench.model, dict(space.words), space.trials, bench.params.seed]
    cut = [bench.scheme.model_dump(), bench.current, bench.data_md5]
    return hashlib.sha256(json.dumps([*asked, *cut, ranking.csv]).encode()).hexdigest()


def _is_there(store: Store, experiment: str, key: str) -> bool:
    """Whether a finished one is there; what is left of an unfinished one goes."""
    found = store.client.search_runs([experiment], f"tags.sweep = '{key}'", max_results=FOUND)
    parents = [run for run in found if PARENT not in run.data.tags]
    if any(run.info.status == "FINISHED" for run in parents):
        return True
    for run in found:
        store.client.delete_run(run.info.run_id)
    return False


def _facts(ranking: Ranking) -> dict[str, Value]:
    """What was asked, and what won."""
    bench, space, scheme = ranking.bench, ranking.space, ranking.bench.scheme
    facts: dict[str, Value] = {
        "metric": bench.score,
        "folds": scheme.folds,
        "repeats": REPEATS,
        "cv_seed": scheme.seed,
        "points": len(ranking.points),
    }
    facts |= {"trials": space.trials, "seed": bench.params.seed} if space.trials else {}
    facts |= {f"sweep_{name}": text[:LONG] for name, text in space.words.items()}
    if ranking.best is not None:
        facts |= {f"best_{name}": v for name, v in ranking.swept(ranking.best).items()}
    return facts


def _best(ranking: Ranking) -> dict[str, float]:
    """The scores of the winner, and what the current params reach."""
    score, points = ranking.bench.score, {"best": ranking.points[0], "current": ranking.current}
    found = {f"{name}_{score}": point.scores.get(score) for name, point in points.items()}
    return {name: value for name, value in found.items() if value is not None}


def _scores(ranking: Ranking, point: Point) -> dict[str, float]:
    """Mean and sd over the folds of what models can be judged by."""
    prefix = ranking.bench.score.split("_")[0]
    names = [f"{prefix}_{metric}" for metric in ranking.bench.settings.metrics]
    kept = {name for one in names for name in (one, f"{one}_sd")}
    return {k: v for k, v in point.scores.items() if k in kept and v is not None}
