"""Rows of plain numbers as stages have them."""

import numpy as np

from pipeline.core.artifacts.splits import Split
from pipeline.core.columns import Raw, of_numbers
from pipeline.core.preprocessing import fit_scaler


def numbers(X: np.ndarray) -> Raw:
    return of_numbers([f"x{k}" for k in range(X.shape[1])], X)


def split_of(X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> Split:
    raw, (mean, scale) = numbers(X), fit_scaler(X[train])
    return Split(
        np.arange(len(y)), raw, raw.columns, [*raw.columns], X, y, train, test, mean, scale, None
    )
