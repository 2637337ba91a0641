"""What a kernel shows, by ``facts.py``, beside what its backend says.

Run it on each system that you can reach, and after a change of a backend.
"""

from __future__ import annotations

import itertools
import json
import sys
from typing import TYPE_CHECKING

import facts
import pytest
from claims import EVIDENCE, backend_of, claims, outcomes, points

import rusage
from rusage._backends import BACKEND, _base
from rusage._backends._base import Backend
from rusage._rusage import lib

if TYPE_CHECKING:
    from pathlib import Path

# What no file system, busy machine or inherited peak hides.
ALWAYS = {"times: resolution", "ru_minflt: touched pages"}


@pytest.mark.system
@pytest.mark.parametrize(
    "module",
    [
        pytest.param("resource", marks=pytest.mark.thorough),
        # It takes long; on other systems the thorough tests seldom run.
        pytest.param("rusage", marks=pytest.mark.thorough if sys.platform == "linux" else ()),
    ],
)
def test_this_kernel(module: str) -> None:
    if sys.platform == "win32" and module == "rusage":
        pytest.skip(reason="tests/test_windows.py has the calls of Windows")
    said = {
        **claims(BACKEND, module),
        "ru_maxrss: maxrss()": "equal",
        "ru_oublock: /proc/self/io": "equal",
    }
    found = [*facts.measure(module)]
    assert [fact for fact in found if facts.outcome(fact, said) == "refuted"] == []
    assert [fact for fact in found if "measurement" in fact.name] == []  # one that failed
    assert {fact.name for fact in found if facts.outcome(fact, said) == "confirmed"} >= ALWAYS


@pytest.mark.parametrize(
    ("steps", "repeated", "value"),
    [
        ([4000, 524, 4005, 4001], 9, "ticks"),  # of Linux on s390x
        ([10, 11, 10, 4000], 1, "microseconds"),
        ([4000, 4100, 3900, 4000], 1, None),  # by readings as long as ticks
    ],
)
def test_step_of_the_times(
    steps: list[int], repeated: int, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither the smallest nor the largest one, and only of a kernel that is asked often."""
    readings = [time / 1e6 for time in itertools.accumulate(steps) for _ in range(repeated)]
    spent, times = iter([0] * (len(readings) + 1) + [1]), iter(readings)
    monkeypatch.setattr("time.process_time", lambda: next(spent))
    monkeypatch.setattr(facts, "usage", lambda: rusage.RUsage.zero._replace(ru_utime=next(times)))
    assert next(facts.clock()).value == value


def test_rate_is_that_of_sysctl() -> None:
    """Where there are integrals the rate is the kernel's stathz, as sysctl(8) prints it."""
    if not BACKEND.integral_bytes:
        assert not hasattr(lib, "rusage_statclock_hz")
        return
    rate = facts.statistics_clock()
    if rate.value is None:
        pytest.skip(reason=rate.seen)
    assert lib.rusage_statclock_hz() == int(rate.value)


def refuted(path: Path, **falsified: object) -> list[str]:
    """Return the facts in a file of evidence that refute the backend, or one that differs."""
    backend = backend_of(*path.stem.split("-")[:2])
    compared = outcomes(path, Backend(**{**vars(backend), **falsified}))
    return [name for name, outcome in compared.items() if outcome == "refuted"]


def written(folder: Path, machine: str, **values: str | None) -> Path:
    """Write evidence of Linux that has these values, and return its file."""
    path = folder / f"Linux-7.2.13-{machine}.json"
    found = {name: {"value": value, "seen": ""} for name, value in values.items()}
    path.write_text(json.dumps({"facts": found}))
    return path


def test_evidence_of_s390x(tmp_path: Path) -> None:
    """Its times advance at ticks: a smaller step, seen by chance, refutes what is said."""
    for value, outcome in ("ticks", "confirmed"), ("microseconds", "refuted"):
        path = written(tmp_path, "s390x", **{"times: resolution": value})
        assert outcomes(path, backend_of("Linux", "7.2.13")) == {"times: resolution": outcome}


@pytest.mark.parametrize("path", sorted(EVIDENCE.glob("*.json")), ids=lambda path: path.stem)
def test_evidence(path: Path) -> None:
    assert refuted(path) == []


@pytest.mark.parametrize("value", [None, "counted"])
def test_evidence_of_a_field_that_grew(tmp_path: Path, value: str | None) -> None:
    """A field that is always 0 confirms what is said of shared memory, and shows nothing."""
    values = {"ru_majflt: shared memory": "minor", "ru_majflt: mapped file": value}
    path = written(tmp_path, "x86_64", **values)
    shown = [] if value is None else ["mapped file"]
    assert points(path, backend_of("Linux", ""), "ru_majflt") == shown


@pytest.mark.parametrize(("value", "shown"), [("sampled", ["split"]), ("precise", [])])
def test_evidence_of_the_split(tmp_path: Path, value: str, shown: list[str]) -> None:
    """A kernel whose split is precise does not show that it is sampled, which the row says."""
    path = written(tmp_path, "s390x", **{"times: split": value})
    assert points(path, backend_of("Linux", ""), "ru_utime") == shown


@pytest.mark.parametrize(
    ("start", "falsified", "fact"),
    [
        ("FreeBSD", {"maxrss_bytes": 1}, "ru_maxrss: unit"),
        ("FreeBSD", {"child_peak": _base.PEAK_TOUCHED}, "ru_maxrss: forked child"),
        ("OpenBSD-7.9", {"child_peak": _base.PEAK_AT_LEAST_PARENTS}, "ru_maxrss: forked child"),
        ("NetBSD-9", {"child_peak": _base.PEAK_TOUCHED}, "ru_maxrss: child after exec"),
        ("DragonFly", {"measured": {"RUSAGE_SELF": _base.ALL}}, "ru_nivcsw: competition"),
        ("Wine", {"maxrss_bytes": 1024}, "ru_maxrss: unit"),
    ],
)
def test_false_statement_is_refuted(start: str, falsified: dict[str, object], fact: str) -> None:
    (path,) = EVIDENCE.glob(f"{start}*")
    assert fact in refuted(path, **falsified)
