"""Starts where another interpreter has to be started first: ``python starts.py CHECK``."""

import errno
import os
import sys

from checks import check, refuse

import rusage


def first_of_namespace() -> None:
    """Start the first process of a PID namespace, which is not isolated."""
    done = rusage.run(["sh", "-c", "exit 5"])
    assert done.returncode == 5
    assert done.measured
    assert "ru_maxrss" not in done.measured


def unknown_root(when: str = "") -> None:
    """Have no statx(2) and no /proc, when rusage is imported and later."""
    if not when:
        statx = 332
        refuse(statx, errno.ENOSYS)
        os.execv(sys.executable, [sys.executable, *sys.argv, "later"])  # noqa: S606 (the filter stays)
    rusage.run(["true"])
    check(isolated=False)


{"plain": check, "first_of_namespace": first_of_namespace, "unknown_root": unknown_root}[sys.argv[1]](*sys.argv[2:])
