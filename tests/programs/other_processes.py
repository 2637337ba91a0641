"""Scenes with processes that come, go, hide and get the numbers of others: ``other_processes.py SCENE ARGUMENTS``."""

import contextlib
import ctypes
import errno
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from checks import main, raises, refuse

import rusage
from rusage._backends import BACKEND

NOBODY = 65534
PIDFD_OPEN = 434
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


def skip() -> None:
    """Make the test skip."""
    sys.stderr.write("skip\n")
    raise SystemExit


def forked(function: Callable[[], object]) -> int:
    """Run a function in a forked child; return its process ID."""
    pid = os.fork()
    if pid:
        return pid
    try:
        function()
    except BaseException as error:
        # Not by sys.stderr, whose lock another thread may have held, and without imports: the user may not read them.
        lines = [line for _, line in traceback.walk_tb(error.__traceback__)]
        os.write(2, f"{error!r} in lines {lines}\n".encode())
        os._exit(1)
    os._exit(0)


def readers(process: rusage.Process) -> list[Callable[[], object]]:
    """Return the methods that read it; those but the first need permission to read its files."""
    peak = [process.peak] if "ru_maxrss" in process.measured else []
    return [process.cputime, process.getrusage, process.rss, *peak]


def in_child(function: Callable[[], None]) -> None:
    """Run a function in a forked child, and fail if it fails there."""
    _, status = os.waitpid(forked(function), 0)
    assert status == 0, status


@contextlib.contextmanager
def child(function: Callable[[], object] = lambda: None) -> Iterator[int]:
    """Yield the process ID of a forked child that has run a function and waits; kill it afterwards."""

    def run() -> None:
        function()
        os.write(write, b".")
        signal.pause()

    read, write = os.pipe()
    pid = forked(run)
    os.read(read, 1)
    os.close(read)
    os.close(write)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def open_files() -> int:
    """Return the number of open file descriptors."""
    count = 0
    for fd in range(1024):
        with contextlib.suppress(OSError):
            os.fstat(fd)
            count += 1
    return count


def become_nobody() -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0  # PR_SET_DUMPABLE, as after an exec: this user may read it


def without_pidfd(process: rusage.Process) -> None:
    """Continue as on a kernel, or in a sandbox, that has no pidfd_open(2)."""
    handle = process._handle  # noqa: SLF001 (the kernel has it)
    if handle.pidfd >= 0:
        os.close(handle.pidfd)
        handle.pidfd = -1


def mount(kind: str, options: str) -> None:
    """Mount a file system on /proc."""
    command = ["mount", "-t", kind, "-o", options, kind, "/proc"]
    if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
        skip()


def busy() -> None:
    """Use some CPU time."""
    while time.process_time() < 0.2:
        pass


def reused_number(way: str) -> None:
    """Give the number of a process that has ended to another one. In a PID namespace of its own, as root."""
    if not LAST_PID.exists():
        skip()
    with child(busy) as pid:
        process = rusage.Process(pid)
        if way == "without pidfd":
            without_pidfd(process)
        assert process.cputime() >= 0.15
    LAST_PID.write_text(str(pid - 1))
    with process, child() as other:
        assert other == pid
        for method in readers(process):
            with raises(ProcessLookupError):
                method()
        with rusage.Process(pid) as another:
            assert another.cputime() < 0.15
            with raises(ProcessLookupError):
                process.cputime()


def fork_into_a_namespace() -> None:
    """Read in a child that is in a new PID namespace, in which another process has the number. As root."""
    if not LAST_PID.exists():
        skip()

    def look() -> None:
        LAST_PID.write_text(str(pid - 1))
        with child() as other:
            assert other == pid
            usage = process.getrusage()
            assert abs(process.cputime() - usage.ru_utime - usage.ru_stime) < 1e-6
            assert process.cputime() >= 0.15

    with child(busy) as pid, rusage.Process(pid) as process:
        assert process.cputime() >= 0.15
        assert ctypes.CDLL(None).unshare(0x20000000) == 0  # CLONE_NEWPID
        in_child(look)


def hidden(hidepid: str) -> None:
    """Read processes that /proc hides. In namespaces of its own, as root."""
    mount("proc", f"hidepid={hidepid}")

    def look() -> None:
        process = rusage.Process(1)
        process.getrusage()
        become_nobody()
        with process:
            for method in readers(process)[1:]:
                with raises(PermissionError):
                    method()
            without_pidfd(process)
            for method in readers(process):
                with raises(PermissionError):
                    method()
        for pid in 1, other:  # the kernel has cached the first one
            with raises(PermissionError):
                rusage.Process(pid)
        with raises(ProcessLookupError):
            rusage.Process(2**22 - 1)
        # A process that this user has started is visible, though not before its exec is complete.
        with subprocess.Popen("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as own:  # noqa: S607 (any)
            assert own.stdin is not None
            assert own.stdout is not None
            own.stdin.write(b"ready\n")
            own.stdin.flush()
            own.stdout.readline()
            with rusage.Process(own.pid) as another:
                assert another.getrusage().ru_minflt > 0

    assert os.getpid() == 1
    with child() as other:
        in_child(look)


def other_user() -> None:
    """Read the process of another user. As root."""
    assert issubclass(rusage.Process, object)  # import it while its files can be read
    os.setgroups(range(1, 65537))  # the list precedes VmHWM in the status file

    def look() -> None:
        become_nobody()
        with rusage.Process(os.getppid()) as process:
            assert process.measured == BACKEND.process
            status = Path(f"/proc/{os.getppid()}/status").read_text()
            assert len(status) > 300_000
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            if "ru_maxrss" in process.measured:
                assert process.peak() == process.getrusage().ru_maxrss == int(peak.split()[1]) * 1024
            assert process.cputime() > 0

    in_child(look)


def other_namespace() -> None:
    """Read /proc of another PID namespace. In a PID namespace of its own, as root."""
    assert os.getpid() == 1
    for kind in rusage.Process, rusage.Tree:
        with raises(FileNotFoundError) as caught:
            kind(1)
        assert caught[0].filename == "/proc/self"


def without_proc() -> None:
    """Read without /proc. In a mount namespace of its own, as root."""
    mount("tmpfs", "defaults")
    with raises(FileNotFoundError):
        rusage.Process(os.getpid())


def too_many_files() -> None:
    """Open a process while no file can be opened."""
    rusage.Process(os.getpid()).close()
    before = open_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    for room in range(4):
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + room, hard))
        opens = None
        try:
            rusage.Process(os.getpid()).close()
        except OSError as error:
            opens = error.errno
        # Two descriptors stay open, and one file at a time is read. Without pidfd_open(2) one less is needed.
        assert opens in ({errno.EMFILE} if room < 2 else {None} if room == 3 else {errno.EMFILE, None}), (room, opens)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert open_files() == before


def refused(code: str) -> None:
    """Refuse pidfd_open(2) with an error, as old kernels and sandboxes do; everything works without it."""
    refuse(PIDFD_OPEN, int(code))
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    assert thread.native_id
    with raises(ProcessLookupError):
        rusage.Process(thread.native_id)
    stop.set()
    thread.join()
    with raises(ProcessLookupError):
        rusage.Process(2**22 - 1)
    before = open_files()
    with child(busy) as pid:
        process = rusage.Process(pid)
        assert process._handle.pidfd == -1  # noqa: SLF001 (the point)
        assert process.measured == BACKEND.process
        assert process.getrusage().ru_minflt > 0
        assert process.cputime() >= 0.15
        os.kill(pid, signal.SIGKILL)
        while "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
            time.sleep(0.01)
        for method in readers(process):
            with raises(ProcessLookupError):
                method()
        with raises(ProcessLookupError):
            rusage.Process(pid)
    for method in readers(process):
        with raises(ProcessLookupError):
            method()
    process.close()
    assert open_files() == before


def coming_and_going(processes: str, readings: str) -> None:
    """Read processes while they start and end; print how many were started, read, and had ended."""
    before = open_files()
    alive: list[int] = []
    started = read = ended = 0
    while started < int(processes) or read < int(readings):
        while len(alive) < 20:
            alive.append(forked(signal.pause))
            started += 1
        pid, last = random.choice(alive), random.randrange(20)
        try:
            with rusage.Process(pid) as process:
                for number in range(10):
                    if number == last:
                        os.kill(pid, signal.SIGKILL)  # it ends during the next readings
                    usage = process.getrusage()
                    assert all(usage[usage._fields.index(name)] == 0 for name in set(usage._fields) - process.measured)
                    # A process that was about to end when it was opened had no memory.
                    assert "ru_maxrss" not in process.measured or min(usage.ru_maxrss, process.peak()) > 0
                    assert "ru_maxrss" not in process.measured or process.rss() > 0
                    assert usage.ru_utime + usage.ru_stime - 0.1 <= process.cputime() < 60
                    read += 1
        except ProcessLookupError:
            ended += 1
            os.waitpid(pid, 0)
            alive.remove(pid)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert open_files() == before
    print(started, read, ended)


if __name__ == "__main__":
    main(
        reused_number,
        hidden,
        other_user,
        other_namespace,
        without_proc,
        too_many_files,
        refused,
        coming_and_going,
        fork_into_a_namespace,
    )
