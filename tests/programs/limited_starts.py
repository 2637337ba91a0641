"""Start children under limits, a third of which is refused: ``python limited_starts.py COUNT``."""

import contextlib
import os
import resource
import sys
from typing import Any

from checks import nothing_is_left

import rusage

FEW = {resource.RLIMIT_CORE: (0, 0)}
BAD = {resource.RLIMIT_CORE: (2, 1)}
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
REFUSED = {resource.RLIMIT_NOFILE: (hard, 2**50)}


def open_files() -> list[int]:
    """Return the open descriptors. Not from /dev/fd, which may be missing, and on FreeBSD lists three."""
    found = []
    for fd in range(256):
        with contextlib.suppress(OSError):
            os.fstat(fd)
            found.append(fd)
    return found


keywords: dict[str, Any]
before: list[int] = []
for number in range(int(sys.argv[1])):
    if number == 6:  # what is imported or cached has been
        before = open_files()
    keywords = {"preexec_fn": os.getpid} if number % 2 else {}
    rlimits = (FEW, REFUSED, BAD)[number % 3]
    try:
        done = rusage.run(["true"], rlimits=rlimits, **keywords)
        assert done.returncode == 0
        assert rlimits is not BAD
    except ValueError:
        assert rlimits is not FEW
assert open_files() == before
nothing_is_left()
print("done")
