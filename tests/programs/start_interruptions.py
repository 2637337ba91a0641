"""Interrupt starts at random instants: ``python start_interruptions.py MODULE COUNT HANDLER LOG``.

A signal handler raises an exception while ``MODULE.Popen`` (rusage or subprocess) starts a program that appends a line
to the file LOG. HANDLER: ``python``, or ``c``, whose exception has no frame. Prints as JSON what the starts leave, and
the largest number of times that one of them ran its program.
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
from pathlib import Path
from typing import Any

Error: Any = ZeroDivisionError
starting = False


def stop(*_: object) -> None:
    """Raise, as a signal handler, during a start."""
    if starting:
        raise ZeroDivisionError


def start(module: Any, delay: float, log: str) -> bool:
    """Start a program and wait for it; return whether that was interrupted, after this delay in seconds."""
    global starting  # noqa: PLW0603 (the signal handler's)
    process = None
    try:
        starting = True
        signal.setitimer(signal.ITIMER_REAL, delay)
        process = module.Popen(["/bin/sh", "-c", 'echo >>"$0"', log], stdout=subprocess.PIPE)
        starting = False
    except Error:
        pass
    starting = False
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Error:
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


def main(name: str, count: str, handler: str, log: str) -> None:
    """Interrupt the starts, and print the numbers as JSON."""
    global Error
    module, delays = importlib.import_module(name), random.Random(0)
    raising: Any = stop
    if handler == "c":
        raising, Error = time.time, TypeError  # it takes no arguments
    Path(log).touch()
    began = time.perf_counter()
    for _ in range(10):
        start(module, 0, log)
    usual = (time.perf_counter() - began) / 10
    signal.signal(signal.SIGALRM, raising)
    before = len(descriptors())
    numbers = dict.fromkeys(("interrupted", "children", "most runs"), 0)
    for _ in range(int(count)):
        size = os.stat(log).st_size
        numbers["interrupted"] += start(module, max(1e-6, delays.random() * usual), log)
        numbers["children"] += reap()
        numbers["most runs"] = max(numbers["most runs"], os.stat(log).st_size - size)
    gc.collect()
    left = descriptors()
    numbers |= {"descriptors": len(left) - before, "memfds": sum("memfd:rusage" in path for path in left)}
    print(json.dumps(numbers))


main(*sys.argv[1:])
