"""``Process``: reused numbers, permissions, namespaces, and files of /proc made by hand."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from checks import refuse
from conftest import alone, linux, open_files, root
from scenes import (
    PIDFD_OPEN,
    PIDFD_SEND_SIGNAL,
    fails,
    filters_x86_64,
    in_namespaces,
    mount,
    next_pid,
    playing,
    readers,
    wait_until,
    without_pidfd,
)

import rusage
from rusage import RUsage
from rusage._backends import BACKEND
from rusage._backends.linux import PROCESS

if "Process" in BACKEND.absent:
    pytest.skip(f"no Process: {BACKEND.absent['Process']}", allow_module_level=True)

from rusage._calls import new_call, usage_of
from rusage._rusage import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rusage._rusage import Process as Handle

pytestmark = pytest.mark.system

NO_PROCESS = 2**22 - 1


@root
def test_reused_number() -> None:
    def scene() -> None:
        with playing() as child:
            child("burn", 0.2)
            processes = [rusage.Process(child.pid), without_pidfd(rusage.Process(child.pid))]
            assert [process.cputime() >= 0.15 for process in processes] == [True, True]
        next_pid(child.pid)
        with playing() as other, rusage.Process(other.pid) as another:
            assert other.pid == child.pid
            assert another.cputime() < 0.15
            for process in processes:
                fails(ProcessLookupError, *readers(process))
                process.close()

    in_namespaces(scene, proc="")


@root
def test_fork_into_a_namespace() -> None:
    def look() -> None:
        next_pid(child.pid)
        with playing() as other:
            assert other.pid == child.pid
            usage = process.getrusage()
            assert abs(process.cputime() - usage.ru_utime - usage.ru_stime) < 1e-6
            assert process.cputime() >= 0.15

    with playing() as child, rusage.Process(child.pid) as process:
        child("burn", 0.2)
        in_namespaces(look)


@root
def test_proc_of_another_namespace_and_none() -> None:
    def scene() -> None:
        for kind in rusage.Process, rusage.Tree:
            with pytest.raises(FileNotFoundError) as caught:
                kind(1)
            assert caught.value.filename == "/proc/self"
        mount("tmpfs")
        fails(FileNotFoundError, lambda: rusage.Process(1))

    in_namespaces(scene)


@linux
@alone
def test_too_many_open_files() -> None:
    """Two descriptors stay open, and one file at a time is read.

    Without pidfd_open(2) one less is needed.
    """
    import resource

    highest = max(open_files())
    while (lowest := os.dup(0)) < highest:  # leave no gaps
        pass
    os.close(lowest)
    before, hard = open_files(), resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for room in range(4):
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + room, hard))
        opens = None
        try:
            rusage.Process(os.getpid()).close()
        except OSError as error:
            opens = error.errno
        expected = {errno.EMFILE} if room < 2 else {None} if room == 3 else {errno.EMFILE, None}
        assert opens in expected, (room, opens)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert open_files() == before


@filters_x86_64
@pytest.mark.parametrize(
    ("call", "code"),
    [(PIDFD_OPEN, errno.ENOSYS), (PIDFD_OPEN, errno.EPERM), (PIDFD_SEND_SIGNAL, errno.ENOSYS)],
)
@alone
def test_system_without_pidfd(call: int, code: int) -> None:
    """Old kernels lack the calls, and sandboxes may refuse them; everything works without them."""
    refuse(call, code)
    before = open_files()
    fails(ProcessLookupError, lambda: rusage.Process(NO_PROCESS))
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    fails(ProcessLookupError, lambda: rusage.Process(thread.native_id or 0))
    stop.set()
    thread.join()
    with playing() as child:
        child("burn", 0.2)
        process = rusage.Process(child.pid)
        assert process.measured == BACKEND.process
        assert process.getrusage().ru_minflt > 0
        assert process.cputime() >= 0.15
        child("fork_idle")
        with rusage.Tree(child.pid) as tree:
            assert tree.sample().processes == 2
            tree.send_signal(signal.SIGKILL)
            wait_until(lambda: not tree.sample().processes, "the end of both")
        fails(ProcessLookupError, *readers(process), lambda: rusage.Process(child.pid))
    fails(ProcessLookupError, *readers(process))
    process.close()
    assert open_files() == before


# --- Files made by hand, through the real C ---

STAT = (
    "7 ({name}) {state} 1 7 7 0 -1 4194304 {minflt} 11 {majflt} 12 {utime} {stime} "
    "13 14 20 0 {threads} 0 99 1 2\n"
)
STATUS = (
    "Name:\tx\nUmask:\t0022\nTgid:\t7\n{groups}"
    "VmPeak:\t 999 kB\nVmHWM:\t    {peak} kB\nVmRSS:\t 5 kB\n"
)
NO_PAGES = "0 0 0 0 0 0 0\n"
NO_MEMORY = "Name:\tx\nTgid:\t7\nThreads:\t1\n"


def stat(**values: object) -> str:
    """Return the contents of /proc/PID/stat."""
    usual = {
        "name": "x",
        "state": "S",
        "minflt": 101,
        "majflt": 102,
        "utime": 103,
        "stime": 104,
        "threads": 1,
    }
    return STAT.format(**usual | values)


def status(peak: int = 4242, groups: str = "") -> str:
    """Return the contents of /proc/PID/status."""
    return STATUS.format(peak=peak, groups=groups)


@pytest.fixture
def handle(tmp_path: Path) -> Iterator[Handle]:
    """Return what C would know of a process whose directory in /proc is this one."""
    if sys.platform != "linux":
        pytest.skip("tests the files of /proc")
    fake = ffi.new("rusage_process *")
    fake.pid, fake.pidfd, fake.measured = 7, -1, 2**32 - 1
    fake.directory = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "stat").write_text(stat())
    (tmp_path / "status").write_text(status())
    (tmp_path / "statm").write_text("9999 1234 11 12 0 13 0\n")
    (tmp_path / "task" / "7").mkdir(parents=True)
    (tmp_path / "task" / "7" / "status").write_text(NO_MEMORY)
    yield fake
    os.close(fake.directory)


def read(handle: Handle) -> RUsage | int:
    """Return what the real C makes of the files: a usage, or an errno."""
    call = new_call(BACKEND, 0, PROCESS)
    return lib.rusage_process_get(handle, call) or usage_of(call)


def maxrss(handle: Handle) -> int:
    """Return the peak in bytes, or a negative errno."""
    return int(lib.rusage_process_maxrss(handle, new_call(BACKEND, 0, PROCESS)))


def rss(handle: Handle) -> int:
    """Return the resident set size in bytes, or a negative errno."""
    return int(lib.rusage_process_rss(handle, new_call(BACKEND, 0, BACKEND.process)))


@pytest.mark.parametrize("value", [103, 2**31 - 1, 2**31, 2**32, 2**50])
def test_place_of_each_number(handle: Handle, tmp_path: Path, value: int) -> None:
    (tmp_path / "stat").write_text(
        stat(minflt=value, majflt=value - 1, utime=value, stime=value - 1)
    )
    pages = min(value, 2**41)  # more than any process has is an error
    (tmp_path / "statm").write_text(f"{2 * pages} {pages} 11 12 0 13 0\n")
    tick = os.sysconf("SC_CLK_TCK")
    times = value / tick, (value - 1) / tick
    assert read(handle) == (*times, 4242 * 1024, 0, 0, 0, value, value - 1, *[0] * 8)
    assert maxrss(handle) == 4242 * 1024
    assert rss(handle) == pages * os.sysconf("SC_PAGESIZE")


def test_peak_that_has_gone(handle: Handle, tmp_path: Path) -> None:
    """A process that has no memory for a second is about to end: its peak never becomes 0."""
    (tmp_path / "status").write_text(NO_MEMORY)
    (tmp_path / "statm").write_text(NO_PAGES)
    began = time.monotonic()
    assert read(handle) == errno.ESRCH
    assert maxrss(handle) == rss(handle) == -errno.ESRCH
    assert time.monotonic() - began > 2.9


@contextlib.contextmanager
def first_reading(path: Path, text: str) -> Iterator[None]:
    """Let the first one that opens a file find another text; the next ones find it as it was.

    Opening a pipe waits for its other end, which is in another process since the reader keeps the
    GIL.
    """
    usual = path.with_name("usual")
    path.rename(usual)
    os.mkfifo(path)
    script = 'exec 3> "$1" && mv "$2" "$1" && printf %s "$3" >&3'
    with subprocess.Popen(["/bin/sh", "-c", script, "sh", path, usual, text]):
        yield


def test_first_thread_that_is_replaced(handle: Handle, tmp_path: Path) -> None:
    """Its figures and the number of threads are 0. An end is confirmed after a millisecond."""
    expected = read(handle)
    replaced = stat(state="Z", threads=0, minflt=0, majflt=0, utime=0, stime=0)
    with first_reading(tmp_path / "stat", replaced):
        assert read(handle) == expected
    (tmp_path / "stat").write_text(replaced)
    began = time.perf_counter()
    assert read(handle) == errno.ESRCH
    assert time.perf_counter() - began >= 0.001


@pytest.mark.parametrize(
    "contents",
    [
        *("", "7", "7 (x)", "7 (x) S 1 7 7 0 -1 4194304 1 2 3", "7 (x) S a b c d e f g\n"),
        stat(utime=2**62),  # two such times have no sum
        stat(stime=-(2**62) - 1),
    ],
)
def test_file_that_no_kernel_writes(handle: Handle, tmp_path: Path, contents: str) -> None:
    (tmp_path / "stat").write_text(contents)
    assert read(handle) == errno.EIO
    for text in "9999", f"9999 {2**41 + 1} 1 1 0 1 0", "9999 -1 1 1 0 1 0":
        (tmp_path / "statm").write_text(text)
        assert rss(handle) == -errno.EIO


def test_length_of_what_precedes_the_peak(handle: Handle, tmp_path: Path) -> None:
    """The line is found wherever the end of a read falls."""
    for length in [*range(3900, 4200), 8180, 720_000]:
        (tmp_path / "status").write_text(status(12_345_678, f"Groups:\t{'9' * length}\n"))
        assert maxrss(handle) == 12_345_678 * 1024, length


@linux
def test_threads_of_the_kernel() -> None:
    """They have no memory, so no peak."""
    status = Path("/proc/2/status")
    if not status.exists() or "Kthread:\t1" not in status.read_text():
        pytest.skip(reason="process 2 is none here")
    with rusage.Process(2) as process:
        assert process.measured == BACKEND.process - {"ru_maxrss"}
        assert process.getrusage().ru_maxrss == 0
        text = "Linux does not report the maximum resident set size of this"
        with pytest.raises(NotImplementedError, match=text):
            process.peak()
        assert process.cputime() >= 0
        assert process.rss() == 0
