#!/usr/bin/env bash
# DVC reads YAML with a C parser only if a package is there that nothing asks for, and then accepts
# other files than before.
#
# Versions: DVC 3.67.1, ruamel.yaml 0.19.1, ruamel.yaml.clibz 0.3.8, ruamel.yaml.clib 0.2.15,
# Python 3.11; 2026-11-27.
#
# Behaviour: ruamel.yaml has been without its C parser since 0.19. Its extra `libyaml` installs
# ruamel.yaml.clibz, which `YAML(typ="safe")`, and so DVC, does not use. The older package
# ruamel.yaml.clib is used by its mere presence. A tab between a colon and a value, which YAML 1.2
# allows, is an error to the parser in Python and none to the one in C. `dvc exp run -S` reads the
# same file with the one in Python, because that keeps comments, and refuses what `dvc repro` has
# just taken.
#
# Output:
#   extra libyaml: no C parser; dvc repro refuses the tab
#   ruamel.yaml.clib: C parser; dvc repro takes the tab; dvc exp run -S refuses it
#
# Why it matters: with the C parser a dvc.lock loads in a quarter of the time, and DVC loads it
# after every stage. Who installs the extra that is named for it gains nothing. And a params.yaml
# that works here fails where the wheel is missing: the pipeline's own reader stays the strict one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
export DVC_NO_ANALYTICS=1
pip install -qq dvc==3.67.1 'ruamel.yaml[libyaml]==0.19.1'

git init -q project && cd project && dvc init -q
git config user.name you && git config user.email you@example.com
printf 'lr:\t0.1\nother: 1\n' > params.yaml
printf 'stages:\n  a:\n    cmd: echo done > out\n    params: [lr]\n    outs: [out]\n' > dvc.yaml
git add -A && git commit -q -m start

c_parser() {
  python -c 'from ruamel.yaml import YAML; print(YAML(typ="safe").Parser.__name__ == "CParser")'
}
refuses() {
  if "$@" > said 2>&1; then return 1; fi
  grep -q "found character '.t' that cannot start any token" said
}

pip show -q ruamel.yaml.clibz
[ "$(c_parser)" = False ]
refuses dvc repro
echo "extra libyaml: no C parser; dvc repro refuses the tab"

pip install -qq ruamel.yaml.clib==0.2.15
[ "$(c_parser)" = True ]
dvc repro > said 2>&1
refuses dvc exp run -S other=2
echo "ruamel.yaml.clib: C parser; dvc repro takes the tab; dvc exp run -S refuses it"
