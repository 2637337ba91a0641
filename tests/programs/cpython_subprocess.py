"""Run CPython's own tests of subprocess with ``Popen`` and ``run`` of rusage.

``python cpython_subprocess.py JSON_OF_SKIPPED_NAMES`` prints how many tests were run, and how many of them skipped.
"""

import json
import subprocess
import sys
import unittest
from collections.abc import Iterator
from typing import Any

import rusage

subprocess.Popen = rusage.Popen  # type: ignore[misc]  # the point
subprocess.run = rusage.run  # type: ignore[assignment]  # as above

if sys.implementation.name != "cpython":
    sys.modules["_testcapi"] = None  # type: ignore[assignment]  # importing it fails

# Only now: the tests take the names at their import.
from test import test_subprocess  # type: ignore[import-not-found]  # noqa: E402 (typeshed has no tests)

left_out = json.loads(sys.argv.pop())


def flat(suite: Any) -> Iterator[unittest.TestCase]:
    """Iterate over the tests of a suite that are to be run."""
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from flat(one)
        elif one.id().rpartition(".")[2] not in left_out:
            yield one


def load() -> list[unittest.TestCase]:
    """Return new objects for the tests that are to be run."""
    return list(flat(unittest.defaultTestLoader.loadTestsFromModule(test_subprocess)))


runner = unittest.TextTestRunner(sys.stderr)
result = runner.run(unittest.TestSuite(load()))
print(result.testsRun, len(result.skipped))
# Some of the tests give a process a second or less to end, which is too short on a loaded machine: each that failed
# gets another attempt.
failed = {test.id() for test, _ in (*result.failures, *result.errors)}
again = runner.run(unittest.TestSuite(test for test in load() if test.id() in failed))
sys.exit(not again.wasSuccessful() or again.testsRun < len(failed))
