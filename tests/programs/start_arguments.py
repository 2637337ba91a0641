"""Random arguments of ``Popen``, right ones and wrong ones, for ``start_cases.py``."""

import collections
import os
import pathlib
import random
import resource
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, IntEnum
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any


class Named(int, Enum):
    """Integers whose text is a name, also on Python 3.10."""

    WEB = 33
    DATABASE_ADMINISTRATOR = 1001
    OWNER = 18
    FD10 = 10


class Level(IntEnum):
    """Integers whose text is a name before Python 3.11."""

    NONE = 0
    WEB = 33
    FD11 = 11


class Misleading(int):
    """An integer whose text is another number."""

    def __str__(self) -> str:
        return "0"


class Chameleon(int):
    """An integer that compares equal to anything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class Settings(Mapping[Any, Any]):
    """A mapping that is not a dict."""

    def __init__(self, values: dict[Any, Any]) -> None:
        self._values = values

    def __getitem__(self, key: Any) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Counting(Settings):
    """A mapping whose values change with each reading."""

    def __init__(self, values: dict[Any, Any]) -> None:
        super().__init__(values)
        self._readings = 0

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        if key in {"A", "EMPTY"}:
            self._readings += 1
            return f"{value} {self._readings}"
        return value


class Growing(dict[Any, Any]):
    """A dict that contains each key once it has been read: the folder of the programs."""

    folder = ""

    def __missing__(self, key: Any) -> Any:
        self[key] = type(key)() if not isinstance(key, str) else self.folder
        return self[key]


# Descriptors that every starting process has.
INHERITABLE, NOT_INHERITABLE, PIPE_END, CLOSED, PROGRAM, LOW = 10, 11, 12, 13, 14, 4
# The owners of a program that only its group may execute.
OWNER, GROUP = 54321, 54322
BORDERS = [0, 1, 2**31 - 1, 2**31, 3_000_000_000, 2**32 - 2, 2**32 - 1, 2**32, 2**63, 2**64 + 33]
NUMBERS = [*Named, *Level, True, False, Misleading(33), Chameleon(33)]
NOT_NUMBERS = [-1, -2, -(2**31), -(2**40), 33.0, b"root", object, "no-such-name"]


# Groups of arguments that some cases use often. With all of them at once, most starts would fail for some reason.
THEMES = {
    "descriptors": {"stdin", "stdout", "stderr", "close_fds", "pass_fds", "closed", "low"},
    "ids": {
        "user",
        "group",
        "extra_groups",
        "groups",
        "ids",
        "without_capabilities",
        "securebits",
        "dumpable",
        "fsgid",
    },
    "environment": {"env", "environ", "cwd"},
    "processes": {"process_group", "start_new_session", "setsid", "pid_namespace", "limit", "rlimits", "umask"},
    "roots": {"root", "cwd"},
    "signals": {"blocked", "ignored", "default", "handled", "restore_signals", "limit"},
}


def weight(name: str, theme: str) -> float:
    """Return how much more frequent an argument or a condition is in a case of a theme."""
    if theme in THEMES:
        return 3.0 if name in THEMES[theme] else 0.3
    return 1.2 if theme == "all" else 0.3


def pick(rng: random.Random, *pools: list[Any]) -> Any:
    """Return an element of one of the pools, each of which is as probable."""
    return rng.choice(rng.choice(pools))


# --- What is executed -------------------------------------------------------------------------------------------------


def paths(folder: str) -> tuple[list[Any], list[Any]]:
    """Return paths of programs that run, and of such as do not."""
    probe = f"{folder}/bin/probe"
    good = [
        probe,
        os.fsencode(probe),
        pathlib.Path(probe),
        "probe",
        b"probe",
        "../bin/probe",
        f"{folder}/bin/probe-plain",
    ]
    good += [f"{folder}/bin/probe-script", "probe-plain", "probe-script"]
    good += ["link", f"{folder}/bin/link", "../bin/link", f"{folder}/bin/unreadable", f"/proc/self/root{probe}"]
    good += ["/proc/self/cwd/../bin/probe", f"{folder}/bin/by-proc", f"/proc/self/fd/{PROGRAM}", f"{folder}/bin/by-fd"]
    names = ["missing", "not-executable", "folder", "loop", "empty", "no-interpreter", "not-executable/probe", "locked"]
    bad: list[Any] = [f"{folder}/bin/{name}" for name in names] + names
    bad += ["n" * 300, "", b"", "pro\0be", b"\xff\xfe", "\udcff", None, 5, "./probe", "probe/", "/", "."]
    bad += ["/proc/self/exe", f"{folder}/bin/self", "self", "/proc/self", "/proc/self/status", "group-only"]
    bad += [f"/dev/fd/{fd}" for fd in (3, 4, 5, 6, 7, NOT_INHERITABLE, CLOSED, PROGRAM)]
    return good, bad


def program(rng: random.Random, folder: str) -> dict[str, Any]:
    """Return ``args``, and perhaps ``executable`` and ``shell``."""
    good, bad = paths(folder)
    todo: list[Any] = rng.choices(["exit:0", "exit:3", "exit:255", "kill:9", "kill:15", "cat", "", "x=\udcff"], k=1)
    todo += rng.choices(["", "a b", "ä", "\n", b"bytes\xff", pathlib.Path("p"), "x" * 5000], k=rng.randrange(3))
    if rng.random() < 0.04:
        todo.append(rng.choice([None, 3, "nul\0", ["list"], 1.5]))
    form = rng.choices(["list", "tuple", "iterator", "generator", "one", "none"], [8, 2, 1, 1, 3, 1])[0]
    path = rng.choice(good) if rng.random() < 0.75 else rng.choice(bad)
    call: dict[str, Any] = {}
    executable = 0.6 if form == "none" else 0.15
    if rng.random() < 0.12:
        call["shell"] = rng.choice([True, 1, True, "yes"])
        text = f"{folder}/bin/probe exit:3; exit 4"
        path = rng.choice([text, os.fsencode(text), "no-such-command", "", "kill -9 $$", path])
    if rng.random() < executable:
        call["executable"] = rng.choice([*good, *bad, "", "/bin/sh", None])
    words = [path, *todo]
    forms: dict[str, Callable[[], Any]] = {
        "list": lambda: words,
        "tuple": lambda: tuple(words),
        "iterator": lambda: iter(words),
        "generator": lambda: (word for word in words),
        "one": lambda: path,
        "none": lambda: rng.choice([[], (), "", b"", {}, iter([])]),
    }
    return {"args": forms[form](), **call}


# --- With which arguments ---------------------------------------------------------------------------------------------


def identifier(rng: random.Random, name: str) -> Any:
    """Return a user or group."""
    return pick(rng, [os.getuid(), os.getgid(), 33, 65534, name], BORDERS, NUMBERS, NOT_NUMBERS)


def environment(rng: random.Random, folder: str) -> Any:
    """Return an environment."""
    values: dict[Any, Any] = {"A": "1", "ä": "ö", "EMPTY": "", "B": "\udcff"}
    if rng.random() < 0.7:
        values["PATH"] = rng.choice([f"{folder}/bin", f"/nonexistent:{folder}/bin/:", "", f"{folder}/bin/probe"])
        if rng.random() < 0.2:
            values["PATH"] = rng.choice(
                ["/proc/self/cwd/../bin", f"/proc/self/fd:{folder}/bin", f"{folder}/bin/locked::"]
            )
    if rng.random() < 0.3:
        values[rng.choice([b"PATH", b"BYTES", b"\xff"])] = rng.choice([b"\xfe", os.fsencode(f"{folder}/bin")])
    if rng.random() < 0.1:
        values[rng.choice(["a=b", "=x", "", "n\0l", None, 1])] = rng.choice(["1", None, "v\0"])
    forms = [values, values, values, {}, types.MappingProxyType(values), Settings(values), list(values.items())]
    if rng.random() < 0.2:  # mappings that change when they are read
        growing = Growing(values)
        growing.folder = f"{folder}/bin"
        return rng.choice([growing, Counting(values), collections.defaultdict(str, values)])
    return rng.choice([*forms, os.environ, os.environb, dict(os.environ)])


def descriptors(rng: random.Random) -> Any:
    """Return ``pass_fds``."""
    good = [
        [],
        [INHERITABLE],
        [NOT_INHERITABLE],
        [LOW, PIPE_END],
        [0, 1, 2],
        [Named.FD10, Level.FD11],
        [12, 10, 11, 10],
    ]
    bad = [[CLOSED], [-1], [3, 5], [2**31], [True], ["10"], [10.0], None, [10**6]]
    chosen: Any = rng.choice(good if rng.random() < 0.8 else bad)
    return iter(chosen) if chosen and rng.random() < 0.2 else chosen


def stream(rng: random.Random) -> Any:
    """Return ``stdin``, ``stdout`` or ``stderr``."""
    good = [PIPE, PIPE, PIPE, DEVNULL, DEVNULL, None, INHERITABLE, NOT_INHERITABLE, Named.FD10, 0, 1, 2]
    return rng.choice(good if rng.random() < 0.8 else [STDOUT, CLOSED, -9, "x", 10.0, 2**31])


def flags(rng: random.Random) -> Any:
    """Return an umask."""
    return pick(rng, [0, 0o77, 0o27, 0o777, -1], NUMBERS, [0o7777, 2**31, 2**40, -5, 1.5, "22", None])


def text(rng: random.Random) -> dict[str, Any]:
    """Return arguments about text."""
    modes: list[dict[str, Any]] = [
        {"text": True},
        {"universal_newlines": True},
        {"encoding": "latin-1"},
        {"encoding": "ascii", "errors": "replace"},
        {"encoding": "ascii"},
        {"errors": "surrogateescape"},
        {"encoding": "no-such-codec"},
        {"text": True, "bufsize": 1},
        {"text": False, "universal_newlines": True},
        {"bufsize": rng.choice([0, 1, 4096, None, "x", -2])},
        {"pipesize": rng.choice([4096, -1, 65536, "x"])},
    ]
    return rng.choice(modes)


def set_environment() -> None:
    """Change what the child is executed with, as a ``preexec_fn``."""
    os.umask(0o31)


def fail() -> None:
    """Fail, as a ``preexec_fn``."""
    raise RuntimeError


def limits(rng: random.Random) -> dict[int, tuple[int, int]]:
    """Return ``rlimits``, which ``start_runner.py`` makes a ``preexec_fn`` for subprocess."""
    pairs = [("CORE", 0), ("CPU", 50), ("NOFILE", 64), ("STACK", 2**18), ("STACK", 2**16), ("AS", 2**32), ("FSIZE", 0)]
    return {getattr(resource, f"RLIMIT_{name}"): (value, value) for name, value in rng.sample(pairs, rng.randrange(3))}


REFUSED = {resource.RLIMIT_NOFILE: (2**50, 2**50)}


def arguments(rng: random.Random, folder: str, theme: str) -> dict[str, Any]:
    """Return the arguments of ``Popen``: mostly a few."""
    few: dict[str, tuple[float, Callable[[], Any]]] = {
        "stdin": (0.25, lambda: stream(rng)),
        "stdout": (0.25, lambda: stream(rng)),
        "stderr": (0.25, lambda: rng.choice([STDOUT, stream(rng)])),
        "close_fds": (0.2, lambda: rng.choice([False, False, True, 0, "yes"])),
        "pass_fds": (0.2, lambda: descriptors(rng)),
        "cwd": (
            0.2,
            lambda: rng.choice(
                [
                    folder,
                    os.fsencode(folder),
                    pathlib.Path(folder),
                    ".",
                    "",
                    "/proc/self/cwd",
                    "/proc/self/fd",
                    "/proc/self",
                    f"{folder}/missing",
                    f"{folder}/bin/probe",
                    f"{folder}/bin/locked",
                    "n\0l",
                    5,
                    "x" * 5000,
                    b"\xff",
                ]
            ),
        ),
        "env": (0.3, lambda: environment(rng, folder)),
        "start_new_session": (0.15, lambda: rng.choice([True, 1, "", "yes", None, Level.WEB])),
        "user": (0.2, lambda: identifier(rng, "nobody")),
        "group": (0.15, lambda: identifier(rng, "daemon")),
        "extra_groups": (
            0.15,
            lambda: rng.choice(
                [
                    [],
                    [1],
                    (5, 3, 5),
                    [*Named],
                    ["daemon", 3],
                    [identifier(rng, "daemon") for _ in range(3)],
                    range(rng.choice([40, 1024, 1025, 65536, 65537])),
                    iter([3]),
                    3,
                    "daemon",
                    {7},
                ]
            ),
        ),
        "umask": (0.2, lambda: flags(rng)),
        "restore_signals": (0.15, lambda: rng.choice([False, 0, True])),
        "preexec_fn": (0.04, lambda: rng.choice([set_environment, set_environment, fail, 5])),
        "startupinfo": (0.01, lambda: 5),
    }
    if sys.version_info >= (3, 11):
        few["process_group"] = (0.15, lambda: pick(rng, [0, 0, -1, None], NUMBERS, BORDERS, NOT_NUMBERS))
    few["rlimits"] = (0.12, lambda: limits(rng))
    call = {name: make() for name, (chance, make) in few.items() if rng.random() < chance * weight(name, theme)}
    if "rlimits" in call and not {"user", "group", "extra_groups"} & {*call} and rng.random() < 0.3:
        call["rlimits"] = REFUSED  # with other IDs, one of two errors would come first
    return call | text(rng) if rng.random() < 0.25 else call
