"""Interrupt starts by an exception without a frame: ``python start_once.py MODULE COUNT LOG``.

Print the largest number of times that one call of ``MODULE.Popen`` (rusage or subprocess) ran its program.
"""

import importlib
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Start a program that appends a line to a file, again and again."""
    module, log = importlib.import_module(sys.argv[1]), Path(sys.argv[3])
    log.touch()
    delays = random.Random(1)
    began = time.perf_counter()
    module.Popen(["/bin/true"]).wait()
    module.Popen(["/bin/true"]).wait()
    usual = (time.perf_counter() - began) / 2
    handler: Any = time.time  # takes no arguments: a TypeError, which no frame of a handler is part of
    signal.signal(signal.SIGALRM, handler)
    most = 0
    for _ in range(int(sys.argv[2])):
        before = log.stat().st_size
        process = None
        try:
            signal.setitimer(signal.ITIMER_REAL, max(1e-6, delays.random() * usual))
            process = module.Popen(["/bin/sh", "-c", f"echo >>{log}"])
            time.sleep(usual)
        except TypeError:
            pass
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        except TypeError:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if process is not None:
            process.wait()
        try:
            while os.waitpid(-1, 0)[0]:
                pass
        except ChildProcessError:
            pass
        most = max(most, log.stat().st_size - before)
    print(most)


main()
