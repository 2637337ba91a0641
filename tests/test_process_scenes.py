"""``Process``: numbers that are used again, permissions, namespaces, and files of /proc made by hand."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rusage
from rusage import RUsage
from rusage._backends import BACKEND
from rusage._backends.linux import PROCESS

if "Process" in BACKEND.absent:
    pytest.skip(f"no Process: {BACKEND.absent['Process']}", allow_module_level=True)

from rusage._getrusage import new_call, usage_of
from rusage._rusage import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rusage._rusage import Process as Handle

pytestmark = pytest.mark.system

LINUX = BACKEND.name == "Linux"
linux = pytest.mark.skipif(not LINUX, reason="tests the files of /proc")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def unshare() -> Callable[..., list[str]]:
    """Return a function that returns the command to run a program as root in namespaces of its own."""
    if not LINUX or os.geteuid() != 0:
        pytest.skip("run it as root on Linux")
    command = shutil.which("unshare")
    if command is None or subprocess.run([command, "--pid", "--fork", "--mount", "true"], check=False).returncode:
        pytest.skip("no permission to make a namespace: run it as root, not in a sandbox")
    return lambda *options: ["unshare", *options]


@pytest.mark.parametrize("way", ["as it is", "without pidfd"])
def test_reused_number(program: Callable[..., str], unshare: Callable[..., list[str]], way: str) -> None:
    """Another process that has got the number is never read."""
    program("other_processes.py", "reused_number", way, before=unshare("--pid", "--fork", "--mount-proc"))


def test_fork_into_a_namespace(program: Callable[..., str], unshare: Callable[..., list[str]]) -> None:
    """The child never reads the process that has the number there."""
    program("other_processes.py", "fork_into_a_namespace", before=unshare())


@pytest.mark.parametrize("hidepid", ["1", "2", "4"])
def test_hidden_processes(program: Callable[..., str], unshare: Callable[..., list[str]], hidepid: str) -> None:
    """They raise PermissionError, although /proc says that they do not exist."""
    program("other_processes.py", "hidden", hidepid, before=unshare("--pid", "--fork", "--mount"))


def test_other_users_process(program: Callable[..., str], unshare: Callable[..., list[str]]) -> None:
    """It is measured like any other, also if it is in 65536 groups."""
    program("other_processes.py", "other_user", before=unshare())


def test_proc_of_another_namespace(program: Callable[..., str], unshare: Callable[..., list[str]]) -> None:
    """/proc has other numbers than kill(2)."""
    program("other_processes.py", "other_namespace", before=unshare("--pid", "--fork"))


def test_system_without_proc(program: Callable[..., str], unshare: Callable[..., list[str]]) -> None:
    """The error is not that there is no such process."""
    program("other_processes.py", "without_proc", before=unshare("--mount"))


@linux
def test_too_many_open_files(program: Callable[..., str]) -> None:
    program("other_processes.py", "too_many_files")


@linux
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_system_without_pidfd(program: Callable[..., str], code: int) -> None:
    """Old kernels do not know the call, and sandboxes may refuse it."""
    program("other_processes.py", "refused", str(code))


@pytest.mark.not_emulated
@forks
@pytest.mark.parametrize("processes", [100, pytest.param(1000, marks=pytest.mark.thorough)])
def test_processes_that_come_and_go(processes: int, program: Callable[..., str]) -> None:
    """Ten readings of each while they start and end: each is complete, or says that the process has ended."""
    numbers = program("other_processes.py", "coming_and_going", str(processes), str(10 * processes))
    started, read, ended = map(int, numbers.split())
    assert started >= processes
    assert read >= 10 * processes
    assert ended > 0.75 * processes


# --- Files made by hand, through the real C ---------------------------------------------------------------------------

STAT = "7 ({name}) {state} 1 7 7 0 -1 4194304 {minflt} 11 {majflt} 12 {utime} {stime} 13 14 20 0 {threads} 0 99 1 2\n"
STATUS = "Name:\tx\nUmask:\t0022\nTgid:\t7\n{groups}VmPeak:\t 999 kB\nVmHWM:\t    {peak} kB\nVmRSS:\t 5 kB\n"
NO_PAGES = "0 0 0 0 0 0 0\n"
NO_MEMORY = "Name:\tx\nTgid:\t7\nThreads:\t1\n"


def stat(**values: object) -> str:
    """Return the contents of /proc/PID/stat."""
    usual = {"name": "x", "state": "S", "minflt": 101, "majflt": 102, "utime": 103, "stime": 104, "threads": 1}
    return STAT.format(**usual | values)


def status(peak: int = 4242, groups: str = "") -> str:
    """Return the contents of /proc/PID/status."""
    return STATUS.format(peak=peak, groups=groups)


@pytest.fixture
def handle(tmp_path: Path) -> Iterator[Handle]:
    """Return what C would know of a process whose directory in /proc is this one."""
    if not LINUX:
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


def test_place_of_each_number(handle: Handle) -> None:
    """Five numbers, the children's beside them, and no others."""
    tick = os.sysconf("SC_CLK_TCK")
    assert read(handle) == (103 / tick, 104 / tick, 4242 * 1024, 0, 0, 0, 101, 102, *[0] * 8)
    assert maxrss(handle) == 4242 * 1024
    assert rss(handle) == 1234 * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize("name", ["", ")", "(", "a b", ") R 1 2 3 4", "\n", "a\n7 (x) Z 1", "((((((((((((((("])
def test_any_name(handle: Handle, tmp_path: Path, name: str) -> None:
    """The name ends at the last parenthesis."""
    expected = read(handle)
    (tmp_path / "stat").write_text(stat(name=name))
    assert read(handle) == expected


@pytest.mark.parametrize("value", [2**31 - 1, 2**31, 2**32, 2**53])
def test_large_counters(handle: Handle, tmp_path: Path, value: int) -> None:
    """Times are exact, counters are not cut."""
    (tmp_path / "stat").write_text(stat(minflt=value, majflt=value - 1, utime=value, stime=value - 1))
    usage = read(handle)
    assert isinstance(usage, RUsage)
    tick = os.sysconf("SC_CLK_TCK")
    assert usage[:2] == (value / tick, (value - 1) / tick)
    assert (usage.ru_minflt, usage.ru_majflt) == (value, value - 1)


@pytest.mark.parametrize("state", "ZXx")
def test_states_of_ended_processes(handle: Handle, tmp_path: Path, state: str) -> None:
    """The process has ended unless other threads live."""
    (tmp_path / "stat").write_text(stat(state=state))
    assert read(handle) == errno.ESRCH
    assert maxrss(handle) == rss(handle) == -errno.ESRCH
    (tmp_path / "stat").write_text(stat(state=state, threads=2))
    assert isinstance(read(handle), RUsage)


@pytest.mark.parametrize("state", "RSDTtIKWP")
def test_states_of_living_processes(handle: Handle, tmp_path: Path, state: str) -> None:
    (tmp_path / "stat").write_text(stat(state=state))
    assert isinstance(read(handle), RUsage)


def test_peak_of_another_thread(handle: Handle, tmp_path: Path) -> None:
    """The first thread has ended, and with it its view of the memory."""
    (tmp_path / "stat").write_text(stat(state="Z", threads=3))
    (tmp_path / "status").write_text(NO_MEMORY)
    (tmp_path / "statm").write_text(NO_PAGES)
    for number in ("8", "9"):
        (tmp_path / "task" / number).mkdir()
    (tmp_path / "task" / "9" / "status").write_text(status(77))
    usage = read(handle)
    assert isinstance(usage, RUsage)
    assert usage.ru_maxrss == 77 * 1024 == maxrss(handle)
    assert rss(handle) == 5 * 1024


def test_peak_that_has_gone(handle: Handle, tmp_path: Path) -> None:
    """A process that stays without memory is about to end: its peak never becomes 0."""
    (tmp_path / "status").write_text(NO_MEMORY)
    (tmp_path / "statm").write_text(NO_PAGES)
    assert read(handle) == errno.ESRCH
    assert maxrss(handle) == rss(handle) == -errno.ESRCH


@contextlib.contextmanager
def first_reading(path: Path, text: str) -> Iterator[None]:
    """Let the first one that opens a file find another text there; the next ones find the file as it was.

    Opening a pipe waits for its other end, which is in another process since the reader keeps the GIL.
    """
    usual = path.with_name("usual")
    path.rename(usual)
    os.mkfifo(path)
    script = 'exec 3> "$1" && mv "$2" "$1" && printf %s "$3" >&3'
    with subprocess.Popen(["/bin/sh", "-c", script, "sh", path, usual, text]):
        yield


@pytest.mark.parametrize("function", [read, maxrss])
def test_memory_that_comes_back(handle: Handle, tmp_path: Path, function: Callable[[Handle], object]) -> None:
    """A living process is asked again."""
    expected = function(handle)
    with first_reading(tmp_path / "status", NO_MEMORY):
        assert function(handle) == expected


def test_first_thread_that_is_replaced(handle: Handle, tmp_path: Path) -> None:
    """Its own figures are 0, and so is the number of threads. An end is confirmed after a millisecond."""
    expected = read(handle)
    replaced = stat(state="Z", threads=0, minflt=0, majflt=0, utime=0, stime=0)
    with first_reading(tmp_path / "stat", replaced):
        assert read(handle) == expected
    (tmp_path / "stat").write_text(replaced)
    began = time.perf_counter()
    assert read(handle) == errno.ESRCH
    assert time.perf_counter() - began >= 0.001


def test_process_without_a_peak(handle: Handle, tmp_path: Path) -> None:
    """A thread of the kernel had none from the beginning; nothing looks for it then."""
    (tmp_path / "status").write_text(NO_MEMORY)
    handle.measured = ~(1 << RUsage._fields.index("ru_maxrss")) & (2**32 - 1)
    usage = read(handle)
    assert isinstance(usage, RUsage)
    assert usage.ru_maxrss == 0
    assert usage.ru_minflt == 101
    (tmp_path / "statm").write_text(NO_PAGES)
    assert rss(handle) == 0


@pytest.mark.parametrize("contents", ["", "7", "7 (x)", "7 (x) S 1 7 7 0 -1 4194304 1 2 3", "7 (x) S a b c d e f g\n"])
def test_file_that_is_cut(handle: Handle, tmp_path: Path, contents: str) -> None:
    """Nothing is made up."""
    (tmp_path / "stat").write_text(contents)
    assert read(handle) == errno.EIO


def test_large_rss(handle: Handle, tmp_path: Path) -> None:
    """More than 32 bits of pages, and a file that is cut."""
    (tmp_path / "statm").write_text(f"{2**40} {2**34} 11 12 0 13 0\n")
    assert rss(handle) == 2**34 * os.sysconf("SC_PAGESIZE")
    (tmp_path / "statm").write_text("9999")
    assert rss(handle) == -errno.EIO


def test_statm_that_cannot_be_read(handle: Handle, tmp_path: Path) -> None:
    """As with the other files."""
    (tmp_path / "statm").unlink()
    assert rss(handle) == -errno.EPERM


@pytest.mark.parametrize("name", ["stat", "status"])
def test_file_that_cannot_be_read(handle: Handle, tmp_path: Path, name: str) -> None:
    """The error is passed on; a file that is missing is hidden."""
    (tmp_path / name).unlink()
    assert read(handle) == errno.EPERM
    (tmp_path / name).mkdir()
    assert read(handle) == errno.EISDIR


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
        with pytest.raises(NotImplementedError, match="Linux does not report the maximum resident set size of this"):
            process.peak()
        assert process.cputime() >= 0
        assert process.rss() == 0
