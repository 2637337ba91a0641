"""Print what the plugin for pytest costs a run of 2000 empty tests: ``tox -e bench``.

The figures are CPU times, the lowest of several turns: other programs on the machine can only add
to them. The tests run in this interpreter, with and without the plugin in turn. An unused plugin is
only imported, and reads the marks. This is too little for a difference of two runs, so each step is
timed by itself.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from rusage import pytest_plugin

TESTS = 2000
TURNS = 15
IMPORT = """
import time, pytest
start = time.process_time()
import rusage.pytest_plugin
print(time.process_time() - start)
"""


class Collection:
    """A plugin that times what the plugin does with the tests that were collected."""

    seconds = 0.0

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Call it once more."""
        start = time.process_time()
        pytest_plugin.pytest_collection_modifyitems(config, items)
        self.seconds = time.process_time() - start


def run(file: str, *options: str) -> tuple[float, float]:
    """Run the tests; return the CPU time of the run, and of the plugin's part of the collection."""
    collection = Collection()
    with open(os.devnull, "w", encoding="utf-8") as null, contextlib.redirect_stdout(null):
        start = time.process_time()
        status = pytest.main([file, "-q", "-p", "no:cacheprovider", *options], plugins=[collection])
        seconds = time.process_time() - start
    if status != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest has failed: {status!r}")
    return seconds, collection.seconds


def main() -> None:
    """Print the table."""
    command = [sys.executable, "-c", IMPORT]
    with tempfile.TemporaryDirectory() as folder:
        # Not in the source tree, where rusage may be without its extension module.
        imports = [
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
            for _ in range(TURNS)
        ]
        (Path(folder) / "pytest.ini").write_text("[pytest]\n")
        file = Path(folder) / "test_empty.py"
        file.write_text("".join(f"def test_{n}(): pass\n" for n in range(TESTS)))
        turns = [(run(str(file)), run(str(file), "--rusage")) for _ in range(TURNS)]
    imported = min(float(done.stdout) for done in imports)
    unused = min(seconds for (seconds, _), _ in turns)
    collected = min(seconds for (_, seconds), _ in turns)
    used = min(seconds for _, (seconds, _) in turns)
    print(
        f"| pytest with {TESTS} empty tests, {unused:.2f} s of CPU time "
        "| share of the run | more CPU time |"
    )
    print("| --- | --- | --- |")
    print(f"| plugin unused: its import | {imported / unused:.2%} | {imported * 1000:.1f} ms |")
    print(
        f"| plugin unused: reading the marks | {collected / unused:.2%} "
        f"| {collected * 1000:.1f} ms |"
    )
    print(
        f"| `--rusage` | {used / unused - 1:.0%} | {(used - unused) / TESTS * 1e6:.0f} µs a test |"
    )


if __name__ == "__main__":
    main()
