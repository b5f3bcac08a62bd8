"""datasets.NAME.split: which rows train, and what the columns are."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from pipeline.core.settings.block import Settings, unfit
from pipeline.core.text import nearest

DatePart = Literal["month", "weekday", "hour"]
ColumnKind = Literal["number", "category", "date", "drop"]
RARE = 5  # training rows of a category with a feature of its own, unless split.rare says it


class RandomFeatures(Settings):
    """So many features, drawn by `seed`."""

    random: Annotated[int, Field(ge=1)]


def _all_or_drawn(value: object) -> object:
    if isinstance(value, dict):
        return RandomFeatures.model_validate(value)
    if value != "all":
        raise unfit("all or {random: how many}", value)
    return value


class Order(Settings):
    """The categories of a column, from the least to the greatest."""

    order: Annotated[list[str], Field(min_length=2)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({*self.order}) < len(self.order):
            raise ValueError("order: a category stands twice")
        return self


class DateParts(Settings):
    """A column of dates, of which parts are categories besides."""

    date: Annotated[list[DatePart], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({*self.date}) < len(self.date):
            raise ValueError("date: a part stands twice")
        return self


def _kind_or_block(value: object) -> object:
    blocks: dict[Any, type[Settings]] = {"order": Order, "date": DateParts}
    strange = [key for key in value if key not in blocks] if isinstance(value, dict) else [value]
    if isinstance(value, dict) and len(value) == 1 and not strange:
        [key] = value
        return blocks[key].model_validate(value)
    if value not in get_args(ColumnKind):
        form = "{order: [from least, to greatest]} or {date: [month, weekday, hour]}, not both"
        known = blocks if isinstance(value, dict) else get_args(ColumnKind)
        hint = nearest(str(strange[0]), known) if strange else ""
        raise unfit(f"{', '.join(get_args(ColumnKind))}, {form}", value, hint)
    return value


def is_date(kind: ColumnKind | Order | DateParts) -> bool:
    """Whether a column is one of dates."""
    return kind == "date" or isinstance(kind, DateParts)


class SplitRows(Settings):
    """Which rows are kept for testing, and which columns are features, of what kind.

    Attributes
    ----------
    by : str or None
        How rows are drawn for testing: at `random`; `stratified`, each class in its share, which
        is usual of classes; by a `hash` of what a row holds, so that it stays where it is when the
        file grows.
    key : str or None
        The column that is hashed; all columns unless it is given.
    column : str or None
        One that says train or test of each row.
    group : str or None
        One whose rows of one value stay together: of a patient, say.
    time : str or None
        One of numbers or dates: the last rows test, and folds go forward.
    columns : dict
        What the columns are that are no plain numbers, and those that are left out.
    rare : int
        Categories of fewer training rows than this share one feature; gaps of fewer have
        none of their own.
    gaps : str
        Whether missing values are filled, or rows that have any are left out.
    target_transform : str
        Whether the models of a regression learn the target, or its logarithm.
    """

    features: Annotated[Literal["all"] | RandomFeatures, BeforeValidator(_all_or_drawn)] = "all"
    test_size: Annotated[float, Field(ge=0, lt=1)] = 0.2
    by: Literal["random", "stratified", "hash"] | None = None
    key: str | None = None
    column: str | None = None
    group: str | None = None
    time: str | None = None
    columns: dict[
        str, Annotated[ColumnKind | Order | DateParts, BeforeValidator(_kind_or_block)]
    ] = Field(default_factory=dict)
    rare: Annotated[int, Field(ge=1)] = RARE
    gaps: Literal["fill", "leave_out"] = "fill"
    target_transform: Literal["none", "log"] = "none"

    @model_validator(mode="after")
    def _one_way_to_part(self) -> Self:
        given = self.model_fields_set
        if self.key is not None and self.by != "hash":
            raise ValueError("key: goes with by: hash only; add that, or remove the key")
        ways = [key for key in ("by", "column", "group", "time") if getattr(self, key) is not None]
        ways += ["test_size"] if self.column is not None and "test_size" in given else []
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)}: each says which rows test; leave one of them")
        return self

    @property
    def parting(self) -> dict[str, str]:
        """The columns that say which rows test, by key."""
        named = {key: getattr(self, key) for key in ("key", "column", "group", "time")}
        return {key: name for key, name in named.items() if name is not None}

    @property
    def left_out(self) -> set[str]:
        """The columns that are no features: those dropped, and of `parting` those not declared."""
        dropped = {name for name, kind in self.columns.items() if kind == "drop"}
        return dropped | ({*self.parting.values()} - self.columns.keys())
