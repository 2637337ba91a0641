"""Fixtures of several test files."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from terminals import Start

pytest_plugins = "pytester"  # for tests/test_pytest_plugin.py

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session", autouse=True)
def keyboard_signals() -> None:
    """Give the keyboard's signals their defaults: a shell's background job ignores them, and children inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGQUIT"):
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run elsewhere: an interpreter's first path is the current directory, and the source tree has no extension."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(before)


@pytest.fixture
def python() -> Callable[..., str]:
    """Return a function that runs a new interpreter and returns what it prints."""

    def run(*arguments: str, before: Sequence[str] = (), **environment: str) -> str:
        command = [*before, sys.executable, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
        if done.stderr == "skip\n":
            pytest.skip(reason="the program has no permission for what it tests")
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def program(python: Callable[..., str]) -> Callable[..., str]:
    """Return a function that runs a file of tests/programs in a new interpreter and returns what it prints."""

    def run(name: str, *arguments: str, before: Sequence[str] = ()) -> str:
        # With PYTHONSAFEPATH in the environment a program's folder is not in its path.
        path = os.pathsep.join(filter(None, [str(PROGRAMS), os.environ.get("PYTHONPATH")]))
        return python(str(PROGRAMS / name), *arguments, before=before, PYTHONPATH=path)

    return run


@pytest.fixture
def on_terminal() -> Iterator[Start]:
    """Return a function that runs a command on a pseudo-terminal of its own, and returns the leader and our end."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    started = []

    def start(*command: str, how: str = "run") -> tuple["subprocess.Popen[bytes]", int]:
        ours, theirs = pty.openpty()
        program = str(PROGRAMS / "terminal.py")
        leader = subprocess.Popen([sys.executable, program, how, *command], stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        started.append((leader, ours))
        return leader, ours

    yield start
    for leader, ours in started:
        leader.kill()
        leader.wait()
        os.close(ours)
