"""Random starts of programs, for ``random_starts.py``: under which conditions, and with which arguments.

A case is made anew from its seed and number by each process that needs it, since some arguments are iterators.
"""

import hashlib  # noqa: F401 (random imports it when first seeded, and another user may be unable to read it)
import os
import random
import sys
from collections.abc import Callable  # noqa: TC003 (one import only is not worth a block)
from subprocess import DEVNULL, STDOUT
from typing import Any, NamedTuple

from start_arguments import GROUP, LOW, PROGRAM, REFUSED, THEMES, Level, Misleading, Named, arguments, program, weight

SIGNALS = ["SIGHUP", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGPIPE", "SIGCHLD", "SIGXFSZ", "SIGWINCH", "SIGCONT"]


class Case(NamedTuple):
    """One start."""

    conditions: list[tuple[str, Any]]
    """Functions of ``start_runner.py`` that the starting process calls first: names, each with an argument."""
    way: str
    """How it starts and waits: ``run``, ``check``, ``communicate``, ``wait`` or ``poll``."""
    call: dict[str, Any]
    """The arguments of ``Popen``."""


# --- Under which conditions -------------------------------------------------------------------------------------------


def some(rng: random.Random, names: list[str]) -> list[str]:
    """Return up to three of the names."""
    return rng.sample(names, rng.randrange(1, 4))


def limits(rng: random.Random) -> list[tuple[str, int]]:
    """Return a resource limit, as a condition."""
    chosen = rng.choice([("CORE", 0), ("CPU", 50), ("FSIZE", 0), ("FSIZE", 0), ("FSIZE", 1000), ("NOFILE", 64)])
    others = [
        ("NOFILE", rng.randrange(15, 24)),
        ("STACK", 2**20),
        ("STACK", 2**16),
        ("STACK", 250 * 1024),
        ("AS", 2**32),
        ("NPROC", 0),
        ("NPROC", 10**4),
    ]
    return [rng.choice([chosen, *others])]


def conditions(rng: random.Random, folder: str, theme: str, *, root: bool) -> list[tuple[str, Any]]:
    """Return the conditions of a start, in the order in which they are made."""
    every: list[tuple[float, str, Callable[[], Any]]] = [
        (0.05, "nice", lambda: rng.choice([1, 3])),
        (0.1, "umask", lambda: rng.choice([0, 0o77, 0o777])),
        (0.06, "cwd", lambda: rng.choice([folder, "/", "deleted"])),
        (0.05, "setsid", lambda: None),
        (0.05, "oom_score_adj", lambda: 500),
        (0.05, "dumpable", lambda: 0),
        (0.05, "no_new_privs", lambda: 1),
        (0.05, "subreaper", lambda: 1),
        (0.12, "environ", lambda: rng.choice(["dict", "mapping", "no PATH", "empty", "bytes", "empty PATH"])),
        (0.08, "blocked", lambda: some(rng, SIGNALS)),
        (0.12, "ignored", lambda: some(rng, SIGNALS)),
        (0.05, "default", lambda: some(rng, ["SIGPIPE", "SIGINT", "SIGXFSZ"])),
        (0.05, "handled", lambda: some(rng, ["SIGUSR1", "SIGCHLD", "SIGTERM", "SIGXFSZ"])),
        (0.1, "low", lambda: LOW),
        (0.2, "limit", lambda: limits(rng)[0]),
        (0.2, "closed", lambda: rng.choice([[0], [1], [2], [0, 1], [0, 1], [0, 2], [1, 2], [0, 1, 2]])),
    ]
    if root:
        every[-1:-1] = [
            (0.04, "groups", lambda: [1, 2, 3]),
            (0.06, "fsgid", lambda: GROUP),
            (0.04, "bounding", lambda: [1, 2]),
            (0.05, "securebits", lambda: rng.choice([1, 3])),
            (0.06, "without_capabilities", lambda: rng.choice([[6, 7], [7], [*range(38)], [0, 1, 2, 5]])),
            (0.08, "ids", lambda: rng.choice([(0, 65534, 0), (65534, 0, 0), (65534,) * 3, (0, 0, 65534), (33, 33, 0)])),
            (0.06, "dumpable", lambda: 1),
            (0.06, "pid_namespace", lambda: None),
        ]
        every.append((0.06, "root", lambda: rng.choice(["bind", "empty", "namespace"])))  # in a thread of its own
    return [(name, make()) for chance, name, make in every if rng.random() < chance * weight(name, theme)]


def known(folder: str) -> list[Case]:
    """Return starts that have once differed, and such as are rare among the random ones."""
    probe = [f"{folder}/bin/probe", "exit:3"]
    calls: list[dict[str, Any]] = [
        {"user": Named.WEB},
        {"user": Named.DATABASE_ADMINISTRATOR, "group": Level.WEB},
        {"user": True, "extra_groups": [Named.OWNER, Level.WEB, True]},
        {"group": Misleading(33)},
        {"user": 3_000_000_000, "group": 2**32 - 2, "extra_groups": [2**31]},
        {"args": [], "executable": ""},
        {"env": [("A", "1")]},
        {"env": {"=x": "1"}},
        {"pass_fds": None, "close_fds": False},
        {"env": {b"PATH": os.fsencode(f"{folder}/bin")}, "args": ["probe"]},
    ]
    if sys.version_info >= (3, 11):
        calls += [{"process_group": number} for number in (Level.NONE, Named.WEB, False, 2**31, -(2**40))]
    cases = [Case([], "run", {"args": probe, **call}) for call in calls]
    cases.append(Case([("closed", [0, 1])], "run", {"args": probe, "stdin": DEVNULL, "stderr": STDOUT}))
    cases.append(Case([("environ", "dict")], "run", {"args": ["probe", "exit:3"]}))
    cases.append(Case([("environ", "mapping")], "run", {"args": ["probe", "exit:3"]}))
    cases.append(Case([("limit", ("FSIZE", 0))], "run", {"args": probe}))
    for limit in ("STACK", 2**16), ("STACK", 2**18):
        cases += [Case([("limit", limit)], "run", {"args": probe, "rlimits": rlimits}) for rlimits in ({}, REFUSED)]
    for path in f"/dev/fd/{PROGRAM}", f"{folder}/bin/by-fd", f"{folder}/bin/by-proc", "by-proc", "/proc/self/cwd/probe":
        cases.append(Case([], "run", {"args": [path, "exit:3"], "close_fds": False, "cwd": f"{folder}/bin"}))
    cases.append(Case([], "run", {"args": probe, "cwd": "/proc/self"}))
    if os.geteuid() == 0:
        for name, value in ("pid_namespace", None), ("without_capabilities", [6, 7]), ("securebits", 1):
            cases.append(Case([(name, value)], "run", {"args": probe, "user": 33}))
            cases.append(Case([(name, value), ("limit", ("FSIZE", 0))], "run", {"args": probe}))
            cases.append(Case([(name, value)], "run", {"args": ["missing"]}))
            cases.append(Case([(name, value)], "run", {"args": probe, "cwd": ""}))
        cases += [Case([("root", way)], "run", {"args": probe}) for way in ("bind", "empty", "namespace")]
        no_override: list[tuple[str, Any]] = [("bounding", [1, 2]), ("without_capabilities", [1, 2]), ("dumpable", 1)]
        for name in "group-only", "probe":
            call = {"args": [f"{folder}/bin/{name}", "exit:3"]}
            cases.append(Case(no_override, "run", call))
            cases.append(Case([("fsgid", GROUP), *no_override], "run", call))
            cases.append(Case([("fsgid", GROUP), ("ids", (65534,) * 3), ("dumpable", 1)], "run", call))
    return cases


def alone(case: Case, folder: str) -> Case:
    """Give a user whose processes RLIMIT_NPROC counts an ID that no other process has: some of 33 come and go."""
    if ("limit", ("NPROC", 0)) not in case.conditions or os.geteuid() != 0:
        return case
    user, given = 20_000 + os.stat(folder).st_ino % 40_000, case.call.get("user")
    ids = [
        (name, tuple(number and user for number in value) if name == "ids" else value)
        for name, value in case.conditions
    ]
    # Root's processes are not counted, and a start for an invalid user raises an error.
    is_counted = given == "nobody" or (isinstance(given, int) and 0 < given < 2**32 - 1)
    return case._replace(conditions=ids, call={**case.call, "user": user} if is_counted else case.call)


def make(seed: int, number: int, folder: str) -> Case:
    """Return a case; the first ones are the known ones. A case depends on the Python version and on the user."""
    fixed = known(folder)
    if number < len(fixed):
        return fixed[number]
    rng = random.Random(f"{seed} {number}")
    theme = rng.choice([*THEMES, "plain", "all"])
    chosen = conditions(rng, folder, theme, root=os.geteuid() == 0)
    way = rng.choice(["run", "run", "check", "communicate", "wait", "poll"])
    return alone(Case(chosen, way, {**program(rng, folder), **arguments(rng, folder, theme)}), folder)
