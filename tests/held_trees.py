"""Trees of processes that are held at a barrier, for several files of tests."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = Path(__file__).parent / "programs" / "held_tree.py"
MIB = 2**20


def wait_until(condition: Callable[[], object], what: str, *, pause: float = 0.002) -> None:
    """Wait until a condition is true; fail after two minutes."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, f"after two minutes: not {what}"
        time.sleep(pause)


def size_of(tree: dict[str, Any]) -> int:
    """Return the number of processes in the description of a tree."""
    return 1 + sum(map(size_of, tree.get("children", ())))


class Held:
    """A tree whose processes wait until it is released."""

    def __init__(self, tree: dict[str, Any]) -> None:
        command = [sys.executable, "-S", str(PROGRAM), json.dumps(tree)]
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
    """Yield a held tree; see the program for the keys."""
    running = Held(tree)
    try:
        yield running
    finally:
        running.release()
