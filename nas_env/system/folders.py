"""Where data and caches live on a user's machine, and what a path means."""

import os
from pathlib import Path


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path as people write it: ``~`` is the home folder.

    A ``~name`` without such a user stays as it is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def cache_dir() -> Path:
    """Folder for what can be computed again: ``NAS_ENV_CACHE``, else ``~/.cache/nas_env``."""
    if named := os.environ.get("NAS_ENV_CACHE"):
        return user_path(named)
    return user_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "nas_env"


def data_folder(named: str | os.PathLike[str] | None = None) -> Path:
    """Folder of downloaded data sets: the one named, else ``NAS_ENV_DATA``, else in the cache."""
    given = named if named is not None else os.environ.get("NAS_ENV_DATA") or None
    return cache_dir() / "data" if given is None else user_path(given)
