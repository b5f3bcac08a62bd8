"""A fitted model as scikit-learn's own, saved by MLflow in the skops format.

The model is a plain Pipeline of scikit-learn: it loads where this package is not installed and
takes raw rows. skops trusts every type in it; of columns with gaps or dates, TRUSTED beside its
own, and of an estimator of scikit-learn those that it holds. No pickle is written.
"""

from base64 import b64decode
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.core.columns import (
    PLAIN,
    CategoryColumn,
    Column,
    DateColumn,
    Encoding,
    NumberColumn,
    dumped,
    in_range,
    known,
)
from pipeline.core.dates import A_DAY, CYCLES, MOMENT, Cycle
from pipeline.core.forms import layers_of, least, read_estimator
from pipeline.core.scikit_learn import distribution, trusted
from pipeline.tracking.entry import Fitted

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

# What SimpleImputer keeps, and two functions of dates: they make arrays of arrays, no more.
TRUSTED = ["numpy.asarray", "numpy.diff", "numpy.dtype"]
NO_MOMENT = -(2.0**63)  # the float that numpy makes of NaT
MISSING = "\ue000"  # of private use: no file has it
NEEDS = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")


def save_model(
    folder: Path, model: Fitted, metadata: dict[str, str], model_id: str, run_id: str
) -> None:
    """Save a model as a folder that MLflow loads, serves and registers.

    mlflow.sklearn.log_model would need the global tracking URI, which changes the environment of
    this process for good; so the folder is saved here and `publish` logs it.

    Parameters
    ----------
    folder : Path
        It is empty, or not there yet.
    metadata : dict
        What the file MLmodel says of the model besides what `Fitted` holds.
    model_id, run_id : str
        Those of the logged model and of the run that it belongs to.
    """
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import Model

    mlflow.sklearn.save_model(
        as_estimator(model),
        str(folder),
        mlflow_model=Model(artifact_path="model", run_id=run_id, model_id=model_id),
        serialization_format="skops",
        signature=_signature(model),
        input_example=pd.DataFrame(model.example, columns=[*_columns(model)]),
        skops_trusted_types=trusted_types(model.estimator, _plain(model)),
        # MLflow would run the model in a process of its own to find these: 20 s a model
        pip_requirements=[f"{name}=={version(name)}" for name in _needs(model.estimator)],
        metadata=metadata
        | {
            "target": model.target,
            "estimator": model.estimator,
            "task": model.task,
            "classes": model.classes,
            "labels": model.labels,
            "columns": dumped(model.columns),
            "threshold": model.threshold,
            "ranges": {name: list(ends) for name, ends in model.ranges.items()},
        },
    )


def _needs(estimator: str | None) -> list[str]:
    return sorted({*NEEDS, *([distribution(estimator)] if estimator else [])})


def trusted_types(estimator: str | None, plain: bool = False) -> list[str]:
    """The types that a model may hold: of its columns, and of an estimator."""
    return [*([] if plain else TRUSTED), *(trusted(estimator) if estimator else ())]


def as_estimator(model: Fitted) -> "BaseEstimator":
    """Give the numbers of a fitted model to scikit-learn's estimators.

    Returns
    -------
    Pipeline or FixedThresholdClassifier
        Pipeline(StandardScaler, a linear model, an MLP or an estimator of any kind) on raw units,
        with a ColumnTransformer in front where columns are more than plain numbers. A classifier of
        any kind stands in a VotingClassifier, whose only voter it is, and which has the names of
        the classes. A threshold other than 0.5, which many of those meet exactly, is kept by a
        FixedThresholdClassifier around it; of a logged target the last step is a
        TransformedTargetRegressor.
    """
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import FixedThresholdClassifier
    from sklearn.pipeline import make_pipeline

    columns, plain = _columns(model), _plain(model)
    before = [] if plain else [encoder_of(columns)]
    pipeline = make_pipeline(*before, _scaler(model, named=plain), _last(model))
    if model.threshold is None or (model.threshold == 0.5 and model.estimator is None):
        return pipeline
    frozen = FrozenEstimator(pipeline)
    around = FixedThresholdClassifier(
        frozen,
        threshold=least(model.threshold) if model.estimator else model.threshold,
        pos_label=_labels(model)[1],
        response_method="predict_proba",
    )
    return _fitted(around, [*columns], estimator_=frozen)


def _columns(model: Fitted) -> Encoding:
    """By name what its columns are; an older entry has plain numbers alone."""
    return model.columns or dict.fromkeys(model.features, PLAIN)


def _plain(model: Fitted) -> bool:
    return all(column == PLAIN for column in _columns(model).values())


def _labels(model: Fitted) -> list[Any]:
    """What stands for the classes in the file."""
    return model.labels or [*range(len(model.classes or []))]


def encoder_of(columns: Encoding) -> "BaseEstimator":
    """scikit-learn's transformers, fitted to rows that teach them what is known of the columns."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer

    made = {name: _step(column) for name, column in columns.items()}
    n_rows = max(len(values) for _, values in made.values())
    rows = {
        name: pd.Series([*values, *values[:1] * (n_rows - len(values))], dtype=object)
        for name, (_, values) in made.items()
    }
    steps = [(name, step, [name]) for name, (step, _) in made.items()]
    return ColumnTransformer(steps, sparse_threshold=0).fit(pd.DataFrame(rows).infer_objects())


def _step(column: Column) -> tuple[Any, list[Any]]:
    """The transformer of a column, and values that teach it; more of the first teach nothing."""
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if isinstance(column, DateColumn):
        return _of_dates(column), ["1970-01-01"]
    if isinstance(column, CategoryColumn):
        missing = _mark(column)
        values = [_value(column, word) for word in (column.base, *column.own) if word is not None]
        often = [*values, *([missing] if column.gaps else [])] * column.least
        rare = [_value(column, word) for word in column.rare]
        gap = [missing] if column.gaps or column.rare_gaps else []
        if not column.features(""):
            return "drop", [*often, *rare, *gap]
        encoder = OneHotEncoder(
            categories=[[*sorted([*values, *rare]), *gap]],
            drop=values[:1] or None,
            min_frequency=column.least,
            handle_unknown="infrequent_if_exist",
            sparse_output=False,
        )
        return _chain([*_fillers(missing), encoder]), [*often, *rare, *gap]
    fill = [] if column.fill is None else [_filler(column.fill, column.gaps)]
    gaps = [np.nan] if column.gaps else []
    if column.order is None:
        return _chain(fill), [0.0 if column.fill is None else column.fill, *gaps]
    places = OrdinalEncoder(
        categories=[column.order], handle_unknown="use_encoded_value", unknown_value=np.nan
    )
    return _chain([*_fillers(MISSING), places, *fill]), [column.order[0], *gaps]


def _of_dates(column: DateColumn) -> "BaseEstimator":
    """Text of ISO 8601 as moments, and from these the days, and the place in each cycle."""
    from sklearn.pipeline import make_union
    from sklearn.preprocessing import StandardScaler

    by_day = StandardScaler(with_mean=False).fit([[-A_DAY], [A_DAY]])  # divides by it
    features = [_chain([_floats(), _without_moment(), _taught(by_day), _taught_by(column.days)])]
    for part, one in column.parts.items():
        if one.features(""):
            cycle = CYCLES[part]
            encoder = _taught_by(_numbered(one, cycle.words))
            features.append(_chain([*_places(cycle), encoder]))
    return _chain([*_fillers("NaT"), _as_type(MOMENT), make_union(*features)])


def _places(cycle: Cycle) -> list["BaseEstimator"]:
    """The units of a moment less those at which the whole began."""
    from sklearn.pipeline import make_union
    from sklearn.preprocessing import FunctionTransformer

    unit = _as_type(f"datetime64[{cycle.unit}]")
    begun = _chain([_as_type(f"datetime64[{cycle.whole}]"), unit, _floats()])
    both = make_union(begun, _chain([unit, _floats()]))
    return [both, _without_moment(), FunctionTransformer(np.diff, kw_args={"axis": 1})]


def _as_type(name: str) -> "BaseEstimator":
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(np.asarray, kw_args={"dtype": name})


def _floats() -> "BaseEstimator":
    return _as_type("float64")


def _without_moment() -> "BaseEstimator":
    """What makes nan of the number that stands for no moment."""
    return _filler(np.nan, missing=NO_MOMENT)


def _numbered(column: CategoryColumn, words: Sequence[str]) -> CategoryColumn:
    """The same categories, each called by its place."""
    place = {word: str(k) for k, word in enumerate(words)}
    named: dict[str, Any] = {k: [place[w] for w in getattr(column, k)] for k in ("own", "rare")}
    base = None if column.base is None else place[column.base]
    return column.model_copy(update=named | {"base": base, "numbers": True})


def _taught_by(column: NumberColumn | CategoryColumn) -> Any:
    """The transformer of a column, taught."""
    step, values = _step(column)
    return step if isinstance(step, str) else _taught(step.fit(np.array(values)[:, None]))


def _taught(step: "BaseEstimator") -> "BaseEstimator":
    """What keeps what it was taught while others are fitted."""
    from sklearn.frozen import FrozenEstimator

    return FrozenEstimator(step)


def _chain(steps: Sequence["BaseEstimator"]) -> Any:
    from sklearn.pipeline import make_pipeline

    return make_pipeline(*steps) if len(steps) > 1 else [*steps, "passthrough"][0]


def _filler(value: object, gaps: bool = False, missing: object = np.nan) -> "BaseEstimator":
    """What puts a value where one is missing, and behind it, for `gaps`, says where that was."""
    from sklearn.impute import SimpleImputer

    return SimpleImputer(
        missing_values=missing,
        strategy="constant",
        fill_value=value,
        add_indicator=gaps,
        keep_empty_features=True,
    )


def _fillers(value: str | float) -> list["BaseEstimator"]:
    """What puts text in place of nan, and of None, as JSON has it; numbers keep their nan."""
    return [_filler(value), _filler(value, missing=None)] if isinstance(value, str) else []


def _value(column: CategoryColumn, word: str) -> str | float:
    """A category as it is in a row."""
    return float(word) if column.numbers else word


def _mark(column: CategoryColumn) -> str | float:
    """What stands for a missing value: no category of the column."""
    return np.nan if column.numbers else MISSING * (1 + max(map(len, known(column)), default=0))


def _scaler(model: Fitted, named: bool) -> "BaseEstimator":
    """Give the mean and scale of the training rows to a StandardScaler: z = (x - mean) / scale."""
    from sklearn.preprocessing import StandardScaler

    scale = np.array(model.scale)
    return _fitted(
        StandardScaler(),
        model.features if named else None,
        mean_=np.array(model.mean),
        scale_=scale,
        var_=scale**2,
        n_features_in_=len(scale),
        n_samples_seen_=model.n_train,
    )


def _last(model: Fitted) -> "BaseEstimator":
    """The last step; it takes the scaler's arrays and so knows no names of features."""
    make = _any if model.estimator else _linear if model.layers is None else _network
    return _of_logarithm(make(model)) if model.logged else make(model)


def _any(model: Fitted) -> "BaseEstimator":
    """An estimator of scikit-learn; a classifier votes alone, by its probabilities."""
    from sklearn.ensemble import VotingClassifier
    from sklearn.preprocessing import LabelEncoder

    name = model.estimator or ""
    one = read_estimator(name, b64decode(model.skops or "")).estimator
    if model.task == "regression":
        return one
    labels = LabelEncoder()
    labels.classes_ = np.array(_labels(model))
    voting = VotingClassifier([("estimator", one)], voting="soft")
    return _fitted(voting, None, le_=labels, classes_=labels.classes_, estimators_=[one])


def _linear(model: Fitted) -> "BaseEstimator":
    from sklearn.linear_model import LinearRegression, LogisticRegression

    coef, intercept = np.array(model.coef), np.array(model.intercept)
    if model.task == "regression":
        linear = LinearRegression()
        linear.coef_, linear.intercept_ = coef, float(intercept)
    else:
        linear = LogisticRegression()
        linear.coef_, linear.intercept_ = np.atleast_2d(coef.T), np.atleast_1d(intercept)
        linear.classes_ = np.array(_labels(model))
    linear.n_features_in_ = len(coef)
    return linear


def _network(model: Fitted) -> "BaseEstimator":
    """scikit-learn's own network, with the layers of this one."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import LabelBinarizer

    arrays = {name: np.array(one) for name, one in (model.layers or {}).items()}
    layers = layers_of(arrays, model.activation or "relu")
    sizes = [len(bias) for bias in layers.biases[:-1]]
    activation = "logistic" if model.activation == "sigmoid" else model.activation
    of_task = MLPRegressor if model.task == "regression" else MLPClassifier
    network = of_task(hidden_layer_sizes=sizes, activation=activation)
    *hidden, last = layers.weights
    network.coefs_ = [*hidden, last.reshape(len(last), -1)]
    network.intercepts_ = [*map(np.atleast_1d, layers.biases)]
    network.n_layers_, network.n_outputs_ = len(sizes) + 2, network.coefs_[-1].shape[1]
    network.n_features_in_, network.out_activation_ = len(network.coefs_[0]), "identity"
    if model.task == "classification":
        network.out_activation_ = "logistic" if last.ndim == 1 else "softmax"
        network.classes_ = np.array(_labels(model))
        binarizer = LabelBinarizer().fit(network.classes_)
        binarizer.classes_ = network.classes_  # as they stand, not sorted
        network._label_binarizer = binarizer
    return network


def _of_logarithm(linear: "BaseEstimator") -> "BaseEstimator":
    """A model that gives the logarithm of the target, within one that gives the target."""
    from sklearn.base import clone
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import FunctionTransformer

    functions = {"func": np.log, "inverse_func": np.exp}
    transformer = FunctionTransformer(**functions, validate=True).set_output(transform="default")
    return _fitted(
        TransformedTargetRegressor(clone(linear), **functions),
        None,
        regressor_=linear,
        transformer_=transformer.fit([[1.0]]),
        _training_dim=1,
    )


def _fitted(estimator: Any, names: Sequence[str] | None, **learned: Any) -> "BaseEstimator":
    """Set what `fit` would have learned: from columns of these names, or from arrays."""
    if names is not None:
        of = np.array(names, dtype=object)
        learned |= {"n_features_in_": len(of), "feature_names_in_": of}
    vars(estimator).update(learned)
    return estimator


def _signature(model: Fitted) -> Any:
    """Double columns: an inferred signature would refuse 140 where it saw 140.5, or the reverse."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema, TensorSpec

    number = "float64" if model.task == "regression" else "int64"
    labels = np.dtype("str" if model.labels else number)
    columns = _columns(model).items()
    return ModelSignature(
        inputs=Schema([ColSpec("string" if _is_text(one) else "double", n) for n, one in columns]),
        outputs=Schema([TensorSpec(labels, (-1,))]),
    )


def _is_text(column: Column) -> bool:
    return not (in_range(column) or (isinstance(column, CategoryColumn) and column.numbers))
