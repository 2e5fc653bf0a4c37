"""Run as ``python guard.py PARENT_PID``: ends what workers started, when their parent is gone.

A parent that is ended by SIGKILL cannot end anything itself. Linux then ends its workers, but not
the programs that a child had started: this small process does. It is told of every worker's process
group (``+PID``, ``-PID``, a line each) and kills what is left when its pipe ends or its parent has
changed. It needs nothing but the standard library, and starts before the first worker.
"""

import os
import select
import signal
import sys

INTERVAL_S = 1.0


def guard(parent: int) -> None:
    """Serve until the parent is gone; then kill all groups."""
    groups: set[int] = set()
    rest = b""
    while os.getppid() == parent:
        if not select.select([0], [], [], INTERVAL_S)[0]:
            continue
        data = os.read(0, 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:  # it has ended
            pass


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    guard(int(sys.argv[1]))
