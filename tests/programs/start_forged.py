"""Starts in which the launcher's memory has another process ID: ``python start_forged.py CHECK LOG``.

C code in another thread might fork a process that writes there. Here this process itself writes, when the launcher has
ended. Each program that is started appends a line to the file LOG.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import checks
from checks import nothing_is_left

import rusage
import rusage._launcher.start as launch
from rusage._launcher import protocol

LOG = Path(sys.argv[2])
PROGRAM = ["sh", "-c", 'echo x >>"$0"; exit 3', str(LOG)]
real_read = protocol.read_memory


def start(child: int) -> "rusage.Popen[bytes]":
    """Start the program with a forged process ID of the child."""
    LOG.write_text("")
    protocol.read_memory = lambda fd: (child, *real_read(fd)[1:])
    try:
        return rusage.Popen(PROGRAM)
    finally:
        protocol.read_memory = real_read


def reap_lost() -> None:
    """Wait for the child that has no object, which must have run once; other children run on."""
    pid = status = 0
    while not pid:
        pid, status = os.waitpid(-1, os.WNOHANG)
    assert os.waitstatus_to_exitcode(status) == 3
    assert LOG.read_text() == "x\n"


def processes() -> None:
    """Name other processes: none may be signalled, no status may be taken from it, and the program runs once."""
    older = rusage.Popen(["sleep", "20"])
    time.sleep(0.1)  # some ticks
    gone = subprocess.Popen(["true"])  # noqa: S607 (found in PATH)
    gone.wait()
    for pid in older.pid, os.getppid(), os.getpid(), gone.pid, 1, -1, -older.pid:
        process = start(pid)
        assert process.pid > 0
        assert (process.returncode, process.measured) == (0, frozenset())
        process.kill()
        assert older.poll() is None
        reap_lost()
    older.kill()
    older.wait()
    nothing_is_left()


def recurring() -> None:
    """Have an object with the child's process ID, for whose child another caller has waited: the new one is right."""

    def read(fd: int) -> tuple[int, int, int]:
        memory = real_read(fd)
        launch.living.add(memory[0])
        return memory

    protocol.read_memory = read
    for _ in range(20):
        LOG.write_text("")
        done = rusage.run(PROGRAM)
        assert (done.returncode, LOG.read_text()) == (3, "x\n")
        assert "ru_maxrss" in done.measured
    nothing_is_left()


del sys.argv[2]
checks.main(processes, recurring)
