"""Which figures of a child are its own, by the rule of each system, with made-up figures and with real children."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from struct import pack_into
from typing import TYPE_CHECKING

import pytest
from expected import SYSTEMS

import rusage
from rusage import RUsage
from rusage._backends import BACKEND
from rusage._backends._base import PEAK_UNKNOWN
from rusage._children import inherited as _inherited
from rusage._children.inherited import child_fields, own_fields, parent_peak, read_inherited
from rusage._getrusage import WAITED, buffer_of, measured_of_a_child
from rusage._rusage import lib

if TYPE_CHECKING:
    from collections.abc import Callable

    from rusage._rusage import Call

MIB = 2**20
MARGIN = 1536 * 1024  # 2 x 3 x 2 CPUs x 32 pages of 4 KiB
INTEGRALS = frozenset({"ru_ixrss", "ru_idrss", "ru_isrss"})


def usage_with(maxrss: int = 0, ixrss: int = 0, idrss: int = 0, isrss: int = 0) -> RUsage:
    """Return a usage that is 0 but for these."""
    return RUsage._make([0.0, 0.0, maxrss, ixrss, idrss, isrss, *[0] * 10])


def fields_of(  # noqa: PLR0913 (what a rule may need)
    system: str,
    peak: int,
    *,
    isolated: bool = False,
    floor: int | None = None,
    inherited: RUsage | None = None,
    margin: int | None = MARGIN,
) -> tuple[str, ...]:
    """Return the sampled fields, without ``ru_``, that are a child's own on a system."""
    backend = SYSTEMS[system].backend
    own = own_fields(
        backend.child_peak,
        measured_of_a_child(backend, hz=127),
        usage_with(peak, 1, 1, 1),
        isolated=isolated,
        floor=floor,
        inherited=inherited,
        margin=lambda: margin,
    )
    assert measured_of_a_child(backend, hz=127) - own <= INTEGRALS | {"ru_maxrss"}  # the others are never inherited
    return tuple(name for name in ("maxrss", "ixrss", "idrss", "isrss") if f"ru_{name}" in own)


PEAK = ("maxrss",)
NOTHING: tuple[str, ...] = ()
SIZES = ("ixrss", "idrss", "isrss")

UNKNOWN = [system for system, row in SYSTEMS.items() if row.child_peak == PEAK_UNKNOWN]

# System, peak of the child, what else is known, and the fields that are the child's own.
OWN: list[tuple[str, int, dict[str, object], tuple[str, ...]]] = [
    ("macOS", MIB, {}, PEAK),
    ("macOS", 1, {"floor": 300 * MIB}, PEAK),
    ("macOS", 0, {}, NOTHING),
    ("iOS", MIB, {}, PEAK),
    ("Windows", MIB, {}, PEAK),
    ("Windows", 0, {}, NOTHING),
    ("NetBSD 10", 300 * MIB, {"floor": 300 * MIB}, NOTHING),
    ("NetBSD 10", 300 * MIB + 1, {"floor": 300 * MIB}, PEAK),
    ("NetBSD 10", 2**40, {"floor": None}, NOTHING),
    ("NetBSD 10", 2**40, {"isolated": True}, NOTHING),
    ("NetBSD 10", 0, {"floor": 0}, NOTHING),
    ("NetBSD 9", 2**40, {"floor": 0}, NOTHING),
    ("Linux", MIB, {"isolated": True}, PEAK),
    ("Linux", MIB, {"isolated": True, "floor": 300 * MIB}, PEAK),
    ("Linux", 0, {"isolated": True}, NOTHING),
    ("Linux", 300 * MIB, {"floor": 300 * MIB}, NOTHING),
    ("Linux", 300 * MIB + MARGIN - 1, {"floor": 300 * MIB}, NOTHING),
    ("Linux", 300 * MIB + MARGIN, {"floor": 300 * MIB}, PEAK),
    ("Linux", 2**40, {"floor": None}, NOTHING),
    ("Linux", 2**40, {"floor": 300 * MIB, "margin": None}, NOTHING),
    ("Linux", 0, {"floor": 0, "margin": 0}, NOTHING),
    ("Linux without I/O accounting", 300 * MIB + MARGIN, {"floor": 300 * MIB}, PEAK),
    ("FreeBSD", MIB, {"inherited": usage_with()}, PEAK + SIZES),
    ("FreeBSD", 0, {"inherited": usage_with()}, SIZES),
    ("FreeBSD", 300 * MIB, {"inherited": usage_with(300 * MIB, 5, 5, 5)}, NOTHING),
    ("FreeBSD", 300 * MIB + 1024, {"inherited": usage_with(300 * MIB, 5, 5, 5)}, PEAK),
    ("FreeBSD", MIB, {"inherited": usage_with(0, 0, 0, 1)}, PEAK),
    ("FreeBSD", 2 * MIB, {"inherited": usage_with(MIB)}, PEAK),
    ("FreeBSD", 2**40, {"inherited": None, "floor": 0}, NOTHING),
    *((system, 2**40, {"floor": 0, "inherited": usage_with()}, NOTHING) for system in UNKNOWN),
]


@pytest.mark.parametrize(("system", "peak", "known", "expected"), OWN)
def test_own_fields_of_each_system(system: str, peak: int, known: dict[str, object], expected: tuple[str, ...]) -> None:
    """The kernel sources named in each backend are the oracle."""
    assert fields_of(system, peak, **known) == expected  # type: ignore[arg-type]  # of fields_of


def test_every_system_has_a_row() -> None:
    """A new backend needs its rule tested."""
    assert {system for system, *_ in OWN} == set(SYSTEMS)
    for row in SYSTEMS.values():
        assert row.backend.child_peak == row.child_peak


@pytest.mark.parametrize(
    ("cpus", "page", "expected"),
    [(1, 4096, 393216), (2, 4096, 786432), (16, 4096, 6 * MIB), (64, 4096, 96 * MIB), (64, 65536, 1536 * MIB)],
)
def test_error_of_linux_counters(cpus: int, page: int, expected: int) -> None:
    """CPUs x max(32, 2 x CPUs) pages for each of three counters: 96 MiB at 64 CPUs."""
    assert _inherited.counters_error(cpus, page) == expected


@pytest.mark.skipif(not hasattr(os, "uname"), reason="Windows has no kernel release")
@pytest.mark.parametrize(
    ("release", "cpus", "expected"),
    [
        ("6.18.44-generic", 64, 192 * MIB),
        ("6.2.0", 2, MARGIN),
        ("10.0.1", 2, MARGIN),
        ("6.1.0-40-amd64", 2, None),  # the error depends on the threads
        ("5.15.167.4-microsoft-standard-WSL2", 2, None),
        ("unheard of", 2, None),
        ("6.18.44", None, None),
    ],
)
def test_margin_of_linux(release: str, cpus: int | None, expected: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of two readings; unknown before 6.2 and where the kernel does not name its CPUs."""
    name = os.uname_result(("Linux", "host", release, "version", "machine"))
    monkeypatch.setattr(os, "uname", lambda: name)
    monkeypatch.setattr(_inherited, "present_cpus", lambda: cpus)
    monkeypatch.setattr(_inherited, "getpagesize", lambda: 4096)
    assert _inherited.peak_margin() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0\n", 1), ("0-63\n", 64), ("0-3,8\n", 5), ("0,2-3,6-9\n", 7), ("\n", None), ("x-y\n", None)],
)
def test_present_cpus(text: str, expected: int | None, tmp_path: Path) -> None:
    """The kernel writes a list of ranges."""
    path = tmp_path / "present"
    path.write_text(text)
    assert _inherited.present_cpus(str(path)) == expected
    assert _inherited.present_cpus(str(tmp_path / "missing")) is None


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity") or sys.platform != "linux", reason="Linux's, not on PyPy")
def test_present_cpus_not_below_usable() -> None:
    """No process can use a CPU that is not present."""
    present = _inherited.present_cpus()
    if present is None:
        pytest.skip(reason="no /sys here")
    assert present >= len(os.sched_getaffinity(0))


def test_parent_peak_outlives_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's figure falls when the peak is reset; what a child inherited does not."""
    monkeypatch.setattr(_inherited, "_peak", 0)
    readings = iter([50, 70, 20, 80])
    monkeypatch.setattr(_inherited, "maxrss", lambda: next(readings))
    assert [parent_peak() for _ in range(4)] == [50, 70, 70, 80]


@pytest.mark.skipif("ru_maxrss" not in rusage.measured(), reason="this system measures no peak")
def test_parent_peak_is_maxrss() -> None:
    """Without a reset it is the process's own peak."""
    before = rusage.maxrss()
    assert before <= parent_peak() <= rusage.maxrss()


def test_keep_fields() -> None:
    """Only the fields that are not kept become 0."""
    usage = RUsage._make([1.0, 2.0, *range(3, 17)])
    assert _inherited.keep_fields(usage, WAITED) is usage
    assert _inherited.keep_fields(usage, WAITED - {"ru_maxrss"}) == (
        usage._replace(ru_maxrss=0) if "ru_maxrss" in WAITED else usage
    )


def test_no_margin_for_isolated_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual way on Linux opens no file."""
    monkeypatch.setattr(_inherited, "BACKEND", SYSTEMS["Linux"].backend)
    monkeypatch.setattr(_inherited, "WAITED", WAITED | {"ru_maxrss"})
    monkeypatch.setattr(_inherited, "peak_margin", lambda: pytest.fail("computed"))
    usage = usage_with(MIB)
    assert child_fields(usage, isolated=True) == WAITED | {"ru_maxrss"}
    assert child_fields(usage) == WAITED - {"ru_maxrss"}


# --- Real children ----------------------------------------------------------------------------------------------------

# A process that holds 200 MiB starts children by subprocess alone. Each prints its peak, and whether it is its own.
DIRECT = Path(__file__).parent / "programs" / "direct_children.py"


@pytest.mark.skipif("wait4" in BACKEND.absent, reason="this system has no wait4")
def test_inherited_peak_is_not_measured(python: Callable[..., str]) -> None:
    """A program of a few MiB, started by a process of 200 MiB: no figure above 100 MiB is called its own."""
    rows = [line.split() for line in python(str(DIRECT), "small", "40").splitlines()]
    assert len(rows) == 40
    assert [int(peak) for peak, own in rows if own == "True" and int(peak) > 100 * MIB] == []


@pytest.mark.skipif(sys.platform != "linux", reason="the margin of Linux")
def test_larger_child_has_its_own_peak(python: Callable[..., str]) -> None:
    """Started without the launcher, a child is measured if it exceeds its parent's peak by more than the error."""
    if _inherited.peak_margin() is None:
        pytest.skip(reason="the error of this kernel's peak is not known")
    rows = [line.split() for line in python(str(DIRECT), "large", "2").splitlines()]
    assert [own for _, own in rows] == ["True", "True"]


# --- FreeBSD's reading ------------------------------------------------------------------------------------------------


def test_read_inherited_asks_for_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C function gets the pid and fills the record; a failure means that nothing is known."""
    asked: list[int] = []

    def of_process(pid: int, call: Call) -> int:
        asked.append(pid)
        pack_into("q", buffer_of(call), 8 * RUsage._fields.index("ru_maxrss"), 12345)
        return 3 if pid == 4 else 0

    monkeypatch.setattr(_inherited, "_of_process", of_process)
    inherited = read_inherited(77)
    assert inherited is not None
    assert inherited.ru_maxrss == 12345
    assert read_inherited(4) is None
    assert asked == [77, 4]


def test_read_inherited_without_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only FreeBSD's C has it."""
    assert hasattr(lib, "rusage_of_process") == sys.platform.startswith("freebsd")
    monkeypatch.setattr(_inherited, "_of_process", None)
    assert read_inherited(os.getpid()) is None


@pytest.mark.skipif(not sys.platform.startswith("freebsd"), reason="kern.proc.pid of FreeBSD")
def test_read_inherited_of_a_real_process() -> None:
    """Of this process it lies between two getrusage calls; of a zombie it is what wait4 then returns."""
    before = rusage.getrusage(rusage.RUSAGE_SELF)
    reading = read_inherited(os.getpid())
    after = rusage.getrusage(rusage.RUSAGE_SELF)
    assert reading is not None
    for name in ("ru_maxrss", "ru_ixrss", "ru_minflt", "ru_nvcsw", "ru_nsignals", "ru_msgsnd"):
        assert getattr(before, name) <= getattr(reading, name) <= getattr(after, name), name
    child = subprocess.Popen([sys.executable, "-c", "sum(range(10**6))"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    zombie = read_inherited(child.pid)
    _, status, usage = rusage.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert zombie is not None
    assert zombie[2:] == usage[2:]
    assert read_inherited(child.pid) is None


def test_no_report_reads_childrens_usage() -> None:
    """The peak of CHILDREN and BOTH has inherited ones in it: no module but those that offer the names uses them."""
    names = {"RUSAGE_CHILDREN", "RUSAGE_BOTH"}
    using = set()
    for path in Path(rusage.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if {getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "name", None)} & names:
                using.add(path.name)
    # These read the counters and times of CHILDREN without the peak: see the tests of both.
    using -= {"prometheus.py", "_pytest_phases.py"}
    assert using <= {"__init__.py", "_optional.py", "_base.py", "_getrusage.py"}
