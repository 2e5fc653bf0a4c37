"""Where a run comes from: the command that started it, the machine, the versions."""

import os
import platform
import shlex
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import psutil

from nas_env import __version__
from nas_env.system.machine import processor_name


def command_line() -> str:
    """The command that started this process, ready to paste into a shell."""
    return shlex.join(sys.orig_argv)


def versions() -> dict[str, str]:
    """Of Python and of the packages that compute; ``""`` for torch where nothing needed it."""
    return {
        "nas_env": __version__,
        "python": platform.python_version(),
        "gymnasium": gym.__version__,
        "numpy": np.__version__,
        "torch": str(getattr(sys.modules.get("torch"), "__version__", "")),
    }


def hardware() -> dict[str, Any]:
    """Processor, cores, memory, GPUs and system of this machine."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpus": _gpus(),
        "system": platform.platform(terse=True),
    }


def _gpus() -> list[str]:
    """Names of the CUDA devices; none are looked for where nothing needed torch."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
