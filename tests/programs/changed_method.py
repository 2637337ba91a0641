"""Give subprocess's private ``_execute_child`` one parameter more, ``a subclass`` of Popen or ``in place``."""

import inspect
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
