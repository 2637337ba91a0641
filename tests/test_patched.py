"""``Popen`` and ``run`` where another library has replaced ``subprocess.Popen`` or its private methods."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not installed")
@pytest.mark.parametrize("when", ["before", "after"])
def test_gevent(when: str, python: Callable[..., str]) -> None:
    """The child runs as gevent runs it: its status is right, and nothing is called measured."""
    assert python(str(PROGRAMS / "gevent_patched.py"), when) == "done\n"


@pytest.mark.skipif(sys.platform == "win32", reason="nothing of the start is replaced on Windows")
@pytest.mark.parametrize("way", ["a subclass", "in place"])
def test_another_execute_child(way: str, python: Callable[..., str]) -> None:
    """One parameter more than is known: the child runs, its status is right, and nothing is called measured."""
    python(
        "-c",
        f"""
import inspect, subprocess, rusage
before = rusage.run(["true"])
assert before.measured
original = subprocess.Popen._execute_child
names = [*inspect.signature(original).parameters]
scope = {{"original": original}}
exec(f"def _execute_child({{', '.join(names)}}, one_more=None): return original({{', '.join(names)}})", scope)
changed = scope["_execute_child"]
changed.__module__ = "subprocess"
class Sub(rusage.Popen):
    pass
if {way == "in place"}:
    subprocess.Popen._execute_child = changed
else:
    subprocess.Popen = type("Changed", (subprocess.Popen,), {{"_execute_child": changed}})
done = rusage.run(["sh", "-c", "exit 3"])
assert (done.returncode, done.measured, any(done.rusage)) == (3, frozenset(), False), done
assert done.elapsed > 0
try:
    Sub(["true"])
except RuntimeError as error:
    assert "Sub" in str(error)
else:
    raise AssertionError("a subclass was started")
""",
    )


def test_replaced_by_a_mock(python: Callable[..., str]) -> None:
    """A mock in the place of ``subprocess.Popen`` does not change what ``rusage.run`` does, if it was there before."""
    python(
        "-c",
        """
import subprocess, sys, rusage
from unittest import mock
with mock.patch("subprocess.Popen"):
    try:
        rusage.run  # imports what it needs
    except ImportError as error:
        assert "not a class" in str(error)
    else:
        raise AssertionError("made from a mock")
assert rusage.run([sys.executable, "-c", "raise SystemExit(3)"]).returncode == 3
with mock.patch("subprocess.Popen"):
    assert rusage.run([sys.executable, "-c", "raise SystemExit(3)"]).returncode == 3
""",
    )
