"""Builds the CPU kernel of recurrent cells once per machine and loads it.

The library lives in the user's cache folder under a name that tells the source, the compiler and
the processor apart, so an update or a home folder shared between machines never loads a wrong one.
``NAS_ENV_CACHE`` moves the folder. What another user owns or can write is not loaded: it is a
program that would run as this user.
"""

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from nas_env.errors import NasEnvError
from nas_env.system.folders import cache_dir
from nas_env.system.machine import cpu_info

logger = logging.getLogger(__name__)

SOURCE = Path(__file__).parent / "kernels"
BUILD_TIMEOUT_S = 120
_COMMON = ("-O3", "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-fno-exceptions",
           "-fno-rtti", "-fPIC", "-shared")  # fmt: skip
# From fastest to most portable: clang on macOS has no -fopenmp, some compilers no native target.
_VARIANTS = (("-march=native", "-fopenmp"), ("-mcpu=native", "-fopenmp"), ("-march=native",), ())


class KernelUnavailableError(NasEnvError, RuntimeError):
    """No compiler, or it failed; the message says which and why."""


@functools.cache
def load_kernel() -> ctypes.CDLL | None:
    """The compiled kernel, or None where it cannot be built (the log says so, once)."""
    try:
        return ctypes.CDLL(str(build(_own_folder(cache_dir() / "kernels"))))
    except (RuntimeError, OSError) as error:  # no home folder is a RuntimeError
        logger.warning(
            "Recurrent cells run in plain torch, which takes 2 to 8 times as long as the compiled "
            "kernel: %s Install a C++ compiler (g++ or clang++; CXX names another).",
            error,
        )
        return None


def build(folder: Path) -> Path:
    """Compile the kernel into ``folder`` unless it is there already.

    Returns:
        The shared library.

    Raises:
        KernelUnavailableError: no compiler, or none of the flags worked.
    """
    compiler = _compiler()
    library = folder / f"cell_kernel_{_fingerprint(compiler)}.so"
    if library.exists():
        if not (distrust := _distrust(library)):
            return library
        logger.warning("The compiled kernel %s is built anew: %s.", library, distrust)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            built = Path(scratch) / library.name
            _compile(compiler, built)
            built.chmod(0o700)
            built.replace(library)  # atomic: another process may be building the same
    except OSError as error:
        raise KernelUnavailableError(
            f"the cache folder {folder} is not usable: {error}."
        ) from error
    return library


def _own_folder(folder: Path) -> Path:
    """``folder``, or one in the folder for temporary files where others could put a kernel.

    Raises:
        KernelUnavailableError: others can write both.
    """
    if not (distrust := _distrust(folder)):
        return folder
    other = Path(tempfile.gettempdir()) / f"nas_env-kernels-{os.getuid()}"
    logger.warning(
        "The compiled kernels in %s are not used: %s. It is compiled in %s instead. Make the "
        "folder yours alone (chmod go-w), or name another cache with NAS_ENV_CACHE.",
        *(folder, distrust, other),
    )
    if distrust := _distrust(other):
        raise KernelUnavailableError(f"the folder {other} cannot be trusted: {distrust}.")
    return other


def _distrust(path: Path) -> str:
    """Why something may not be this user's own, ``""`` if it is or is not there: owner, mode."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ""
    if not hasattr(os, "getuid"):
        return ""
    if stat.S_ISLNK(status.st_mode) and status.st_uid in (os.getuid(), 0):
        status = path.stat()  # a link of one's own is as good as where it leads
    if status.st_uid not in (os.getuid(), 0):
        return f"user {status.st_uid} owns it"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others can write it (mode {stat.S_IMODE(status.st_mode):o})"
    return ""


def _compiler() -> str:
    names = (os.environ.get("CXX", ""), "c++", "g++", "clang++")
    for name in names:
        found = shutil.which(name) if name else None
        if found:
            return found
    raise KernelUnavailableError("no C++ compiler was found on the PATH.")


def _compile(compiler: str, target: Path) -> None:
    complaint = ""
    for flags in _VARIANTS:
        command = [compiler, *_COMMON, *flags, str(SOURCE / "cell_kernel.cpp"), "-o", str(target)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            complaint = f"it took longer than {BUILD_TIMEOUT_S} s"
            continue
        if done.returncode == 0:
            return
        complaint = complaint or done.stderr.strip()[:500]
    raise KernelUnavailableError(f"{compiler} could not build it: {complaint}.")


def _fingerprint(compiler: str) -> str:
    """A name for source + compiler + processor."""
    parts = [path.read_bytes() for path in sorted(SOURCE.iterdir()) if path.is_file()]
    parts.append(repr((_COMMON, _VARIANTS, compiler, os.stat(compiler).st_mtime)).encode())
    parts.append(_processor().encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _processor() -> str:
    """The instruction set that ``-march=native`` would use."""
    lines = cpu_info().splitlines()
    if not lines:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    return platform.machine() + "".join(sorted({line for line in lines if line.startswith(wanted)}))
