"""Where everything lies, relative to dvc.yaml. Names come from checked settings only."""

from pathlib import Path

from pipeline.core.trainers import TRAINERS

NAME = "[a-z][a-z0-9_]*"  # the pattern of a dataset's name, and of a model's
PARAMS = Path("params.yaml")
METRICS = Path("metrics")
RECEIPT = Path("data/tracked.json")
UNPUBLISHED = Path("data/unpublished")
CHAMPION = METRICS / "champion.json"
VERDICT = METRICS / "verdict.json"
SUMMARY = METRICS / "summary.json"
REPORT = METRICS / "report.html"
PLOTS = METRICS / "plots"
PICTURES = METRICS / "report"


def schema(dataset: str) -> Path:
    """The pandera schema."""
    return Path("data/schema") / f"{dataset}.yaml"


def ingested(dataset: str) -> Path:
    """The table with the values as received."""
    return Path("data/1_ingested") / f"{dataset}.parquet"


def validated(dataset: str) -> Path:
    """The report of the validation."""
    return Path("data/2_validated") / dataset / "report.json"


def validated_text(dataset: str) -> Path:
    """The same for people."""
    return validated(dataset).with_suffix(".txt")


def rejected(dataset: str) -> Path:
    """The damaged records that were set aside, where there are any."""
    return validated(dataset).with_name("rejected.csv")


def split(dataset: str) -> Path:
    """The folder of what split makes."""
    return Path("data/3_split") / dataset


def split_part(dataset: str, part: str) -> Path:
    """The standardized rows of one part: `train` or `test`."""
    return split(dataset) / f"{part}.parquet"


def scaler(dataset: str) -> Path:
    """Mean and scale of each feature over the training rows."""
    return split(dataset) / "scaler.json"


def columns(dataset: str) -> Path:
    """What the training rows teach of each column, before it is standardized."""
    return split(dataset) / "columns.json"


def split_rows(dataset: str) -> Path:
    """Which row of the ingested table went to which part."""
    return split(dataset) / "rows.json"


def split_warnings(dataset: str) -> Path:
    """What models of these training rows may suffer from; it keeps a folder without models, too."""
    return models(dataset) / "warnings.json"


def models(dataset: str) -> Path:
    """The folder of the models of a dataset."""
    return Path("data/4_models") / dataset


def model(dataset: str, name: str) -> Path:
    """The weights of a model, and the params that made them.

    Those that params.yaml asks for are named by its key; the two that evaluate makes for every
    dataset by their role.
    """
    role = TRAINERS[name].role if name in TRAINERS else "trainer"
    if role == "trainer":
        return models(dataset) / f"{dataset}-{name}.json"
    return evaluated(dataset).with_name(f"{role}.json")


# What the file beside a model file is called, of a trainer whose models have one.
BESIDE = {"network": ".safetensors", "sklearn": ".skops"}


def beside(model: Path, trainer: str) -> Path:
    """What a model computes, beside the file of one that is not linear."""
    return model.with_suffix(BESIDE[TRAINERS[trainer].form])


def checkpoint(dataset: str, name: str, key: str) -> Path:
    """The state of a training that is not over."""
    return Path("data/checkpoints") / f"{dataset}-{name}-{key}.safetensors"


def history(dataset: str, name: str) -> Path:
    """The training loss of every epoch."""
    return models(dataset) / f"{dataset}-{name}_history.csv"


def evaluated(dataset: str) -> Path:
    """All that evaluate found: scores by fold, coefficients, audits."""
    return Path("data/5_evaluated") / dataset / "evaluated.json"


def metrics(dataset: str) -> Path:
    """The scores of a dataset, one block a trainer."""
    return METRICS / f"{dataset}.json"


def plot(dataset: str, name: str) -> Path:
    """The data behind one plot; `dvc plots` has its copy in PLOTS."""
    return evaluated(dataset).with_name(f"{name}.csv")


def picture(dataset: str, name: str) -> Path:
    """One picture of the report."""
    return PICTURES / f"{dataset}_{name}.svg"
