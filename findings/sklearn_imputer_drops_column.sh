#!/usr/bin/env bash
# SimpleImputer that is asked to put nan in place of -999 takes the whole column away.
#
# Versions: scikit-learn 1.9.1, numpy 2.4.6, Python 3.11; 2026-11-28.
#
# Behaviour: SimpleImputer(missing_values=-999, strategy="constant", fill_value=nan) is the obvious
# transformer for a number that stands for none. A fill value of nan counts as "nothing was learned",
# and transform leaves the column out, whatever is in it: two columns go in, none comes out. The
# warning gives another reason, "features without any observed values", which these have.
# keep_empty_features=True keeps them, and does what was asked.
#
# Output:
#   (3, 2) -> (3, 0)
#   told: Skipping features without any observed values: [0 1]
#   kept: [[1.0, 4.0], [nan, 5.0], [3.0, nan]]
#
# Why it matters: beside other columns of a ColumnTransformer, where warnings are many, the model is
# trained without them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
pip install -qq scikit-learn==1.9.1 numpy==2.4.6
cat > columns.py <<'PY'
import warnings

import numpy as np
from sklearn.impute import SimpleImputer

rows = np.array([[1.0, 4.0], [-999.0, 5.0], [3.0, -999.0]])
asked = {"missing_values": -999.0, "strategy": "constant", "fill_value": np.nan}
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    print(rows.shape, "->", SimpleImputer(**asked).fit_transform(rows).shape)
print("told:", str(told[0].message).split(".")[0])
kept = SimpleImputer(**asked, keep_empty_features=True).fit_transform(rows)
print("kept:", kept.tolist())
PY
python columns.py > said
cat said
diff said - <<'END'
(3, 2) -> (3, 0)
told: Skipping features without any observed values: [0 1]
kept: [[1.0, 4.0], [nan, 5.0], [3.0, nan]]
END
