"""Run children after gevent has replaced subprocess.Popen.

``python gevent_patched.py (before|after)`` the import.
"""

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
import time
from typing import Any

import pytest

done = rusage.run(["sh", "-c", "echo out; exit 3"], stdout=subprocess.PIPE)
assert (done.returncode, done.stdout) == (3, b"out\n"), done
assert (done.measured, done.rusage) == (frozenset(), rusage.RUsage.zero)
assert done.elapsed > 0
with pytest.raises(subprocess.CalledProcessError) as failed:
    rusage.run(["sh", "-c", "exit 3"], check=True)
assert failed.value.returncode == 3
assert failed.value.measured == frozenset()  # type: ignore[attr-defined]  # run() adds it
process = rusage.Popen(["sh", "-c", "kill -9 $$"])
assert isinstance(process, subprocess.Popen)  # gevent's
while process.poll() is None:
    time.sleep(0.001)
assert (process.returncode, process.rusage) == (-9, rusage.RUsage.zero)
assert process.elapsed is not None
limited: dict[str, Any] = {"rlimits": {resource.RLIMIT_NOFILE: (30, 40)}, "stdout": subprocess.PIPE}
for function in None, int:
    done = rusage.run(["sh", "-c", "ulimit -Sn; ulimit -Hn"], preexec_fn=function, **limited)
    assert (done.stdout, done.measured) == (b"30\n40\n", frozenset()), done
with rusage.Popen(["true"], -1, None, None, None, None, rlimits=limited["rlimits"]) as process:
    pass
assert process.returncode == 0
with pytest.raises(ValueError, match="limit"):
    rusage.run(["true"], rlimits={resource.RLIMIT_NOFILE: (2**50, 2**50)})
print("done")
