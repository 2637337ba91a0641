"""Compare random starts by ``rusage`` with the same starts by ``subprocess``.

``python random_starts.py COUNT SEED``: the known starts and COUNT random ones. If two outcomes
differ, hypothesis looks for a simple start that differs, and the exit status is not 0.
"""

import collections
import contextlib
import gc
import json
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any

import hypothesis
import start_runner
from hypothesis import strategies as st
from start_runner import (
    CLOSED,
    CONDITIONS,
    GROUP,
    INHERITABLE,
    LINUX,
    LOW,
    NOT_INHERITABLE,
    OF_ROOT,
    OWNER,
    PIPE_END,
    PROGRAM,
    Case,
    Misleading,
    Named,
)

import rusage

HERE = Path(__file__).parent
ROOT = os.geteuid() == 0
LOCKED = "bin/locked", "path/locked"
SECONDS = 100  # until a start is taken to hang
one_of = st.sampled_from
Strategies = dict[str, st.SearchStrategy[Any]]

# --- What is executed ---


def paths(folder: str) -> tuple[list[Any], list[Any]]:
    probe = f"{folder}/bin/probe"
    good = [probe, os.fsencode(probe), pathlib.Path(probe), "probe", b"probe", "../bin/probe"]
    good += ["link", f"{folder}/bin/probe-plain", f"{folder}/bin/probe-script", "probe-plain"]
    good += ["probe-script", f"{folder}/bin/link", "../bin/link", f"{folder}/bin/unreadable"]
    good += [f"/proc/self/root{probe}", "/proc/self/cwd/../bin/probe", f"{folder}/bin/by-proc"]
    good += [f"/proc/self/fd/{PROGRAM}", f"{folder}/bin/by-fd"]
    names = ["missing", "not-executable", "folder", "loop", "empty", "no-interpreter"]
    names += ["not-executable/probe", "locked"]
    bad: list[Any] = [f"{folder}/bin/{name}" for name in names] + names
    bad += ["n" * 300, "", b"", "pro\0be", b"\xff\xfe", "\udcff", None, 5, "./probe", "probe/"]
    bad += ["/", ".", "/proc/self/exe", f"{folder}/bin/self", "self", "/proc/self"]
    bad += ["/proc/self/status", "group-only"]
    bad += [f"/dev/fd/{fd}" for fd in (3, 4, 5, 6, 7, NOT_INHERITABLE, CLOSED, PROGRAM)]
    return good, bad


@st.composite
def programs(draw: Any, folder: str) -> dict[str, Any]:
    good, bad = paths(folder)
    path = draw(one_of(draw(one_of([good, good, good, bad]))))
    words = [
        path,
        draw(one_of(["exit:0", "exit:3", "exit:255", "kill:9", "kill:15", "cat", "", "x=\udcff"])),
    ]
    texts = ["", "a b", "ä", "\n", b"bytes\xff", pathlib.Path("p"), "x" * 5000]
    words += draw(st.lists(one_of(texts), max_size=2))
    words += draw(one_of([[]] * 20 + [[None], [3], ["nul\0"], [["list"]], [1.5]]))
    call: dict[str, Any] = {}
    if draw(st.integers(0, 7)) == 7:
        call["shell"] = draw(one_of([True, 1, "yes"]))
        text = f"{folder}/bin/probe exit:3; exit 4"
        path = words[0] = draw(
            one_of([text, os.fsencode(text), "no-such-command", "", "kill -9 $$", path])
        )
    if draw(st.integers(0, 5)) == 5:
        call["executable"] = draw(one_of([*good, *bad, "", "/bin/sh", None]))
    nothing = draw(one_of([[], (), "", b"", {}]))
    forms = [words, words, words, words, tuple(words), iter(words), path, path, nothing]
    return {"args": draw(one_of(forms)), **call}


# --- With which arguments ---

BORDERS = [0, 1, 2**31 - 1, 2**31, 3_000_000_000, 2**32 - 2, 2**32 - 1, 2**32, 2**63, 2**64 + 33]
NUMBERS = [*Named, True, False, Misleading(33)]
NOT_NUMBERS = [-1, -2, -(2**31), -(2**40), 33.0, b"root", object, "no-such-name"]
REFUSED = {resource.RLIMIT_NOFILE: (2**50, 2**50), resource.RLIMIT_CORE: (0, 0)}
# Of the pipes, which subprocess makes.
TEXT: list[dict[str, Any]] = [
    {"text": True},
    {"encoding": "ascii", "errors": "replace"},
    {"encoding": "no-such-codec"},
    {"bufsize": 0},
    {"bufsize": "x"},
    {"pipesize": 4096},
]


@st.composite
def environments(draw: Any, folder: str) -> Any:
    values: dict[Any, Any] = {"A": "1", "ä": "ö", "EMPTY": "", "B": "\udcff"}
    good = [
        f"{folder}/bin",
        f"/nonexistent:{folder}/bin/:",
        "",
        f"{folder}/bin/probe",
        f"{folder}/bin/locked::",
    ]
    values["PATH"] = draw(one_of([*good, "/proc/self/cwd/../bin", f"/proc/self/fd:{folder}/bin"]))
    if draw(st.integers(0, 2)) == 2:
        values[draw(one_of([b"PATH", b"BYTES", b"\xff"]))] = draw(
            one_of([b"\xfe", os.fsencode(f"{folder}/bin")])
        )
    if draw(st.integers(0, 9)) == 9:
        values[draw(one_of(["a=b", "=x", "", "n\0l", None, 1]))] = draw(one_of(["1", None, "v\0"]))
    forms = [values, values, values, {}, types.MappingProxyType(values), list(values.items())]
    forms += [collections.defaultdict(str, values)]
    return draw(one_of([*forms, os.environ, os.environb, dict(os.environ)]))


def identifiers(name: str) -> st.SearchStrategy[Any]:
    known = [os.getuid(), os.getgid(), 33, 65534, name]
    return st.one_of(*map(one_of, ([*known, *NUMBERS], BORDERS, NOT_NUMBERS)))


def arguments(folder: str) -> Strategies:
    streams: list[Any] = [PIPE, PIPE, PIPE, DEVNULL, DEVNULL, None, INHERITABLE, NOT_INHERITABLE]
    streams += [Named.FD10, 0, 1, 2, STDOUT, CLOSED, -9, "x", 10.0, 2**31]
    passed: list[Any] = [[], [INHERITABLE], [NOT_INHERITABLE], [LOW, PIPE_END], [0, 1, 2]]
    passed += [[Named.FD10], [12, 10, 11, 10], iter([10, 11]), [CLOSED], [-1], [3, 5], [2**31]]
    passed += [[True], ["10"], [10.0], None, [10**6]]
    folders = [folder, os.fsencode(folder), pathlib.Path(folder), ".", "", "/proc/self/cwd"]
    folders += ["/proc/self/fd", "/proc/self", f"{folder}/missing", f"{folder}/bin/probe"]
    folders += [f"{folder}/bin/locked", "n\0l", 5]
    groups: list[Any] = [[], [1], (5, 3, 5), [*Named], ["daemon", 3], range(40), range(1024)]
    groups += [range(65537), 3, "daemon"]
    limited = [("CORE", 0), ("CPU", 50), ("NOFILE", 64), ("STACK", 2**18), ("AS", 2**32)]
    limits = [
        {},
        REFUSED,
        *({getattr(resource, f"RLIMIT_{name}"): (size, size)} for name, size in limited),
    ]
    every: Strategies = {
        "stdin": one_of(streams),
        "stdout": one_of(streams),
        "stderr": one_of([STDOUT, STDOUT, *streams]),
        "close_fds": one_of([False, False, True, 0, "yes"]),
        "pass_fds": one_of(passed),
        "cwd": one_of([*folders, "x" * 5000, b"\xff"]),
        "env": environments(folder),
        "start_new_session": one_of([True, 1, "", "yes", None, Named.WEB]),
        "user": identifiers("nobody"),
        "group": identifiers("daemon"),
        "extra_groups": one_of([*groups, iter([3]), {7}, [2**31], [-1]]),
        "umask": one_of(
            [0, 0o77, 0o27, 0o777, -1, *NUMBERS, 0o7777, 2**31, 2**40, -5, 1.5, "22", None]
        ),
        "restore_signals": one_of([False, 0, True]),
        "preexec_fn": one_of([start_runner.set_umask, start_runner.fail, 5]),
        "startupinfo": st.just(5),
        "rlimits": one_of(limits),
        "text": one_of(TEXT),
        "process_group": one_of([0, 0, -1, None, *NUMBERS, *BORDERS, *NOT_NUMBERS]),
    }
    return every


@st.composite
def cases(draw: Any, folder: str) -> Case:
    """Draw a start: with all arguments and conditions at once, most would fail for some reason."""
    given = arguments(folder)
    names = draw(st.lists(one_of([*given]), max_size=4, unique=True))
    call = {**draw(programs(folder)), **{name: draw(given[name]) for name in names}}
    call |= call.pop("text", {})
    if {"user", "group", "extra_groups"} & {*call} and call.get("rlimits") == REFUSED:
        del call["rlimits"]  # one of two errors would come first
    possible = [
        name for name, (_, values) in CONDITIONS.items() if values and (ROOT or name not in OF_ROOT)
    ]
    chosen = sorted(draw(st.lists(one_of(possible), max_size=3, unique=True)), key=possible.index)
    before = [(name, draw(one_of(CONDITIONS[name][1]))) for name in chosen]
    return Case(before, draw(one_of(["run", "check", "communicate", "wait", "poll"])), call)


FEW = {resource.RLIMIT_CORE: (0, 0)}
LARGE = {resource.RLIMIT_CORE: (2**32 + 5, resource.RLIM_INFINITY)}
ZERO = [f"RLIMIT_{name}" for name in ("AS", "DATA", "STACK", "NOFILE", "FSIZE", "CORE", "NPROC")]
STREAMS: list[dict[str, Any]] = [
    *(
        {},
        {"close_fds": False},
        {"stderr": STDOUT, "close_fds": False},
        {"pass_fds": [0, 1, 2, INHERITABLE]},
        {"stderr": INHERITABLE},
    ),
    *({"stdin": DEVNULL, "stderr": STDOUT}, {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE}),
]
# Folders of PATH, each with a tool that runs, is no program for the kernel, has no interpreter, or
# is not executable.
SEARCHES = ["none denied good", "good none", "none", "denied none", "broken", "plain"]
SEARCHES += ["plain broken", "denied plain", f"none {'x' * 300} plain none"]


def known_calls(folder: str) -> Iterator[dict[str, Any]]:
    """Return arguments that once made starts differ, or are rare among the random ones."""
    probe = f"{folder}/bin/probe"
    yield from (
        {"args": [], "executable": ""},
        {"args": ["", "x"], "executable": probe, "close_fds": False},
        {"env": [("A", "1")]},
        {"env": {"=x": "1"}},
        {"cwd": "/proc/self"},
    )
    yield from (
        {"pass_fds": None, "close_fds": False},
        {"start_new_session": True},
        {"umask": 0o12},
    )
    yield {"env": {b"PATH": os.fsencode(f"{folder}/bin")}, "args": ["probe"]}
    changes_when_read: Any = collections.defaultdict(bytes, A="1")
    yield {"env": changes_when_read, "args": ["probe"], "cwd": f"{folder}/bin"}
    for path in (
        f"/dev/fd/{PROGRAM}",
        f"{folder}/bin/by-fd",
        f"{folder}/bin/by-proc",
        "by-proc",
        "/proc/self/cwd/probe",
    ):
        yield {"args": [path, "exit:3"], "close_fds": False, "cwd": f"{folder}/bin"}
    yield from ({"args": [probe, "x" * 2**22]}, {"env": {"A": "c" * 2**22}})
    yield from ({"input": b"x", "args": [probe, "cat"]}, {"input": b"", "stdin": PIPE})
    yield from ({"capture_output": True}, {"capture_output": True, "stdout": PIPE})
    for text in "kill -PIPE $$; exit 5", "exec 8>&1; kill -9 $$":
        yield from (
            {"args": text, "shell": True},
            {"args": text, "shell": True, "restore_signals": False},
        )
    yield from ({"process_group": 0}, {"process_group": 2**31 - 1})  # no process has that ID
    for folders in SEARCHES:
        path = ":".join(f"{folder}/path/{name}" for name in folders.split())
        yield from (
            {"args": [program, "x"], "env": {"PATH": path}} for program in ("tool", f"{path}/tool")
        )
    for limits in FEW, LARGE, REFUSED:
        yield from ({"rlimits": limits}, {"rlimits": limits, "preexec_fn": start_runner.set_umask})
    # PyPy itself needs memory before the child executes its program: seen to wait for ever.
    for name in ZERO[2:] if sys.implementation.name == "pypy" else ZERO:
        if hasattr(resource, name):
            yield {"rlimits": {getattr(resource, name): (0, 0)}}
    # Closed numbers, which the descriptors of a start get.
    for fd in range(3, 9):
        for given in (
            {"pass_fds": [fd]},
            {"stdin": fd, "pass_fds": [0]},
            {"args": [f"/dev/fd/{fd}"], "stdin": PIPE},
        ):
            yield from (given, {**given, "rlimits": FEW})


def measured(folder: str) -> Iterator[Case]:
    """Return starts in which the peak is the child's own."""
    probe, names = f"{folder}/bin/probe", ("stdin", "stdout", "stderr")
    # Each from the descriptor that another one replaces.
    for streams in ([1, 2, 0], [2, 0, 1], [0, 0, 0], [1, 1, 1], [2, 1, 0], [None, 0, 0]):
        yield Case([], "run", {"args": probe, **dict(zip(names, streams, strict=True))})
    searched = ["none", "denied", "broken", "locked", "file", "x" * 300, "loop", "good", "plain"]
    path = ":".join(f"{folder}/path/{name}" for name in searched)
    another: list[tuple[str, Any]] = [("groups", []), ("ids", (65534,) * 3), ("dumpable", 1)]
    # Whether another user may read this installation.
    is_for_all = all(each.stat().st_mode & 1 for each in Path(rusage.__file__).parents)
    last = getattr(signal, "SIGRTMAX", signal.SIGUSR2)
    for before in [], [("blocked", signal.SIGUSR1), ("blocked", last)], another:
        if before != another or (ROOT and LINUX and is_for_all):
            yield Case(before, "run", {"args": ["tool"], "env": {"PATH": path}})


def known(folder: str) -> Iterator[Case]:
    probe = [f"{folder}/bin/probe", "exit:3"]
    conditions: list[list[tuple[str, Any]]] = [
        [("limit", ("FSIZE", 0))],
        [("environ", "dict")],
        [("environ", "mapping")],
    ]
    if ROOT:
        conditions += [[("root", way)] for way in ("bind", "empty", "namespace")]
        no_override: list[tuple[str, Any]] = [
            ("bounding", [1, 2]),
            ("without_capabilities", [1, 2]),
            ("dumpable", 1),
        ]
        for before in (
            no_override,
            [("fsgid", GROUP), *no_override],
            [("fsgid", GROUP), ("ids", (65534,) * 3)],
        ):
            yield Case(before, "run", {"args": [f"{folder}/bin/group-only", "exit:3"]})
        for each in ("pid_namespace", None), ("without_capabilities", [6, 7]), ("securebits", 1):
            calls: list[dict[str, Any]] = [{"args": ["missing"]}, {"cwd": ""}, {"user": 33}]
            yield from (Case([each], "run", {"args": probe, **call}) for call in calls)
    # Each way to close them, the lowest numbers of which the descriptors of a start then get.
    for closed in ([fd for fd in range(3) if way >> fd & 1] for way in range(8)):
        for streams in STREAMS:
            yield Case([("closed", closed)], "run", {"args": probe, **streams})
    yield Case([("low", 3), ("closed", [0])], "run", {"args": probe})
    yield from (Case([], "run", {"args": probe, **call}) for call in known_calls(folder))
    yield from (Case(before, "run", {"args": ["probe", "exit:3"]}) for before in conditions)


# --- The files ---


def build(folder: Path) -> None:
    for name in "bin/folder", "bin/locked", "tree", "work", "path/good", "path/locked":
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    os.mkfifo(folder / "report")
    probe, report = f"{folder}/bin/probe", f'-DREPORT="{folder}/report"'
    subprocess.run(["cc", "-O1", report, HERE / "start_probe.c", "-o", probe], check=True)  # noqa: S607 (in PATH)
    for name, text, mode in (
        ("bin/probe-script", f'#!/bin/sh\nexec {probe} "$@"\n', 0o755),
        ("bin/probe-plain", f'exec {probe} "$@"\n', 0o755),
        ("bin/empty", "", 0o755),
        ("bin/no-interpreter", "#!/no/such/interpreter\n", 0o755),
        ("bin/not-executable", "#!/bin/sh\n", 0o644),
        ("path/plain/tool", "exit 6\n", 0o755),
        ("path/broken/tool", "#!/no/such\n", 0o755),
        ("path/denied/tool", "", 0o644),
        ("path/file", "", 0o644),
        *((name, "input\n", 0o666) for name in ("in", "out", "err", "file")),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(mode)
    for name, mode in ("unreadable", 0o111), ("group-only", 0o610):
        shutil.copy(probe, folder / "bin" / name)
        (folder / "bin" / name).chmod(mode)
    if ROOT:
        os.chown(folder / "bin/group-only", OWNER, GROUP)
    for name, target in {
        "bin/loop": "loop",
        "bin/link": "probe",
        "bin/self": "/proc/self/exe",
        "bin/by-proc": f"/proc/self/root{probe}",
        "bin/by-fd": f"/dev/fd/{PROGRAM}",
        "path/good/tool": probe,
        "path/locked/tool": probe,
        "path/loop": "loop",
    }.items():
        (folder / name).symlink_to(target)
    (folder / "report").chmod(0o666)
    for name in LOCKED:
        (folder / name).chmod(0)
    (folder / "work").chmod(0o777)


@contextlib.contextmanager
def files() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="starts-")).resolve()
    try:
        build(folder)
        yield str(folder)
    finally:
        os.chdir("/")
        for name in LOCKED:
            (folder / name).chmod(0o700)
        shutil.rmtree(folder)


# --- One start ---


# Lines of /proc/self/status that differ from process to process, or that a start does not decide.
CHANGING = "Pid|Tgid|PPid|NS|Vm|Rss|State|FDSize|SigQ|Hugetlb|voluntary|nonvoluntary|untag"
STATUS = re.compile(rf"(?m)^(?!{CHANGING})(\w+):(.*)")


def normalised(report: bytes, runner: int) -> dict[str, str]:
    """Return the records of a probe, without the numbers that differ from one start to the next."""
    known: dict[str, str] = {}
    records = dict(
        record.split("=", 1)
        for record in report.decode("utf-8", "backslashreplace").split("\0")
        if record
    )
    records |= {
        f"status {name}": value for name, value in STATUS.findall(records.pop("status", ""))
    }
    own = records.get("pids", "").split(" ", 1)[0]
    names = {
        "0": "0",
        own: "own",
        str(runner): "runner",
        str(os.getpid()): "main",
        str(os.getpgrp()): "group",
    }
    names[str(os.getsid(0))] = "session"
    for key, value in records.items():
        if key == "pids":
            records[key] = " ".join(names.get(pid, "another") for pid in value.split(" ")[1:])
        elif key.startswith("fd "):  # pipes and files get the number of their first descriptor
            identity, rest = value.split(" ", 1)
            records[key] = known.setdefault(identity, key) + " " + re.sub(r"\[\d+\]", "", rest)
        elif key == "cwd" or value.startswith("PWD="):
            # /proc/self of the probe, or of a shell that has started it.
            records[key] = re.sub(
                "/proc/([0-9]+)", lambda found: f"/proc/{names.get(found[1], 'another')}", value
            )
        elif key == "status SigIgn":
            # posix_spawn(3) of older glibcs leaves the library's own signals, 32 and 33, ignored.
            records[key] = f"{int(value, 16) & ~(3 << 31):x}"
    return {f"child.{key}": value for key, value in records.items()}


class Starter:
    """Runs each start in a process of its own, and collects the outcome."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.numbers = collections.Counter[str]()
        # Also a writer: never end-of-file.
        first = os.open(f"{folder}/report", os.O_RDWR | os.O_NONBLOCK)
        self._reports = os.dup2(first, start_runner.RESULT + 1, inheritable=False)
        os.close(first)

    def outcome(self, library: str, case: Case) -> dict[str, str]:
        """Return what was observed of a start."""
        for name in "out", "err":
            os.truncate(f"{self.folder}/{name}", 0)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reports, 1 << 16):
                pass
        end, result = os.pipe()
        runner = os.fork()
        if runner == 0:
            try:
                os.dup2(result, start_runner.RESULT, inheritable=False)
                found = start_runner.observe(library, case, self.folder)
                os.write(start_runner.RESULT, json.dumps(found).encode())
            except BaseException as error:
                os.write(result, json.dumps({"died": repr(error)}).encode())
            finally:
                os._exit(0)
        os.close(result)
        written, report = self._read(end, runner)
        os.close(end)
        status = os.waitpid(runner, 0)[1]
        outcome: dict[str, str] = json.loads(written) if written else {"died": str(status)}
        for name in "out", "err":
            content = Path(self.folder, name).read_bytes()
            outcome[f"written.{name}"] = repr(re.sub(rb"/proc/[0-9]+", b"/proc/self", content))
        # Of an interpreter that cannot start.
        for name in {"output", "written.err"} & outcome.keys():
            outcome[name] = re.sub(r"Current thread 0x[0-9a-f]+", "Current thread", outcome[name])
            # In a small stack at a random place.
            if "RecursionError: maximum recursion depth exceeded" in outcome[name]:
                outcome[name] = "RecursionError"
        return outcome | normalised(report, runner)

    def _read(self, end: int, runner: int) -> tuple[bytes, bytes]:
        written, report = b"", b""
        deadline = time.monotonic() + SECONDS
        while True:
            left = max(0, deadline - time.monotonic())
            ready = select.select([end, self._reports], [], [], left)[0]
            if not ready:
                os.kill(runner, signal.SIGKILL)
                return b'{"died": "hangs"}', report
            if self._reports in ready:
                report += os.read(self._reports, 1 << 16)
            elif data := os.read(end, 1 << 16):
                written += data
            else:
                return written, report

    def check(self, case: Case, *, is_measured: bool = False) -> None:
        """Do a start in both ways; fail if there is a difference."""
        one, other = (self.outcome(library, case) for library in ("subprocess", "rusage"))
        one.pop("peak", None)
        self.numbers["starts"] += 1
        is_own = other.pop("peak", None) == "True"
        assert is_own or not is_measured, case
        self.numbers["own peaks"] += is_own
        self.numbers["skipped"] += "skipped" in one
        if one.get("died") == str(int(signal.SIGSEGV)) and "STACK" in repr(case.conditions):
            return  # the interpreter itself needs more stack, before Python 3.11
        different = {
            key: (one.get(key), other.get(key))
            for key in {**one, **other}
            if one.get(key) != other.get(key)
        }
        for cause in "exception", "child.end", "returncode":  # of all other differences
            different = {cause: different[cause]} if cause in different else different
        assert not different, (
            f"{different}\nsubprocess and rusage differ in {', '.join(sorted(different))}"
        )
        assert "died" not in one, one


# --- The command ---


def main(count: str, seed: str) -> None:
    with files() as folder:
        os.chdir(f"{folder}/work")
        os.environ.clear()
        os.environ["PATH"] = f"{folder}/bin:/usr/bin:/bin"
        starter = Starter(folder)
        # Not on PyPy: the collection after each start would look at all of hypothesis.
        if hasattr(gc, "freeze"):
            gc.freeze()
        for case in measured(folder):
            starter.check(case, is_measured=LINUX)
        for case in known(folder):
            starter.check(case)

        @hypothesis.seed(int(seed))
        @hypothesis.settings(
            max_examples=int(count),
            deadline=None,
            database=None,
            # None that traces the starts.
            phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
            suppress_health_check=[hypothesis.HealthCheck.too_slow],
        )
        @hypothesis.given(cases(folder))
        def same(case: Case) -> None:
            starter.check(case)

        same()
    summary = "{starts} starts, {skipped} not possible here, {own peaks} own peaks"
    print(summary.format_map(starter.numbers))


if __name__ == "__main__":
    main(*sys.argv[1:])
