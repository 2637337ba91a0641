"""``Popen`` and ``run`` where another library has replaced ``subprocess.Popen`` or its private methods."""

import importlib.util
import sys
from collections.abc import Callable

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="the programs that run here need Unix")
@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="no gevent: pip install --group gevent")
@pytest.mark.parametrize("when", ["before", "after"])
def test_gevent(when: str, program: Callable[..., str]) -> None:
    """The child runs as gevent runs it: its status and limits are right, and nothing is called measured."""
    assert program("gevent_patched.py", when) == "done\n"


@pytest.mark.skipif(sys.platform == "win32", reason="nothing of the start is replaced on Windows")
@pytest.mark.parametrize("way", ["a subclass", "in place", "required"])
def test_another_execute_child(way: str, program: Callable[..., str]) -> None:
    """One parameter more than is known: the child runs as there, and nothing is called measured."""
    program("changed_method.py", way)


def test_replaced_by_a_mock(program: Callable[..., str]) -> None:
    """A mock in the place of ``subprocess.Popen`` does not change what ``rusage.run`` does, if it was there before."""
    program("mocked.py")
