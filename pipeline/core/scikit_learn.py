"""scikit-learn's estimators by name: which there are, what a line may ask of them, what they hold.

Nothing is imported but what the tables name, or `packages` of params.yaml. An estimator of a new
version of scikit-learn is a name in a table here; a test compares them with scikit-learn's list.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from inspect import Parameter, isclass, signature
from itertools import compress
from numbers import Integral, Real
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.text import nearest
from pipeline.core.trainers import OF_ESTIMATOR, Task, Value

DOTTED = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+"  # package.Class

_CLASSIFIERS = {
    "calibration": ["CalibratedClassifierCV"],
    "discriminant_analysis": ["LinearDiscriminantAnalysis", "QuadraticDiscriminantAnalysis"],
    "dummy": ["DummyClassifier"],
    "ensemble": [
        "AdaBoostClassifier",
        "BaggingClassifier",
        "ExtraTreesClassifier",
        "GradientBoostingClassifier",
        "HistGradientBoostingClassifier",
        "RandomForestClassifier",
        "StackingClassifier",
        "VotingClassifier",
    ],
    "gaussian_process": ["GaussianProcessClassifier"],
    "linear_model": [
        "LogisticRegression",
        "LogisticRegressionCV",
        "PassiveAggressiveClassifier",
        "Perceptron",
        "RidgeClassifier",
        "RidgeClassifierCV",
        "SGDClassifier",
    ],
    "model_selection": ["FixedThresholdClassifier", "TunedThresholdClassifierCV"],
    "multiclass": ["OneVsOneClassifier", "OneVsRestClassifier", "OutputCodeClassifier"],
    "multioutput": ["ClassifierChain", "MultiOutputClassifier"],
    "naive_bayes": ["BernoulliNB", "CategoricalNB", "ComplementNB", "GaussianNB", "MultinomialNB"],
    "neighbors": ["KNeighborsClassifier", "NearestCentroid", "RadiusNeighborsClassifier"],
    "neural_network": ["MLPClassifier"],
    "semi_supervised": ["LabelPropagation", "LabelSpreading", "SelfTrainingClassifier"],
    "svm": ["LinearSVC", "NuSVC", "SVC"],
    "tree": ["DecisionTreeClassifier", "ExtraTreeClassifier"],
}
_REGRESSORS = {
    "compose": ["TransformedTargetRegressor"],
    "cross_decomposition": ["CCA", "PLSCanonical", "PLSRegression"],
    "dummy": ["DummyRegressor"],
    "ensemble": [
        "AdaBoostRegressor",
        "BaggingRegressor",
        "ExtraTreesRegressor",
        "GradientBoostingRegressor",
        "HistGradientBoostingRegressor",
        "RandomForestRegressor",
        "StackingRegressor",
        "VotingRegressor",
    ],
    "gaussian_process": ["GaussianProcessRegressor"],
    "isotonic": ["IsotonicRegression"],
    "kernel_ridge": ["KernelRidge"],
    "linear_model": [
        "ARDRegression",
        "BayesianRidge",
        "ElasticNet",
        "ElasticNetCV",
        "GammaRegressor",
        "HuberRegressor",
        "Lars",
        "LarsCV",
        "Lasso",
        "LassoCV",
        "LassoLars",
        "LassoLarsCV",
        "LassoLarsIC",
        "LinearRegression",
        "MultiTaskElasticNet",
        "MultiTaskElasticNetCV",
        "MultiTaskLasso",
        "MultiTaskLassoCV",
        "OrthogonalMatchingPursuit",
        "OrthogonalMatchingPursuitCV",
        "PassiveAggressiveRegressor",
        "PoissonRegressor",
        "QuantileRegressor",
        "RANSACRegressor",
        "Ridge",
        "RidgeCV",
        "SGDRegressor",
        "TheilSenRegressor",
        "TweedieRegressor",
    ],
    "multioutput": ["MultiOutputRegressor", "RegressorChain"],
    "neighbors": ["KNeighborsRegressor", "RadiusNeighborsRegressor"],
    "neural_network": ["MLPRegressor"],
    "svm": ["LinearSVR", "NuSVR", "SVR"],
    "tree": ["DecisionTreeRegressor", "ExtraTreeRegressor"],
}


def _by_name(modules: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: f"sklearn.{module}" for module, names in modules.items() for name in names}


# The module of each; its name says no task.
MODULES: dict[Task, dict[str, str]] = {
    "classification": _by_name(_CLASSIFIERS),
    "regression": _by_name(_REGRESSORS),
}
_TREE = ("sklearn.tree._tree.Tree",)
_TREES = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
_NEIGHBOURS = (
    "sklearn.metrics._dist_metrics.ChebyshevDistance64",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
)
_KERNELS = (
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
)
_OPTIMIZERS = (
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)
# What an estimator holds beside the types that skops trusts by itself; of others nothing.
TYPES: dict[str, tuple[str, ...]] = {
    "AdaBoostClassifier": _TREE,
    "AdaBoostRegressor": _TREE,
    "BaggingClassifier": _TREE,
    "BaggingRegressor": _TREE,
    "CalibratedClassifierCV": (
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
    ),
    "DecisionTreeClassifier": _TREE,
    "DecisionTreeRegressor": _TREE,
    "ExtraTreeClassifier": _TREE,
    "ExtraTreeRegressor": _TREE,
    "ExtraTreesClassifier": _TREE,
    "ExtraTreesRegressor": _TREE,
    "GaussianProcessClassifier": (
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        *_KERNELS,
    ),
    "GaussianProcessRegressor": _KERNELS,
    "GradientBoostingClassifier": _TREE,
    "GradientBoostingRegressor": _TREE,
    "HistGradientBoostingClassifier": _TREES,
    "HistGradientBoostingRegressor": _TREES,
    "KNeighborsClassifier": _NEIGHBOURS,
    "KNeighborsRegressor": _NEIGHBOURS,
    "LabelPropagation": _NEIGHBOURS,
    "LabelSpreading": _NEIGHBOURS,
    "MLPClassifier": _OPTIMIZERS,
    "MLPRegressor": _OPTIMIZERS,
    "RadiusNeighborsClassifier": _NEIGHBOURS,
    "RadiusNeighborsRegressor": _NEIGHBOURS,
    "RandomForestClassifier": _TREE,
    "RandomForestRegressor": _TREE,
    "TweedieRegressor": (
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
    ),
}
_OTHERS = ("estimator", "estimators", "final_estimator", "regressor", "transformer")
OF_OTHERS = "is made of other estimators, which a line cannot name; take one of those by itself"
# Beside those whose signature says it; some are no estimators of the tables.
_MADE_OF_OTHERS = (
    *("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"),
    *("Pipeline", "FeatureUnion", "ColumnTransformer", "FrozenEstimator"),
    "TransformedTargetRegressor",
)
_BOOL = r"an instance of 'bool'( or an instance of 'numpy\.bool_?')?"  # as scikit-learn says it
_PROBABLE = "LogisticRegression"


def trusted(name: str) -> list[str]:
    """The types that a file of this estimator may hold beside those that skops trusts."""
    if "." not in name:
        return [*TYPES.get(name, ())]
    found = estimator_class(name)
    return [f"{found.__module__}.{found.__name__}"]


def unknown(name: str, task: Task, packages: Sequence[str]) -> str:
    """That there is no such estimator, or it is of the other task; or nothing. Imports nothing."""
    ours, other = MODULES[task], MODULES["regression" if task != "regression" else "classification"]
    if name in _MADE_OF_OTHERS:
        return f"{name} {OF_OTHERS}"
    if name in ours or name in packages:
        return ""
    if name in other:
        return f"{name} cannot do task: {task}{_counterpart(name, ours)}"
    last = name.rpartition(".")[2]
    if name.startswith("sklearn.") and last in [*ours, *other, *_MADE_OF_OTHERS]:
        return unknown(last, task, ()) or f"{name}: expected its name alone; write {last}"
    hint = nearest(name, [*ours, *packages])
    if re.fullmatch(DOTTED, name):
        return f"{name} is not under packages{hint}; add it there, or take one of scikit-learn's"
    return f"expected the name of an estimator of scikit-learn, got {name}{hint}"


def _counterpart(name: str, ours: Mapping[str, str]) -> str:
    """The estimator of the same method for the other task, as a hint; or nothing."""
    for ends in (("Classifier", "Regressor"), ("SVC", "SVR")):
        for of, to in (ends, ends[::-1]):
            if name.endswith(of) and (found := name.removesuffix(of) + to) in ours:
                return f" (did you mean {found}?)"
    return ""


def estimator_class(name: str) -> Any:
    """The class of an estimator of scikit-learn, or of one that `packages` of params.yaml names.

    Raises
    ------
    PipelineError
        When there is none, or it is none of them.
    """
    for modules in MODULES.values():
        if name in modules:
            return getattr(import_module(modules[name]), name)
    from pipeline.core.params import load_params  # which reads what this module names

    if name not in load_params().packages:
        raise PipelineError(f"{name}: is neither scikit-learn's nor under packages of params.yaml")
    return _of_package(name)


def _of_package(name: str) -> Any:
    module, _, of_class = name.rpartition(".")
    top = module.partition(".")[0]
    where = f"params.yaml: packages: {name}"
    if top not in _installed():
        raise PipelineError(f"{where}: {top} is of no installed package; install it, or remove it")
    try:
        found = getattr(import_module(module), of_class, None)
    except Exception as error:  # what a package does as it is imported is not foreseeable
        raise PipelineError(f"{where}: cannot be imported: {error}") from None
    needed = ("fit", "predict", "get_params", "set_params")
    if not isclass(found) or not all(hasattr(found, one) for one in needed):
        raise PipelineError(f"{where}: is no class with {', '.join(needed)}, as estimators have")
    return found


def distribution(name: str) -> str:
    """The installed package that an estimator is of."""
    return _installed()[name.partition(".")[0]][0] if "." in name else "scikit-learn"


def _installed() -> Mapping[str, list[str]]:
    """The installed packages by the modules that they have."""
    from importlib.metadata import packages_distributions  # slow, and for few

    return packages_distributions()


def params_of_estimator(params: Mapping[str, Value]) -> dict[str, Value]:
    """What a model's params ask of its estimator, by the estimator's own names."""
    return {
        k.removeprefix(OF_ESTIMATOR): v for k, v in params.items() if k.startswith(OF_ESTIMATOR)
    }


def of_line(estimator: str, params: Mapping[str, Value]) -> dict[str, Value]:
    """The params of a model: the name of its estimator, and `params.NAME` of each of its own."""
    return {
        "estimator": estimator,
        **{f"{OF_ESTIMATOR}{name}": one for name, one in params.items()},
    }


def made(params: Mapping[str, Value]) -> Any:
    """The estimator of a model's params, not fitted: seeded by 0 unless they say otherwise.

    Raises
    ------
    PipelineError
        When `problems` has found some.
    """
    name, own = str(params["estimator"]), params_of_estimator(params)
    if found := [*problems(name, own)]:
        raise PipelineError("\n".join(f"{name}: {problem}" for problem in found))
    return _made(estimator_class(name), own)


def defaults(name: str) -> dict[str, Value]:
    """The params that a line may give an estimator, with what they are where it does not."""
    found = estimator_class(name)
    plain = (bool, int, float, str, tuple, type(None))
    every = {
        param: 0 if param == "random_state" else one.default
        for param, one in _signature(found).items()
        if isinstance(one.default, plain) and param not in (*_OTHERS, "n_jobs")
    }
    return {k: [*one] if isinstance(one, tuple) else one for k, one in every.items()}


def problems(name: str, params: Mapping[str, Value], task: Task | None = None) -> Iterator[str]:
    """What is wrong with the params of an estimator, by its signature and its own checks.

    Parameters
    ----------
    name : str
        Of an estimator that is not `unknown`.
    params : dict
        By the estimator's own names.
    task : str, optional
        What it must be for; scikit-learn's tables say it of their own.
    """
    found = estimator_class(name)
    known = _signature(found)
    needed = [k for k, one in known.items() if one.default is Parameter.empty]
    if needed:
        yield f"estimator: {name} {OF_OTHERS}"
        return
    wrong = [*_unfit(name, found, params, known)]
    yield from wrong
    if wrong:
        return
    try:
        one = _made(found, params)
    except Exception as error:  # scikit-learn's own look at params in fit, others' as they are made
        yield f"params: {' '.join(str(error).split())}"
        return
    if hasattr(one, "_parameter_constraints") and (said := _refusal(one._validate_params)):
        yield f"estimator: {name} {OF_OTHERS}" if "'fit'" in said else f"params: {said}"
    elif task and task != _task(one):
        yield f"estimator: {name} cannot do task: {task}"
    elif _task(one) == "classification" and not hasattr(one, "predict_proba"):
        rest = " with these params" if hasattr(found, "predict_proba") else ""
        yield (
            f"estimator: {name} gives no probabilities (predict_proba){rest}, by which models are "
            f"judged; take one that does, such as {_PROBABLE}"
        )


def _unfit(
    name: str, found: Any, params: Mapping[str, Value], known: Mapping[str, Parameter]
) -> Iterator[str]:
    allowed = [param for param in known if param not in (*_OTHERS, "n_jobs")]
    constraints = getattr(found, "_parameter_constraints", {})
    for param, value in params.items():
        where = f"params.{param}"
        if param in known and param in _OTHERS:
            yield f"{where}: another estimator cannot be a param; leave it out"
        elif param in known and param == "n_jobs":
            yield f"{where}: changes no result, and the folds use all CPUs as it is; leave it out"
        elif param not in known:
            hint = nearest(param, allowed)
            yield f"{where}: unknown key{hint}; {name} takes {', '.join(allowed)}"
        elif param == "random_state" and not (type(value) is int and 0 <= value < 2**32):
            yield f"{where}: expected a whole number from 0 to 4294967295, got {value}"
        elif param in constraints:
            from sklearn.utils._param_validation import validate_parameter_constraints

            one = {param: _of_plain(constraints[param])}, {param: value}
            if said := _refusal(validate_parameter_constraints, *one, caller_name=name):
                yield f"{where}: {said}"


def _of_plain(constraints: Any) -> Any:
    """Those of a param's constraints that a line can meet, which functions and classes cannot."""
    if not isinstance(constraints, list):
        return constraints
    types = (Real, Integral, bool, str, list, tuple)
    fit = (one in types or not (callable(one) or hasattr(one, "methods")) for one in constraints)
    return [*compress(constraints, fit)] or constraints


def _refusal(check: Any, *arguments: Any, **named: Any) -> str:
    """What scikit-learn's check of params says, in the words of this package; or nothing."""
    try:
        check(*arguments, **named)
    except ValueError as error:
        text = " ".join(str(error).split())
        said = re.fullmatch(r"The (.+) parameter of \w+ must be (.+)\. Got (.+) instead\.", text)
        if said is None:
            return text
        expected = re.sub(r"<class '([^']+)'>", r"\1", said[2])
        expected = re.sub(r"\{([^{}]+)\}", _sorted, expected)  # of a set
        expected = re.sub(_BOOL, "true or false", expected)
        expected = re.sub(r"an instance of '(\w+)'", r"\1", expected)
        expected = re.sub(r"an array-like|\btuple\b", "a list", expected)
        return f"expected {expected}, got {said[3]}"
    return ""


def _sorted(braces: re.Match[str]) -> str:
    return f"{{{', '.join(sorted(braces[1].split(', ')))}}}"


def _signature(found: Any) -> dict[str, Parameter]:
    every = signature(found.__init__).parameters.values()
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return {one.name: one for one in every if one.kind in named and one.name != "self"}


def _made(found: Any, params: Mapping[str, Value]) -> Any:
    seeded = {"random_state": 0} if "random_state" in _signature(found) else {}
    return found(**seeded | dict(params))


def _task(estimator: Any) -> Task | None:
    from sklearn.base import is_classifier, is_regressor

    if is_classifier(estimator):
        return "classification"
    return "regression" if is_regressor(estimator) else None
