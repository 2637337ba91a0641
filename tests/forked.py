"""The command, and other programs, in a forked child.

Starting an interpreter takes most of the time of a short test. ``run`` and ``popen`` take what
``subprocess`` takes. On PyPy they start an interpreter all the same, as do tests of an
interpreter's start and end, of the environment and of file descriptors.
"""

from __future__ import annotations

import os
import runpy
import shutil
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from expected import SAMPLED

import rusage

# Imported once, and not by each child that needs them.
from rusage._cli import formats, info, limits, pid, series  # noqa: F401
from rusage._cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

RUSAGE = [sys.executable, "-m", "rusage"]
PROGRAMS = Path(__file__).parent / "programs"
CHECKS = [sys.executable, str(PROGRAMS / "command_checks.py")]
needs_peak = pytest.mark.skipif(
    sys.platform == "win32" or bool(SAMPLED) or "ru_maxrss" not in rusage.run(["true"]).measured,
    reason="the peak of a child is not measured here, or differs from run to run, "
    "since it is sampled",
)


def become(function: Callable[[list[str]], object], words: list[str]) -> None:
    """Call a function as the main program of a child that was just forked, and exit."""
    status: object = 1
    try:
        for number in signal.valid_signals():  # exec would reset them
            handler = signal.getsignal(number)
            if callable(handler) and not isinstance(handler, signal.Handlers):
                is_sigint = number == signal.SIGINT
                signal.signal(number, signal.default_int_handler if is_sigint else signal.SIG_DFL)
        for name in {"SIGPIPE", "SIGXFSZ"} & {*dir(signal)}:  # as an interpreter at its start
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        os.closerange(3, 4096)  # among them a pipe that subprocess waits for
        sys.argv = ["rusage", *words]
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
        status = function(words)
    except SystemExit as error:
        status = error.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 1)


def _lead(words: list[str]) -> None:
    """Lead a session on standard input's terminal; run a command, print its return code, and stay.

    Words NAME=VALUE come first, as for env(1). When the leader of a session exits, FreeBSD revokes
    the terminal and drops the output that was not read.
    """
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in signal.SIGINT, signal.SIGQUIT:
        signal.signal(number, lambda *_: None)  # not ignored: the command would inherit that
    while "=" in words[0]:
        name, _, os.environ[name] = words.pop(0).partition("=")
    start = run if words[:1] == RUSAGE[:1] else subprocess.run
    sys.stdout.write(f"return code {start(words, check=False).returncode}\n")
    sys.stdout.flush()
    while True:
        signal.pause()


needs_fork = pytest.mark.skipif(
    sys.implementation.name == "pypy", reason="an interpreter of its own does not see the patch"
)
"""Marks a test that patches what a command calls."""
LEADER = "leader"
"""The first word of a command that runs another one on a terminal of its own."""
FUNCTIONS: dict[tuple[str, ...], Callable[[list[str]], object]] = {
    (*RUSAGE,): main,
    (*CHECKS,): lambda _: runpy.run_path(CHECKS[1], run_name="__main__"),
    (LEADER,): _lead,
}


def skip_without_shell(words: Iterable[str]) -> None:
    if "sh" in words and shutil.which("sh") is None:
        pytest.skip("this system has no shell")


def _arguments(command: Sequence[str | bytes], keywords: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``subprocess.Popen`` for a command."""
    words = [os.fsdecode(word) for word in command]
    skip_without_shell(words)
    (prefix,) = [prefix for prefix in FUNCTIONS if (*words[: len(prefix)],) == prefix]
    # PyPy's threads may not run in a forked child.
    if sys.implementation.name == "pypy" and prefix != (LEADER,):
        return {**keywords, "args": command}
    before = keywords.get("preexec_fn") or (lambda: None)

    def start() -> None:
        before()
        become(FUNCTIONS[prefix], words[len(prefix) :])

    return {**keywords, "args": ["rusage"], "executable": sys.executable, "preexec_fn": start}


def run(command: Sequence[str | bytes], **keywords: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command as ``subprocess.run`` does."""
    return subprocess.run(**_arguments(command, keywords))  # noqa: PLW1510 (the caller's)


def popen(command: Sequence[str | bytes], **keywords: Any) -> subprocess.Popen[Any]:
    """Start a command as ``subprocess.Popen`` does."""
    return subprocess.Popen(**_arguments(command, keywords))
