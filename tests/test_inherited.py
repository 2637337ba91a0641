"""Which figures of a child are its own, by each system's rule: made-up ones and real children."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from conftest import alone
from expected import SYSTEMS

import rusage
from rusage import RUsage
from rusage._backends import BACKEND
from rusage._backends._base import FLOOR_RULES, PEAK_NONE, SAMPLED_RULES, TOUCHED, TOUCHED_RULES
from rusage._calls import measured_of_a_child
from rusage._children import inherited as _inherited
from rusage._children.inherited import (
    child_fields,
    peak_bound,
    peak_margin,
    read_inherited,
    touched_before_exec,
)
from rusage._memory import HAS_MARK, known_peak

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 2**20
MARGIN = 1536 * 1024  # 2 x 3 x 2 CPUs x 32 pages of 4 KiB
INTEGRALS = frozenset({"ru_ixrss", "ru_idrss", "ru_isrss"})


def usage_with(maxrss: int = 0, ixrss: int = 0, idrss: int = 0, isrss: int = 0) -> RUsage:
    """Return a usage that is 0 but for these."""
    return RUsage._make([0.0, 0.0, maxrss, ixrss, idrss, isrss, *[0] * 10])


PEAK = ("maxrss",)
NOTHING: tuple[str, ...] = ()
SIZES = ("ixrss", "idrss", "isrss")

NO_RULE = [system for system, row in SYSTEMS.items() if row.child_peak == PEAK_NONE]
TOUCHING = [system for system, row in SYSTEMS.items() if row.child_peak in TOUCHED_RULES]

OF_TOUCHING: list[tuple[int, dict[str, Any], tuple[str, ...]]] = [
    (4 * MIB, {"floor": 4 * MIB}, NOTHING),
    (4 * MIB + 1024, {"floor": 4 * MIB}, PEAK),
    (2**40, {"floor": None, "inherited": usage_with()}, NOTHING),
    (0, {"floor": 0}, NOTHING),
]
# System, peak of the child, what else is known, and the fields that are the child's own.
OWN: list[tuple[str, int, dict[str, Any], tuple[str, ...]]] = [
    ("macOS", 1, {"floor": 300 * MIB}, PEAK),
    ("macOS", 0, {}, NOTHING),
    ("NetBSD 9", 300 * MIB, {"floor": 300 * MIB}, NOTHING),
    ("NetBSD 9", 300 * MIB + 1, {"floor": 300 * MIB}, PEAK),
    ("NetBSD 9", 2**40, {"floor": None}, NOTHING),
    ("NetBSD 9", 2**40, {"isolated": True}, NOTHING),
    ("NetBSD 8", 2**40, {"floor": 0}, NOTHING),
    ("Linux", MIB, {"isolated": True, "floor": 300 * MIB}, PEAK),
    ("Linux", 0, {"isolated": True}, NOTHING),
    ("Linux", 300 * MIB + MARGIN - 1, {"floor": 300 * MIB}, NOTHING),
    ("Linux", 300 * MIB + MARGIN, {"floor": 300 * MIB}, PEAK),
    ("Linux", 2**40, {"floor": None}, NOTHING),
    ("Linux", 2**40, {"floor": 300 * MIB, "margin": None}, NOTHING),
    ("Linux", 0, {"floor": 0, "margin": 0}, NOTHING),
    ("FreeBSD", MIB, {"inherited": usage_with()}, PEAK + SIZES),
    ("FreeBSD", 0, {"inherited": usage_with()}, SIZES),
    ("FreeBSD", 300 * MIB, {"inherited": usage_with(300 * MIB, 5, 5, 5)}, NOTHING),
    ("FreeBSD", 300 * MIB + 1024, {"inherited": usage_with(300 * MIB, 5, 5, 5)}, PEAK),
    ("FreeBSD", MIB, {"inherited": usage_with(0, 0, 0, 1)}, PEAK),
    ("FreeBSD", 2**40, {"inherited": None, "floor": 0}, NOTHING),
    *((system, 2**40, {"floor": 0, "inherited": usage_with()}, NOTHING) for system in NO_RULE),
    *((system, *row) for system in TOUCHING for row in OF_TOUCHING),
]


@pytest.mark.parametrize(("system", "peak", "known", "expected"), OWN)
def test_own_fields_of_each_system(
    system: str,
    peak: int,
    known: dict[str, Any],
    expected: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel sources named in each backend are the oracle.

    All but the sampled fields are never inherited.
    """
    backend = SYSTEMS[system].backend
    waited = measured_of_a_child(backend, hz=127)
    known = {"margin": MARGIN, **known}
    margin = known.pop("margin")
    monkeypatch.setattr(_inherited, "BACKEND", backend)
    monkeypatch.setattr(_inherited, "CHILD_FIELDS", waited)
    monkeypatch.setattr(_inherited, "peak_margin", lambda: margin)
    own = child_fields(usage_with(peak, 1, 1, 1), **known)
    assert waited - own <= INTEGRALS | {"ru_maxrss"}
    names = "maxrss", "ixrss", "idrss", "isrss"
    assert tuple(name for name in names if f"ru_{name}" in own) == expected


def test_rule_of_each_system() -> None:
    tested = {SYSTEMS[system].child_peak for system, *_ in OWN}
    assert tested == {row.child_peak for row in SYSTEMS.values()}


def test_memory_touched_before_exec(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell's command is one argument; lists and environments are tested with ``Popen`` below."""
    pages = 10 * rusage.getpagesize()
    assert touched_before_exec("exit 0", {"A": "b"}) == TOUCHED + 2 * pages
    monkeypatch.setattr(os, "environ", dict.fromkeys("abcdefg", ""))
    assert touched_before_exec(["true"], None) == TOUCHED + 8 * pages


@pytest.mark.parametrize(("peak", "sampled"), [(5 * MIB, 5 * MIB), (0, None)])
def test_peak_bound(peak: int, sampled: int | None) -> None:
    """The kernel's value includes the child's own.

    Without a sample, and by the other rules, nothing is known.
    """
    for row in SYSTEMS.values():
        expected = sampled if row.child_peak in SAMPLED_RULES | TOUCHED_RULES else None
        assert peak_bound(row.child_peak, usage_with(peak)) == expected


def test_margin() -> None:
    error = rusage.fields["ru_maxrss"].error
    assert peak_margin() == (None if error is None else error + error)  # the child's, the parent's


# --- Real children ---


@pytest.mark.skipif("wait4" in BACKEND.absent, reason="this system has no wait4")
@alone
def test_inherited_peak_is_not_measured() -> None:
    """A program of a few MiB, started by one of 200 MiB: no figure above 100 MiB is its own.

    It is started by subprocess alone.
    """
    hold = b"x" * (200 * MIB)
    for _ in range(40):
        floor = known_peak()
        child = subprocess.Popen([sys.executable, "-S", "-c", ""])
        inherited = read_inherited(child.pid)
        floor = max(floor, known_peak())
        _, child.returncode, usage = rusage.wait4(child.pid, 0)
        own = child_fields(usage, floor=floor, inherited=inherited)
        assert "ru_maxrss" not in own or usage.ru_maxrss <= 100 * MIB
    del hold


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize("rule", sorted({row.child_peak for row in SYSTEMS.values()}))
def test_floor_of_each_rule(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start records what the child may have from before exec, unless Python runs before it."""
    resource = pytest.importorskip("resource")
    from rusage._children import posix

    env = {**os.environ, "ONE_MORE": "1"}

    def floor_of(**keywords: Any) -> Any:
        with rusage.Popen([sys.executable, "-c", ""], env=env, **keywords) as child:
            return vars(child)["_known"]["floor"]

    monkeypatch.setattr(posix, "BACKEND", Mock(child_peak=rule))
    monkeypatch.setattr(posix, "start", lambda *_: (None, False), raising=False)  # of the launcher
    before = known_peak()
    floor = floor_of()
    if rule in TOUCHED_RULES:
        assert floor == TOUCHED + (3 + len(env)) * 10 * rusage.getpagesize()
    elif rule in FLOOR_RULES:
        assert before <= floor <= known_peak()
    else:
        assert floor is None
    assert floor_of(preexec_fn=lambda: None) is None
    assert floor_of(rlimits={resource.RLIMIT_CORE: (0, 0)}) is None


@pytest.mark.skipif(not HAS_MARK, reason="nothing resets the mark of this system")
@alone
def test_floor_if_the_mark_is_reset_during_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by another thread, after the fork: the child's peak may be the one before the reset."""
    from rusage._children import posix, rlimits

    original = rlimits.set_in_child

    @contextlib.contextmanager
    def resetting(*arguments: Any) -> Iterator[Any]:
        Path("/proc/self/clear_refs").write_text("5")
        with original(*arguments) as function:
            yield function

    monkeypatch.setattr(posix, "start", lambda *_: (None, False))  # of the launcher
    monkeypatch.setattr(posix, "set_in_child", resetting)
    peak = rusage.rss() + 100 * MIB
    del [b"x" * (200 * MIB)][0]
    with rusage.Popen(["true"]) as child:
        assert vars(child)["_known"]["floor"] > peak
