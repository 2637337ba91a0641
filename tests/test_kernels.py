"""``tests/tools/kernels.py``, except for booting: its choice of kernels, and its report."""

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


def test_chosen_machines() -> None:
    """All without a name; what follows the names is pytest's."""
    arguments = ["6.1", "many", "-k", "sid"]
    assert [machine.cpus for machine in kernels.choose(arguments)] == [2, 64]
    assert arguments == ["-k", "sid"]
    assert kernels.choose(arguments) == [*kernels.MACHINES.values()]


def test_report_of_known_output(capsys: pytest.CaptureFixture[str]) -> None:
    """The summary of each machine, and each reason once; a machine that has ended early has no summary."""
    kernels.report(
        {("5.10", 2): SKIPPED, ("6.1", 64): [*SKIPPED[:2], "4 passed, 3 skipped in 1.00s"], ("7", 2): ["Panic"]}
    )
    assert capsys.readouterr().out.strip().splitlines() == [
        "5.10, 2 CPUs: 1 failed, 5 passed, 3 skipped in 9.00s",
        "6.1, 64 CPUs: 4 passed, 3 skipped in 1.00s",
        "7, 2 CPUs: pytest has printed no summary",
        "1 FAILED tests/test_x.py::test_one - assert 1 == 2 (5.10, 2 CPUs)",
        "3 skipped: no such thing: here (5.10, 2 CPUs; 6.1, 64 CPUs)",
    ]
