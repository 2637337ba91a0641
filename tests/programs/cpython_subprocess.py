"""Run CPython's own tests of subprocess with ``Popen`` and ``run`` of rusage.

Prints how many were run, and skipped.
"""

import subprocess
import sys
import unittest

import rusage

subprocess.Popen = rusage.Popen  # type: ignore[misc]  # the point
subprocess.run = rusage.run  # type: ignore[assignment]  # as above

# Each of these looks into subprocess's private parts, or at a replacement that only subprocess
# itself would use.
LEFT_OUT = {
    "test_stopped": "replaces os.waitpid in subprocess to make up a status; "
    "the status comes from wait4 here",
    **dict.fromkeys(
        (
            "test_pidfd_open_notification_without_immediate_reap",
            "test_kqueue_notification_without_immediate_reap",
        ),
        "replaces os.waitpid to make up a status; the status comes from wait4 here",
    ),
    "test_run_keyboardinterrupt_no_kill": "replaces subprocess.Popen and expects run to use that",
}
if sys.implementation.name != "cpython":
    sys.modules["_testcapi"] = None  # type: ignore[assignment]  # importing it fails
    # Debian's PyPy 3.11 7.3.19 fails these with its own subprocess as well.
    LEFT_OUT |= {
        "test_extra_groups": "OverflowError where CPython has ValueError",
        "test_exception_cwd": "the error's file name is another",
        "test_zombie_fast_process_del": "needs reference counting",
        "test_file_not_found_with_bad_cwd": "the error's file name is another",
    }

# Only now: the tests take the names at their import.
from test import test_subprocess  # type: ignore[import-not-found]  # noqa: E402 (typeshed has no tests)

for case in vars(test_subprocess).values():
    for name in LEFT_OUT.keys() & {*dir(case)}:
        setattr(case, name, unittest.skip(LEFT_OUT[name])(getattr(case, name)))

runner = unittest.TextTestRunner(sys.stderr)
result = runner.run(unittest.defaultTestLoader.loadTestsFromModule(test_subprocess))
print(result.testsRun, len(result.skipped))
# Some of the tests give a process a second or less to end, which is too short on a loaded machine:
# each that failed gets another attempt.
failed = [test.id() for test, _ in (*result.failures, *result.errors)]
again = unittest.defaultTestLoader.loadTestsFromNames(failed)
sys.exit(bool(failed) and not runner.run(again).wasSuccessful())
