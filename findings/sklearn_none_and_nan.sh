#!/usr/bin/env bash
# Two imputers, one for None and one for nan, work in one order and fail in the other; the model that
# fails has been fitted without a word.
#
# Versions: scikit-learn 1.9.1, numpy 2.4.6, Python 3.11; 2026-11-28.
#
# Behaviour: a column of words has None where it comes from JSON or a database, and nan where pandas
# has read it. SimpleImputer knows one missing value. SimpleImputer(missing_values=None) refuses a
# column that holds nan, although it was asked to leave all else alone; SimpleImputer() leaves None
# where it is. So nan has to be filled first. The order does not matter while the rows to fit have
# neither: the wrong one shows when the model is served.
#
# Output:
#   nan first, then None: 4 of 4 rows
#   None first, then nan: fitted, then ValueError: Input contains NaN
#
# Why it matters: the model in MLflow takes raw rows, of a request as well as of a file. Its pipeline
# has both imputers, nan's first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
pip install -qq scikit-learn==1.9.1 numpy==2.4.6
cat > both.py <<'PY'
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline


def filler(missing):
    return SimpleImputer(missing_values=missing, strategy="constant", fill_value="?")


rows = np.array([["a"], [None], [np.nan], ["b"]], dtype=object)
whole = np.array([["a"], ["b"]], dtype=object)
right = make_pipeline(filler(np.nan), filler(None)).fit(whole)
assert right.transform(rows).ravel().tolist() == ["a", "?", "?", "b"]
print("nan first, then None: 4 of 4 rows")
wrong = make_pipeline(filler(None), filler(np.nan)).fit(whole)
try:
    wrong.transform(rows)
except ValueError as error:
    print(f"None first, then nan: fitted, then ValueError: {error}")
PY
python both.py > said
cat said
diff said - <<'END'
nan first, then None: 4 of 4 rows
None first, then nan: fitted, then ValueError: Input contains NaN
END
