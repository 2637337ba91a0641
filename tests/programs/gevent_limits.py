"""Set limits of a child after gevent has replaced subprocess.Popen: ``python gevent_limits.py (before|after)``."""

import sys

from gevent import monkey  # type: ignore[import-untyped]  # gevent has no stubs

if sys.argv[1] == "before":
    monkey.patch_all()
import rusage

if sys.argv[1] == "after":
    import subprocess

    assert issubclass(rusage.Popen, subprocess.Popen)
    monkey.patch_all()

import resource
import subprocess
from typing import Any

limits = {resource.RLIMIT_NOFILE: (30, 40)}
ways: list[dict[str, Any]] = [{}, {"preexec_fn": int}]
outputs = []
for keywords in ways:
    done = rusage.run(
        ["sh", "-c", "echo $(ulimit -Sn; ulimit -Hn)"], stdout=subprocess.PIPE, rlimits=limits, **keywords
    )
    assert done.measured == frozenset()
    outputs.append(done.stdout)
assert outputs[0] == outputs[1]
print(outputs[0].decode(), end="")
try:
    rusage.run(["true"], rlimits={resource.RLIMIT_NOFILE: (2**50, 2**50)})
except ValueError as error:
    print(type(error).__name__)
