"""Replace and append to files of reports in each way, while the disk is full or the process dies.

``full FOLDER``: FOLDER is a file system of four pages. ``killed``: in the current folder.
Prints the number of cases; a file with part of a report is an error.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import mmap
import os
import signal
import sys
from typing import Any

from rusage._cli.files import ReportFile

PAGE, PAGES = mmap.PAGESIZE, 4
OLD, NEW = b"o", b"n"
ENDS = [1, 2, 1000, *(page * PAGE + more for page in range(1, PAGES) for more in (-1, 0, 1, 1000))]


def write(way: str, new: int) -> bool:
    """Write a report into the file; return whether it was written."""
    with contextlib.ExitStack() as closing:
        if way != "append":
            return ReportFile("x", closing).replace(lambda _: NEW * new)
        file = ReportFile("x", closing, flags=os.O_APPEND)
        file.file = closing.enter_context(os.fdopen(os.dup(file.descriptor), "a"))
        return file.write(NEW.decode() * (new - 1))


def fill(name: str, content: bytes) -> None:
    with open(name, "wb", buffering=0) as file:
        assert file.write(content) == len(content)


def prepare(way: str, old: int) -> set[str]:
    """Leave only the old report, with a second name if it shall be replaced in place."""
    for name in os.listdir():
        os.unlink(name)
    fill("x", OLD * old)
    if way == "in place":
        os.link("x", "y")
    return set(os.listdir())


def content() -> bytes:
    with open("x", "rb") as file:
        return file.read()


def full() -> None:
    """Let the disk be full at each end of a page of a report."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the complaints
    cases = {True: 0, False: 0}
    sizes = [0, 1, PAGE - 1, PAGE, 2 * PAGE + 1]
    for way, old, free in itertools.product(["rename", "in place", "append"], sizes, range(PAGES)):
        names = prepare(way, old)
        others = PAGES - -(-old // PAGE) - free
        if others < 0:
            continue
        fill("full", b"f" * PAGE * others)
        for new in ENDS:
            fill("x", OLD * old)
            is_written = write(way, new)
            before = OLD * old if way == "append" or not is_written else b""
            after = NEW * new if way != "append" else NEW * (new - 1) + b"\n"
            expected = before + (after if is_written else b"")
            assert content() == expected, (way, old, free, new, is_written)
            assert {*os.listdir()} == names | {"full"}, os.listdir()
            cases[is_written] += 1
    assert all(cases.values())
    print(sum(cases.values()))


CALLS = ["open", "write", "fchown", "fchmod", "lseek", "ftruncate", "rename", "unlink", "close"]


def die_before(number: int) -> None:
    """Let this process die before the call with this number."""
    calls = itertools.count()

    def counted(function: Any, *args: Any) -> Any:
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args)

    for name in CALLS:
        setattr(os, name, functools.partial(counted, getattr(os, name)))


def killed() -> None:
    """Let the process die before each call that may change a file."""
    deaths = 0
    for old, new in (0, 5), (50, 20), (20, 50):
        for number in itertools.count():
            prepare("rename", old)
            pid = os.fork()
            if not pid:
                die_before(number)
                os._exit(write("rename", new) is not True)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert content() in {OLD * old, NEW * new}, (old, new, number, content())
            if not code:
                break
            assert code == -signal.SIGKILL
            deaths += 1
        assert content() == NEW * new
        assert os.listdir() == ["x"]
    print(deaths)


if sys.argv[1] == "full":
    os.chdir(sys.argv[2])
    full()
else:
    killed()
