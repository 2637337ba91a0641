"""Starts during which another process writes to the launcher's memory or pipe: ``python start_forged.py CHECK LOG``.

C code in another thread might fork such a process. Here this process itself writes, when it has read the report. Each
program that is started appends a line to the file LOG.
"""

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import checks
from checks import nothing_is_left

import rusage
import rusage._children.launcher as launch
import rusage._children.launcher_protocol as protocol
from rusage._rusage import lib

LOG = Path(sys.argv[2])
PROGRAM = ["sh", "-c", 'echo x >>"$0"; exit 3', str(LOG)]

opened: list[launch.Launch] = []
real_init, real_read = launch.Launch.__init__, protocol.read_report


def init(self: launch.Launch) -> None:
    """Note the launch."""
    real_init(self)
    opened.append(self)


def start(
    *, child: int | None = None, size: int | None = None, report: tuple[int, int] | None = None
) -> "rusage.Popen[bytes]":
    """Start the program with a forged process ID of the child, memory of another size, or a forged report."""

    def read(pipe: int) -> tuple[int, int]:
        found = real_read(pipe)
        if child is not None:
            os.pwrite(opened[-1]._channel.memory, struct.pack("=i", child), 0)  # noqa: SLF001 (as an attacker)
        if size is not None:
            os.ftruncate(opened[-1]._channel.memory, size)  # noqa: SLF001 (as an attacker)
        return report or found

    LOG.write_text("")
    launch.Launch.__init__, protocol.read_report = init, read  # type: ignore[method-assign]
    try:
        return rusage.Popen(PROGRAM)
    finally:
        launch.Launch.__init__, protocol.read_report = real_init, real_read  # type: ignore[method-assign]


def reap_lost() -> None:
    """Wait for the child that has no object, which must have run once; other children run on."""
    pid = status = 0
    while not pid:
        pid, status = os.waitpid(-1, os.WNOHANG)
    assert os.waitstatus_to_exitcode(status) == 3
    assert LOG.read_text() == "x\n"


def processes() -> None:
    """Name a living process: none may be signalled, and no status may be taken from it."""
    older = subprocess.Popen(["sleep", "20"])  # noqa: S607 (found in PATH)
    time.sleep(0.05)  # some ticks
    for pid in older.pid, os.getppid(), os.getpid(), 1, -1, 0:
        refuse(pid)
        assert older.poll() is None
    for _ in range(10):  # a tick may end between the two starts
        another = rusage.Popen(["sleep", "20"])
        refuse(another.pid)
        assert another.poll() is None
        another.kill()
        assert another.wait() == -signal.SIGKILL
    older.kill()
    older.wait()
    nothing_is_left()


def refuse(pid: int) -> None:
    """Name a process that is not the child."""
    process = start(child=pid)
    assert process.pid not in {0, -1, pid}, pid  # kill(-1) would kill all
    assert (process.returncode, process.measured) == (0, frozenset())
    process.kill()
    reap_lost()


def ended() -> None:
    """Name a process that has ended, as if another caller had waited for it."""
    gone = subprocess.Popen(["true"])  # noqa: S607 (found in PATH)
    gone.wait()
    process = start(child=gone.pid)
    assert (process.pid, process.returncode, process.measured) == (gone.pid, 0, frozenset())
    reap_lost()


def cut_off() -> None:
    """Cut the memory off: in the launcher's process ID, after the child's, in it, and before it."""
    for size, known in (6, True), (4, True), (0, False):
        process = start(size=size)
        assert process.returncode == (None if known else 0)
        if known:
            assert process.wait() == 3
            assert LOG.read_text() == "x\n"
        else:
            reap_lost()
        nothing_is_left()


def occupy(since: float, *, by_start_time: bool) -> None:
    """Give the child's process ID to another object, so many seconds from the start; there may be older children."""
    launch.children[2**30] = 0

    def read(pipe: int) -> tuple[int, int]:
        report = real_read(pipe)
        if by_start_time:
            opened[-1]._new = 0  # noqa: SLF001 (as if a child had the next process ID)
        pid = protocol.read_pids(opened[-1]._channel.memory)[0]  # noqa: SLF001 (what the kernel has stored)
        launch.children[pid] = launch.boottime() + since
        return report

    launch.Launch.__init__, protocol.read_report = init, read  # type: ignore[method-assign]


def same_number() -> None:
    """Have another object with the child's process ID; another caller has waited for the other one's child, if any."""
    for by_start_time in False, True:
        for since, believed in (-10, True), (0, False):
            occupy(since, by_start_time=by_start_time)
            LOG.write_text("")
            done = rusage.run(PROGRAM)
            assert ("ru_maxrss" in done.measured) is believed
            assert done.returncode == (3 if believed else 0)
            if not believed:
                reap_lost()
            nothing_is_left()
            assert LOG.read_text() == "x\n"


def old_number() -> None:
    """Have an old object with the child's process ID where SIGCHLD is ignored: the launcher's age cannot be read."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    occupy(-10, by_start_time=True)
    with rusage.Popen(["sleep", "20"]) as process:
        assert process.returncode is None
        process.kill()


def old_time_namespace() -> None:
    """Have a clock with an offset that start times lack, as in a time namespace before Linux 5.11."""
    clock, offset = launch.boottime, 86400.0
    launch.boottime = lambda: clock() + offset
    launch.starttime_lag = lambda: offset  # type: ignore[attr-defined]
    occupy(-10, by_start_time=True)
    done = rusage.run(PROGRAM)
    assert "ru_maxrss" in done.measured
    assert done.returncode == 3


def reports() -> None:
    """Report what no launcher reports, and errors of a program that is executed: it is not started again."""
    for step in lib.LAUNCHER_BEFORE_EXEC, lib.LAUNCHER_EXEC:
        process = start(report=(step, 1))
        assert process.wait() == 3
        assert LOG.read_text() == "x\n"
    process = start(report=(99, 99))
    assert process.wait() == -signal.SIGKILL
    assert LOG.read_text() in {"", "x\n"}
    nothing_is_left()


def forked() -> None:
    """Fork during a start, as another thread might: the forked process has no descriptor of the launcher's."""
    statuses = []

    def prepare(self: launch.Launch, *arguments: Any, **keywords: Any) -> None:
        real_init(self, *arguments, **keywords)
        pid = os.fork()
        if not pid:
            paths = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
            kinds = [os.readlink(path).partition(":")[0] for path in paths if os.path.lexists(path)]
            os._exit(sum("memfd" in kind or kind == "pipe" for kind in kinds))
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    launch.Launch.__init__ = prepare  # type: ignore[method-assign]
    own_pipes = [os.readlink(f"/proc/self/fd/{fd}") for fd in range(3)]
    done = rusage.run(PROGRAM, stdin=subprocess.DEVNULL)
    assert "ru_maxrss" in done.measured
    assert statuses == [sum(path.startswith("pipe:") for path in own_pipes)], statuses


del sys.argv[2]
checks.main(processes, ended, cut_off, same_number, old_number, old_time_namespace, reports, forked)
