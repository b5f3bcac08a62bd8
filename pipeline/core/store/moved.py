"""A store in mlflow.db whose folder was moved: MLflow keeps absolute paths of artifacts."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlparse

from pipeline.core.store.connection import ARTIFACTS, tracking_uri

# Where MLflow's database has paths of artifacts.
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def moved_from(root: Path) -> str | None:
    """The URI of a folder that is gone, in which the database says that all artifacts lie.

    Parameters
    ----------
    root : Path
        The main repository.

    Returns
    -------
    str or None
        None where they lie in the repository, or where the store is another than its mlflow.db.
    """
    path, here = root / "mlflow.db", root / ARTIFACTS
    if tracking_uri(root) != f"sqlite:///{path}" or not path.exists() or not here.is_dir():
        return None
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as store:
        found = store.execute("select artifact_location from experiments").fetchall()
    folders = {location.rpartition("/")[0] for (location,) in found if location}
    old = folders.pop() if len(folders) == 1 else here.as_uri()
    gone = old.startswith("file:///") and not Path(unquote(urlparse(old).path)).exists()
    return old if gone and old.endswith(f"/{ARTIFACTS}") else None


def follow(root: Path, old: str) -> None:
    """Name the folder of today wherever the database names the old one, or nowhere.

    Parameters
    ----------
    root : Path
        The main repository.
    old : str
        What `moved_from` gives.
    """
    new = (root / ARTIFACTS).as_uri()
    with closing(sqlite3.connect(root / "mlflow.db")) as store, store:
        for table, column in COLUMNS:
            store.execute(
                f"update {table} set {column} = ? || substr({column}, ?) "
                f"where {column} like ? escape '\\'",
                (new, len(old) + 1, old.replace("%", "\\%").replace("_", "\\_") + "/%"),
            )
