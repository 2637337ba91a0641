"""``Tree`` of processes that fork, execute programs, grow, end, are orphaned, stop and become zombies: against logs."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

import pytest

from rusage._backends import BACKEND
from rusage._rusage import lib

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif("Tree" in BACKEND.absent, reason="this system has no Tree"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
]
WAYS = ["", "ignore"]
if hasattr(lib, "rusage_become_reaper"):
    WAYS += ["subreaper kill"]
# PyPy does not find itself under the filter.
if sys.platform == "linux" and platform.machine() == "x86_64" and sys.implementation.name == "cpython":
    WAYS += ["subreaper listed"]


@pytest.mark.parametrize("root", ["this", "child"])
@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("seed", [2, pytest.param(7, marks=pytest.mark.thorough)])
def test_random_tree(program: Callable[..., str], seed: int, ways: str, root: str) -> None:
    """No member is missing or foreign; the CPU time never falls, and is never above what a reaper has waited for."""
    processes, readings, _, share = program("watched_tree.py", str(seed), "60", root, *ways.split()).split()
    assert int(processes) > 2
    assert int(readings) > 2
    assert float(share) > 0


@pytest.mark.not_emulated
@pytest.mark.thorough
@pytest.mark.parametrize("ways", [WAYS[-1], WAYS[1]])
def test_large_random_tree(program: Callable[..., str], ways: str) -> None:
    """Up to 200 processes; the number depends on the order in which threads run."""
    runs = (program("watched_tree.py", str(seed), "200", "this", *ways.split()) for seed in range(11, 31))
    assert any(int(run.split()[0]) > 50 for run in runs)
