"""Any estimator of scikit-learn, by its name and its own params.

It is fitted to all rows in memory, on one thread, seeded by 0 unless its params say otherwise.
"""

import warnings
from collections.abc import Mapping

import numpy as np

from pipeline.core.errors import PipelineWarning
from pipeline.core.forms import Estimator, of_estimator
from pipeline.core.scikit_learn import made
from pipeline.core.trainers import Value
from pipeline.solvers.rows import Rows, in_memory


def fit(rows: Rows, params: Mapping[str, Value]) -> Estimator:
    """Fit the estimator; a classifier to whole numbers, the labels from 0.

    What scikit-learn warns of is said, each text once.

    Parameters
    ----------
    rows : Rows
        Their weights do not count.
    params : dict
        `estimator`, and `params.NAME` for each of its own.

    Raises
    ------
    PipelineError
        When the params do not fit the estimator, or it cannot be fitted to these rows.
    """
    one, (X, y) = made(params), in_memory(rows)
    name = str(params["estimator"])
    labels = y.astype(np.intp) if hasattr(one, "predict_proba") else y
    with warnings.catch_warnings(record=True) as said, of_estimator(f"{name} cannot be fitted"):
        warnings.simplefilter("always")
        one.fit(X, labels)
    for text in dict.fromkeys(" ".join(str(warning.message).split()) for warning in said):
        warnings.warn(f"{name}: {text}", PipelineWarning, stacklevel=2)
    return Estimator(name, one)
