"""Start programs with very many arguments or groups under limits of the address space: ``python ... (words|groups)``.

Print under which limits, in KiB above the present size, rusage raises MemoryError and subprocess another exception. At
the smallest limit that suffices for subprocess, a little more memory may be missing.
"""

import mmap
import resource
import subprocess
import sys
from typing import Any

import rusage

KEYWORDS: dict[str, dict[str, Any]] = {
    "words": {"args": ["true", *["x"] * 220_000]},  # with a stack of 8 MiB the kernel refuses 2 MiB
    "groups": {"args": ["true"], "extra_groups": [*range(70_000)]},  # more than NGROUPS_MAX
}
STEPS = {"words": 2048, "groups": 256}  # in KiB: 16 such steps are more than the start needs


def outcome(module: Any, keywords: dict[str, Any]) -> str:
    """Return the name of the exception that a start raises."""
    try:
        module.run(**keywords)
    except (MemoryError, OSError, ValueError) as error:
        return type(error).__name__
    return ""


rusage.run(["true"])
subprocess.run(["true"], check=False)  # noqa: S607 (found in PATH)
with open("/proc/self/statm", "rb") as file:
    size = int(file.read().split()[0]) * mmap.PAGESIZE
before = "MemoryError"
worse = []
what = sys.argv[1]
for more in range(0, 16 * STEPS[what], STEPS[what]):
    resource.setrlimit(resource.RLIMIT_AS, (size + more * 1024, resource.RLIM_INFINITY))
    theirs, ours = (outcome(module, KEYWORDS[what]) for module in (subprocess, rusage))
    if ours == "MemoryError" not in {theirs, before}:
        worse.append(more)
    before = theirs
print(worse, before)
