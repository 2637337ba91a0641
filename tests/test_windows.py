"""Windows: its rules on every system, from records made by hand, and its real calls where it runs."""

import errno
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

import rusage
from rusage._backends._base import RUSAGE_SELF, RUSAGE_THREAD
from rusage._backends.windows import BACKEND
from rusage._getrusage import error_of, measured_for, new_call, usage_of
from rusage._rusage import ffi, lib

MIB = 1024 * 1024

on_windows = pytest.mark.skipif(sys.platform != "win32", reason="asks Windows itself")


def under_wine() -> bool:
    """Tell whether this Windows is Wine."""
    if sys.platform != "win32":
        return False
    import ctypes

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def test_halves_of_a_filetime() -> None:
    """The two halves are one unsigned number of 100 ns, which is kept in a year; a thread has the times only."""
    native = ffi.new("rusage_windows *")
    native.user_high, native.user_low = divmod(365 * 86_400 * 10**7 + 1, 2**32)
    native.kernel_high, native.kernel_low = 3, 2**31
    native.peak_working_set = native.page_faults = 77
    call = new_call(BACKEND, RUSAGE_THREAD, measured_for(BACKEND)[RUSAGE_THREAD])
    lib.rusage_convert_windows(native, call)
    assert usage_of(call) == (31_536_000.0000001, 1_503.2385536, *[0] * 14)


# --- The real calls ---------------------------------------------------------------------------------------------------


@on_windows
def test_times_as_in_standard_library() -> None:
    """User and kernel time lie between two of os.times, and add up to one between two of time.process_time."""
    while os.times().user < 0.05:
        pass
    before, before_split = time.process_time_ns(), os.times()
    usage = rusage.getrusage(RUSAGE_SELF)
    scalar = rusage.cputime()
    after, after_split = time.process_time_ns(), os.times()
    assert before <= round((usage.ru_utime + usage.ru_stime) * 10**7) * 100 <= after
    assert before <= round(scalar * 10**7) * 100 <= after
    # os.times multiplies where it should divide: its last bits are not to be relied on.
    assert before_split.user - 1e-9 <= usage.ru_utime <= after_split.user + 1e-9
    assert before_split.system - 1e-9 <= usage.ru_stime <= after_split.system + 1e-9


@on_windows
def test_thread_time_as_in_standard_library() -> None:
    """The same for time.thread_time; all else is 0."""
    while time.thread_time() < 0.05:
        pass
    before = time.thread_time_ns()
    usage = rusage.getrusage(RUSAGE_THREAD)
    after = time.thread_time_ns()
    assert before <= round((usage.ru_utime + usage.ru_stime) * 10**7) * 100 <= after
    assert usage[2:] == (0,) * 14


@on_windows
def test_cpu_time_of_another_thread() -> None:
    """It is part of the process's time, and not of this thread's."""
    import threading

    def spin() -> None:
        while time.thread_time() < 0.2:
            pass

    before, before_all = rusage.cputime(RUSAGE_THREAD), rusage.cputime()
    thread = threading.Thread(target=spin)
    thread.start()
    thread.join()
    assert rusage.cputime() - before_all >= 0.18
    assert rusage.cputime(RUSAGE_THREAD) - before < 0.18


@on_windows
def test_peak_grows_by_touched_memory(python: Callable[..., str]) -> None:
    """64 MiB touched by a fresh process make its peak grow by 64 MiB, and freeing them does not take it back."""
    program = (
        "import rusage\n"
        "before = rusage.getrusage(0).ru_maxrss\n"
        "block = bytearray(b'x') * (64 * 2**20)\n"
        "after = rusage.getrusage(0).ru_maxrss\n"
        "del block\n"
        "print(before, after, rusage.getrusage(0).ru_maxrss, rusage.maxrss())"
    )
    before, after, later, scalar = map(int, python("-c", program).split())
    assert 62 * MIB <= after - before <= 68 * MIB
    # Windows' own peak never falls; Wine's is Linux' VmHWM, whose counter is exact to some hundred KiB only.
    assert later >= after - 2 * MIB
    assert scalar >= later - 2 * MIB


@on_windows
@pytest.mark.xfail(under_wine(), reason="Wine leaves PageFaultCount 0", strict=True)
def test_first_touch_is_a_fault(python: Callable[..., str]) -> None:
    """64 MiB are 16384 pages of 4 KiB, each of them a fault when it is touched first."""
    program = (
        "import rusage\n"
        "before = rusage.getrusage(0).ru_minflt\n"
        "block = bytearray(b'x') * (64 * 2**20)\n"
        "print(before, rusage.getrusage(0).ru_minflt)"
    )
    before, after = map(int, python("-c", program).split())
    assert 16_384 <= after - before < 2 * 16_384


def ask_about_an_ended_child() -> tuple[float, float, int]:
    """Return the CPU time that a child prints, and the time and peak that its handle has after its end."""
    code = "import time\nwhile time.process_time() < 0.5: pass\nprint(time.process_time())"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = float(child.stdout.read())
        child.wait()
        time.sleep(1)  # Wine forgets them only after a moment
        call = new_call(BACKEND, RUSAGE_SELF, BACKEND.measured["RUSAGE_SELF"])
        handle = int(child._handle)  # type: ignore[attr-defined]  # noqa: SLF001 (no public one)
        assert lib.rusage_get_process(handle, call) == 0
    usage = usage_of(call)
    return said, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


@on_windows
@pytest.mark.xfail(
    under_wine(),
    reason="Wine answers another process's times with the asking one's own",
    strict=False,  # those may happen to fit
)
def test_times_of_an_ended_child() -> None:
    """Its handle is kept open: it has used what it printed before, and some more to end."""
    said, used, _ = ask_about_an_ended_child()
    assert said <= used < said + 0.5


@on_windows
@pytest.mark.xfail(under_wine(), reason="Wine forgets the peak of a process that has ended", strict=True)
def test_peak_of_an_ended_child() -> None:
    """An interpreter's peak is some MiB, after its end as well."""
    assert 4 * MIB <= ask_about_an_ended_child()[2] <= 128 * MIB


@on_windows
def test_windows_error_is_an_oserror() -> None:
    """An invalid handle gives ERROR_INVALID_HANDLE, the system's text, and the errno that fits it."""
    code = lib.rusage_get_process(0x7FFFFFF0, new_call(BACKEND, 0, BACKEND.measured["RUSAGE_SELF"]))
    assert code == 6
    error = error_of(code)
    assert type(error) is OSError
    assert getattr(error, "winerror", None) == 6
    assert error.errno == errno.EBADF
    assert error.strerror
    assert str(error).startswith("[WinError 6] ")


@on_windows
@pytest.mark.parametrize("who", [-1, -2, 2, 3, 99, -99, 2**31 - 1, -(2**31)])
def test_other_values_of_who(who: int) -> None:
    """Windows has SELF and THREAD; all other numbers are invalid."""
    for function in (rusage.getrusage, rusage.maxrss, rusage.cputime, rusage.measured):
        with pytest.raises(ValueError, match=r"^invalid who parameter$"):
            function(who)


@on_windows
def test_page_size() -> None:
    """It is dwPageSize, not the allocation granularity of 64 KiB."""
    assert rusage.getpagesize() == mmap.PAGESIZE
    assert rusage.getpagesize() != mmap.ALLOCATIONGRANULARITY
