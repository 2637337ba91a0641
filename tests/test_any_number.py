"""Whatever number a kernel gives: times are the doubles nearest to it, and no field overflows.

The oracle of the times is the interpreter's conversion of decimal digits, which is correctly rounded everywhere; a
division in Python is rounded twice on an x87.
"""

from __future__ import annotations

import sys

import pytest
from test_backends import LONG_BITS, LONG_MAX, LONG_MIN, convert, convert_both, native_of

import rusage
from rusage._backends import freebsd, linux, macos
from rusage._backends._base import RUSAGE_BOTH, RUSAGE_SELF, TIMES
from rusage._backends.unknown import BACKEND
from rusage._getrusage import new_call, usage_of
from rusage._rusage import ffi, lib

try:
    from hypothesis import example, given
    from hypothesis import strategies as st
except ModuleNotFoundError:
    pytest.skip(reason="no hypothesis: pip install --group tests", allow_module_level=True)

# --- Times ------------------------------------------------------------------------------------------------------------

# The plain quotients of these are not the nearest doubles on an x87, as found by trying 100 000 numbers.
DOUBLY_ROUNDED_MICROSECONDS = [2_877, 79_811, 350_494]
DOUBLY_ROUNDED_FILETIMES = [14_385, 57_540, 258_038, 299_966, 7_345_970]

# What a time_t of 32 bits can hold.
microseconds_of_32_bits = st.integers(0, 2**31 * 10**6 - 1)
a_decade_of_filetime = st.integers(0, 10 * 366 * 86_400 * 10**7)


@given(user=microseconds_of_32_bits | st.integers(0, 10**7), system=st.integers(0, 999_999))
@example(user=21_621, system=999_999)  # 0 + 21621 * 1e-6 is 0.021620999999999998
@example(user=2**31 * 10**6 - 1, system=1)
@example(user=DOUBLY_ROUNDED_MICROSECONDS[0], system=DOUBLY_ROUNDED_MICROSECONDS[1])
@example(user=DOUBLY_ROUNDED_MICROSECONDS[1], system=DOUBLY_ROUNDED_MICROSECONDS[2])
@example(user=DOUBLY_ROUNDED_MICROSECONDS[2], system=DOUBLY_ROUNDED_MICROSECONDS[0])
def test_microseconds_become_the_nearest_double(user: int, system: int) -> None:
    """The double that the digits read as, for both times."""
    call = new_call(BACKEND, RUSAGE_SELF, TIMES)
    lib.rusage_convert(native_of(user, system), call)
    assert usage_of(call)[:2] == (float(f"{user}e-6"), float(f"{system}e-6"))


@given(a_decade_of_filetime | st.integers(0, 10**8))
@example(DOUBLY_ROUNDED_FILETIMES[0])
@example(DOUBLY_ROUNDED_FILETIMES[1])
@example(DOUBLY_ROUNDED_FILETIMES[2])
@example(DOUBLY_ROUNDED_FILETIMES[3])
@example(DOUBLY_ROUNDED_FILETIMES[4])
def test_filetimes_become_the_nearest_double(units: int) -> None:
    """Windows counts units of 100 ns."""
    call = new_call(BACKEND, RUSAGE_SELF, TIMES)
    lib.rusage_convert_values(ffi.new("rusage_values *", {"stime": units}), 10**7, call)
    assert usage_of(call).ru_stime == float(f"{units}e-7")


@given(own=microseconds_of_32_bits, children=microseconds_of_32_bits)
def test_sum_of_both_is_rounded_once(own: int, children: int) -> None:
    """Microseconds are added before they become a double."""
    call = new_call(BACKEND, RUSAGE_BOTH, TIMES)
    lib.rusage_convert_both(native_of(own, children), native_of(children, 7), call)
    assert usage_of(call)[:2] == (float(f"{own + children}e-6"), float(f"{children + 7}e-6"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no struct rusage")
@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_from_native_restores_microseconds(user: int, system: int) -> None:
    """The floats of ``resource``, wrong in the last bit as they are, come out correctly rounded."""
    native = [seconds + micros * 0.000001 for seconds, micros in (divmod(user, 10**6), divmod(system, 10**6))]
    usage = rusage.from_native((*native, *[0] * 14))
    assert usage[:2] == (float(f"{user}e-6"), float(f"{system}e-6"))  # a division is rounded twice on an x87


# --- Memory and counters ----------------------------------------------------------------------------------------------

INT64_MAX = 2**63 - 1
longs = st.integers(LONG_MIN, LONG_MAX)


@given(ticks=longs, hz=st.integers(1, 10_000))
@example(ticks=LONG_MAX, hz=1)
@example(ticks=-1, hz=1024)
def test_integrals_do_not_overflow(ticks: int, hz: int) -> None:
    """An integral is ticks * 1024 / hz rounded down, or the largest number there is; never a wrapped product."""
    expected = min(min(ticks % 2**LONG_BITS, INT64_MAX) * 1024 // hz, INT64_MAX)
    assert convert(freebsd.BACKEND, hz=hz, idrss=ticks).ru_idrss == expected


COUNTERS = ["minflt", "majflt", "nswap", "inblock", "oublock", "msgsnd", "msgrcv", "nsignals", "nvcsw", "nivcsw"]


@pytest.mark.parametrize("name", COUNTERS)
@given(value=longs)
@example(value=-1)
@example(value=LONG_MIN)
@example(value=LONG_MAX)
def test_wrapped_counters(name: str, value: int) -> None:
    """A 32-bit counter that has wrapped once is read modulo 2**32; a 64-bit one stops at the largest number."""
    call = new_call(freebsd.BACKEND, 0, {f"ru_{name}"}, hz=127)
    lib.rusage_convert(native_of(**{name: value}), call)
    assert getattr(usage_of(call), f"ru_{name}") == min(value % 2**LONG_BITS, INT64_MAX)


@given(value=longs)
@example(value=-1)
@example(value=LONG_MIN)
@example(value=LONG_MAX)
def test_peak_is_never_negative(value: int) -> None:
    """The peak in bytes is exact, of 4 TiB in a 32-bit long too, or the largest number there is."""
    expected = value % 2**LONG_BITS
    assert convert(linux.backend(io_accounting=True), maxrss=value).ru_maxrss == min(expected * 1024, INT64_MAX)
    assert convert(macos.BACKEND, maxrss=value).ru_maxrss == min(expected, INT64_MAX)


@given(own=longs, children=longs)
@example(own=-1, children=-1)
@example(own=LONG_MAX, children=1)
def test_both_does_not_overflow(own: int, children: int) -> None:
    """A sum of two counters is exact or the largest number there is."""
    numbers = [min(value % 2**LONG_BITS, INT64_MAX) for value in (own, children)]
    usage = convert_both(freebsd.BACKEND, {"minflt": own, "maxrss": own}, {"minflt": children, "maxrss": children})
    assert usage.ru_minflt == min(sum(numbers), INT64_MAX)
    assert usage.ru_maxrss == min(max(numbers) * 1024, INT64_MAX)
