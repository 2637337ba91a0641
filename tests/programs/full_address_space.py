"""Start programs directly, with limits, while this process has no address space left.

Print the exit statuses of subprocess and rusage, and the exception for a limit that is refused.
"""

import mmap
import os
import resource
import subprocess
from typing import Any

import rusage

FEW = {resource.RLIMIT_CORE: (0, 0)}
REFUSED = {resource.RLIMIT_NOFILE: (0, 2**50)}


def outcome(module: Any, **keywords: Any) -> object:
    """Return the exit status of a program, or the exception."""
    try:
        return module.run(["true"], preexec_fn=os.getpid, **keywords).returncode
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"{type(error).__name__} {error}"


def outcomes() -> list[object]:
    """Return the outcomes in both modules."""
    return [outcome(subprocess), outcome(rusage, rlimits=FEW), outcome(rusage, rlimits=REFUSED)]


outcomes()  # what is imported or cached has been
room = bytes(50_000), bytes(50_000)  # stay on the heap when freed: subprocess reads into a buffer of this size
with open("/proc/self/statm", "rb") as file:
    size = int(file.read().split()[0]) * mmap.PAGESIZE
del room
resource.setrlimit(resource.RLIMIT_AS, (size, size))
print(*outcomes(), sep="\n")
