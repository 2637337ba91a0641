"""Ask the running kernel what its getrusage(2) reports.

``python3 facts.py`` measures, and prints what it saw. ``python3 facts.py --json FILE`` also writes
the evidence, which names the system, its release, the machine type and the interpreter, and nothing
else of this computer. It needs only this file and Python 3.8 or later: no package, no compiler, no
root. It takes less than a minute, and some minutes on a busy machine.

A fact is seen, or not shown: a file system in memory hides block I/O, and a busy machine or an
inherited peak hides other facts. Beside ``claims.py``, and with the package rusage installed, it is
confirmed or refuted if the package says something of it; the status is 1 if one is refuted.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import json
import mmap
import operator
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SELF, CHILDREN = 0, -1
MIB = 1 << 20
INTEGRALS = ("ru_ixrss", "ru_idrss", "ru_isrss")
COUNTERS = (
    "ru_minflt",
    "ru_majflt",
    "ru_inblock",
    "ru_oublock",
    "ru_msgsnd",
    "ru_msgrcv",
    "ru_nsignals",
)
SWITCHES = ("ru_nvcsw", "ru_nivcsw")
LIMIT = 300  # seconds for one measurement


class Fact(NamedTuple):
    """What was found out about one point."""

    name: str
    """A field, a RUSAGE_* name, ``wait4`` or ``times``, and after a colon the point."""
    value: str | None
    """What is so, in a word; None if it was not shown."""
    seen: str
    """What was done and seen."""


# --- The usage ---


class WindowsUsage:
    """The values of Windows, under the names of getrusage(2)."""

    def __init__(self) -> None:
        import ctypes  # some systems lack it

        class Counters(ctypes.Structure):  # PROCESS_MEMORY_COUNTERS
            _fields_ = [
                ("cb", ctypes.c_uint32),
                ("faults", ctypes.c_uint32),
                *((f"size{index}", ctypes.c_size_t) for index in range(8)),
            ]

        self._ctypes: Any = ctypes
        self._counters = Counters
        self._kernel = self._ctypes.WinDLL("kernel32")
        self._kernel.GetCurrentProcess.restype = ctypes.c_void_p

    def of(self, process: int) -> Any:
        """Return the usage of a process by its handle."""
        ctypes, kernel = self._ctypes, self._kernel
        handle, times = ctypes.c_void_p(process), (ctypes.c_uint64 * 4)()
        pointers = [ctypes.byref(times, 8 * index) for index in range(4)]
        if not kernel.GetProcessTimes(handle, *pointers):
            raise OSError(ctypes.FormatError())
        counters = self._counters()
        size = ctypes.sizeof(counters)
        if not kernel.K32GetProcessMemoryInfo(handle, ctypes.byref(counters), size):
            raise OSError(ctypes.FormatError())
        fields: dict[str, int] = dict.fromkeys((*INTEGRALS, *COUNTERS, *SWITCHES), 0)
        operations = (ctypes.c_uint64 * 6)()  # IO_COUNTERS
        if not kernel.GetProcessIoCounters(handle, operations):
            raise OSError(ctypes.FormatError())
        fields["ru_minflt"] = counters.faults
        fields["ru_maxrss"] = counters.size0  # PeakWorkingSetSize
        fields["ru_inblock"], fields["ru_oublock"] = operations[:2]
        return argparse.Namespace(ru_utime=times[3] / 1e7, ru_stime=times[2] / 1e7, **fields)

    def getrusage(self, who: int) -> Any:
        """Return the usage of this process."""
        if who != SELF:
            raise ValueError("invalid who parameter")
        return self.of(self._kernel.GetCurrentProcess())


ASKED: Any = None
"""The module that is asked: resource, another one with the same functions, or WindowsUsage."""


def ask(name: str) -> None:
    global ASKED  # noqa: PLW0603
    is_windows = name == "resource" and sys.platform == "win32"
    ASKED = WindowsUsage() if is_windows else importlib.import_module(name)


def usage(who: int = SELF) -> Any:
    return ASKED.getrusage(who)


def maxrss() -> int:
    return int(usage().ru_maxrss)


def cputime(used: Any) -> float:
    return float(used.ru_utime + used.ru_stime)


def wait4(pid: int, options: int = 0) -> Any:
    asked = ASKED if hasattr(ASKED, "wait4") else os
    ended, _, used = asked.wait4(pid, options)
    return used if ended else None


def grown(action: Callable[[], object]) -> dict[str, int]:
    names = (*COUNTERS, *SWITCHES)
    before = usage()
    action()
    after = usage()
    return {name: int(getattr(after, name) - getattr(before, name)) for name in names}


# --- What a process can do ---

BLOCKS: list[mmap.mmap] = []


def touch(size: int) -> mmap.mmap:
    """Write to each page of new private memory without huge pages: each page is a fault."""
    if sys.platform == "win32":
        block = mmap.mmap(-1, size)
    else:
        # Not shared memory, as by default: a child would start without the pages.
        block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel without huge pages
                block.madvise(mmap.MADV_NOHUGEPAGE)
    block[:: mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
    BLOCKS.append(block)
    return block


def free(block: mmap.mmap) -> None:
    BLOCKS.remove(block)
    block.close()


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def reach_peak() -> bool:
    """Touch memory until the peak, which may be inherited, is this program's; tell if it is."""
    burn(0.1)  # some kernels sample it
    start = maxrss()
    for _ in range(1024):
        if maxrss() > start:
            return True
        touch(MIB)
        if len(BLOCKS) % 64 == 0:
            burn(0.05)
            if maxrss() == 0:
                break
    return False


def kind(*kinds: tuple[str, bool]) -> str | None:
    return next((word for word, holds in kinds if holds), None)


def fork(action: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    return pid


# --- The measurements: each one runs in a process of its own ---


def accepted_who() -> Iterator[Fact]:
    accepted = []
    for who in [*range(-4, 5), 99]:
        with contextlib.suppress(ValueError, OSError):
            usage(who)
            accepted.append(who)
    numbers = " ".join(map(str, accepted))
    if 99 in accepted:  # PyPy's module ignores errors
        yield Fact("who: accepted", None, "this interpreter does not report errors of getrusage(2)")
    else:
        yield Fact("who: accepted", numbers, f"of -4 to 4 and 99, {numbers} were accepted")


def clock() -> Iterator[Fact]:
    readings = []
    end = time.process_time() + 0.1
    while time.process_time() < end:
        readings.append(round(cputime(usage()) * 1e6))
    steps = sorted(step for step in map(operator.sub, readings[1:], readings) if step > 0)
    # The median: a step between two ticks may be short, for example because of a context switch.
    usual = steps[len(steps) // 2] if steps else 0
    kinds = (
        ("microseconds", 0 < usual < 1000),
        ("ticks", 1 < len(steps) < len(readings) / 2),  # not: each reading takes as long
    )
    seen = f"{len(readings)} readings in 0.1 s of CPU time: median step {usual} microseconds"
    yield Fact("times: resolution", kind(*kinds), seen)
    if hasattr(os, "fork"):
        yield split()
    yield statistics_clock()


def split() -> Fact:
    """Tell whether user and system time are sampled: short processes then have one of them only."""

    def call_and_compute() -> None:
        for _ in range(100):
            os.getppid()

    def call() -> None:
        end = time.process_time() + 0.1
        while time.process_time() < end:
            for _ in range(100):
                os.stat("/")

    call()
    if usage().ru_stime == 0:
        seen = "after 0.1 s of system calls, the system time is 0"
        return Fact("times: split", "all user time", seen)
    children = sorted((wait4(fork(call_and_compute)) for _ in range(40)), key=cputime)[:20]
    longest = cputime(children[-1])
    times = [(used.ru_utime, used.ru_stime) for used in children]
    # Without a tick all is user time, or system time, or one half of each.
    one = sum(0 in each for each in times)
    halves = sum(user == system > 0 for user, system in times)
    seen = f"of 20 short children, up to {longest * 1e3:.1f} ms, {one} have one time"
    seen = f"{seen}, {halves} two halves"
    none = one + halves == 0
    kinds = kind(("sampled", one + halves >= 6), ("precise", none and longest < 0.002))
    return Fact("times: split", kinds, seen)


def statistics_clock() -> Fact:
    name = "times: statistics clock"
    sysctl = shutil.which("sysctl", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if sysctl is None or sys.platform.startswith(("linux", "darwin")):
        return Fact(name, None, "no sysctl(8) with kern.clockrate")
    printed = subprocess.check_output([sysctl, "kern.clockrate"], text=True)
    found = re.search(r"stathz\s*=\s*(\d+)", printed)
    return Fact(name, found and found[1], printed.strip())


def peak() -> Iterator[Fact]:
    is_reached = reach_peak()
    growth = []
    start = time.process_time()
    for _ in range(20 if is_reached else 0):
        before = maxrss()
        touch(2 * MIB)
        growth.append(maxrss() - before)
    each = (time.process_time() - start) / 20
    before = maxrss()
    block = touch(64 * MIB)
    burn(0.1)
    after = maxrss()
    free(block)
    burn(0.05)
    last = maxrss()
    seen = f"grew by {after - before} when 64 MiB were touched"
    if after == 0:
        yield Fact("ru_maxrss: unit", "0", seen)
        return
    if not is_reached:
        for point in ("unit", "update", "munmap", "VmHWM"):
            yield Fact(f"ru_maxrss: {point}", None, "the peak is inherited")
        return
    sizes = (("bytes", after - before), ("KiB", (after - before) * 1024))
    unit = kind(*((name, 32 * MIB < size < 128 * MIB) for name, size in sizes))
    yield Fact("ru_maxrss: unit", unit, seen)
    # Of 20, some: memory may be paged out. On Linux, each of many CPUs holds back some pages.
    mean = sum(growth) / 20
    tolerance = mean / (4 if sys.platform == "linux" else 8)
    late = sum(abs(number - mean) > tolerance for number in growth)
    # In an emulator the touching takes more than a tick, and samples are nearly as good.
    is_exact = each < 0.004 or max(growth) - min(growth) < mean / 32
    updated = kind(("sampled", late >= 5), ("at once", late == 0 and is_exact))
    seen = f"grew by {min(growth)} to {max(growth)} when 2 MiB were touched in {each * 1e3:.1f} ms"
    yield Fact("ru_maxrss: update", updated, f"{seen}, 20 times")
    stays = "stays" if last >= after else "falls"
    yield Fact("ru_maxrss: munmap", stays, f"{last}, before munmap(2) {after}")
    if hasattr(ASKED, "maxrss"):
        is_equal = abs(ASKED.maxrss() - maxrss()) <= 2 * MIB
        yield Fact(
            "ru_maxrss: maxrss()",
            "equal" if is_equal else "different",
            f"{ASKED.maxrss()}, {maxrss()}",
        )
    mark = high_water_mark()
    if mark is None:
        yield Fact("ru_maxrss: VmHWM", None, "no VmHWM in /proc/self/status")
    elif unit is not None:
        reported = maxrss() * (1024 if unit == "KiB" else 1)
        is_equal = abs(reported - mark) <= 8 * MIB
        seen = f"{reported} bytes, VmHWM {mark}"
        yield Fact("ru_maxrss: VmHWM", "equal" if is_equal else None, seen)


def huge_pages() -> Iterator[Fact]:
    """Find out whether the peak of Linux falls when the huge pages of a mapped file are split."""
    if not sys.platform.startswith("linux"):
        return
    name, size = "ru_maxrss: split huge pages", 64 * MIB
    # The second one may be in memory, and have huge pages by a mount option.
    for folder in (None, "/dev/shm", "/var/tmp", os.path.expanduser("~"), "."):  # noqa: S108 (as below)
        with contextlib.suppress(OSError, ValueError), scratch_file(folder) as file:
            for _ in range(size // MIB):
                file.write(bytes(MIB))
            os.fsync(file.fileno())
            forget(file)
            # In a child: unmapping keeps the mark.
            pid = fork(functools.partial(require_huge_pages, file, size))
            if os.waitpid(pid, 0)[1] == 0:
                view = private(file, size)
                # Not read before: what frees memory, as reading a file does, keeps the mark.
                for place in range(0, size, 2 * MIB):
                    view[place] = 1
                mark = high_water_mark() or 0
                seen = f"VmHWM {mark} after a write to each huge page of 64 MiB"
                yield Fact(name, "falls" if mark < size else "stays", seen)
                return
    yield Fact(name, None, "no file has huge pages here")


def private(file: Any, size: int) -> mmap.mmap:
    view = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        view.madvise(mmap.MADV_HUGEPAGE)
    for place in range(0, size, mmap.PAGESIZE):
        view[place]
    return view


def require_huge_pages(file: Any, size: int) -> None:
    view = private(file, size)
    found = re.findall(r"(?:File|Shmem)PmdMapped: *([0-9]+) kB", in_proc("smaps"))
    if sum(map(int, found)) * 1024 < len(view) // 2:
        raise SystemExit(1)


def high_water_mark() -> int | None:
    found = re.search(r"VmHWM:\s*(\d+) kB", in_proc("status"))
    return int(found[1]) * 1024 if found else None


def in_proc(name: str) -> str:
    if not sys.platform.startswith("linux"):  # Wine has another process's
        return ""
    try:
        with open(f"/proc/self/{name}", encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


NOTHING = [sys.executable, "-S", "-E", "-c", "pass"]


def execute() -> None:
    os.execv(NOTHING[0], NOTHING)


def inherited() -> Iterator[Fact]:
    """Tell whose peak a child reports, from a parent that has freed the half of its memory."""
    if not hasattr(os, "fork"):
        yield from inherited_by_handle()
        return
    names: dict[str, Callable[[], int]] = {
        "forked child": lambda: fork(int),
        "child after exec": lambda: fork(execute),
    }
    if hasattr(os, "posix_spawn"):
        # It may use the parent's memory until exec: for long enough that a clock may tick.
        actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)] * 1000
        names["posix_spawn"] = lambda: os.posix_spawn(
            NOTHING[0], NOTHING, os.environ, file_actions=actions
        )
    is_reached = reach_peak()
    start = maxrss()
    block = touch(256 * MIB)
    burn(0.1)
    own = maxrss()
    free(block)
    touch(128 * MIB)
    burn(0.1)
    for name, begin in names.items():
        peaks = [int(wait4(begin()).ru_maxrss) for _ in range(20)]
        seen = f"{min(peaks)} to {max(peaks)} of 20; the parent's peak {own}, now {own // 2}"
        kinds = {kind_of_peak(each / own) for each in peaks} if own else set()
        value = kinds.pop() if len(kinds) == 1 else "sometimes the parent's" if kinds else None
        is_clear = is_reached and own - start > start  # the 256 MiB are most of it
        yield Fact(f"ru_maxrss: {name}", value if is_clear else None, seen)


def kind_of_peak(share: float) -> str:
    """Return whose peak it is, by its share of the parent's; an interpreter has up to a quarter."""
    return "its own" if share < 0.4 else "the parent's size" if share < 0.8 else "the parent's peak"


def inherited_by_handle() -> Iterator[Fact]:
    touch(256 * MIB)
    with subprocess.Popen(NOTHING) as child:
        child.wait()
        handle: Any = child._handle  # type: ignore[attr-defined]  # noqa: SLF001
        largest = WindowsUsage().of(int(handle)).ru_maxrss
    value = kind_of_peak(largest / maxrss()) if largest else None
    yield Fact("ru_maxrss: child after exec", value, f"{largest}; the parent's peak {maxrss()}")


def executed(before: str = "") -> Iterator[Fact]:
    if before:
        after, start = maxrss(), int(before)
        value = kind(("kept", after > 0.8 * start), ("reset", after < 0.5 * start))
        yield Fact("ru_maxrss: exec", value, f"{after} after exec, {before} before")
    elif hasattr(os, "fork"):
        touch(128 * MIB)
        burn(0.1)
        if maxrss():
            os.execv(sys.executable, [sys.executable, *sys.argv, f"--argument={maxrss()}"])


def integrals() -> Iterator[Fact]:
    burn(0.1)
    start = usage().ru_idrss
    burn(0.2)
    small = usage().ru_idrss - start
    touch(64 * MIB)
    burn(0.1)
    before = usage()
    burn(0.2)
    after = usage()
    for name in INTEGRALS:
        first, last = getattr(before, name), getattr(after, name)
        value = "0" if last == 0 else "grows" if last > first else "present size"
        seen = f"{int(first)}, and {int(last)} after 0.2 s more of CPU time with 64 MiB"
        yield Fact(f"{name}: with CPU time", value, seen)
    large = after.ru_idrss - before.ru_idrss
    mapped = kind(("counted", large > 3 * small > 0), ("not counted", 2 * small > large > 0))
    seen = f"grew by {int(small)}, and by {int(large)} with 64 MiB of mapped memory"
    yield Fact("ru_idrss: mapped memory", mapped, seen)


def faults() -> Iterator[Fact]:
    pages = 64 * MIB // mmap.PAGESIZE
    number = grown(lambda: touch(64 * MIB))["ru_minflt"]
    value = kind(("each page", 0.9 * pages <= number <= 1.5 * pages), ("0", number == 0))
    yield Fact("ru_minflt: touched pages", value, f"grew by {number} with {pages} pages")

    if sys.platform != "win32":
        shared = mmap.mmap(-1, 64 * MIB)

        def write() -> None:
            shared[:: mmap.PAGESIZE] = bytes(pages)

        growth = grown(write)
        major, minor = growth["ru_majflt"], growth["ru_minflt"]
        least = 0.9 * pages
        value = kind(("major", major > least), ("minor", minor > least and major < least / 9))
        seen = f"{major} major and {minor} minor faults with {pages} pages"
        yield Fact("ru_majflt: shared memory", value, seen)

    with scratch_file() as file:
        fill(file, 4 * MIB)
        forget(file)
        view = mmap.mmap(file.fileno(), 4 * MIB, access=mmap.ACCESS_READ)
        major = grown(lambda: view[:: mmap.PAGESIZE])["ru_majflt"]
        view.close()
    seen = f"grew by {major} when 4 MiB of a file were mapped and read"
    yield Fact("ru_majflt: mapped file", "counted" if major else None, seen)
    yield Fact("ru_nswap: swaps", None, "a process cannot have itself swapped out")


@contextlib.contextmanager
def scratch_file(folder: str | None = None) -> Iterator[Any]:
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        yield file


def fill(file: Any, size: int) -> None:
    file.write(os.urandom(size))
    os.fsync(file.fileno())


def forget(file: Any) -> None:
    file.seek(0)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def blocks() -> Iterator[Fact]:
    size = 8 * MIB
    read = written = 0
    read_bytes = written_bytes = 0
    folders = (None, "/var/tmp", os.path.expanduser("~"), ".")  # noqa: S108 (a file without a name)
    for folder in folders:
        with contextlib.suppress(OSError), scratch_file(folder) as file:
            before = recorded_bytes("write_bytes")
            written = grown(functools.partial(fill, file, size))["ru_oublock"]
            written_bytes = recorded_bytes("write_bytes") - before
            forget(file)
            before = recorded_bytes("read_bytes")
            read = grown(functools.partial(file.read, size))["ru_inblock"]
            read_bytes = recorded_bytes("read_bytes") - before
            if written or written_bytes:
                break
    size_read = size
    if not read and not read_bytes:  # the data has stayed in memory
        sizes: list[int] = []
        read = grown(lambda: sizes.append(read_library()))["ru_inblock"]
        (size_read,) = sizes
    for name, number, recorded, moved, what in (
        ("ru_inblock", read, read_bytes, size_read, "read"),
        ("ru_oublock", written, written_bytes, size, "written"),
    ):
        seen = f"grew by {number} when {moved // MIB} MiB were {what}"
        yield Fact(f"{name}: unit", block_unit(number, moved, recorded), seen)
    if written_bytes:
        is_equal = abs(written * 512 - written_bytes) <= 64 * 1024
        seen = f"{written} units of 512 bytes, {written_bytes} bytes there"
        yield Fact("ru_oublock: /proc/self/io", "equal" if is_equal else "different", seen)


def read_library() -> int:
    """Read the modules of this Python, which may not be in memory; return their size."""
    size = 0
    for folder, _, names in os.walk(os.path.dirname(os.__file__)):
        for name in names:
            if name.endswith(".py"):
                with open(os.path.join(folder, name), "rb") as file:
                    size += len(file.read())
    return size


def block_unit(number: int, size: int, recorded: int) -> str | None:
    """Return what a growth counts; where part of the data is in memory, ``recorded`` tells it."""
    is_size = abs(number * 512 - recorded) <= 64 * 1024 < recorded
    if is_size or 0.9 * size / 512 <= number <= 2 * size / 512:
        return "512-byte units"
    # An operation may have any size from a page on. On Linux, a few units may come from the folder.
    is_some = 0 < number <= size / 4096 and sys.platform != "linux"
    return "operations" if is_some else None


def recorded_bytes(name: str) -> int:
    found = re.search(rf"^{name}: (\d+)", in_proc("io"), re.MULTILINE)
    return int(found[1]) if found else 0


# By how much a counter grows with 10 messages of each kind, and with 10 signals.
MESSAGES = {(0, 0): "0", (10, 0): "sockets", (10, 10): "sockets and pipes"}
SIGNALS = {(0, 0): "0", (10, 0): "handled", (10, 10): "handled and ignored"}


def messages() -> Iterator[Fact]:
    one, other = socket.socketpair()
    reading, writing = os.pipe()

    def by_sockets() -> None:
        for _ in range(10):
            one.send(b"x")
            other.recv(1)

    def by_pipes() -> None:
        for _ in range(10):
            os.write(writing, b"x")
            os.read(reading, 1)

    sockets, pipes = grown(by_sockets), grown(by_pipes)
    for name in ("ru_msgsnd", "ru_msgrcv"):
        both = (sockets[name], pipes[name])
        seen = "grew by {} with 10 messages on sockets, by {} with 10 on pipes".format(*both)
        yield Fact(f"{name}: messages", MESSAGES.get(both), seen)


def signals() -> Iterator[Fact]:
    def send() -> None:
        for _ in range(10):
            os.kill(os.getpid(), signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, lambda *_: None)
    handled = grown(send)["ru_nsignals"]
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    ignored = grown(send)["ru_nsignals"]
    seen = f"grew by {handled} with 10 handled signals, by {ignored} with 10 ignored ones"
    yield Fact("ru_nsignals: signals", SIGNALS.get((handled, ignored)), seen)


def switches() -> Iterator[Fact]:
    def rest() -> None:
        for _ in range(50):
            time.sleep(0.001)

    def rest_in_threads() -> None:
        threads = [threading.Thread(target=rest) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def give_way() -> None:
        for _ in range(50):
            os.sched_yield()

    number = grown(rest_in_threads)["ru_nvcsw"]
    value = kind(("counted", number >= 135), ("0", number == 0))
    yield Fact("ru_nvcsw: sleeps", value, f"grew by {number} with 150 sleeps in three threads")
    if hasattr(os, "sched_yield"):
        number = grown(give_way)["ru_nvcsw"]
        value = kind(("voluntary", number >= 45), ("not voluntary", number <= 5))
        yield Fact("ru_nvcsw: yields", value, f"grew by {number} with 50 calls of sched_yield(2)")
    yield competition()


def competition() -> Fact:
    name, number = "ru_nivcsw: competition", os.cpu_count() or 1
    if hasattr(os, "sched_setaffinity"):
        number = 1
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if number > 16:
        return Fact(name, None, f"{number} CPUs are too many to keep busy")
    others = [subprocess.Popen([*NOTHING[:-1], "while True: pass"]) for _ in range(number)]
    try:
        before, start, used = usage().ru_nivcsw, time.monotonic(), time.process_time()
        switched = lost = 0.0
        while not switched and time.monotonic() < start + 10:
            burn(0.001)
            switched = usage().ru_nivcsw - before
            lost = time.monotonic() - start - (time.process_time() - used)
    finally:
        for other in others:
            other.kill()
            other.wait()
    seen = f"grew by {int(switched)} beside {number} busy processes that took {lost:.1f} s"
    return Fact(name, kind(("counted", switched > 0), ("0", lost > 2)), seen)


# --- Children ---


def children() -> Iterator[Fact]:
    if not hasattr(os, "fork"):
        return
    yield from children_when()
    yield children_peak()
    yield from last_reading()
    # The last one: the disposition of SIGCHLD stays.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    before = cputime(usage(CHILDREN))
    fork(lambda: burn(0.1))
    with contextlib.suppress(ChildProcessError):  # it has ended
        os.wait()
    number = cputime(usage(CHILDREN)) - before
    value = kind(("not added", number < 0.02), ("added", number > 0.05))
    seen = f"grew by {number:.2f} s with a child that used 0.1 s"
    yield Fact("RUSAGE_CHILDREN: SIGCHLD ignored", value, seen)


def children_when() -> Iterator[Fact]:
    reading, writing = os.pipe()
    proceed, go = os.pipe()

    def work() -> None:
        os.close(reading)
        os.close(go)
        descendant = cputime(wait4(fork(lambda: burn(0.1))))
        burn(0.1)
        os.write(writing, json.dumps([cputime(usage()), descendant]).encode())
        os.read(proceed, 1)

    before = cputime(usage(CHILDREN))
    pid = fork(work)
    os.close(writing)
    own, descendant = json.loads(os.read(reading, 4096))
    living = cputime(usage(CHILDREN)) - before
    os.write(go, b"x")
    os.read(reading, 1)  # its end closes the pipe
    time.sleep(0.3)
    ended = cputime(usage(CHILDREN)) - before
    wait4(pid)
    waited = cputime(usage(CHILDREN)) - before
    seen = f"{living:.2f} s while a child lives, {ended:.2f} s at its end, {waited:.2f} s after"
    value = kind(
        ("while it lives", living > 0.05),
        ("at its end", ended > 0.05),
        ("when waited for", waited > 0.05),
    )
    yield Fact("RUSAGE_CHILDREN: added", value, seen)
    rest = (waited - own) / descendant if descendant else 0.5
    value = kind(("added", rest > 0.75), ("not added", rest < 0.25))
    seen = f"{waited:.2f} s, of which the child had used {own:.2f} s, its child {descendant:.2f} s"
    yield Fact("RUSAGE_CHILDREN: descendants", value, seen)


def children_peak() -> Fact:
    def work() -> None:
        touch(128 * MIB)
        burn(0.1)

    peaks = [int(wait4(fork(work)).ru_maxrss) for _ in range(2)]
    both = int(usage(CHILDREN).ru_maxrss)
    largest = max(peaks)
    value = kind(("largest", both == largest > 0), ("sum", both >= sum(peaks) * 0.95 > 0))
    seen = f"{both} with children of {peaks[0]} and {peaks[1]}"
    return Fact("RUSAGE_CHILDREN: ru_maxrss", value, seen)


def last_reading() -> Iterator[Fact]:
    reading, writing = os.pipe()
    names = (*COUNTERS, *SWITCHES)

    def work() -> None:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        one, other = socket.socketpair()
        touch(32 * MIB)
        for _ in range(20):
            one.send(b"x")
            other.recv(1)
            time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGUSR1)
        burn(0.1)
        last = usage()
        numbers = [int(getattr(last, name)) for name in names]
        os.write(writing, json.dumps([*numbers, cputime(last), int(last.ru_maxrss)]).encode())

    before = usage(CHILDREN)
    waited = wait4(fork(work))
    after = usage(CHILDREN)
    *own, seconds, largest = json.loads(os.read(reading, 4096))
    wrong, doubled = [], []
    for index, name in enumerate(names):
        least = own[index]
        number = int(getattr(waited, name))
        # Its end gives memory back, and may be read from the disk; a busy machine switches. The
        # reading goes to a pipe.
        slack = 1 if name in ("ru_msgsnd", "ru_msgrcv", "ru_nsignals") else 5000
        if least and number == 2 * least:
            doubled.append(name)
        elif not least <= number <= least + slack:
            wrong.append(f"{name} {number} for {least}")
    # Ticks; and on a slow machine, such as an emulated one, its end takes time too.
    if not seconds - 0.03 <= cputime(waited) <= max(seconds + 1, 1.75 * seconds):
        wrong.append(f"{cputime(waited):.3f} s for {seconds:.3f} s")
    if not 0.9 * largest <= waited.ru_maxrss <= 1.5 * largest:  # on Linux, each has an error
        wrong.append(f"ru_maxrss {waited.ru_maxrss} for {largest}")
    twice = "ru_minflt" in doubled and "ru_nvcsw" in doubled
    value = "different" if wrong else "doubled" if twice else "equal"
    seen = "; ".join(wrong) or f"doubled: {', '.join(doubled) or 'none'}"
    yield Fact("wait4: last reading", value, f"{seen}; {waited.ru_minflt} faults")
    growth = {name: getattr(after, name) - getattr(before, name) for name in names}
    other = [name for name in names if growth[name] != getattr(waited, name)]
    if abs(cputime(after) - cputime(before) - cputime(waited)) > 0.1:
        other.append("times")
    yield Fact(
        "RUSAGE_CHILDREN: wait4",
        "different" if other else "equal",
        f"different: {', '.join(other) or 'none'}",
    )


def short_children() -> Iterator[Fact]:
    """Ask for the usage of children as soon as they end, and compare it with RUSAGE_CHILDREN.

    For a minute at most: with one CPU, a child only begins when its parent's time slice has ended.
    """
    if not hasattr(os, "fork"):
        return
    names, lacking, number, end = (*COUNTERS, *SWITCHES), 0, 0, time.monotonic() + 60
    while number < 1000 and time.monotonic() < end:
        number += 1
        before, pid, waited = usage(CHILDREN), fork(int), None
        while waited is None:
            waited = wait4(pid, os.WNOHANG)
        after = usage(CHILDREN)
        lacking += any(
            getattr(after, name) - getattr(before, name) > getattr(waited, name) for name in names
        )
    value = "sometimes incomplete" if lacking else "complete"
    yield Fact("wait4: short children", value, f"{lacking} of {number} less than RUSAGE_CHILDREN")


# --- Threads ---


def threads() -> Iterator[Fact]:
    who = getattr(ASKED, "RUSAGE_THREAD", None)
    if who is None:
        return
    readings: list[Any] = []

    def work() -> None:
        block = touch(64 * MIB)
        burn(0.1)
        free(block)
        readings.append(usage(who))

    def begin() -> None:
        readings.append(usage(who))
        burn(0.05)
        touch(MIB)
        readings.append(usage(who))

    for target in (work, begin):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    busy, new, end = readings
    process = usage()
    first, later = cputime(busy), cputime(new)
    value = kind(("the process's", later > 0.05), ("the thread's", first > 0.05))
    seen = f"{first:.2f} s, {later:.2f} s in a thread that began later"
    yield Fact("RUSAGE_THREAD: times", value, seen)
    pages = 64 * MIB // mmap.PAGESIZE
    first, later = busy.ru_minflt, new.ru_minflt
    value = kind(("0", first == 0), ("the process's", later > pages / 2), ("the thread's", True))
    seen = f"{first} with {pages} touched pages, {later} in a thread that began later"
    yield Fact("RUSAGE_THREAD: ru_minflt", value, seen)
    value = kind(
        ("0", end.ru_maxrss == 0),
        ("the process's peak", end.ru_maxrss > 0.95 * process.ru_maxrss),
        ("since the thread began", True),
    )
    seen = f"{end.ru_maxrss} in a thread that began after the peak of {process.ru_maxrss}"
    yield Fact("RUSAGE_THREAD: ru_maxrss", value, seen)
    numbers = [int(getattr(busy, name)) for name in INTEGRALS]
    seen = f"{numbers} after 0.1 s of CPU time"
    yield Fact("RUSAGE_THREAD: integrals", "grow" if any(numbers) else "0", seen)


MEASUREMENTS: dict[str, Callable[..., Iterator[Fact]]] = {
    each.__name__: each
    for each in (
        accepted_who,
        clock,
        peak,
        huge_pages,
        inherited,
        executed,
        integrals,
        faults,
        blocks,
        messages,
        signals,
        switches,
        children,
        short_children,
        threads,
    )
}
# Of calls and fields that Windows lacks.
UNIX_ONLY = {"accepted_who", "integrals", "messages", "signals", "switches"}


# --- The whole ---


def measure(module: str = "resource") -> Iterator[Fact]:
    """Run each measurement in a process of its own, which starts small; yield the facts."""
    for name in MEASUREMENTS:
        if sys.platform == "win32" and name in UNIX_ONLY:
            continue
        command = [sys.executable, os.path.abspath(__file__), "--module", module, "--measure", name]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=True,
            )
        except subprocess.TimeoutExpired:
            yield Fact(f"{name}: measurement", None, f"not done after {LIMIT} s")
        except subprocess.CalledProcessError as error:
            print(error.stderr, file=sys.stderr)
            # Not the message, which may have a path.
            reason = (error.stderr.strip().splitlines() or [f"status {error.returncode}"])[-1]
            yield Fact(f"{name}: measurement", None, reason.partition(":")[0])
        else:
            yield from (Fact(*each) for each in json.loads(done.stdout))


def kernel() -> tuple[str, str, str]:
    """Return the system, its release without what was added to the number, and the machine type."""
    system, release = platform.system(), platform.release()
    if system == "Windows":
        import ctypes

        windows: Any = ctypes
        ntdll = windows.WinDLL("ntdll")
        if hasattr(ntdll, "wine_get_version"):
            ntdll.wine_get_version.restype = ctypes.c_char_p
            system, release = "Wine", ntdll.wine_get_version().decode()
    number = re.match(r"[\d.]*\d", release)
    return system, number[0] if number else "", platform.machine()


def claims() -> dict[str, str]:
    """Return what the package says of this system: for each fact, the values that may be seen."""
    try:
        said: dict[str, str] = importlib.import_module("claims").of_this_system()
    except ImportError:
        return {}
    return said


def outcome(fact: Fact, said: dict[str, str]) -> str:
    if fact.value is None:
        return "not shown"
    if not said.get(fact.name):
        return "seen"
    return "confirmed" if fact.value in said[fact.name].split(" | ") else "refuted"


def evidence(system: str, release: str, machine: str, interpreter: str, facts: list[Fact]) -> str:
    said = {
        "system": system,
        "release": release,
        "machine": machine,
        "interpreter": interpreter,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "facts": {fact.name: {"value": fact.value, "seen": fact.seen} for fact in facts},
    }
    return json.dumps(said, indent=1)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", metavar="FILE", help="write the evidence to FILE")
    parser.add_argument("--module", default="resource", help=argparse.SUPPRESS)
    parser.add_argument("--measure", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    parser.add_argument("--argument", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        ask(options.module)
        arguments = [options.argument] if options.argument else []
        print(json.dumps(list(MEASUREMENTS[options.measure](*arguments))))
        return 0

    system, release, machine = kernel()
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{system} {release}, {machine}, {interpreter}", flush=True)
    said = claims()
    facts, outcomes = [], []
    for fact in measure(options.module):
        facts.append(fact)
        outcomes.append(outcome(fact, said))
        print(f"{fact.name:34} {fact.value or '-':24} {outcomes[-1]:10} {fact.seen}", flush=True)
    words = ("confirmed", "refuted", "seen", "not shown")
    print(", ".join(f"{outcomes.count(word)} {word}" for word in words))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(evidence(system, release, machine, interpreter, facts) + "\n")
    return int("refuted" in outcomes)


if __name__ == "__main__":
    sys.exit(main())
