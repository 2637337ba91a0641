"""Threads that use the package at once: on a free-threaded interpreter they run side by side."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable

import pytest
from conftest import PROGRAMS

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def test_first_use_in_several_threads(program: Callable[..., str]) -> None:
    """Each thread finds a name that is imported when it is first asked for.

    A hook that removes itself after the first look-up fails on a free-threaded interpreter: a thread that has already
    missed the name in the module finds no hook any more.
    """
    assert program("at_once.py", "first_use").strip() == "0 []"


def test_calls_in_several_threads_beside_children(program: Callable[..., str]) -> None:
    """Each result is whole, and not another thread's: the times of a thread never decrease."""
    assert program("at_once.py", "calls_beside_children").strip() == "0 []"


@pytest.mark.parametrize("gil", ["with", "without"])
def test_calls_share_no_buffer(program: Callable[..., str], gil: str) -> None:
    """Neither do calls in several threads, nor a call and a signal handler that interrupts it.

    Without a GIL the threads do not share the free list either; on other interpreters it is made to look so.
    """
    expected = "4 4 4 2 2 2 " + {"with": "1", "without": "2"}[gil]
    numbers = [line.split(maxsplit=1)[1] for line in program("buffers.py", gil).splitlines()]
    assert set(numbers) == {expected}


@pytest.mark.skipif(not FREE_THREADED, reason="this interpreter has a GIL")
def test_gil_stays_disabled() -> None:
    """The extension declares that it needs no GIL: neither its import nor a child enables it, without a warning."""
    command = [sys.executable, "-W", "error", str(PROGRAMS / "at_once.py"), "gil"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["False", "False"], "")
