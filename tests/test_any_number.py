"""Whatever number a kernel gives: times are the doubles nearest to it, and no field overflows.

The oracle of the times is the interpreter's conversion of decimal digits, which is correctly
rounded everywhere; a division in Python is rounded twice on an x87.
"""

import pytest
from conversion import INT64_MAX, convert, convert_both, converted

from rusage._backends import freebsd
from rusage._backends._base import RUSAGE_SELF, TIMES
from rusage._backends.unknown import BACKEND
from rusage._calls import new_call

try:
    from hypothesis import example, given, settings
    from hypothesis import strategies as st
except ModuleNotFoundError:
    pytest.skip(reason="no hypothesis: pip install --group tests", allow_module_level=True)

settings.register_profile("loaded machine", deadline=None)
settings.load_profile("loaded machine")

# --- Times ---

# What a time_t of 32 bits can hold.
microseconds_of_32_bits = st.integers(0, 2**31 * 10**6 - 1)
a_decade_of_filetime = st.integers(0, 10 * 366 * 86_400 * 10**7)


@given(user=microseconds_of_32_bits | st.integers(0, 10**7), system=st.integers(0, 999_999))
@example(user=21_621, system=999_999)  # 0 + 21621 * 1e-6 is 0.021620999999999998
@example(user=2**31 * 10**6 - 1, system=1)
@example(user=2_877, system=79_811)  # the plain quotients are not the nearest doubles on an x87
def test_microseconds_become_the_nearest_double(user: int, system: int) -> None:
    call = new_call(BACKEND, RUSAGE_SELF, TIMES)
    expected = float(f"{user}e-6"), float(f"{system}e-6")
    assert converted(call, utime=user, stime=system)[:2] == expected


@given(a_decade_of_filetime | st.integers(0, 10**8))
@example(14_385)  # as above
def test_filetimes_become_the_nearest_double(units: int) -> None:
    call = new_call(BACKEND, RUSAGE_SELF, TIMES)
    assert converted(call, rate=10**7, stime=units).ru_stime == float(f"{units}e-7")


@given(own=microseconds_of_32_bits, children=microseconds_of_32_bits)
def test_sum_of_both_is_rounded_once(own: int, children: int) -> None:
    usage = convert_both(
        BACKEND, {"utime": own, "stime": children}, {"utime": children, "stime": 7}
    )
    assert usage[:2] == (float(f"{own + children}e-6"), float(f"{children + 7}e-6"))


# --- Memory and counters ---

counts = st.integers(0, INT64_MAX)


@given(ticks=counts, hz=st.integers(1, 10_000))
@example(ticks=INT64_MAX, hz=1)
@example(ticks=2**54 + 1, hz=1)  # the product wraps to a small number
@example(ticks=INT64_MAX, hz=1024)
def test_integrals_do_not_overflow(ticks: int, hz: int) -> None:
    expected = min(ticks * 1024 // hz, INT64_MAX)
    assert convert(freebsd.BACKEND, hz=hz, idrss=ticks).ru_idrss == expected


@given(own=counts, children=counts)
@example(own=INT64_MAX, children=INT64_MAX)
@example(own=INT64_MAX, children=1)
def test_both_does_not_overflow(own: int, children: int) -> None:
    usage = convert_both(
        freebsd.BACKEND, {"minflt": own, "maxrss": own}, {"minflt": children, "maxrss": children}
    )
    assert usage.ru_minflt == min(own + children, INT64_MAX)
    assert usage.ru_maxrss == min(max(own, children) * 1024, INT64_MAX)
