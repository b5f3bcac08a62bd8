#!/usr/bin/env bash
# `dvc plots show` leaves out a plot whose CSV file has only its header, without a word.
#
# Versions: DVC 3.67.1, Python 3.11; 2026-11-27.
#
# Behaviour: of two declared plots one has a file with a header and no row, as of a model that
# solves directly and has no loss history. `--json` has an empty list for it, the page an empty place
# without a title. stdout names the page, stderr is empty, the exit code is 0. A file that is missing
# altogether is told: "failed to load some plots".
#
# Output, of `dvc plots show --json`, the number of plots by file:
#   full.csv 1
#   header.csv 0
#
# Why it matters: a page of plots looks complete without the plot that somebody came to see. Tests
# must count what is drawn, and a stage should write a row or declare no plot.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
export DVC_NO_ANALYTICS=1
pip install -qq dvc==3.67.1 ruamel.yaml==0.19.1

git init -q project && cd project && dvc init -q
printf 'epoch,loss\n' > header.csv
printf 'epoch,loss\n0,9\n1,4\n' > full.csv
cat > dvc.yaml <<'YAML'
plots:
  - header.csv: {x: epoch, y: loss}
  - full.csv: {x: epoch, y: loss}
YAML
dvc plots show > said 2> errors
[ -s dvc_plots/index.html ]
[ ! -s errors ]
dvc plots show --json > plots.json
python - <<'PY' | tee found
import json

for name, plots in sorted(json.load(open("plots.json"))["data"].items()):
    print(name, len(plots))
PY
diff <(printf 'full.csv 1\nheader.csv 0\n') found

rm header.csv
dvc plots show > said 2> errors
grep -q "failed to load some plots" errors
