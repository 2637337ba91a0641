"""Made-up kernels: the C of other systems than Linux, compiled here, with records that tests set.

The kernels are in ``tests/programs/kernels``. Each has one process, whose start time and other
numbers can be set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import FLOAT_FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., list[list[float]]]

KERNELS = Path(__file__).parent / "programs" / "kernels"
BACKENDS = Path(__file__).parent.parent / "rusage" / "_backends"
# The headers that Linux lacks, or that would not stand for the system's own.
HEADERS = {
    "freebsd": ["sys/sysctl.h", "sys/proc.h", "sys/procctl.h", "sys/user.h"],
    "netbsd": ["sys/sysctl.h"],
    "openbsd": ["sys/sysctl.h"],
    "dragonfly": ["sys/kinfo.h", "sys/procctl.h", "sys/sysctl.h"],
    "illumos": ["procfs.h"],
    "macos": ["libproc.h", "mach/mach.h", "mach/mach_time.h", "pthread.h", "sys/sysctl.h"],
}
WINDOWS_HEADERS = ["winsock2.h", "windows.h", "psapi.h", "tlhelp32.h"]
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


def words_for(system: str, folder: Path) -> list[str]:
    """Write a kernel's headers into a folder; return the compiler's words for the system's C."""
    for name in HEADERS.get(system, WINDOWS_HEADERS):
        header = folder / name
        header.parent.mkdir(exist_ok=True)
        header.write_text(f'#include "{KERNELS / system}.h"\n')
    backend = BACKENDS / f"{system}.c"
    return [f"-I{folder}", f"-I{KERNELS}", f'-DKERNEL="{system}.h"', f'-DBACKEND="{backend}"']


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
            words = words_for(system, folder)
            flags = ["-Wall", "-Wextra", "-Werror", "-Wno-unused", *FLOAT_FLAGS]
            subprocess.run(
                [compiler, *flags, *words, KERNELS / "main.c", "-o", folder / "program"], check=True
            )
            compiled[system] = folder / "program"
        return compiled[system]

    return compile_for


@pytest.fixture(params=[system for system in HEADERS if system not in WITHOUT_PROCESS])
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
