"""Times are the doubles nearest to the kernel's integers, also on an x87, which rounds twice.

The oracle is the interpreter's conversion of decimal digits, which is correctly rounded everywhere; a division in
Python is rounded twice on an x87 too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given
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

# What a time_t of 32 bits can hold.
microseconds_of_32_bits = st.integers(0, 2**31 * 10**6 - 1)
a_decade_of_filetime = st.integers(0, 10 * 366 * 86_400 * 10**7)


def native_of(user: int, system: int) -> Native:
    """Return a native usage with these times in microseconds."""
    native = ffi.new("struct rusage *")
    native.ru_utime.tv_sec, native.ru_utime.tv_usec = divmod(user, 10**6)
    native.ru_stime.tv_sec, native.ru_stime.tv_usec = divmod(system, 10**6)
    return native


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


def test_literal_of_a_time() -> None:
    """In the last bit 0.021621 s differs from second + microsecond * 1e-6."""
    call = new_call(BACKEND, RUSAGE_SELF, TIMES)
    lib.rusage_convert(native_of(21_621, 0), call)
    assert usage_of(call).ru_utime == 0.021621


@given(a_decade_of_filetime | st.integers(0, 10**8))
@example(DOUBLY_ROUNDED_FILETIMES[0])
@example(DOUBLY_ROUNDED_FILETIMES[1])
@example(DOUBLY_ROUNDED_FILETIMES[2])
@example(DOUBLY_ROUNDED_FILETIMES[3])
@example(DOUBLY_ROUNDED_FILETIMES[4])
def test_filetimes_become_the_nearest_double(units: int) -> None:
    """Windows counts units of 100 ns."""
    native = ffi.new("rusage_windows *")
    native.kernel_high, native.kernel_low = divmod(units, 2**32)
    call = new_call(BACKEND, RUSAGE_SELF, TIMES)
    lib.rusage_convert_windows(native, call)
    assert usage_of(call).ru_stime == float(f"{units}e-7")


@given(own=microseconds_of_32_bits, children=microseconds_of_32_bits)
def test_sum_of_both_is_rounded_once(own: int, children: int) -> None:
    """Microseconds are added before they become a double."""
    call = new_call(BACKEND, RUSAGE_BOTH, TIMES)
    lib.rusage_convert_both(native_of(own, children), native_of(children, 7), call)
    assert usage_of(call)[:2] == (float(f"{own + children}e-6"), float(f"{children + 7}e-6"))
