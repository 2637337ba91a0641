"""``Process`` and ``Tree``: bad arguments, their end, signal handlers, and descriptors."""

from __future__ import annotations

import copy
import errno
import gc
import os
import pickle
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from conftest import CPYTHON, called_after, forks, in_child, interrupted_after, linux, open_files
from integers import Indexable, Intable
from scenes import readers

import rusage
from rusage._backends import BACKEND

if "Process" in BACKEND.absent:
    pytest.skip(f"no Process: {BACKEND.absent['Process']}", allow_module_level=True)

if TYPE_CHECKING:
    from collections.abc import Callable

    Opened = rusage.Process | rusage.Tree

both = pytest.mark.parametrize("kind", [rusage.Process, rusage.Tree], ids=["Process", "Tree"])


def methods(opened: Opened) -> list[Callable[[], object]]:
    """Return the methods that read."""
    if isinstance(opened, rusage.Tree):
        return [
            opened.sample,
            opened.rss,
            opened.cputime,
            opened.members,
            lambda: opened.send_signal(0),
        ]
    return readers(opened)


# --- Arguments ---

WRONG: dict[type[Exception], list[Any]] = {
    TypeError: [None, "1", b"1", [], 1.0, Intable(1), Indexable("1")],
    OverflowError: [2**31, -(2**31) - 1, 10**100, Indexable(2**40)],
    ValueError: [0, -1, -(2**31), False, Indexable(0)],
    KeyError: [Indexable(KeyError("mine"))],
}
BAD = [(number, error) for error, numbers in WRONG.items() for number in numbers]


@both
@pytest.mark.parametrize(("pid", "error"), BAD, ids=map(str, range(len(BAD))))
def test_bad_arguments(kind: Any, pid: Any, error: type[Exception]) -> None:
    """The exceptions of os.kill, and ValueError for what that takes for groups of processes."""
    if kind is rusage.Tree and pid is None:
        pytest.skip(reason="this process")
    with pytest.raises(error):
        kind(pid)
    if CPYTHON and error is not ValueError:
        with pytest.raises(error):
            os.kill(pid, 0)


@both
def test_number_of_arguments(kind: Any) -> None:
    with pytest.raises(TypeError):
        kind(1, 2)
    with pytest.raises(TypeError):
        rusage.Process()  # type: ignore[call-arg]


@both
def test_no_such_process(kind: Any) -> None:
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    before = open_files()
    for pid in child.pid, 2**31 - 1:
        with pytest.raises(ProcessLookupError) as caught:
            kind(pid)
        assert caught.value.args == (errno.ESRCH, f"{os.strerror(errno.ESRCH)}: {pid}")
    del caught
    gc.collect()  # warnings are errors in these tests
    assert open_files() == before


@both
@pytest.mark.skipif(BACKEND.name not in {"Linux", "FreeBSD"}, reason="threads have no process IDs")
def test_number_of_a_thread(kind: Any) -> None:
    before = open_files()
    with ThreadPoolExecutor(1) as pool, pytest.raises(ProcessLookupError):
        kind(pool.submit(threading.get_native_id).result())
    assert open_files() == before


# --- The end ---


@both
def test_closed(kind: Any) -> None:
    opened = kind(os.getpid())
    name = f"<rusage.{kind.__name__} pid={os.getpid()}"
    assert repr(opened) == f"{name}>"
    with opened as same:
        assert same is opened
    assert repr(opened) == f"{name} closed>"
    opened.close()
    for method in *methods(opened), opened.__enter__:
        with pytest.raises(ValueError, match="closed"):
            method()


@both
def test_never_closed(kind: Any) -> None:
    before = open_files()
    opened = kind(os.getpid())
    unclosed = f"unclosed <rusage.{kind.__name__} pid={os.getpid()}>"
    with pytest.warns(ResourceWarning, match=unclosed):  # noqa: PT031
        del opened
        gc.collect()  # PyPy
    assert open_files() == before


@both
def test_copies(kind: Any) -> None:
    """Two objects would close the same descriptors."""
    with kind(os.getpid()) as opened:
        for function in copy.copy, copy.deepcopy, pickle.dumps:
            with pytest.raises(TypeError, match=f"cannot pickle '{kind.__name__}' object"):
                function(opened)


@both
@pytest.mark.skipif(not CPYTHON, reason="traces instructions")
def test_close_at_each_instruction(kind: Any) -> None:
    """A handler closes it: the reading goes on with what is open, or says that it is closed.

    Then all is closed.
    """
    seen: set[object] = set()
    before, stop, went_on = open_files(), 0, True
    while went_on:
        opened = kind(os.getpid())

        def use(opened: Opened = opened) -> None:
            try:
                seen.add(opened.rss() > 0)
            except ValueError as error:
                seen.add(str(error))

        went_on = called_after(stop, use, opened.close)
        opened.close()
        assert open_files() == before
        stop += 1
    assert seen == {True, f"this {kind.__name__} is closed"}
    assert stop > 20


@both
@forks
def test_copy_of_a_forked_child(kind: Any) -> None:
    """It reads the same process, which is not the child, and only the copy is closed."""

    def use() -> None:
        assert opened.cputime() >= before
        assert opened.rss() > 0
        opened.close()
        with pytest.raises(ValueError, match="closed"):
            opened.rss()

    rusage.Tree().close()  # from now on, forks close what readings have open
    with kind(os.getpid()) as opened:
        before = opened.cputime()
        in_child(use)
        assert opened.rss() > 0


# --- Descriptors ---


@both
@linux
@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy frees the objects later")
# Some of the exceptions are raised in __del__.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupted_use(kind: Any) -> None:
    """A signal handler's exception, at any instruction of Python, leaves no descriptor open."""

    def use() -> None:
        opened = kind(os.getpid())
        opened.close()

    use()  # what is imported or cached has been
    before, stop = open_files(), 0
    with warnings.catch_warnings():
        # Some of them were interrupted before the close.
        warnings.simplefilter("ignore", ResourceWarning)
        while interrupted_after(stop, use):
            stop += 1
            assert open_files() == before, stop
            use()  # fills the free list again
    assert stop > 50


@both
@linux
def test_inherited_descriptors(kind: Any) -> None:
    before = {*open_files()}
    with kind(os.getpid()) as opened:
        opened.rss()
        for name in {*open_files()} - before:
            assert not os.get_inheritable(name)
