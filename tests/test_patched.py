"""``Popen`` and ``run`` where a library replaces ``subprocess.Popen`` or its private methods."""

import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from conftest import linux, needs_sh

import rusage

not_on_windows = pytest.mark.skipif(
    sys.platform == "win32", reason="nothing of the start is replaced on Windows"
)


@not_on_windows
@pytest.mark.skipif(
    importlib.util.find_spec("gevent") is None, reason="no gevent: pip install --group gevent"
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_gevent(when: str, program: Callable[..., str]) -> None:
    assert program("gevent_patched.py", when) == "done\n"


@not_on_windows
@pytest.mark.parametrize("way", ["a subclass", "in place"])
def test_another_execute_child(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original: Any = vars(subprocess.Popen)["_execute_child"]
    names = ", ".join(inspect.signature(original).parameters)
    scope: dict[str, Any] = {"original": original}
    exec(f"def _execute_child({names}, one_more=None): return original({names})", scope)  # noqa: S102 (any version's)
    changed = scope["_execute_child"]
    changed.__module__ = "subprocess"

    class Sub(rusage.Popen[bytes]):
        pass

    assert rusage.run(["true"]).measured
    if way == "in place":
        monkeypatch.setattr(subprocess.Popen, "_execute_child", changed)
    else:
        subclass = type("Changed", (subprocess.Popen,), {"_execute_child": changed})
        monkeypatch.setattr(subprocess, "Popen", subclass)
    done = rusage.run([sys.executable, "-c", "raise SystemExit(3)"])
    assert (done.returncode, done.measured, done.rusage) == (3, frozenset(), rusage.RUsage.zero)
    assert done.elapsed > 0
    with pytest.raises(RuntimeError, match="Sub"):
        Sub(["true"])


@not_on_windows
def test_another_parameter_that_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    def _handle_exitstatus(self: object, sts: int, one_more: object) -> None:
        raise AssertionError(self, sts, one_more)

    _handle_exitstatus.__module__ = "subprocess"
    monkeypatch.setattr(subprocess.Popen, "_handle_exitstatus", _handle_exitstatus)
    started = rusage.Popen(["true"])
    os.waitpid(started.pid, 0)
    started.returncode = 0
    assert type(started) is not rusage.Popen


@needs_sh
@not_on_windows
def test_positional_preexec_fn(monkeypatch: pytest.MonkeyPatch) -> None:
    resource: Any = pytest.importorskip("resource")
    seen = {"_handle_exitstatus": lambda process, _: setattr(process, "returncode", 0)}
    monkeypatch.setattr(subprocess, "Popen", type("Other", (subprocess.Popen,), seen))
    words: Any = ["sh", "-c", "pwd; ulimit -n"], -1, None, None, subprocess.PIPE, None
    done = rusage.run(*words, lambda: os.chdir("/"), rlimits={resource.RLIMIT_NOFILE: (30, 40)})
    assert done.stdout == b"/\n30\n"


BEFORE = """
import subprocess, sys

class Other(subprocess.Popen):
    def _wait(self, timeout):
        return super()._wait(timeout)

if sys.argv[1] == "class":
    subprocess.Popen = Other
else:
    original = getattr(subprocess.Popen, sys.argv[1])
    other = lambda self, first, *rest: original(self, first, *rest)
    other.__module__ = "subprocess"
    setattr(subprocess.Popen, sys.argv[1], other)
import rusage

done = rusage.run([sys.executable, "-c", "raise SystemExit(3)"])
print(done.returncode, *done.measured)
"""


@not_on_windows
@pytest.mark.parametrize("way", ["class", "_execute_child", "_try_wait"])
def test_changed_before_the_import(way: str, python: Callable[..., str]) -> None:
    """A library's class, or a Python with other parameters, runs the child as it does by itself."""
    assert python("-c", BEFORE, way) == "3\n"


MOCKED = """
import subprocess, sys
from unittest import mock
import rusage

command = [sys.executable, "-c", "raise SystemExit(3)"]
with mock.patch("subprocess.Popen"):
    try:
        rusage.run
    except ImportError as error:
        print(error)
print(rusage.run(command).returncode)
with mock.patch("subprocess.Popen"):
    print(rusage.run(command).returncode)
"""


def test_replaced_by_a_mock(python: Callable[..., str]) -> None:
    refused, first, second = python("-c", MOCKED).splitlines()
    assert "use 'from rusage import Popen'" in refused
    assert (first, second) == ("3", "3")


@linux
@pytest.mark.parametrize("module", ["subprocess", "_posixsubprocess"])
def test_another_fork_exec(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "_fork_exec" if module == "subprocess" else "fork_exec"
    owner = sys.modules[module]
    original = getattr(sys.modules["_posixsubprocess"], "fork_exec")  # noqa: B009 (private)
    calls: list[Any] = []

    def another(*given: Any) -> Any:
        calls.append(given)
        return original(*given)

    monkeypatch.setattr(owner, name, another, raising=False)
    done = rusage.run(["sh", "-c", "exit 3"], pass_fds=[0])  # not by posix_spawn
    assert (done.returncode, "ru_maxrss" in done.measured) == (3, False)
    assert len(calls) == (module == "subprocess")
    monkeypatch.undo()
    assert "ru_maxrss" in rusage.run(["true"]).measured


@linux
def test_vfork_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the switch that subprocess's documentation names."""
    monkeypatch.setattr(subprocess, "_USE_VFORK", False, raising=False)
    done = rusage.run(["sh", "-c", "exit 3"])
    assert (done.returncode, "ru_maxrss" in done.measured) == (3, False)
