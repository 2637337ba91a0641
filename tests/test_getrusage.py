"""The real call on this system, and ``from_native``; CPython's ``resource`` is the oracle."""

import math
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import rusage

resource = pytest.importorskip("resource", reason="Windows has no resource module")

TIMES = ("ru_utime", "ru_stime")
WHO = [
    name for name in ("RUSAGE_SELF", "RUSAGE_CHILDREN", "RUSAGE_THREAD") if hasattr(resource, name)
]


@pytest.mark.parametrize("name", WHO)
def test_fields_between_calls_of_resource(name: str) -> None:
    who = getattr(resource, name)
    before = rusage.from_native(resource.getrusage(who))
    usage = rusage.getrusage(getattr(rusage, name))
    after = rusage.from_native(resource.getrusage(who))
    for field, low, value, high in zip(rusage.RUsage._fields, before, usage, after, strict=True):
        # User and system time are split by samples; only their sum is sure to grow.
        if field in TIMES:
            continue
        assert low <= value <= high, field
    assert sum(before[:2]) <= sum(usage[:2]) + 2e-6
    assert sum(usage[:2]) <= sum(after[:2]) + 2e-6


@pytest.mark.parametrize("name", WHO)
def test_names_of_resource(name: str) -> None:
    assert getattr(rusage, name) == getattr(resource, name)
    assert rusage.error is resource.error
    assert rusage.getpagesize() == resource.getpagesize()


@pytest.mark.parametrize(
    "call", [rusage.getrusage, rusage.maxrss, rusage.cputime, rusage.measured, rusage.measure]
)
def test_every_call_takes_every_who(call: Callable[[int], object]) -> None:
    for name in rusage.__all__:
        if name.startswith("RUSAGE_"):
            call(getattr(rusage, name))
    with pytest.raises(ValueError, match=r"^invalid who parameter$"):
        call(99)
    with pytest.raises(OverflowError):
        call(2**31)
    with pytest.raises(TypeError):
        call(0.0)  # type: ignore[arg-type]  # the point


# --- from_native ---

ZEROS: tuple[Any, ...] = (0.0, 0.0, *[0] * 14)


def test_from_native_of_children_equals_getrusage() -> None:
    for _ in range(5):
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
        native = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert rusage.from_native(native) == rusage.getrusage(rusage.RUSAGE_CHILDREN)


def test_from_native_largest_time() -> None:
    limit = 2.0**63 / 10**6
    largest = math.nextafter(limit, 0) - 1
    times = rusage.from_native([largest, largest, *[0] * 14])[:2]
    assert times == pytest.approx((largest, largest))
    with pytest.raises(ValueError, match="ru_stime is out of range"):
        rusage.from_native([0.0, limit, *[0] * 14])


TEXT = "0123456789abcdef"
# No time, since it is of another type, or no kernel gives it: 9.2e18 seconds fit in 64 bits, and
# not in microseconds.
OTHER_TIMES: dict[type[Exception], list[Any]] = {
    TypeError: ["0.0", None],
    ValueError: [-1.0, -1e-6, float("nan"), float("inf"), 10**400, 9.2e18],
}
OTHER_COUNTERS: dict[type[Exception], list[Any]] = {
    TypeError: [1.0, Decimal(1), "1"],
    ValueError: [2**64, -(2**64)],
}
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
    """An ``RUsage`` would be scaled twice."""
    with pytest.raises(error):
        rusage.from_native(usage)
