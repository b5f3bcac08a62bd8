"""What docs/security.md promises of the code."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from pipeline.core.scikit_learn import TYPES
from pipeline.tracking.sklearn_model import TRUSTED
from tests.conftest import ROOT

# Modules and functions that may execute what a file holds, or what a text says.
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "code"}
FUNCTIONS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput",
    "subprocess.getstatusoutput", "np.load", "numpy.load", "torch.load", "pd.read_pickle",
    "pandas.read_pickle", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "skops.io.loads",
    "mlflow.sklearn.load_model", "mlflow.pyfunc.load_model", "importlib.reload",
}  # fmt: skip
# What may say which types skops trusts: the tables of pipeline/core/scikit_learn.py.
TRUSTING = ("trusted(name)", "trusted_types(metadata.estimator)")
YAML_TYPES = ("'safe'", "'rt'")  # of ruamel, whose round trip makes a text of what it cannot name
SOURCES = sorted([*ROOT.glob("pipeline/**/*.py"), *ROOT.glob(".dvc/**/*.py")])


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""


def dangers(source: str) -> list[str]:
    tree = ast.parse(source)
    found = [name for name in imports(tree) if name.split(".")[0] in MODULES]
    for name, call in calls(tree):
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name in FUNCTIONS or given.get("shell") == "True" or given.get("allow_pickle") == "True":
            found.append(name)
        if name == "skops.io.load" and (
            given.get("trusted", "none") not in ("none", *TRUSTING) or call.args[1:]
        ):
            found.append(name)
        if name.endswith("YAML") and given.get("typ") not in YAML_TYPES:
            found.append(name)
    return found


def test_skops_is_told_to_trust_three_harmless_names() -> None:
    assert TRUSTED == ["numpy.asarray", "numpy.diff", "numpy.dtype"]


def test_of_estimators_skops_trusts_classes_of_scikit_learn_alone() -> None:
    for name in {name for types in TYPES.values() for name in types}:
        module, _, of = name.rpartition(".")
        assert module.startswith("sklearn.")
        assert isinstance(getattr(import_module(module), of), type)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_loads_what_could_execute(path: Path) -> None:
    assert dangers(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "import dill as d", "np.load(path)",
        "torch.load(f)", "subprocess.run(x, shell=True)", "np.loads(f, allow_pickle=True)",
        "skops.io.load(f, trusted=types)", "skops.io.load(f, types)", "YAML().load(x)",
        "YAML(typ='unsafe').load(x)", "eval(x)", "mlflow.sklearn.load_model(uri)",
    ],
)  # fmt: skip
def test_the_check_sees_what_it_is_for(source: str) -> None:
    assert dangers(source)


def test_every_server_that_is_started_or_shown_listens_on_loopback_only() -> None:
    for path in [*ROOT.glob("tests/*.py"), *ROOT.glob("benchmarks/*.py")]:
        text = path.read_text()
        binds = re.findall(r"\.bind\(\((.+?), |HTTPServer\(\((.+?), |\"--host\", (\S+?),", text)
        assert all(host == '"127.0.0.1"' for groups in binds for host in groups if host), path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        assert "0.0.0.0" not in path.read_text(), path
        assert set(re.findall(r"--host (\S+)", path.read_text())) <= {"127.0.0.1"}
