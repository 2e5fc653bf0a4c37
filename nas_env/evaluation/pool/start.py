"""Run by file as ``python start.py PARENT_PID``: starts a worker.

Run with ``-m`` or ``-c`` instead, Python would look for modules in the current folder first, and a
worker would import whatever is called ``queue`` or ``json`` there.
"""

import os
import sys

if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
    del sys.path[0]  # this folder: its modules are no top-level ones

from nas_env.evaluation.pool.worker import main

if __name__ == "__main__":
    main(int(sys.argv[1]))
