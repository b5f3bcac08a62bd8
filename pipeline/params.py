"""Check params.yaml.

Unknown keys, wrong types, impossible values and files that are not there are named, all at once.
What earlier stages made of datasets and models that params.yaml no longer has is removed.
"""

from collections.abc import Iterator

from pipeline.core import layout
from pipeline.core.artifacts.strangers import remove_strangers
from pipeline.core.errors import PipelineError, listed
from pipeline.core.params import Params, load_params
from pipeline.core.scikit_learn import estimator_class, params_of_estimator, problems


def params() -> None:
    """Run the stage.

    Raises
    ------
    PipelineError
        Names all faults of the keys, or else all files that are not there.
    """
    found = load_params()
    if faults := [*absent(found), *unfit(found)]:
        raise PipelineError(listed(faults))
    remove_strangers(found)


def unfit(found: Params) -> Iterator[str]:
    """What scikit-learn refuses of a model's params; only lines with an estimator import it.

    And packages that are none, also where no line names them.
    """
    for package in found.packages:
        estimator_class(package)
    for key, line in found.models.sklearn.items():
        wanted = found.model_of(line.dataset, key.partition("-")[2])
        name, params = str(wanted.params["estimator"]), params_of_estimator(wanted.params)
        for problem in problems(name, params, found.dataset(line.dataset).task):
            yield f"{layout.PARAMS}: models.sklearn.{key}.{problem}"


def absent(found: Params) -> Iterator[str]:
    """DVC itself would give no more than the name of a file."""
    for name, dataset in found.datasets.items():
        source, schema = dataset.ingest.path, layout.schema(name)
        if not (dataset.ingest.make_regression or source.exists()):
            remedy = "put it there, or `git checkout` or `dvc pull` it"
            yield f"{layout.PARAMS}: datasets.{name}.ingest.source: {source} is missing; {remedy}"
        elif not schema.exists():
            remedy = f"write it, or begin with: python -m pipeline schema draft {source}"
            yield f"{layout.PARAMS}: datasets.{name}: {schema} is missing; {remedy}"
