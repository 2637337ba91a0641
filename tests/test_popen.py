"""``run``, ``Popen`` and ``CompletedProcess``: subprocess's behaviour, and each child's usage."""

import asyncio
import contextlib
import json
import mmap
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from conftest import alone, linux, needs_sh

import rusage
import rusage.asyncio
from rusage._backends.linux import present_cpus, rss_error

pytest.importorskip("resource", reason="the programs that run here need Unix")

pytestmark = pytest.mark.usefixtures("nothing_is_left")
MIB = 2**20
TIME = Path("/usr/bin/time")
# Shared memory. Linux 5.10 counts its first use as major faults, later kernels as minor ones.
TOUCH = (
    "import mmap; m = mmap.mmap(-1, {mib} << 20); "
    "[m.__setitem__(at, 1) for at in range(0, len(m), 4096)]"
)

gnu_time = pytest.mark.skipif(
    sys.platform != "linux" or not TIME.exists(), reason="no GNU time: apt-get install time"
)


def time_says(command: list[str]) -> int:
    """Return GNU time's peak in bytes; a shell, which has little memory to inherit, starts it."""
    report = subprocess.run(
        ["/bin/sh", "-c", f'"{TIME}" -f %M "$@"', "sh", *command],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(report.stderr.splitlines()[-1]) * 1024


# --- The figures ---


def by_run(command: list[str]) -> int:
    return rusage.run(command, check=True).rusage.ru_maxrss


def by_command(command: list[str]) -> int:
    words = [sys.executable, "-m", "rusage", "--json", "--", *command]
    done = rusage.run(words, stderr=subprocess.PIPE, check=True)
    peak: int = json.loads(done.stderr)["usage"]["ru_maxrss"]
    return peak


@gnu_time
@pytest.mark.xdist_group("alone")
@alone
def test_peaks_from_a_large_process() -> None:
    """Subprocess and wait4 report over 300 MiB."""
    touch = [sys.executable, "-c", TOUCH.format(mib=100)]
    nested = ["/bin/sh", "-c", '"$0" -c "$1"; true', sys.executable, TOUCH.format(mib=100)]
    commands = [["true"], touch, nested]
    expected = [time_says(command) for command in commands]
    # Shared memory would not be forked.
    hold = mmap.mmap(-1, 300 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, len(hold), mmap.PAGESIZE):
        hold[at] = 1
    with subprocess.Popen(["true"]) as process:  # noqa: S607 (found in PATH)
        assert os.wait4(process.pid, 0)[2].ru_maxrss > 300 << 10
        process.returncode = 0
    error = rss_error(present_cpus() or 1, rusage.getpagesize())
    for way in by_run, by_command:
        peaks = [way(command) for command in commands]
        assert abs(peaks[0] - expected[0]) <= max(512 * 1024, error), (way, peaks, expected)
        # The loader and a collector's timing make a megabyte of difference from run to run on some
        # interpreters.
        for peak, other in zip(peaks[1:], expected[1:], strict=True):
            assert abs(peak - other) <= max(MIB, error), (way, peaks, expected)


@linux
def test_child_that_is_not_isolated() -> None:
    done = rusage.run(["true"], preexec_fn=lambda: None)
    assert done.rusage.ru_maxrss == 0
    assert done.measured == rusage.measured(rusage.RUSAGE_CHILDREN) - {"ru_maxrss"}
    assert rusage.run(["true"]).measured == rusage.measured(rusage.RUSAGE_CHILDREN)


# --- subprocess's behaviour ---


WAYS: list[Callable[[Any], object]] = [
    lambda process: process.wait(),
    lambda process: process.wait(timeout=60),
    lambda process: process.communicate(),
    lambda process: process.__exit__(None, None, None),
    lambda process: [process.returncode for _ in iter(process.poll, 0)],
]


@pytest.mark.parametrize("way", WAYS, ids=["wait", "timeout", "communicate", "with", "poll"])
def test_usage_comes_with_the_exit(way: Callable[[Any], object]) -> None:
    assert issubclass(rusage.Popen, subprocess.Popen)
    process = rusage.Popen(["cat"], stdin=subprocess.PIPE)
    assert process.poll() is None
    assert (process.rusage, process.measured) == (None, frozenset())
    assert process.stdin is not None
    process.stdin.close()
    way(process)
    kept = process.rusage
    assert isinstance(kept, rusage.RUsage)
    assert process.measured >= {"ru_utime", "ru_stime"}
    assert process.wait() == process.poll() == 0
    assert process.rusage is kept


def test_elapsed() -> None:
    before = time.perf_counter()
    process = rusage.Popen(["sleep", "0.1"])
    assert process.elapsed is None
    process.wait()
    after = time.perf_counter()
    assert process.elapsed is not None
    assert 0.1 <= process.elapsed <= after - before
    assert process.rusage is not None
    assert process.rusage.cputime <= process.elapsed - 0.05
    kept = process.elapsed
    process.poll()
    assert process.elapsed == kept


@pytest.mark.parametrize("keywords", [{}, {"capture_output": True}, {"preexec_fn": lambda: None}])
def test_repr_shows_figures(keywords: dict[str, Any]) -> None:
    """It begins as in subprocess; while the child runs it is the same."""
    command = [sys.executable, "-c", "print(1)"]
    done = rusage.run(command, **keywords)
    as_usual = subprocess.CompletedProcess(command, 0, done.stdout, done.stderr)
    assert isinstance(done, subprocess.CompletedProcess)
    assert repr(done) == f"{repr(as_usual)[:-1]}, {expected_figures(done)})"


@pytest.mark.parametrize("reaped", [False, True])
def test_repr_of_process(*, reaped: bool) -> None:
    process = rusage.Popen(["cat"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert repr(process) == "<Popen: returncode: None args: ['cat']>"
    process.stdin.close()
    if reaped:  # by another caller
        os.waitpid(process.pid, 0)
    process.wait()
    assert bool(process.measured) is not reaped
    assert repr(process) == f"<Popen: returncode: 0 args: ['cat'], {expected_figures(process)}>"


def expected_figures(child: Any) -> str:
    peak = cputime = "not measured"
    if "ru_maxrss" in child.measured:
        peak = f"{child.rusage.ru_maxrss / 2**20:.1f} MiB"
    if child.measured:
        cputime = f"{child.rusage.ru_utime + child.rusage.ru_stime:.6f} s"
    return f"cputime={cputime}, peak={peak}, elapsed={child.elapsed:.6f} s"


@pytest.mark.parametrize(
    ("command", "keywords"),
    [
        (["false"], {"check": True}),
        pytest.param(["sh", "-c", "kill -9 $$"], {"check": True}, marks=needs_sh),
        (["sleep", "60"], {"timeout": 0.05, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}),
    ],
    ids=str,
)
def test_errors_carry_the_usage(command: list[str], keywords: dict[str, Any]) -> None:
    """``subprocess.run`` raises the base class with the same text."""
    raised: list[Any] = []
    runs: list[Any] = [subprocess.run, rusage.run]
    runs += [lambda command, **rest: asyncio.run(rusage.asyncio.run(command, **rest))]
    for run in runs:
        with pytest.raises(subprocess.SubprocessError) as info:
            run(command, **keywords)
        raised.append(info.value)
    for seen in raised[1:]:
        assert isinstance(seen, type(raised[0]))
        assert type(seen) is getattr(rusage, type(raised[0]).__name__)
        assert vars(pickle.loads(pickle.dumps(seen))) == vars(seen)
        # How much time was left differs.
        assert "timeout" in keywords or str(seen) == str(raised[0])
        assert isinstance(seen.rusage, rusage.RUsage)
        assert seen.elapsed > 0
        assert seen.measured >= {"ru_utime"}


def test_interrupted_run_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []

    class Stop(BaseException):
        pass

    def interrupted(process: Any, *_: object, **__: object) -> None:
        started.append(process)
        raise Stop

    monkeypatch.setattr(rusage.Popen, "communicate", interrupted)
    with pytest.raises(Stop):
        rusage.run(["sleep", "60"])
    assert started[0].returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform == "win32", reason="starts are interrupted by signal handlers")
def test_wait_after_an_interrupted_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A derived class may end the child that a direct start has left, as in subprocess."""

    class Caught(rusage.Popen[bytes]):
        def __init__(self, *args: Any, **keywords: Any) -> None:
            with contextlib.suppress(KeyboardInterrupt):
                super().__init__(*args, **keywords)

    interrupted = Mock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr("rusage._children.posix.read_inherited", interrupted)
    process = Caught(["sleep", "60"], preexec_fn=os.getpid)
    process.kill()
    assert process.wait() == -signal.SIGKILL


def status_and_usage(process: Any, *, waits: bool) -> tuple[int, Any]:
    if waits:
        process.wait()
    while process.poll() is None:
        time.sleep(0.0005)
    return process.returncode, process.rusage


def test_threads_wait_and_poll() -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            with rusage.Popen(["sleep", "0.02"], stdin=subprocess.DEVNULL) as process:
                seen = [
                    pool.submit(status_and_usage, process, waits=number % 2 == 0)
                    for number in range(8)
                ]
                assert [each.result() for each in seen] == [(0, process.rusage)] * 8
                assert process.rusage is not None


IN_UTF8_MODE = """
import subprocess, rusage
for popen in subprocess.Popen, rusage.Popen:
    with popen(["true"], text=True, stdout=subprocess.PIPE) as process:
        print(process.stdout.encoding.lower())
"""


def test_encoding_in_utf8_mode() -> None:
    """As subprocess's, whatever the locale."""
    options = ["-X", "utf8", "-X", "warn_default_encoding", "-W", "ignore"]
    command = [sys.executable, *options, "-c", IN_UTF8_MODE]
    env = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["utf-8"] * 2
