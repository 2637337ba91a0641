"""Print what the plugin for pytest costs a run of 2000 empty tests: ``tox -e bench``.

The candidates are run in turn. The figures are CPU times, the lowest of all turns: other programs on the machine can
only add to them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import rusage

TESTS = 2000
TURNS = 11
CANDIDATES = {"blocked": ["-p", "no:rusage"], "unused": [], "used": ["--rusage"]}


def seconds(options: list[str], folder: str) -> float:
    """Return the CPU time of a run."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    usage = rusage.run(command, cwd=folder, capture_output=True, check=True).rusage
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pytest.ini").write_text("[pytest]\n")
        (Path(folder) / "test_empty.py").write_text("".join(f"def test_{n}(): pass\n" for n in range(TESTS)))
        for options in CANDIDATES.values():  # write the .pyc files
            seconds(options, folder)
        turns = [{name: seconds(options, folder) for name, options in CANDIDATES.items()} for _ in range(TURNS)]
    blocked, unused, used = (min(turn[name] for turn in turns) for name in CANDIDATES)
    print(f"| pytest with {TESTS} empty tests | CPU time of the run | more than without the plugin |")
    print("| --- | --- | --- |")
    print(f"| without the plugin | {blocked:.2f} s | |")
    print(f"| plugin unused | {unused / blocked - 1:+.2%} | {(unused - blocked) * 1000:+.1f} ms |")
    print(f"| `--rusage` | {used / blocked - 1:+.0%} | {(used - blocked) / TESTS * 1e6:+.0f} µs a test |")


if __name__ == "__main__":
    main()
