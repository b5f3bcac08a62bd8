"""datasets.NAME.ingest: where the rows of a dataset come from."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.core.dialect import Dialect, Table
from pipeline.core.oddities import Kind
from pipeline.core.settings.block import Seed, Settings, unfit

GENERATOR = "pipeline/ingest/make_regression.py"
# What a source's name may end with, and whether csv says how it is written.
CSV_ENDS = (".csv", ".csv.gz", ".csv.zip", ".zip")
WORKBOOK_ENDS = (".xlsx", ".xlsm")
LABEL_ENDS = (".sav", ".zsav", ".dta")
TABLE_ENDS = (".parquet", *WORKBOOK_ENDS, *LABEL_ENDS, ".xpt", ".arff")
_ENDS = "|".join(map(re.escape, CSV_ENDS + TABLE_ENDS))
SOURCE = re.compile(rf"data/raw/[A-Za-z0-9][A-Za-z0-9_.-]*({_ENDS})")
FOLDER = re.compile("data/raw/[A-Za-z0-9][A-Za-z0-9_-]*")


class MakeRegression(Settings):
    """Arguments of sklearn.datasets.make_regression."""

    n_samples: Annotated[int, Field(ge=1, le=10_000_000)]
    n_features: Annotated[int, Field(ge=1, le=10_000)]
    noise: Annotated[float, Field(ge=0)]
    random_state: Seed


def _source(value: str) -> str:
    if value != GENERATOR and not (SOURCE.fullmatch(value) or FOLDER.fullmatch(value)):
        known = ", ".join(f"NAME{end}" for end in CSV_ENDS[1:] + TABLE_ENDS)
        form = (
            f"data/raw/NAME.csv, {known}, data/raw/NAME for a folder of parts or, with "
            f"make_regression, {GENERATOR}"
        )
        raise unfit(form, value)
    return value


class Ingest(Settings):
    """Where the rows of a dataset come from: a file, parts of one, or scikit-learn's generator.

    Attributes
    ----------
    source : str
        The file, or the folder of its parts, relative to dvc.yaml; of generated rows the code that
        makes them.
    csv : Dialect
        How a CSV file is written; where it is declared, parts are CSV files.
    table : Table
        What has to be known of a file of another kind; where it is declared, parts are of Parquet.
    make_regression : MakeRegression or None
        The arguments of the generator.
    mute : list of str
        Warnings about the data that validate and split only count: what is known to be all right.
    """

    source: Annotated[str, AfterValidator(_source)]
    csv: Dialect = Dialect()
    table: Table = Table()
    make_regression: MakeRegression | None = None
    mute: list[Kind] = Field(default_factory=list)

    @property
    def path(self) -> Path:
        """The source as a path."""
        return Path(self.source)

    @property
    def is_csv(self) -> bool:
        """Whether `csv` says how the file is written."""
        return "csv" in self.model_fields_set if self.of_parts else self.source.endswith(CSV_ENDS)

    @property
    def of_parts(self) -> bool:
        """Whether the source is a folder of parts."""
        return bool(FOLDER.fullmatch(self.source))

    @property
    def ending(self) -> str:
        """What the names of such files end with."""
        if self.of_parts:
            return CSV_ENDS[0] if self.is_csv else TABLE_ENDS[0]
        return self.path.suffix.lower()

    @property
    def unit(self) -> str:
        """What the rows of the file are counted in."""
        return "line" if self.is_csv or self.source.endswith(".arff") else "row"

    @model_validator(mode="after")
    def _one_block(self) -> Self:
        if self.of_parts and len(self.model_fields_set & {"csv", "table"}) != 1:
            raise ValueError(
                f"source: {self.source} is a folder of parts: declare either csv: {{}} or "
                "table: {}, for parts of CSV or of Parquet"
            )
        blocks = {"csv": self.csv, "table": self.table}
        declared = {key: one.model_dump(exclude_defaults=True) for key, one in blocks.items()}
        wrong, right = ("table", "csv") if self.is_csv else ("csv", "table")
        if declared[wrong] and self.source != GENERATOR:
            raise ValueError(f"{wrong}: says nothing of {self.source}; {right} does")
        sheet = declared["table"].keys() - {"missing", "labels"}
        if sheet and not self.source.endswith(WORKBOOK_ENDS):
            raise ValueError(f"table: {', '.join(sorted(sheet))} go with a workbook alone")
        if self.table.labels and not self.source.endswith(LABEL_ENDS):
            raise ValueError("table: labels go with a file of SPSS or Stata alone")
        return self

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.make_regression is None) == (self.source == GENERATOR):
            raise ValueError(
                f"make_regression goes with source: {GENERATOR}, and a file with csv or table alone"
            )
        return self
