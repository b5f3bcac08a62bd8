"""Try many params of a trainer in one process.

Every point of the grid is cross-validated on the training rows, by the same folds (params.yaml:
cross_validation, one repeat); the current params are always among them. The table is ranked by the
dataset's metric. The test rows are never used: `dvc repro` has the last word.

  python -m pipeline sweep house torch_sgd lr=0.001,0.01,0.1 epochs=50,100
  python -m pipeline sweep breast_cancer bcpm lr=0.001..1 batch_size=16,full --trials 30
  python -m pipeline sweep rings network 'hidden=[8],[16,8]' activation=relu,tanh
  python -m pipeline sweep breast_cancer boosted params.max_depth=2,4,null

Ctrl-C ends the search; what was found by then is shown and kept, and the exit code is 130.

Reads data/1_ingested and data/3_split of the dataset. Writes table.csv and pictures to
data/sweeps/DATASET-MODEL/N, and runs to MLflow's experiment `DATASET sweeps`.
"""

import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from pipeline.commands.sweep.apply import apply_winner
from pipeline.commands.sweep.space import parse_space
from pipeline.core import layout
from pipeline.core.errors import Diverged, PipelineError, PipelineWarning
from pipeline.core.params import load_params
from pipeline.core.run import say
from pipeline.core.scikit_learn import defaults
from pipeline.core.store.connection import StoreError
from pipeline.core.trainers import OF_ESTIMATOR, TRAINERS, TRANSFORM, spelled_out

if TYPE_CHECKING:
    from pipeline.commands.sweep.table import Ranking


def sweep(
    dataset: str, model: str, arguments: Sequence[str], trials: int | None, apply: bool
) -> Iterator[str]:
    """Judge every point by the same folds of the training rows; the test rows are never used.

    The present params are always among the points. What is found reaches the disk
    (data/sweeps/DATASET-MODEL/N) before MLflow. Ctrl-C ends the search, not what follows from it:
    the points finished by then are shown, written and logged.

    Parameters
    ----------
    dataset : str
        A key of `datasets` in params.yaml.
    model : str
        The name of one of its models that has params.
    arguments : list of str
        PARAM=VALUE,VALUE or, with `trials`, PARAM=LOW..HIGH.
    trials : int or None
        How many points to draw from the ranges; None: every combination of the lists.
    apply : bool
        Write the winner to the model's own line in params.yaml.

    Yields
    ------
    str
        What the user is told: the table, the winner, where the results are.

    Raises
    ------
    PipelineError
        Of an argument that cannot be; with exit code 3 when every point diverged.
    KeyboardInterrupt
        At the end, when the search was interrupted.
    """
    params = load_params()
    wanted = params.model_of(dataset, model)
    if not TRAINERS[wanted.trainer].params:
        raise PipelineError(
            f"{model} has no params to sweep; those of {layout.PARAMS}: models.gradient and "
            "models.network have some"
        )
    every = spelled_out(wanted.trainer, wanted.params)
    if TRAINERS[wanted.trainer].form == "sklearn":
        of_estimator = defaults(str(wanted.params["estimator"]))
        every = {f"{OF_ESTIMATOR}{k}": v for k, v in of_estimator.items()} | every
    swept = {k: v for k, v in every.items() if k != TRANSFORM}
    space = parse_space(arguments, wanted._replace(params=swept), trials)
    if TRAINERS[wanted.trainer].form == "sklearn":  # the rest stays as the estimator has it
        every = {k: v for k, v in every.items() if k in {*wanted.params, *space.axes}}
    wanted = wanted._replace(params=every)
    with tqdm(None, "sweep", space.size + 1, leave=False, unit="point", disable=None) as bar:
        from pipeline.commands.sweep.search import Bench, search  # they import half of scipy
        from pipeline.commands.sweep.table import Ranking

        bench = Bench(dataset, wanted, params)
        interrupted = search(bench, space, params.seed, bar)
    if not bench.points:
        raise KeyboardInterrupt
    ranking = Ranking(bench, space, sorted(bench.points.values(), key=bench.loss))
    yield from _results(ranking, interrupted, apply)
    if interrupted:
        raise KeyboardInterrupt
    if ranking.best is None:
        if TRAINERS[wanted.trainer].form == "sklearn":
            raise PipelineError("every point failed, as the warnings say; take other values")
        failure = PipelineError("every point diverged; lower lr")
        failure.exit_code = Diverged.exit_code
        raise failure
    if apply:
        yield apply_winner(f"{dataset}-{model}", ranking.changes())


def _results(ranking: "Ranking", interrupted: bool, apply: bool) -> Iterator[str]:
    """Show what was found, write it, and only then log it."""
    yield ranking.text(interrupted)
    files = ranking.write()
    if ranking.best is not None and not interrupted:
        yield ranking.conclusion(apply)
    yield f"{ranking.folder}: {', '.join(path.name for path in files)}"
    try:
        from pipeline.commands.sweep.log import publish

        yield f"MLflow: {publish(ranking, files, interrupted)}"
    except StoreError as error:
        warnings.warn(
            f"{error}. All results are in {ranking.folder}; once the store answers, the same "
            "command logs them",
            PipelineWarning,
            stacklevel=2,
        )


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `sweep`."""
    parser.add_argument("DATASET", help="a name under params.yaml: datasets")
    parser.add_argument("MODEL", help="a model of DATASET that has params")
    values = "values lr=0.001,0.01 or, with --trials, a range lr=0.001..1"
    parser.add_argument("arguments", nargs="+", metavar="PARAM=VALUES", help=values)
    trials = "draw N points, each where those before were good (Optuna), instead of a grid"
    parser.add_argument("--trials", type=int, metavar="N", help=trials)
    winner = "write the winner to the line of the model in params.yaml"
    parser.add_argument("--apply", action="store_true", help=winner)


def run(options: Namespace) -> None:
    """Run the command."""
    given = options.arguments, options.trials, options.apply
    for text in sweep(options.DATASET, options.MODEL, *given):
        say(text)
