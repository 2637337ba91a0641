"""Give a private method of subprocess one parameter more: ``a subclass`` of Popen, ``in place`` or ``required``."""

import inspect
import os
import subprocess
import sys
from typing import Any

import rusage

before = rusage.run(["true"])
assert before.measured
original: Any = subprocess.Popen._execute_child  # type: ignore[attr-defined]  # noqa: SLF001 (what is tested)
names = ", ".join(inspect.signature(original).parameters)
scope: dict[str, Any] = {"original": original}
exec(f"def _execute_child({names}, one_more=None): return original({names})", scope)  # noqa: S102 (any version's)
changed = scope["_execute_child"]
changed.__module__ = "subprocess"


class Sub(rusage.Popen[bytes]):
    """A subclass made before the change."""


if sys.argv[1] == "required":

    def _handle_exitstatus(self: object, sts: int, one_more: object) -> None:
        raise AssertionError(self, sts, one_more)

    _handle_exitstatus.__module__ = "subprocess"
    subprocess.Popen._handle_exitstatus = _handle_exitstatus  # type: ignore[attr-defined]  # noqa: SLF001
    started = rusage.Popen(["true"])
    os.waitpid(started.pid, 0)
    started.returncode = 0
    raise SystemExit(type(started) is rusage.Popen)
if sys.argv[1] == "in place":
    subprocess.Popen._execute_child = changed  # type: ignore[attr-defined]  # noqa: SLF001
else:
    subprocess.Popen = type("Changed", (subprocess.Popen,), {"_execute_child": changed})  # type: ignore[misc, assignment]
done = rusage.run([sys.executable, "-c", "raise SystemExit(3)"])
assert (done.returncode, done.measured, any(done.rusage)) == (3, frozenset(), False), done
assert done.elapsed > 0
refused = None
try:
    Sub(["true"])
except RuntimeError as error:
    refused = str(error)
assert refused is not None, "a subclass was started"
assert "Sub" in refused
