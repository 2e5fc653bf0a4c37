"""Where data and caches live on a user's machine, and what a path means."""

import logging
import os
from pathlib import Path

from nas_env.errors import ConfigurationError

logger = logging.getLogger(__name__)

_SHOWN = 120  # characters of a path in a message


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path as people write it, made absolute: ``~`` is the home folder, ``~name`` that of a user.

    Every path that users give comes through here, so that it means the same everywhere: in worker
    processes, and after the current folder has changed.

    Raises:
        ConfigurationError: it is empty, no user has that name, or no file can be called so.
    """
    text = os.fspath(path)
    if not text:
        raise ConfigurationError("A path is empty: name a file or folder ('.' is this folder).")
    try:
        if b"\0" in os.fsencode(text):
            raise ValueError("it holds a zero byte")
    except ValueError as error:  # UnicodeEncodeError among them
        raise ConfigurationError(
            f"The path {text[:_SHOWN]!r} cannot be that of a file: {error}."
        ) from error
    try:
        return Path(text).expanduser().absolute()
    except OSError as error:  # only a path that is relative asks for the current folder
        raise ConfigurationError(
            f"The path {text[:_SHOWN]!r} is relative, and the current folder is gone "
            f"({error.strerror}). Change to one that is there, or give the whole path."
        ) from error
    except RuntimeError as error:
        name = Path(text).parts[0]
        raise ConfigurationError(
            f"The path {text[:_SHOWN]!r} begins with the home folder of a user that this machine "
            f"does not know: {name[:_SHOWN]}. For a folder of that name write ./{name[:_SHOWN]}."
        ) from error


def cache_dir() -> Path:
    """Folder for what can be computed again: ``NAS_ENV_CACHE``, else ``~/.cache/nas_env``."""
    if named := os.environ.get("NAS_ENV_CACHE"):
        return user_path(named)
    # A user without a home (a container's) has the folder "~" here: no reason to refuse work.
    return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")) / "nas_env"


def tell_of_download(what: str, folder: Path) -> None:
    """Say where data go: a mistyped folder would otherwise be made and filled without a word."""
    made = "" if folder.is_dir() else ", a folder that is made now"
    logger.warning(
        "%s is downloaded into %s%s. --data-dir (data_dir=) or NAS_ENV_DATA name another folder.",
        what,
        folder,
        made,
    )


def data_folder(named: str | os.PathLike[str] | None = None) -> Path:
    """Folder of downloaded data sets: the one named, else ``NAS_ENV_DATA``, else in the cache."""
    given = named if named is not None else os.environ.get("NAS_ENV_DATA") or None
    return cache_dir() / "data" if given is None else user_path(given)
