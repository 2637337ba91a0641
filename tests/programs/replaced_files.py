"""Replace and append to files of reports, while the disk is full or the process dies.

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

from rusage._cli.files import Export, Output
from rusage._cli.options import Options

PAGE, PAGES = mmap.PAGESIZE, 4
OLD, NEW = b"o", b"n"
ENDS = [1, 2, 1000, *(page * PAGE + more for page in range(1, PAGES) for more in (-1, 0, 1, 1000))]


def write(way: str, new: int) -> bool:
    """Write a report into the file; return whether it was written."""
    with contextlib.ExitStack() as closing:
        if way == "append":  # as GNU time, behind a line without an end
            output = Output("x", Options({"append": True, "portability": True}), closing)
            return output.write(NEW.decode() * (new - 1))
        return Export("x", "", closing).replace(lambda _: NEW * new)


def fill(name: str, content: bytes) -> None:
    with open(name, "wb", buffering=0) as file:
        assert file.write(content) == len(content)


def content() -> bytes | None:
    with contextlib.suppress(FileNotFoundError), open("x", "rb") as file:
        return file.read()
    return None


def prepare(old: int | None) -> bytes | None:
    """Leave only the old report, if there is one, and return it."""
    for name in os.listdir():
        os.unlink(name)
    if old is not None:
        fill("x", OLD * old)
    return content()


def full() -> None:
    """Let the disk be full at each end of a page of a report."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the complaints
    cases = {True: 0, False: 0}
    sizes = [None, 0, 1, PAGE - 1, PAGE, 2 * PAGE + 1]
    for way, old, free in itertools.product(["replace", "append"], sizes, range(PAGES)):
        if way == "append" and old is None:
            continue
        others = PAGES - -(-(old or 0) // PAGE) - free
        if others < 0:
            continue
        for new in ENDS:
            before = prepare(old)
            fill("full", b"f" * PAGE * others)
            names = {*os.listdir()}
            is_written = write(way, new)
            after = NEW * new
            if way == "append":
                after = (before or b"") + NEW * (new - 1) + b"\n"
            assert content() == (after if is_written else before), (way, old, free, new, is_written)
            assert {*os.listdir()} - {"x"} == names - {"x"}, os.listdir()
            cases[is_written] += 1
    assert all(cases.values())
    print(sum(cases.values()))


CALLS = ["open", "write", "fchown", "fchmod", "dup", "replace", "unlink", "close"]


def die_before(number: int) -> None:
    calls = itertools.count()

    def counted(function: Any, *args: Any, **keywords: Any) -> Any:
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **keywords)

    for name in CALLS:
        setattr(os, name, functools.partial(counted, getattr(os, name)))


def killed() -> None:
    """Let the process die before each call that may change a file."""
    deaths = 0
    for old, new in (None, 5), (0, 5), (50, 20), (20, 50):
        for number in itertools.count():
            before = prepare(old)
            pid = os.fork()
            if not pid:
                die_before(number)
                os._exit(write("replace", new) is not True)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert content() in {before, NEW * new}, (old, new, number, content())
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
