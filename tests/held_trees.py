"""Trees of processes held at a barrier, for several files of tests; as a program, be such a tree.

A tree is {"mib": 20, "burn": 0.1, "fork": true, "children": [...]}; all keys may be missing. Each
process prints its ID when it has done its part, and waits for the end of its input. A child is
forked, or executes the program.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB, PAGE = 2**20, 4096


def wait_until(condition: Callable[[], Any], what: str, *, pause: float = 0.002) -> Any:
    """Wait until a condition is true, and return it; fail after two minutes."""
    end = time.monotonic() + 120
    while not (result := condition()):
        assert time.monotonic() < end, f"after two minutes: not {what}"
        time.sleep(pause)
    return result


def size_of(tree: dict[str, Any]) -> int:
    """Return the number of processes in the description of a tree."""
    return 1 + sum(map(size_of, tree.get("children", ())))


class Held:
    """A tree whose processes wait until it is released."""

    def __init__(self, tree: dict[str, Any]) -> None:
        command = [sys.executable, "-S", __file__, json.dumps(tree)]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.root = self.popen.pid
        assert self.popen.stdout is not None
        self.pids = {int(self.popen.stdout.readline()) for _ in range(size_of(tree))}

    def release(self) -> None:
        """Let all processes end, and wait for the root."""
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        if self.popen.stdout.closed:
            return
        self.popen.stdin.close()
        self.popen.stdout.read()  # until the last process has closed it
        self.popen.wait()
        self.popen.stdout.close()


@contextlib.contextmanager
def held(**tree: Any) -> Iterator[Held]:
    """Yield a held tree; see above for the keys."""
    running = Held(tree)
    try:
        yield running
    finally:
        running.release()


# --- The program ---


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


def hold(part: dict[str, Any]) -> None:
    """Do the part, start the children, and wait."""
    block = work(part)
    for child in part.get("children", ()):
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
