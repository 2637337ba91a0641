"""Interrupt starts at random instants, and print what they leave.

``python start_interruptions.py MODULE COUNT [SEED]``.

A signal handler raises an exception while ``MODULE.Popen`` (rusage or subprocess) starts a program.
"""

import gc
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import Any


class Stop(Exception):  # noqa: N818 (not an error)
    """The exception of the signal handler."""


starting = False


def stop(*_: object) -> None:
    """Raise, as a signal handler, during a start."""
    if starting:
        raise Stop


def start(module: Any, delay: float) -> bool:
    """Start a program and wait for it; return whether that was interrupted, after this delay in seconds."""
    global starting  # noqa: PLW0603 (the signal handler's)
    process = None
    signal.setitimer(signal.ITIMER_REAL, delay)
    try:
        starting = True
        process = module.Popen(["/bin/true"], stdout=subprocess.PIPE)
        starting = False
    except Stop:
        pass
    starting = False
    signal.setitimer(signal.ITIMER_REAL, 0)
    if process is None:
        return True
    process.communicate()
    return False


def reap() -> int:
    """Wait for all children; return their number."""
    number = 0
    try:
        while os.waitpid(-1, 0)[0]:
            number += 1
    except ChildProcessError:
        return number
    raise AssertionError


def descriptors() -> list[str]:
    """Return what the open descriptors are."""
    paths = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return [os.readlink(path) for path in paths if os.path.lexists(path)]  # without the list itself


def main() -> None:
    """Interrupt the starts, and print the numbers as JSON."""
    module, count = importlib.import_module(sys.argv[1]), int(sys.argv[2])
    delays = random.Random(sys.argv[3] if len(sys.argv) > 3 else 0)
    signal.signal(signal.SIGALRM, stop)
    began = time.perf_counter()
    for _ in range(10):
        start(module, 0)
    usual = (time.perf_counter() - began) / 10
    before = len(descriptors())
    interrupted = children = 0
    for _ in range(count):
        interrupted += start(module, max(1e-6, delays.random() * usual))
        children += reap()
    gc.collect()
    left = descriptors()
    numbers = {
        "interrupted": interrupted,
        "children": children,
        "descriptors": len(left) - before,
        "memfds": sum("memfd:rusage" in path for path in left),
    }
    print(json.dumps(numbers))


main()
