"""``tests/tools/kernels.py``, except for booting: its choice of a kernel, and its report."""

from pathlib import Path

import kernels
import pytest

SKIPPED = [
    "SKIPPED [2] tests/test_x.py:12: no such thing: here",
    "SKIPPED [1] tests/test_y.py: no such thing: here",
    "FAILED tests/test_x.py::test_one - assert 1 == 2",
    "======= 1 failed, 5 passed, 3 skipped in 9.00s =======",
]


def test_newest_kernel_of_a_version(tmp_path: Path) -> None:
    """By numbers, not by letters; without a version the newest of all."""
    (tmp_path / "boot").mkdir()
    for name in ["5.10.0-32-cloud", "6.1.0-50-cloud", "6.12.99+deb13-cloud", "6.12.117+deb13-cloud", "10.2.1-cloud"]:
        (tmp_path / "boot" / f"vmlinuz-{name}").touch()
    found = [kernels.kernel(tmp_path, version) for version in ("5.10.", "6.1.", "6.12.", "")]
    assert found == ["5.10.0-32-cloud", "6.1.0-50-cloud", "6.12.117+deb13-cloud", "10.2.1-cloud"]


def test_report_of_known_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts for each machine, and each reason once; a machine that has ended early has no counts."""
    kernels.report({("5.10", 2): SKIPPED, ("6.1", 64): [*SKIPPED[:2], "4 passed, 3 skipped in 1.00s"]})
    head, *rows = capsys.readouterr().out.strip().splitlines()
    assert head.split() == ["kernel", "CPUs", "passed", "failed", "skipped"]
    assert [row.split() for row in rows[:2]] == [["5.10", "2", "5", "1", "3"], ["6.1", "64", "4", "0", "3"]]
    assert rows[2:] == [
        "1 FAILED tests/test_x.py::test_one - assert 1 == 2 (5.10, 2 CPUs)",
        "3 skipped: no such thing: here (all)",
    ]
    kernels.report({("5.10", 2): ["Kernel panic"]})
    assert capsys.readouterr().out.split()[-5:] == ["5.10", "2", "?", "?", "?"]


def test_disk_of_a_job(tmp_path: Path) -> None:
    """The shell of process 1 reads whole sectors; 64 emulated processors need parameters, and few do not."""
    few, many = (kernels.machine(tmp_path, "6.1", cpus, "echo $X", "tcg") for cpus in (2, 64))
    script = (tmp_path / "job").read_text()
    assert len(script) % 512 == 0
    assert "\necho $X\n" in script
    assert not any("lpj" in word for word in few)
    assert any("lpj" in word for word in many)
    assert "tcg,thread=single" in many
