"""One search at a time in a run folder: a lock that ends with the process that holds it.

The file ``lock`` in the folder says who searches there; the lock itself is the operating system's
(``flock``), so it is gone when its process is, also after SIGKILL, and what a stale file says
counts for nothing. It belongs to an open file, not to a process: two threads keep each other out,
and a fork closes its copy so that it does not outlive the search. Readers (reports, pictures) do
not ask for it.

Where the file system or the system knows no such lock, the search says so once and goes on: two
searches in one folder are then told apart by the size of its logs only (``agents.records.log``).
"""

import contextlib
import json
import os
import socket
import stat
import time
import warnings
import weakref
from pathlib import Path

from nas_env.errors import RunFolderError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = "lock"
TRIES = 100
"""Of taking a lock whose file somebody else removes at the same time."""
LONGEST_NOTE = 1000
"""Bytes of the file that are read."""


class FolderLock:
    """The lock of one run folder. Take it once; ``release`` it, or let the process end.

    Args:
        folder: the run folder; it is made where missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        self.made_folder = False
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def take(self) -> None:
        """Take the lock; without waiting.

        Raises:
            RunFolderError: another search holds it.
            OSError: the folder cannot be written.
        """
        if fcntl is None:
            self._go_without("this system has no flock")
            return
        for _ in range(TRIES):
            self.made_folder |= not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # its owner has just removed the folder
                if self._try():
                    return
        raise RunFolderError(f"{self._in_use()} Run the command again.")

    def release(self, remove_folder: bool = False) -> None:
        """Let others in.

        Args:
            remove_folder: also remove the folder, if it is empty.
        """
        if self._handle is None:
            return
        with contextlib.suppress(OSError):
            self.path.unlink()  # before it is let go: whoever opened it sees that it is gone
            if remove_folder or self.made_folder:
                self.folder.rmdir()
        self._close()

    def _try(self) -> bool:
        """One try; False where the file was removed while it was opened."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        handle = os.open(self.path, flags, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise RunFolderError(f"{self.path} is no plain file. Remove it and try again.")
            self._lock(handle)
            if not self._is_there(handle):
                os.close(handle)
                return False
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        _HELD.add(self)
        self._sign(handle)
        return True

    def _lock(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunFolderError(
                f"{self._in_use()} Wait until that search has ended, or name another folder "
                "(--run-dir); reports and pictures of a running search can be made at any time."
            ) from None
        except OSError as error:
            self._go_without(error.strerror or str(error))

    def _is_there(self, handle: int) -> bool:
        try:
            found = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(handle))

    def _sign(self, handle: int) -> None:
        note = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        with contextlib.suppress(OSError):  # a full disk: it holds, but does not say whose it is
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(note).encode(), 0)

    def _in_use(self) -> str:
        return f"{self.folder} is in use: {self._holder()} searches in it."

    def _holder(self) -> str:
        try:
            with self.path.open("rb") as file:
                note = json.loads(file.read(LONGEST_NOTE))
            pid, host, since = int(note["pid"]), str(note["host"]), str(note["since"])
        except (OSError, ValueError, TypeError, KeyError):  # it has not signed yet
            return "another process"
        own = pid == os.getpid() and host == socket.gethostname()
        return f"{'this' if own else 'the'} process {pid} on {host}, since {since},"

    def _go_without(self, reason: str) -> None:
        warnings.warn(
            f"{self.folder} cannot be locked ({reason}): make sure that no other search uses it.",
            stacklevel=2,
        )

    def _close(self) -> None:
        handle, self._handle = self._handle, None
        _HELD.discard(self)
        if handle is not None:
            os.close(handle)


_HELD: "weakref.WeakSet[FolderLock]" = weakref.WeakSet()
"""Of this process."""


def _let_go_in_child() -> None:
    """A fork has a copy of the open file, which would hold the lock after its parent is gone."""
    for lock in list(_HELD):
        with contextlib.suppress(OSError):
            lock._close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
