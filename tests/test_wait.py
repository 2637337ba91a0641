"""``from_native``, ``wait3`` and ``wait4``; the system's own calls are the oracle."""

import errno
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rusage
from rusage._rusage import ffi

if sys.platform == "win32":
    pytest.skip("Windows has no native usage and waits for no child by its pid", allow_module_level=True)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

ZEROS: tuple[Any, ...] = (0.0, 0.0, *[0] * 14)


def child(work: Callable[[], object]) -> int:
    """Fork a child that does some work and exits with 3."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(3)
    return pid


def wait_for_end(reader: int, writer: int) -> None:
    """Wait until the parent has closed its end of a pipe."""
    os.close(writer)
    os.read(reader, 1)


def burn() -> None:
    """Use CPU time and touch memory."""
    block = bytearray(b"x" * 2**24)
    start = time.process_time()
    while time.process_time() - start < 0.05:
        block[0] ^= 1


@needs_fork
def test_wait4_gives_what_os_wait4_would_have_given() -> None:
    """Of two children that do the same, the pid and status are right, and the usage has the units of from_native."""
    own, theirs = child(burn), child(burn)
    pid, status, usage = rusage.wait4(own, 0)
    assert (pid, os.waitstatus_to_exitcode(status)) == (own, 3)
    _, _, native = os.wait4(theirs, 0)
    expected = rusage.from_native(native)
    # Two children differ by a factor of 2 on a loaded machine, two units by 1000.
    assert sum(expected[:2]) / 10 < usage.ru_utime + usage.ru_stime < sum(expected[:2]) * 10
    assert usage.ru_maxrss == pytest.approx(expected.ru_maxrss, rel=0.2)
    assert type(usage) is rusage.RUsage


@needs_fork
def test_a_child_that_was_waited_for_is_in_children() -> None:
    """RUSAGE_CHILDREN grows by the usage that wait4 gave: counters exactly, what is rounded by less than that."""
    before = rusage.getrusage(rusage.RUSAGE_CHILDREN)
    _, _, usage = rusage.wait4(child(burn), 0)
    grown = rusage.getrusage(rusage.RUSAGE_CHILDREN) - before
    assert sum(grown[:2]) == pytest.approx(sum(usage[:2]), abs=1e-3)
    assert grown[3:6] == pytest.approx(usage[3:6], abs=1)  # byte-seconds, each rounded down
    assert grown[6:] == usage[6:]
    assert grown.ru_maxrss >= usage.ru_maxrss


@needs_fork
def test_wait3_waits_for_any_child() -> None:
    """``wait3`` returns the pid, the status and the usage of whichever child ends."""
    pid = child(burn)
    assert rusage.wait3(0)[:2] == (pid, 3 << 8)


@needs_fork
def test_nohang_with_no_child_ready_is_all_zero() -> None:
    """With WNOHANG and a child still running, pid, status and each field are 0."""
    reader, writer = os.pipe()
    pid = child(lambda: wait_for_end(reader, writer))
    assert rusage.wait4(pid, os.WNOHANG) == (0, 0, ZEROS)
    os.close(writer)
    assert rusage.wait4(pid, 0)[0] == pid
    os.close(reader)


def test_wait_without_a_child_is_childprocesserror() -> None:
    """No such child: ChildProcessError, as in ``os``."""
    if not hasattr(os, "wait4"):
        pytest.skip(reason="this system has no wait4")
    for call in (rusage.wait4, os.wait4):
        with pytest.raises(ChildProcessError) as caught:
            call(2**30, 0)
        assert caught.value.errno == errno.ECHILD


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("1", 0), TypeError),
        ((1.0, 0), TypeError),
        ((1, None), TypeError),
        ((2**40, 0), OverflowError),
        ((1, 2**40), OverflowError),
        ((), TypeError),
    ],
)
def test_wait_refuses_bad_arguments_as_os_does(args: tuple[Any, ...], error: type[Exception]) -> None:
    """What is no C int raises what it raises in ``os``."""
    if not hasattr(os, "wait4"):
        pytest.skip(reason="this system has no wait4")
    with pytest.raises(error):
        rusage.wait4(*args)
    with pytest.raises(error):
        os.wait4(*args)


@needs_fork
def test_wait_goes_on_after_a_signal_for_the_same_child() -> None:
    """A handled signal interrupts the wait and it goes on, for the child that was asked for (PEP 475)."""
    calls = []
    reader, writer = os.pipe()
    slow = child(lambda: wait_for_end(reader, writer))
    other = child(lambda: None)
    previous = signal.signal(signal.SIGUSR1, lambda *_: calls.append(1))
    try:
        me = threading.get_ident()

        def disturb() -> None:
            for _ in range(3):
                time.sleep(0.05)
                signal.pthread_kill(me, signal.SIGUSR1)
            os.close(writer)

        helper = threading.Thread(target=disturb)
        helper.start()
        assert rusage.wait4(slow, 0)[0] == slow
        helper.join()
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert calls
    assert rusage.wait4(other, 0)[0] == other
    os.close(reader)


@needs_fork
def test_a_handler_that_raises_ends_the_wait() -> None:
    """An exception from a signal handler comes out of the wait, and the child is still there to be waited for."""
    reader, writer = os.pipe()
    pid = child(lambda: wait_for_end(reader, writer))

    def handler(*_: object) -> None:
        raise InterruptedError("mine")

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(InterruptedError, match="mine"):
            rusage.wait4(pid, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    os.close(writer)
    assert rusage.wait4(pid, 0)[0] == pid
    os.close(reader)


def test_from_native_of_children_equals_getrusage() -> None:
    """What ``resource`` says of CHILDREN, which stands still, becomes to the last bit what our call says."""
    import resource

    for _ in range(20):
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
        native = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert rusage.from_native(native) == rusage.getrusage(rusage.RUSAGE_CHILDREN)


@pytest.mark.parametrize("name", ["RUSAGE_SELF", "RUSAGE_THREAD"])
def test_from_native_of_resource_equals_getrusage(name: str) -> None:
    """Each field that did not change between two calls of ``resource`` is, normalised, the one that ours gives."""
    import resource

    if not hasattr(resource, name):
        pytest.skip(reason=f"resource has no {name} here")
    before = rusage.from_native(resource.getrusage(getattr(resource, name)))
    ours = rusage.getrusage(getattr(rusage, name))
    after = rusage.from_native(resource.getrusage(getattr(resource, name)))
    still = [field for field, a, b in zip(before._fields, before, after, strict=True) if a == b]
    assert "ru_majflt" in still
    for field in still:
        assert getattr(ours, field) == getattr(before, field), field


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_from_native_finds_the_kernels_microseconds(user: int, system: int) -> None:
    """The floats of ``resource``, wrong in the last bit as they are, come out correctly rounded."""
    native = [seconds + micros * 0.000001 for seconds, micros in (divmod(user, 10**6), divmod(system, 10**6))]
    usage = rusage.from_native((*native, *[0] * 14))
    assert usage[:2] == (float(f"{user}e-6"), float(f"{system}e-6"))  # a division is rounded twice on an x87


def test_from_native_largest_time() -> None:
    """The largest float below the limit (2**63 microseconds; a time_t may have 32 bits) is still a time."""
    limit = 2.0**31 if ffi.sizeof("time_t") == 4 else 2.0**63 / 10**6
    largest = math.nextafter(limit, 0) - 1
    assert rusage.from_native([largest, largest, *[0] * 14])[:2] == pytest.approx((largest, largest))
    with pytest.raises(ValueError, match="ru_stime is out of range"):
        rusage.from_native([0.0, limit, *[0] * 14])


def test_from_native_takes_any_sequence() -> None:
    """A list, a plain tuple and the system's own struct all do."""
    import resource

    native = resource.getrusage(resource.RUSAGE_SELF)
    assert rusage.from_native(native) == rusage.from_native(list(native)) == rusage.from_native(tuple(native))
    assert rusage.from_native([0.5, 1, *[0] * 14])[:2] == (0.5, 1.0)


@pytest.mark.parametrize(
    ("usage", "error"),
    [
        (rusage.RUsage(*ZEROS), TypeError),
        (None, TypeError),
        (0, TypeError),
        ("0123456789abcdef", TypeError),
        (b"0123456789abcdef", TypeError),
        (bytearray(16), TypeError),
        (dict.fromkeys(range(16)), TypeError),
        (set(range(16)), TypeError),
        ((0 for _ in range(16)), TypeError),
        (ZEROS[:15], ValueError),
        ((*ZEROS, 0), ValueError),
        ((), ValueError),
        (("0.0", *ZEROS[1:]), TypeError),
        ((None, *ZEROS[1:]), TypeError),
        ((0j, *ZEROS[1:]), TypeError),
        ((0.0, 0.0, 1.0, *ZEROS[3:]), TypeError),
        ((0.0, 0.0, Decimal(1), *ZEROS[3:]), TypeError),
        ((0.0, 0.0, "1", *ZEROS[3:]), TypeError),
        ((-1.0, *ZEROS[1:]), ValueError),
        ((float("nan"), *ZEROS[1:]), ValueError),
        ((float("inf"), *ZEROS[1:]), ValueError),
        ((1e300, *ZEROS[1:]), ValueError),
        ((10**400, *ZEROS[1:]), ValueError),
        ((9.2e18, *ZEROS[1:]), ValueError),  # fits a time_t, and not in microseconds
        ((0.0, 2.0**53, *ZEROS[2:]), ValueError),
        ((-1e-6, *ZEROS[1:]), ValueError),
        ((0.0, 0.0, 2**64, *ZEROS[3:]), ValueError),
        ((0.0, 0.0, -(2**64), *ZEROS[3:]), ValueError),
    ],
    ids=lambda value: getattr(value, "__name__", None) or repr(value)[:40],
)
def test_from_native_refuses_what_is_no_native_usage(usage: Any, error: type[Exception]) -> None:
    """Another type, another length, a number that no kernel gives, and an ``RUsage`` (it would be scaled twice)."""
    with pytest.raises(error):
        rusage.from_native(usage)


@needs_fork
def test_from_native_of_a_real_wait4() -> None:
    """``os.wait4``'s usage, normalised, has the same counters and, on Linux, the peak times 1024."""
    _, _, native = os.wait4(child(burn), 0)
    usage = rusage.from_native(native)
    if sys.platform == "linux":
        assert usage.ru_maxrss == native.ru_maxrss * 1024
    assert usage.ru_minflt == native.ru_minflt > 0
