"""How the exit of a child is seen if there is a timeout, and how the timeout ends."""

import math
import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

import rusage

if sys.platform == "win32":
    pytest.skip(reason="a process is waited for by its handle", allow_module_level=True)


def pidfd_works() -> bool:
    """Return whether a process can be waited for by a file descriptor here."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


by_pidfd = pytest.mark.skipif(not pidfd_works(), reason="this system or interpreter has no pidfd_open")


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list of the sleeps between two looks at a child."""
    seen: list[float] = []
    sleep = time.sleep

    def note(seconds: float) -> None:
        seen.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", note)
    return seen


@by_pidfd
@pytest.mark.parametrize("options", [{}, {"capture_output": True}], ids=str)
def test_exit_is_seen_without_polling(sleeps: list[float], options: dict[str, Any]) -> None:
    """With a timeout too ``elapsed`` ends with the exit, and not with the next look at the child."""
    assert rusage.run(["sleep", "0.2"], timeout=60, **options).elapsed >= 0.2
    assert sleeps == []


@by_pidfd
@pytest.mark.parametrize("seconds", [1e300, math.inf, 2**31 / 1000, 2**63])
def test_any_length_of_time(sleeps: list[float], seconds: float) -> None:
    """A timeout may be longer than poll(2) can wait at once."""
    with rusage.Popen(["sleep", "0.1"]) as process:
        assert process.wait(timeout=seconds) == 0
    assert sleeps == []


@pytest.mark.parametrize("seconds", [0, -1, -math.inf, 1e-9, 0.05])
def test_expired_names_the_timeout(seconds: float) -> None:
    """The exception is ``subprocess``'s; the child is still there, and a later wait sees its exit."""
    with rusage.Popen(["sleep", "60"]) as process:
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            process.wait(timeout=seconds)
        assert (caught.value.cmd, caught.value.timeout) == (["sleep", "60"], seconds)
        assert (process.returncode, process.rusage, process.elapsed) == (None, None, None)
        process.kill()
        assert process.wait(timeout=60) < 0


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="nothing waits and leaves the child")
def test_exit_before_the_wait() -> None:
    with rusage.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process.wait(timeout=0) == 0


@pytest.mark.parametrize("seconds", ["1", b"1", [1]], ids=repr)
def test_bad_timeout_is_type_error(seconds: Any) -> None:
    """As in ``subprocess``."""
    with rusage.Popen(["sleep", "60"]) as process:
        with pytest.raises(TypeError):
            process.wait(timeout=seconds)
        process.kill()


@by_pidfd
def test_wait_without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses the file descriptor, the exit is seen as ``subprocess`` sees it."""

    def refuse(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    done = rusage.run(["sleep", "0.1"], timeout=60)
    assert (done.returncode, bool(done.measured)) == (0, True)
    with pytest.raises(subprocess.TimeoutExpired):
        rusage.run(["sleep", "60"], timeout=0.05)


def test_wait_beside_another_thread() -> None:
    """A thread that waits without a timeout does not keep another from its own."""
    with rusage.Popen(["sleep", "60"]) as process:
        waiting = threading.Thread(target=process.wait)
        waiting.start()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
        process.kill()
        assert process.wait(timeout=60) < 0
        waiting.join()
        assert process.measured


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="there is no /proc/self/fd")
def test_wait_leaves_no_file_descriptor() -> None:
    """Neither an exit nor an expired timeout does."""
    before = os.listdir("/proc/self/fd")
    rusage.run(["sleep", "0.05"], timeout=60)
    with pytest.raises(subprocess.TimeoutExpired):
        rusage.run(["sleep", "60"], timeout=0.05)
    assert os.listdir("/proc/self/fd") == before
