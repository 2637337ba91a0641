"""VmHWM in /proc/PID/status."""

import os
from pathlib import Path

import pytest

from rusage._backends import BACKEND
from rusage._status import high_water_mark

GROUPS = " ".join(str(group) for group in range(10**9, 10**9 + 65536))  # as many as a process can have


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name:\tcat\nVmPeak:\t    6000 kB\nVmHWM:\t    1234 kB\nVmRSS:\t    1000 kB\n", 1234 * 1024),
        (f"Name:\tcat\nGroups:\t{GROUPS}\nVmHWM:\t    1234 kB\nVmRSS:\t    1000 kB\n", 1234 * 1024),
        ("Name:\tVmHWM:\t1 kB\\nVmHWM:\t1 kB\nVmHWM:\t    1234 kB\n", 1234 * 1024),  # a name with a newline
        ("Name:\tkthreadd\nKthread:\t1\nThreads:\t1\n", None),
        ("Name:\tcat\nState:\tZ (zombie)\n", None),
        ("", None),
    ],
    ids=["usual", "many groups", "misleading name", "kernel thread", "zombie", "empty"],
)
def test_high_water_mark(text: str, expected: int | None, tmp_path: Path) -> None:
    """In bytes; None if there is none."""
    path = tmp_path / "status"
    path.write_bytes(text.encode())
    assert high_water_mark(str(path)) == expected


def test_missing_file(tmp_path: Path) -> None:
    """As where /proc is not mounted."""
    assert high_water_mark(str(tmp_path / "status")) is None


@pytest.mark.skipif(not os.path.exists(BACKEND.peak_file), reason="this system has no such file")
def test_files_are_closed() -> None:
    """A thousand readings use the same file descriptor."""
    before = os.dup(0)
    os.close(before)
    for _ in range(1000):
        assert high_water_mark(BACKEND.peak_file) is not None
    after = os.dup(0)
    os.close(after)
    assert after == before
