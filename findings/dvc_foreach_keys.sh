#!/usr/bin/env bash
# Of a `foreach` over a mapping DVC drops the keys that YAML reads as numbers or true, and says that
# all is up to date.
#
# Versions: DVC 3.67.1, ruamel.yaml 0.19.1, Python 3.11; 2026-11-27.
#
# Behaviour: `foreach: ${datasets}` makes a stage of every key that is a text. A key such as 2026,
# 1.5 or true makes none: no message, no warning, exit code 0. In YAML 1.2 `yes` and `on` are texts
# and do make one. In quotes all of them do.
#
# Output, of `dvc stage list --name-only`:
#   a@house
#   a@yes
#   with quotes: a@house a@2026 a@1.5 a@true a@yes
#
# Why it matters: whoever names a dataset by its year gets no rows of it in any table and no reason.
# What checks the keys of params.yaml must therefore be a stage outside every foreach.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
export DVC_NO_ANALYTICS=1
pip install -qq dvc==3.67.1 ruamel.yaml==0.19.1

git init -q project && cd project && dvc init -q
cat > dvc.yaml <<'YAML'
stages:
  a:
    foreach: ${datasets}
    do:
      cmd: echo ${item.rows} > "out ${key}"
      outs:
        - out ${key}
YAML
cat > params.yaml <<'YAML'
datasets:
  house: {rows: 6}
  2026: {rows: 7}
  1.5: {rows: 8}
  true: {rows: 9}
  yes: {rows: 10}
YAML
dvc stage list --name-only | tee found
[ "$(tr '\n' ' ' < found)" = "a@house a@yes " ]
dvc repro > said 2>&1
dvc status | tee -a said | grep -qx "Data and pipelines are up to date."
if grep -q 2026 said; then exit 1; fi

sed -i -E 's/^  ([a-z0-9.]+):/  "\1":/' params.yaml
quoted=$(dvc stage list --name-only | paste -s -d ' ')
echo "with quotes: $quoted"
[ "$quoted" = "a@house a@2026 a@1.5 a@true a@yes" ]
