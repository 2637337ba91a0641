"""Values made by hand, and the real C that converts a kernel's values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rusage import _memory
from rusage._calls import measured_for, new_call, usage_of
from rusage._rusage import ffi, lib

if TYPE_CHECKING:
    from types import ModuleType

    import pytest

    from rusage import RUsage
    from rusage._backends._base import Backend
    from rusage._rusage import Call

INT64_MAX = 2**63 - 1
MICROSECONDS = 10**6  # in a second


def converted(call: Call, *, rate: int = MICROSECONDS, **values: int) -> RUsage:
    """Return what a kernel's values become, by their names without ``ru_``."""
    lib.rusage_convert_values(ffi.new("rusage_values *", values), rate, call)
    return usage_of(call)


def convert(backend: Backend, who: str = "RUSAGE_SELF", *, hz: int = 127, **values: int) -> RUsage:
    """Return the same for a backend's units.

    127 is the statistics clock of FreeBSD on x86, and 128 its CLK_TCK.
    """
    return converted(new_call(backend, 0, backend.measured[who], hz=hz), **values)


def convert_both(
    backend: Backend, own: dict[str, int], children: dict[str, int], *, hz: int = 127
) -> RUsage:
    """Return what RUSAGE_BOTH makes of the numbers for a process and its children."""
    call = new_call(backend, 0, measured_for(backend, hz=hz)[-2], hz=hz)
    native, of_children = (ffi.new("rusage_values *", values) for values in (own, children))
    lib.rusage_convert_both(native, of_children, MICROSECONDS, call)
    return usage_of(call)


HIGH_WATER_MARK, SIZE = 1103 * 1024, 1201 * 1024


def pretend(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, backend: Backend, *usages: RUsage
) -> None:
    """Make a module see another system, with usages of this process and of its children.

    ``peak()`` and ``rss()`` are as above.
    """
    monkeypatch.setattr(module, "BACKEND", backend)
    monkeypatch.setattr(module, "getrusage", dict(zip((0, -1), usages, strict=False)).__getitem__)
    monkeypatch.setattr(_memory, "BACKEND", backend)
    monkeypatch.setattr(_memory, "peak", lambda: HIGH_WATER_MARK)
    monkeypatch.setattr(_memory, "maxrss", lambda: usages[0].ru_maxrss)
    monkeypatch.setattr(_memory, "rss", lambda: SIZE)


# No two alike, none a multiple of another's unit: a field in another's place shows, and so does a
# wrong unit.
KERNEL = {
    "utime": 12_250_001,
    "stime": 7_500_003,
    "maxrss": 1009,
    "ixrss": 20_011,
    "idrss": 30_011,
    "isrss": 40_009,
    "minflt": 1019,
    "majflt": 1021,
    "nswap": 1031,
    "inblock": 1033,
    "oublock": 1039,
    "msgsnd": 1049,
    "msgrcv": 1051,
    "nsignals": 1061,
    "nvcsw": 1063,
    "nivcsw": 1069,
}
