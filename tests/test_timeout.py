"""How the exit of a child is seen if there is a timeout, and how the timeout ends."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any
from unittest.mock import Mock

import pytest
from conftest import needs_sh

import rusage

if sys.platform == "win32":
    pytest.skip(reason="a process is waited for by its handle", allow_module_level=True)

from rusage._children import posix

pytestmark = pytest.mark.usefixtures("nothing_is_left")


not_by_subprocess = pytest.mark.skipif(not posix.WAIT_BY_EVENT, reason="subprocess waits")


class Kqueue:
    """A model of ``select.kqueue`` for the exit of one child, as kqueue(2) describes it."""

    _exit: int | None = None

    def control(
        self, changes: list[tuple[int, ...]] | None, size: int, timeout: float = 0
    ) -> list[Any]:
        """Add an event, or wait for it."""
        for pid, *rest in changes or []:
            assert rest == [-5, 1, 1 << 31]  # the values below
            assert not size  # otherwise an error is an event
            self._exit = os.pidfd_open(pid)
        if timeout > 100_000_000:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return select.select([self._exit], [], [], timeout)[0] if self._exit and size else []

    def close(self) -> None:
        """Close it."""
        if self._exit:
            os.close(self._exit)


KQUEUE: dict[str, Any] = {
    "KQ_FILTER_PROC": -5,
    "KQ_EV_ADD": 1,
    "KQ_NOTE_EXIT": 1 << 31,
    "kqueue": Kqueue,
}
KQUEUE["kevent"] = lambda *values: values


@pytest.fixture(params=["here", "kqueue"])
def event(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as this system does, or by the model of kqueue, which needs a pidfd."""
    if not posix.WAIT_BY_EVENT:
        pytest.skip(
            reason="subprocess waits, or this system or interpreter "
            "has neither pidfd_open nor kqueue"
        )
    try:
        with posix.exit_event(os.getpid()):
            pass
    except OSError as error:
        pytest.skip(reason=f"this system refuses it: {error}")
    if request.param == "kqueue":
        if not hasattr(os, "pidfd_open"):
            pytest.skip(reason="this system or interpreter has no pidfd_open")
        for name, value in KQUEUE.items():
            monkeypatch.setattr(select, name, value, raising=False)
        monkeypatch.setattr(posix, "exit_event", posix.by_kqueue)


by_event = pytest.mark.usefixtures("event")


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seen: list[float] = []
    sleep = time.sleep

    def note(seconds: float) -> None:
        seen.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", note)
    return seen


@by_event
@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 60, "capture_output": True},
        # From Python 3.15 on, subprocess may refuse NaN.
        pytest.param({"timeout": math.nan}, marks=not_by_subprocess),
        *({"timeout": seconds} for seconds in (60, 1e300, math.inf, 2**31 / 1000, 2**63)),
    ],
    ids=str,
)
def test_exit_is_seen_without_polling(sleeps: list[float], options: dict[str, Any]) -> None:
    """poll(2) and kevent(2) do not accept all of these times."""
    assert rusage.run(["sleep", "0.2"], **options).elapsed >= 0.2
    assert sum(sleeps) < 0.1  # the event may precede the status by a moment


@by_event
@pytest.mark.parametrize("seconds", [0, -1, -math.inf, 1e-9, 0.05])
def test_expired_names_the_timeout(sleeps: list[float], seconds: float) -> None:
    with rusage.Popen(["sleep", "60"]) as process:
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            process.wait(timeout=seconds)
        assert (caught.value.cmd, caught.value.timeout) == (["sleep", "60"], seconds)
        assert not sleeps
        assert (process.returncode, process.rusage, process.elapsed) == (None, None, None)
        process.kill()
        assert process.wait(timeout=60) < 0


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="nothing waits and leaves the child")
def test_exit_before_the_wait() -> None:
    with rusage.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process.wait(timeout=0) == 0


@by_event
def test_wait_without_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it is refused, as kqueue(2) may for an exiting child, ``subprocess`` sees the exit."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    if hasattr(os, "pidfd_open"):  # which the model of kqueue calls too
        monkeypatch.setattr(os, "pidfd_open", refuse)
    else:
        monkeypatch.setattr(select, "kqueue", refuse)
    done = rusage.run(["sleep", "0.1"], timeout=60)
    assert (done.returncode, bool(done.measured)) == (0, True)
    with pytest.raises(subprocess.TimeoutExpired):
        rusage.run(["sleep", "60"], timeout=0.05)


@by_event
def test_child_that_another_thread_has_reaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ID may be reused when the event is asked for."""
    process = rusage.Popen(["sleep", "60"])
    exit_event = posix.exit_event

    def reap(pid: int) -> Any:
        """Wait first; the process ID is then this process's, whose exit is not seen."""
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        process.returncode = 5
        return exit_event(os.getpid())

    monkeypatch.setattr(posix, "exit_event", reap)
    assert process.wait(timeout=5) == 5


@by_event
def test_child_that_another_thread_is_reaping(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the lock until it sets the status; the process ID is another process's."""
    process = rusage.Popen(["true"])
    os.waitpid(process.pid, 0)

    def has_exited(seconds: float) -> None:
        time.sleep(seconds)
        process.returncode = 5

    monkeypatch.setattr(posix, "exit_event", lambda _: contextlib.nullcontext(has_exited))
    with process._waitpid_lock:  # noqa: SLF001 (as the thread)
        assert process.wait(timeout=0.5) == 5


def test_lock_that_another_thread_has_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have waited for the child between a look at the status and the lock."""
    process = rusage.Popen(["true"])

    def acquire(*, blocking: bool) -> bool:
        os.waitpid(process.pid, 0)
        process.returncode = 5
        return not blocking

    monkeypatch.setattr(process, "_waitpid_lock", Mock(acquire=acquire))
    assert process.poll() == 5


@needs_sh
def test_timeout_while_a_grandchild_has_the_pipe() -> None:
    read, write = os.pipe()
    with pytest.raises(subprocess.TimeoutExpired):
        rusage.run(
            ["sh", "-c", "exec 3<&0; cat <&3 & exec sleep 60"],
            stdin=read,
            capture_output=True,
            timeout=0.2,
        )
    os.close(read)
    os.close(write)


def test_output_until_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = subprocess.TimeoutExpired(["x"], 1.5, b"output", b"error")
    monkeypatch.setattr(rusage.Popen, "communicate", Mock(side_effect=theirs))
    with pytest.raises(rusage.TimeoutExpired) as caught:
        rusage.run([sys.executable, "-S", "-c", "pass"], timeout=1.5)
    assert caught.value.args == theirs.args
    for name in "cmd", "timeout", "output", "stdout", "stderr":
        assert getattr(caught.value, name) == getattr(theirs, name)
