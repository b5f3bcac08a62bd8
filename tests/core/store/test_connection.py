from pathlib import Path

import pytest

from pipeline.core.store.connection import (
    StoreError,
    open_store,
    tracking_uri,
    without_password,
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MLflow's own imports
@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://me:secret@127.0.0.1:9", "it cannot be reached"),
        ("postgresql://me:secret@127.0.0.1:9/db", "onnection refused"),
        ("postgresql://me:secret@127.0.0.1:port/db", "it is no address"),
        ("sqlite://", "it would keep nothing"),
        ("sqlite:///:memory:", "it would keep nothing"),
        ("sqlite:///a%20b.db", "takes % and"),
        ("sqlite:////dev/null/x.db", "cannot be written"),
        ("sqlite:////proc/x.db", "unable to open"),
        ("sqlite:///mlflow.db", "file is not a database"),
        ("nothing://here", "unsupported URI"),
    ],
)
def test_a_store_that_cannot_be_used_is_named_at_once(
    uri: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(StoreError, match=words) as refused, open_store(tmp_path):
        pass
    assert "secret" not in str(refused.value)
    assert str(refused.value).count("\n") == 0


def test_who_only_reads_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    refused = pytest.raises(StoreError, match="no MLflow store yet at sqlite:")
    with refused, open_store(tmp_path, reading=True):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("uri", "absolute"),
    [
        ("", "sqlite:///{root}/mlflow.db"),
        ("sqlite:///runs/my.db", "sqlite:///{root}/runs/my.db"),
        ("sqlite:////data/my.db", "sqlite:////data/my.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_a_relative_store_is_the_main_repositorys(
    uri: str, absolute: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking_uri(tmp_path) == absolute.format(root=tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "http://me:sec@ret@host/x",
        "postgresql://me:secret@host/db",
        "postgresql://host/db?user=u&password=secret",
    ],
)
def test_passwords_are_not_shown(text: str) -> None:
    shown = without_password(f"MLflow store {text}: down")
    assert "sec" not in shown
    assert "host/" in shown
