"""Compare random starts by ``rusage`` with the same starts by ``subprocess``.

``python random_starts.py COUNT SEED [USER]``: starts number 0 to COUNT - 1, as that user if root starts this. It prints
the differences, by kind, and the numbers of the starts. ``only=NUMBER`` instead of COUNT shows all of one start.
"""

import codecs
import collections
import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import start_arguments
import start_cases
import start_runner

HERE = Path(__file__).parent
SECONDS = 100  # until a start is taken to hang


class Difference(NamedTuple):
    """A difference between the results of rusage and subprocess."""

    number: int
    kind: str
    subprocess: str | None
    rusage: str | None
    allowed: str | None
    """The reason, if it is in the list of allowed differences."""


# For each reason, the kind of difference and what both outcomes have.
ALLOWED: dict[str, tuple[str, str, str]] = {
    "subprocess refuses an empty argv[0] only where it uses posix_spawn": ("exception", "posix_spawn: argv", ""),
    "a start with a closed descriptor is tried again directly, since subprocess names the program only where it uses"
    " posix_spawn; a new PID namespace allows one start only": (
        "exception",
        "Bad file descriptor",
        "Cannot allocate memory",
    ),
    "with SIGCHLD ignored subprocess warns that a child still runs that could not execute its program": (
        "warnings",
        "subprocess N is still running",
        "[]",
    ),
    "the same, after another warning": (
        "warnings",
        "pass_fds overriding close_fds.'), ('ResourceWarning', 'subprocess N is still running')",
        "[('RuntimeWarning', 'pass_fds overriding close_fds.')]",
    ),
    "an interpreter whose stack is small starts with errors, whose number depends on the addresses that it gets": (
        "written.err",
        "RecursionError: maximum recursion depth exceeded",
        "RecursionError: maximum recursion depth exceeded",
    ),
}


def reason(kind: str, one: str | None, other: str | None) -> str | None:
    """Return why a difference is allowed; None if it is not."""
    for text, (allowed, *parts) in ALLOWED.items():
        if kind == allowed and all(part in str(value) for part, value in zip(parts, (one, other), strict=True)):
            return text
    return None


# --- The files --------------------------------------------------------------------------------------------------------


def build(folder: Path) -> None:
    """Make the programs and files that the starts use."""
    (folder / "bin/folder").mkdir(parents=True)
    (folder / "bin/locked").mkdir()
    (folder / "tree").mkdir()
    folder.chmod(0o755)
    os.mkfifo(folder / "report")
    probe = f"{folder}/bin/probe"
    compiler = shutil.which("cc")
    if compiler is not None:
        source, report = HERE / "start_probe.c", f'-DREPORT="{folder}/report"'
        subprocess.run([compiler, "-O1", report, source, "-o", probe], check=True)
    else:  # it ignores some signals itself
        code = (HERE / "start_probe.py").read_text()
        Path(probe).write_text(f"#!{sys.executable} -IS\n{code}")
        Path(probe).chmod(0o755)
    texts = {
        "probe-script": f'#!/bin/sh\nexec {probe} "$@"\n',
        "probe-plain": f'exec {probe} "$@"\n',
        "no-interpreter": "#!/no/such/interpreter\n",
        "empty": "",
        "not-executable": "#!/bin/sh\n",
    }
    for name, text in texts.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o644 if name == "not-executable" else 0o755)
    for name in "unreadable", "group-only":
        shutil.copy(probe, folder / "bin" / name)
    (folder / "bin/unreadable").chmod(0o111)
    (folder / "bin/group-only").chmod(0o610)
    if os.geteuid() == 0:
        os.chown(folder / "bin/group-only", start_arguments.OWNER, start_arguments.GROUP)
    links = {"loop": "loop", "link": "probe", "self": "/proc/self/exe", "by-proc": f"/proc/self/root{probe}"}
    links["by-fd"] = f"/dev/fd/{start_arguments.PROGRAM}"
    for name, target in links.items():
        (folder / "bin" / name).symlink_to(target)
    for name in "in", "out", "err", "file":
        (folder / name).write_text("input\n")
    for name in "report", "out", "err", "file", "in":
        (folder / name).chmod(0o666)
    (folder / "bin/locked").chmod(0)
    (folder / "work").mkdir()
    (folder / "work").chmod(0o777)


@contextlib.contextmanager
def files() -> Iterator[str]:
    """Make a folder for the starts and delete it."""
    folder = Path(tempfile.mkdtemp(prefix="starts-")).resolve()
    try:
        build(folder)
        yield str(folder)
    finally:
        os.chdir("/")
        (folder / "bin/locked").chmod(0o700)
        shutil.rmtree(folder)


# --- One start --------------------------------------------------------------------------------------------------------


def normalised(report: bytes, runner: int) -> dict[str, str]:
    """Return the records of a probe, without the numbers that differ from one start to the next."""
    known: dict[str, str] = {}
    records = dict(record.split("=", 1) for record in report.decode("utf-8", "backslashreplace").split("\0") if record)
    own, parent, *_ = [*records.get("pids", "").split(" "), ""]
    names = {"0": "0", own: "own", str(runner): "runner", str(os.getpid()): "main", str(os.getpgrp()): "group"}
    names[str(os.getsid(0))] = "session"
    for key, value in records.items():
        if key == "pids":
            records[key] = " ".join(names.get(pid, "another") for pid in value.split(" ")[1:])
        elif key.startswith("fd "):
            # Pipes and files get the number of their first descriptor.
            identity, rest = value.split(" ", 1)
            records[key] = known.setdefault(identity, key) + " " + re.sub(r"\[\d+\]", "", rest)
        elif key == "cwd" or value.startswith("PWD="):  # /proc/self of the probe, or of a shell that has started it
            records[key] = value.replace(f"/proc/{own}", "/proc/own").replace(f"/proc/{parent}", "/proc/parent")
        elif key == "status SigIgn":
            # posix_spawn(3) of older glibcs leaves the library's own signals, 32 and 33, ignored.
            records[key] = f"{int(value, 16) & ~(3 << 31):x}"
    return {f"child.{key}": value for key, value in records.items()}


class Starter:
    """Runs each start in a process of its own, and collects the outcome."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        first = os.open(f"{folder}/report", os.O_RDWR | os.O_NONBLOCK)  # also a writer: never end-of-file
        self._reports = os.dup2(first, start_runner.RESULT + 1, inheritable=False)
        os.close(first)

    def _run(self, library: str, seed: int, number: int, result: int) -> None:
        """Do a start in this forked process, and exit."""
        try:
            os.dup2(result, start_runner.RESULT, inheritable=False)
            case = start_cases.make(seed, number, self.folder)
            outcome = start_runner.observe(library, case, self.folder)
            os.write(start_runner.RESULT, json.dumps(outcome).encode())
        except BaseException as error:
            os.write(result, json.dumps({"died": repr(error)}).encode())
        finally:
            os._exit(0)

    def outcome(self, library: str, seed: int, number: int) -> dict[str, str]:
        """Return what was observed of a start."""
        for name in "out", "err":
            os.truncate(f"{self.folder}/{name}", 0)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reports, 1 << 16):
                pass
        end, result = os.pipe()
        runner = os.fork()
        if runner == 0:
            self._run(library, seed, number, result)
        os.close(result)
        written, report = self._read(end, runner)
        os.close(end)
        status = os.waitpid(runner, 0)[1]
        outcome: dict[str, str] = json.loads(written) if written else {"died": str(status)}
        for name in "out", "err":
            content = Path(self.folder, name).read_bytes()
            outcome[f"written.{name}"] = repr(re.sub(rb"/proc/[0-9]+", b"/proc/self", content))
        for name in {"output", "written.err"} & outcome.keys():  # of an interpreter that cannot start
            outcome[name] = re.sub(r"Current thread 0x[0-9a-f]+", "Current thread", outcome[name])
        return outcome | normalised(report, runner)

    def _read(self, end: int, runner: int) -> tuple[bytes, bytes]:
        """Read a result and a probe's report until the runner has ended."""
        written, report = b"", b""
        deadline = time.monotonic() + SECONDS
        while True:
            ready = select.select([end, self._reports], [], [], max(0, deadline - time.monotonic()))[0]
            if not ready:
                os.kill(runner, signal.SIGKILL)
                return b'{"died": "hangs"}', report
            if self._reports in ready:
                report += os.read(self._reports, 1 << 16)
            elif data := os.read(end, 1 << 16):
                written += data
            else:
                return written, report


class Comparison(NamedTuple):
    """The result of one start, by both."""

    differences: list[Difference]
    skipped: bool
    """Whether its conditions could not be made here."""
    own_peak: bool
    """Whether rusage has measured the child's own peak."""


def compare(starter: Starter, seed: int, number: int) -> Comparison:
    """Do a start in both ways."""
    one, other = (starter.outcome(library, seed, number) for library in ("subprocess", "rusage"))
    one.pop("peak", None)
    own_peak = other.pop("peak", None) == "True"
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    for cause in "died", "exception", "child.end", "returncode":  # of all other differences
        keys = [cause] if cause in keys else keys
    limits = [value for name, value in start_cases.make(seed, number, starter.folder).conditions if name == "limit"]
    if one.get("died") == str(int(signal.SIGSEGV)) and any(name == "STACK" for name, _ in limits):
        return Comparison(
            [], skipped=True, own_peak=False
        )  # the interpreter itself needs more stack, before Python 3.11
    if "died" in one:  # in both ways, it may be
        keys = ["died"]
    found = [(key, one.get(key), other.get(key)) for key in keys]
    differences = [Difference(number, *each, allowed=reason(*each)) for each in found]
    return Comparison(differences, "skipped" in one, own_peak)


# --- The command ------------------------------------------------------------------------------------------------------


def become(user: int, folder: str) -> None:
    """Become a user for good."""
    for path in [folder, *map(str, Path(folder).rglob("*"))]:
        os.chown(path, user, user, follow_symlinks=False)
    for name in "ascii", "latin-1", "raw_unicode_escape":  # this user may be unable to read what Python would import
        codecs.lookup(name)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    if start_runner.LINUX:  # as a process that has been started by this user
        start_runner.prctl(4, 1)


def show(starter: Starter, seed: int, number: int, folder: str) -> None:
    """Print one start, and what was observed of it."""
    print(start_cases.make(seed, number, folder))
    for library in "subprocess", "rusage":
        print(f"\n{library}:", json.dumps(starter.outcome(library, seed, number), indent=1))


def summary(differences: list[Difference], seed: str) -> Iterator[str]:
    """Describe differences by kind, with the first starts of each."""
    kinds = collections.defaultdict(list)
    for each in differences:
        kind = re.sub("[0-9]+", "N", each.kind)
        if kind == "exception":
            kind = " instead of ".join(str(text).split("(", maxsplit=1)[0] for text in (each.rusage, each.subprocess))
        kinds[f"allowed, {each.allowed}" if each.allowed else kind].append(each)
    for kind, members in sorted(kinds.items()):
        numbers = ", ".join(str(each.number) for each in members[:12])
        yield f"{len(members)} x {kind}: starts {numbers} of seed {seed}"
        yield f"    subprocess: {members[0].subprocess!s:.300}"
        yield f"    rusage:     {members[0].rusage!s:.300}"


def main(count: str, seed: str, user: str = "") -> int:
    """Run the starts; return the exit status."""
    with files() as folder:
        if user:
            become(int(user), folder)
        os.chdir(f"{folder}/work")
        os.environ.clear()
        os.environ["PATH"] = f"{folder}/bin:/usr/bin:/bin"
        starter = Starter(folder)
        if count.startswith("only="):
            show(starter, int(seed), int(count[5:]), folder)
            return 0
        done = [compare(starter, int(seed), number) for number in range(int(count))]
    differences = [each for comparison in done for each in comparison.differences]
    wrong = {each.number for each in differences if not each.allowed}
    skipped, own_peaks = sum(each.skipped for each in done), sum(each.own_peak for each in done)
    print(f"{count} starts, {len(wrong)} different, {skipped} not possible here, {own_peaks} own peaks")
    print(*summary(differences, seed), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
