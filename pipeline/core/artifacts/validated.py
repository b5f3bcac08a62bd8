"""data/2_validated/<dataset>/report.json, which validate writes, and split and report read."""

from pydantic import Field

from pipeline.core.oddities import Kind
from pipeline.core.settings.block import Settings


class Validated(Settings):
    """What was found of a table that passed.

    Attributes
    ----------
    data_md5 : str
        Of the ingested table.
    repeated_rows : int
        How many repeat an earlier row in all columns.
    written : str
        How the file is written, as declared; empty of generated rows.
    set_aside : int
        How many damaged records of the file are not among the rows.
    muted : list of str
        The kinds of warnings that are counted, not told; split keeps to it, too.
    classes : dict
        The number of rows by label.
    checks : dict
        By column: its type, and what was checked.
    columns : dict
        By column: missing values, and minimum, maximum, mean and standard deviation.
    """

    dataset: str
    data_md5: str
    rows: int
    repeated_rows: int
    written: str = ""
    set_aside: int = 0
    warnings: list[str]
    muted: list[Kind] = Field(default_factory=list)
    classes: dict[str, int]
    checks: dict[str, list[str]]
    columns: dict[str, dict[str, float]]
