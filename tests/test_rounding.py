"""Times are the nearest doubles to what the kernel counted, on processors that round twice, too.

The oracle is the interpreter's reading of decimal digits, which is correctly rounded everywhere. A division in Python
is none: on the x87 it has the flaw that is tested for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rusage._backends._base import RUSAGE_BOTH, RUSAGE_SELF, TIMES
from rusage._backends.unknown import BACKEND
from rusage._getrusage import new_call, usage_of
from rusage._rusage import ffi, lib

if TYPE_CHECKING:
    from rusage._rusage import Native

# The plain quotients of these are not the nearest doubles on an x87, as found by trying 100 000 numbers.
DOUBLY_ROUNDED_MICROSECONDS = [2_877, 79_811, 350_494]
DOUBLY_ROUNDED_FILETIMES = [14_385, 57_540, 258_038, 299_966, 7_345_970]

# A time_t may have 32 bits.
fifty_years_of_microseconds = st.integers(0, 50 * 366 * 86_400 * 10**6)
a_decade_of_filetime = st.integers(0, 10 * 366 * 86_400 * 10**7)


def native_of(microseconds: int) -> Native:
    """Return a native usage with this user time."""
    native = ffi.new("struct rusage *")
    native.ru_utime.tv_sec, native.ru_utime.tv_usec = divmod(microseconds, 10**6)
    return native


def check_microseconds(microseconds: int) -> None:
    """Compare a converted time with what its digits read as."""
    call = new_call(BACKEND, RUSAGE_SELF, TIMES)
    lib.rusage_convert(native_of(microseconds), call)
    assert usage_of(call).ru_utime == float(f"{microseconds}e-6")


def check_filetime(units: int) -> None:
    """Compare a converted time of Windows with what its digits read as."""
    native = ffi.new("rusage_windows *")
    native.kernel_high, native.kernel_low = divmod(units, 2**32)
    call = new_call(BACKEND, RUSAGE_SELF, TIMES)
    lib.rusage_convert_windows(native, call)
    assert usage_of(call).ru_stime == float(f"{units}e-7")


@given(fifty_years_of_microseconds | st.integers(0, 10**7))
def test_a_time_is_the_nearest_double_to_the_microseconds(microseconds: int) -> None:
    """Any number of microseconds of fifty years reads as its digits do."""
    check_microseconds(microseconds)


@given(a_decade_of_filetime | st.integers(0, 10**8))
def test_a_time_of_windows_is_the_nearest_double_to_the_100_ns(units: int) -> None:
    """Any number of 100 ns of a decade reads as its digits do."""
    check_filetime(units)


@pytest.mark.parametrize("microseconds", DOUBLY_ROUNDED_MICROSECONDS)
def test_a_time_is_not_rounded_twice(microseconds: int) -> None:
    """What the x87 rounds to 64 bits first still becomes the nearest double."""
    check_microseconds(microseconds)


@pytest.mark.parametrize("units", DOUBLY_ROUNDED_FILETIMES)
def test_a_time_of_windows_is_not_rounded_twice(units: int) -> None:
    """The same for units of 100 ns."""
    check_filetime(units)


@given(fifty_years_of_microseconds, fifty_years_of_microseconds)
def test_the_time_of_both_is_rounded_once(own: int, children: int) -> None:
    """Own and children's time are added as the kernel counted them, and then become a double."""
    call = new_call(BACKEND, RUSAGE_BOTH, TIMES)
    lib.rusage_convert_both(native_of(own), native_of(children), call)
    assert usage_of(call).ru_utime == float(f"{own + children}e-6")
