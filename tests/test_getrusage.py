"""The real call on this system; CPython's ``resource`` and /proc are the oracles."""

from collections.abc import Callable

import pytest

import rusage

resource = pytest.importorskip("resource", reason="Windows has no resource module")

TIMES, INTEGRALS = ("ru_utime", "ru_stime"), ("ru_ixrss", "ru_idrss", "ru_isrss")
WHO = [name for name in ("RUSAGE_SELF", "RUSAGE_CHILDREN", "RUSAGE_THREAD") if hasattr(resource, name)]


@pytest.mark.parametrize("name", WHO)
def test_fields_between_calls_of_resource(name: str) -> None:
    """Each field lies between the values of ``resource`` before and after, in uniform units."""
    who = getattr(resource, name)
    before = rusage.from_native(resource.getrusage(who))
    usage = rusage.getrusage(getattr(rusage, name))
    after = rusage.from_native(resource.getrusage(who))
    for field, low, value, high in zip(rusage.RUsage._fields, before, usage, after, strict=True):
        if field in TIMES:  # user and system time are split by samples; only their sum is sure to grow
            continue
        assert low <= value <= high, field
    assert sum(before[:2]) <= sum(usage[:2]) + 2e-6
    assert sum(usage[:2]) <= sum(after[:2]) + 2e-6


@pytest.mark.parametrize("name", WHO)
def test_names_of_resource(name: str) -> None:
    """They have the values that they have in ``resource``."""
    assert getattr(rusage, name) == getattr(resource, name)
    assert rusage.error is resource.error
    assert rusage.getpagesize() == resource.getpagesize()


def test_both_is_self_and_children() -> None:
    """Counters and times add, the peak is the larger of the two; so does ``cputime``."""
    children = rusage.getrusage(rusage.RUSAGE_CHILDREN)
    low = rusage.getrusage(rusage.RUSAGE_SELF) + children
    both = rusage.getrusage(rusage.RUSAGE_BOTH)
    cputime = rusage.cputime(rusage.RUSAGE_BOTH)
    high = rusage.getrusage(rusage.RUSAGE_SELF) + children
    for field, least, value, most in zip(low._fields, low, both, high, strict=True):
        rounded = field in INTEGRALS  # once, after the addition
        assert least <= value <= most + rounded or field in TIMES, field
    assert low.cputime - 2e-6 <= both.cputime <= cputime + 2e-6 <= high.cputime + 4e-6


@pytest.mark.parametrize("call", [rusage.getrusage, rusage.maxrss, rusage.cputime, rusage.measured])
def test_every_call_takes_every_who(call: Callable[[int], object]) -> None:
    """All calls that take a ``who`` take all of them, and refuse the same ones."""
    for name in rusage.__all__:
        if name.startswith("RUSAGE_"):
            call(getattr(rusage, name))
    with pytest.raises(ValueError, match=r"^invalid who parameter$"):
        call(99)
    with pytest.raises(OverflowError):
        call(2**31)
    with pytest.raises(TypeError):
        call(0.0)  # type: ignore[arg-type]  # the point
