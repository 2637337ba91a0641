"""Pseudo-terminals, on which tests run the command; ``conftest.py`` has the fixture."""

import os
import select
import shlex
import subprocess  # noqa: TC003 (Start is evaluated)
import sys
from collections.abc import Callable

# A command line of a program that says that it waits for SIGINT. A shell could get it just before
# it starts sleep(1).
WAITING = """import signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
print("ready", file=open("/dev/tty", "w"), flush=True)
time.sleep(60)
"""
WAITS = shlex.join([sys.executable, "-S", "-c", WAITING])
Start = Callable[..., tuple["subprocess.Popen[bytes]", int]]


def read_until(fd: int, *texts: bytes) -> bytes:
    """Read until one of the texts has come, and fail at end of file or after a minute."""
    seen, begin = bytearray(), 0
    while not any(text in seen[begin:] for text in texts):
        # What comes next may complete a text that has begun.
        begin = max(len(seen) - max(map(len, texts)) + 1, 0)
        assert select.select([fd], [], [], 60)[0], seen
        try:
            more = os.read(fd, 4096)
        except OSError:  # the end of a pseudo-terminal on Linux
            more = b""
        assert more, seen
        seen += more
    return bytes(seen)


def shown_by(on_terminal: Start, *command: str, status: int | str = 0, columns: int = 0) -> str:
    """Return what a command shows on a terminal until it exits with a status."""
    _, terminal = on_terminal(*command, columns=columns)
    return read_until(terminal, f"return code {status}".encode()).decode(errors="replace")


def press(terminal: int, key: bytes, *texts: bytes) -> bytes:
    """Type a key when the program is ready, and read until one of the texts has come."""
    read_until(terminal, b"ready")
    os.write(terminal, key)
    return read_until(terminal, *texts)


def screen(written: bytes) -> list[str]:
    """Return the lines on a wide terminal after a text: a carriage return overwrites.

    The text has no escape sequences.
    """
    lines = []
    for line in written.decode().split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines
