"""``from_native``; the oracle is ``getrusage``, which reads the same figures of the kernel without floats."""

import math
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

import rusage

if sys.platform == "win32":
    pytest.skip("Windows has no struct rusage", allow_module_level=True)

ZEROS: tuple[Any, ...] = (0.0, 0.0, *[0] * 14)


def test_from_native_of_children_equals_getrusage() -> None:
    """The usage of CHILDREN does not change between the two calls: it is equal to the last bit."""
    import resource

    for _ in range(20):
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
        native = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert rusage.from_native(native) == rusage.getrusage(rusage.RUSAGE_CHILDREN)


def test_from_native_largest_time() -> None:
    """The largest float below the limit of 2**63 microseconds is still a time."""
    limit = 2.0**63 / 10**6
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


TEXT = "0123456789abcdef"
# No time, since it is of another type, or no kernel gives it: 9.2e18 seconds fit in 64 bits, and not in microseconds.
OTHER_TIMES: dict[type[Exception], list[Any]] = {
    TypeError: ["0.0", None, 0j],
    ValueError: [-1.0, -1e-6, float("nan"), float("inf"), 1e300, 10**400, 9.2e18, 2.0**53],
}
OTHER_COUNTERS: dict[type[Exception], list[Any]] = {TypeError: [1.0, Decimal(1), "1"], ValueError: [2**64, -(2**64)]}
OTHER: dict[type[Exception], list[Any]] = {
    TypeError: [
        rusage.RUsage(*ZEROS),
        None,
        0,
        TEXT,
        TEXT.encode(),
        bytearray(16),
        dict(enumerate(TEXT)),
        {*range(16)},
    ],
    ValueError: [ZEROS[:15], (*ZEROS, 0), ()],
}
for kind in TypeError, ValueError:
    OTHER[kind] += [(0.0, time, *ZEROS[2:]) for time in OTHER_TIMES[kind]]
    OTHER[kind] += [(0.0, 0.0, counter, *ZEROS[3:]) for counter in OTHER_COUNTERS[kind]]
OTHER[TypeError].append(value for value in ZEROS)


@pytest.mark.parametrize(
    ("usage", "error"),
    [(value, error) for error, values in OTHER.items() for value in values],
    ids=lambda value: getattr(value, "__name__", None) or repr(value)[:40],
)
def test_from_native_of_other_values(usage: Any, error: type[Exception]) -> None:
    """Another type, another length, a number that no kernel gives, and an ``RUsage`` (it would be scaled twice)."""
    with pytest.raises(error):
        rusage.from_native(usage)
