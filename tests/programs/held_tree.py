"""Be a tree of processes. Each one prints its process ID when it has done its part, and waits for the end of its input.

The argument is a tree in JSON: {"mib": 20, "burn": 0.1, "threads": 3, "fork": true, "children": [...]}. All keys may be
missing. A child is forked, or executes this program; "threads": the children are started by that many other threads.
"""

import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

PAGE = 4096


def work(part: dict[str, Any]) -> bytearray:
    """Use memory and CPU time."""
    block = bytearray(part.get("mib", 0) << 20)
    block[::PAGE] = b"x" * len(range(0, len(block), PAGE))
    start = time.process_time()
    while time.process_time() - start < part.get("burn", 0):
        sum(range(1000))
    return block


def start(child: dict[str, Any]) -> None:
    """Start a child."""
    if not child.get("fork"):
        subprocess.Popen([sys.executable, "-S", __file__, json.dumps(child)])
    elif os.fork() == 0:
        hold(child)
        os._exit(0)


def start_and_wait(child: dict[str, Any], started: threading.Event) -> None:
    """Start a child in a thread that goes on."""
    start(child)
    started.set()
    wait()


def hold(part: dict[str, Any]) -> None:
    """Do the part, start the children, and wait."""
    block = work(part)
    for child in part.get("children", ()):
        if part.get("threads"):
            started = threading.Event()
            threading.Thread(target=start_and_wait, args=(child, started), daemon=True).start()
            started.wait()
        else:
            start(child)
    os.write(1, b"%d\n" % os.getpid())
    wait()
    del block


def wait() -> None:
    """Wait for the end of the input, which all processes share."""
    os.read(0, 1)


if __name__ == "__main__":
    hold(json.loads(sys.argv[1]))
    os._exit(0)
