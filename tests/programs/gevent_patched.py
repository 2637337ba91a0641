"""Run children after gevent has replaced subprocess.Popen: ``python gevent_patched.py (before|after)`` the import."""

import sys
import time

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

done = rusage.run(["sh", "-c", "echo out; exit 3"], stdout=subprocess.PIPE)
assert (done.returncode, done.stdout) == (3, b"out\n"), done
assert done.measured == frozenset()
assert not any(done.rusage)
assert done.elapsed > 0
failed = None
try:
    rusage.run(["sh", "-c", "exit 3"], check=True)
except subprocess.CalledProcessError as error:
    failed = error
assert failed is not None, "a failure became success"
assert failed.returncode == 3
assert failed.measured == frozenset()  # type: ignore[attr-defined]  # run() adds it
process = rusage.Popen(["sh", "-c", "kill -9 $$"])
assert process.wait() == -9
assert process.rusage is not None
assert process.elapsed is not None
process = rusage.Popen(["true"])
while process.poll() is None:
    time.sleep(0.001)
assert process.elapsed is not None
assert isinstance(process, subprocess.Popen)  # gevent's
limited = {"rlimits": {resource.RLIMIT_NOFILE: (30, 40)}, "stdout": subprocess.PIPE}
for function in None, int:
    done = rusage.run(["sh", "-c", "ulimit -Sn; ulimit -Hn"], preexec_fn=function, **limited)  # type: ignore[call-overload]
    assert (done.stdout, done.measured) == (b"30\n40\n", frozenset()), done
refused = None
try:
    rusage.run(["true"], rlimits={resource.RLIMIT_NOFILE: (2**50, 2**50)})
except ValueError as error:
    refused = error
assert refused is not None, "a limit was raised"
print("done")
