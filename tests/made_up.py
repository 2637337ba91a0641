"""Made-up kernels: the C of other systems than Linux, compiled here, with records that tests set.

The kernels are in ``tests/programs/kernels``. Each has one process, whose start time and other
numbers can be set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from commands import FLOAT_FLAGS
from cross import HEADERS, KERNELS, words_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., list[list[float]]]

UNIXES = [name for name in HEADERS if name != "windows"]
WITHOUT_PROCESS = ["illumos"]
BY_BOOT = ["freebsd", "openbsd"]  # whose start times move when the clock is set

TIMES = (1.25, 0.500001)
COUNTERS = (31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
# The record of the made-up process, if all fields were measured.
READ: dict[str, tuple[float, ...]] = {
    "freebsd": (*TIMES, 4242, 21, 22, 23, *COUNTERS),
    "netbsd": (*TIMES, 0, 0, 0, 0, 31, 32, 0, 34, 35, 36, 37, 38, 0, 0),
    "openbsd": (*TIMES, 0, 0, 0, 0, 31, *[0] * 9),
    "dragonfly": (*TIMES, 4242, 21, 22, 23, *COUNTERS),
    "macos": (1.25, 0.500001, 0, 0, 0, 0, 999999, 32, 0, 34, 35, 0, 0, 0, 0, 0),
}
PAGE = os.sysconf("SC_PAGESIZE") if hasattr(os, "sysconf") else 0
# What one of the kernel's unit is in bytes.
RSS_UNITS = {
    "freebsd": PAGE,
    "netbsd": PAGE,
    "openbsd": PAGE,
    "dragonfly": PAGE,
    "illumos": 1024,
    "macos": 1,
}


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that compiles the C of a system together with its made-up kernel."""
    compiler = shutil.which("cc")
    if sys.platform != "linux":
        pytest.skip("Linux's headers stand for the others that the C includes")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc libc6-dev")
    compiled: dict[str, Path] = {}

    def compile_for(system: str) -> Path:
        if system not in compiled:
            folder = tmp_path_factory.mktemp(system)
            words = [*FLOAT_FLAGS, *words_for(system, folder), str(KERNELS / "main.c")]
            subprocess.run([compiler, *words, "-o", folder / "program"], check=True)
            compiled[system] = folder / "program"
        return compiled[system]

    return compile_for


@pytest.fixture(params=[system for system in UNIXES if system not in WITHOUT_PROCESS])
def system(request: pytest.FixtureRequest) -> str:
    """Return the name of each system that has ``Process``."""
    name: str = request.param
    return name


@pytest.fixture
def run(system: str, programs: Callable[[str], Path]) -> Run:
    """Return a function that runs steps, as words, and returns what each prints, as numbers."""
    program = programs(system)

    def steps(words: str) -> list[list[float]]:
        done = subprocess.run(
            [program, *words.split()], stdout=subprocess.PIPE, text=True, check=True, timeout=100
        )
        return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]

    return steps
