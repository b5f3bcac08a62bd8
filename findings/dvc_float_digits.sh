#!/usr/bin/env bash
# A param such as 5.551115123125783e-17 leaves its stage out of date for ever, and `dvc exp run -S` of
# another key changes it in params.yaml.
#
# Versions: DVC 3.67.1, ruamel.yaml 0.19.1, Python 3.11; 2026-11-28.
#
# Behaviour: DVC rewrites dvc.lock and params.yaml with ruamel.yaml, which keeps a number with an
# exponent as mantissa and exponent and multiplies them: in about one of six numbers of 16 or 17 digits
# the last one comes out otherwise, in one of twenty with 14. The entry of a stage is right when it is
# written, and is changed by whatever stage is recorded after it. So `dvc status` says that nobody's
# edit is modified, after each `dvc repro`. Numbers without exponent stay as they are.
#
# Output:
#   tol: 5.551115123125782e-17       (dvc.lock after `dvc repro`)
#   modified: tol                    (dvc status, right after it)
#   +tol: 5.551115123125782e-17      (git diff params.yaml, after `dvc exp run -S lr=0.2`)
#
# Why it matters: tolerances and rates that a search has found have that many digits, and are below
# 0.0001, from where on Python writes an exponent. The stage runs at every repro, or is looked up in the
# run cache, and an experiment trains with another number than the one that was compared.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
export DVC_NO_ANALYTICS=1
pip install -qq dvc==3.67.1 ruamel.yaml==0.19.1

git init -q project && cd project && dvc init -q
git config user.name you && git config user.email you@example.com
printf 'lr: 0.1\ntol: 5.551115123125783e-17\n' > params.yaml
cat > dvc.yaml <<'YAML'
stages:
  a:
    cmd: echo a > a.txt
    params: [tol]
    outs: [a.txt]
  b:
    cmd: echo b > b.txt
    params: [lr]
    outs: [b.txt]
YAML
dvc repro -q
grep -o 'tol: .*' dvc.lock | tee ../lock.txt
dvc status | tr -s ' \t' ' ' | tee ../status.txt
git add -A && git commit -qm all
dvc exp run -q -S lr=0.2
git diff params.yaml | grep '^+tol' | tee ../diff.txt
grep -qx 'tol: 5.551115123125782e-17' ../lock.txt
grep -q 'modified: tol' ../status.txt
grep -qx '+tol: 5.551115123125782e-17' ../diff.txt
