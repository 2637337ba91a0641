"""``run``, ``Popen`` and ``CompletedProcess``: subprocess's own behaviour, and each child's own usage."""

import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import needs_sh
from system_words import documentation

import rusage
from rusage._backends import BACKEND
from rusage._backends.linux import counters_error, present_cpus

resource = pytest.importorskip("resource", reason="the programs that run here need Unix")

pytestmark = pytest.mark.usefixtures("nothing_is_left")
LINUX = sys.platform == "linux"
MIB = 2**20
TIME = Path("/usr/bin/time")
# Shared memory. Linux 5.10 counts its first use as major faults, later kernels as minor ones.
TOUCH = "import mmap; m = mmap.mmap(-1, {mib} << 20); [m.__setitem__(at, 1) for at in range(0, len(m), 4096)]"

linux_only = pytest.mark.skipif(not LINUX, reason="the launcher is Linux's: elsewhere a child's peak is its own anyway")
# PyPy has no vfork(2): a start copies its page tables, and takes 20 ms of CPU time.
MANY_CHILDREN = pytest.param(
    2000 if sys.implementation.name == "pypy" else 10_000,
    marks=[pytest.mark.thorough, pytest.mark.pypy, pytest.mark.not_emulated],
)

gnu_time = pytest.mark.skipif(not (LINUX and TIME.exists()), reason="no GNU time: apt-get install time")


def time_says(command: list[str]) -> int:
    """Return the peak in bytes that GNU time reports; a shell, which has little memory to inherit, starts it."""
    report = subprocess.run(
        ["/bin/sh", "-c", f'"{TIME}" -f %M "$@"', "sh", *command], capture_output=True, text=True, check=True
    )
    return int(report.stderr.splitlines()[-1]) * 1024


# --- The figures -----------------------------------------------------------------------------------------------------


@gnu_time
@pytest.mark.xdist_group("alone")
def test_peaks_from_a_large_process(program: Callable[..., str]) -> None:
    """``run``, ``Popen``, asyncio and the command report GNU time's peak; subprocess and wait4 over 300 MiB."""
    touch = [sys.executable, "-c", TOUCH.format(mib=100)]
    nested = ["/bin/sh", "-c", '"$0" -c "$1"; true', sys.executable, TOUCH.format(mib=100)]
    commands = [["true"], touch, nested]
    expected = [time_says(command) for command in commands]
    seen = json.loads(program("own_peaks.py", json.dumps(commands)))
    assert min(seen.pop("wait4")) > 300 << 20
    error = counters_error(present_cpus() or 1, rusage.getpagesize())
    for way, peaks in seen.items():
        assert abs(peaks[0] - expected[0]) <= max(512 * 1024, error), (way, peaks, expected)
        # The loader and a collector's timing make a megabyte of difference from run to run on some interpreters.
        for peak, other in zip(peaks[1:], expected[1:], strict=True):
            assert abs(peak - other) <= max(MIB, error), (way, peaks, expected)


@needs_sh
def test_peak_of_the_largest_descendant() -> None:
    """Two grandchildren have 120 MiB each at the same time."""
    job = f"{sys.executable} -S -c '{TOUCH.format(mib=120)}; import time; time.sleep(0.5)'"
    done = rusage.run(["sh", "-c", f"{job} & {job} & wait"], check=True)
    if "ru_maxrss" in done.measured:
        error = counters_error(present_cpus() or 1, rusage.getpagesize())
        assert 120 * MIB - error <= done.rusage.ru_maxrss < 240 * MIB


@linux_only
def test_child_that_is_not_isolated() -> None:
    """With ``preexec_fn`` the child is started by subprocess alone, and its peak is not measured."""
    done = rusage.run(["true"], preexec_fn=lambda: None)
    assert done.rusage.ru_maxrss == 0
    assert done.measured == rusage.measured(rusage.RUSAGE_CHILDREN) - {"ru_maxrss"}
    assert rusage.run(["true"]).measured == rusage.measured(rusage.RUSAGE_CHILDREN)


def test_cpu_time_and_faults() -> None:
    """A child that uses 0.3 s of CPU time has it; one that sleeps has none of that time, and none of this process."""
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    busy = rusage.run([sys.executable, "-c", "import time\nwhile time.process_time() < .3: pass"], check=True)
    idle = rusage.run([sys.executable, "-c", "import time; time.sleep(.3)"], check=True)
    least = 0.2 if documentation(BACKEND).resolution == "ticks" else 0.3  # a tick is a sample, process_time() is exact
    assert least <= busy.rusage.ru_utime + busy.rusage.ru_stime <= busy.elapsed + 0.05
    assert idle.rusage.ru_utime + idle.rusage.ru_stime <= idle.elapsed - 0.3 + 0.05
    assert idle.elapsed >= 0.3
    assert busy.rusage.ru_minflt > 0


def test_usage_lies_within_rusage_children() -> None:
    """The oracle is ``RUSAGE_CHILDREN`` of CPython's own module, before and after."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = rusage.run([sys.executable, "-c", TOUCH.format(mib=20)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.rusage.ru_utime + done.rusage.ru_stime > 0
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.rusage.ru_utime + done.rusage.ru_stime <= spent + 0.001
    assert done.rusage.ru_minflt <= after.ru_minflt - before.ru_minflt
    assert done.rusage.ru_majflt <= after.ru_majflt - before.ru_majflt
    assert done.rusage.ru_minflt + done.rusage.ru_majflt >= 20 * MIB // rusage.getpagesize() // 2


# --- subprocess's behaviour ------------------------------------------------------------------------------------------


def test_usage_comes_with_the_exit() -> None:
    """``.rusage`` is None until wait, poll, communicate or the end of the with statement has seen the exit."""
    assert issubclass(rusage.Popen, subprocess.Popen)
    ways: list[Callable[[Any], object]] = [
        lambda process: process.wait(),
        lambda process: process.wait(timeout=60),
        lambda process: process.communicate(),
        lambda process: process.__exit__(None, None, None),
    ]
    for way in ways:
        process = rusage.Popen(["cat"], stdin=subprocess.PIPE)
        assert process.poll() is None
        assert process.rusage is None
        assert process.measured == frozenset()
        assert process.stdin is not None
        process.stdin.close()
        way(process)
        assert isinstance(process.rusage, rusage.RUsage)
        assert process.measured >= {"ru_utime", "ru_stime"}
        kept = process.rusage
        assert process.wait() == process.poll() == 0
        assert process.rusage is kept
    process = rusage.Popen(["true"])
    while process.poll() is None:
        assert process.rusage is None
        time.sleep(0.001)
    assert isinstance(process.rusage, rusage.RUsage)


def test_elapsed() -> None:
    """It lies within the clock's readings around the start and the wait, and does not change any more."""
    before = time.perf_counter()
    process = rusage.Popen(["sleep", "0.1"])
    assert process.elapsed is None
    process.wait()
    after = time.perf_counter()
    assert process.elapsed is not None
    assert 0.1 <= process.elapsed <= after - before
    kept = process.elapsed
    process.poll()
    assert process.elapsed == kept == rusage.CompletedProcess(process, None, None).elapsed


def test_repr_shows_figures() -> None:
    """It begins as in subprocess; while the child runs it is the same."""
    command = [sys.executable, "-c", "print(1)"]
    options: list[dict[str, Any]] = [{}, {"capture_output": True}, {"preexec_fn": lambda: None}]
    for keywords in options:
        done: rusage.CompletedProcess[Any] = rusage.run(command, **keywords)
        as_usual = subprocess.CompletedProcess(command, 0, done.stdout, done.stderr)
        assert repr(done) == f"{repr(as_usual)[:-1]}, {expected_figures(done)})"
    with rusage.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert repr(process) == "<Popen: returncode: None args: ['cat']>"
    assert repr(process) == f"<Popen: returncode: 0 args: ['cat'], {expected_figures(process)}>"


def test_repr_without_figures() -> None:
    """Another caller has waited for the child."""
    process = rusage.Popen(["true"])
    os.waitpid(process.pid, 0)
    process.wait()
    figures = f"cputime=not measured, peak=not measured, elapsed={process.elapsed:.6f} s"
    assert repr(process) == f"<Popen: returncode: 0 args: ['true'], {figures}>"


def expected_figures(child: Any) -> str:
    """Return what a repr says of a child whose times are measured."""
    peak = f"{child.rusage.ru_maxrss / 2**20:.1f} MiB" if "ru_maxrss" in child.measured else "not measured"
    cputime = child.rusage.ru_utime + child.rusage.ru_stime
    return f"cputime={cputime:.6f} s, peak={peak}, elapsed={child.elapsed:.6f} s"


@needs_sh
def test_run_as_subprocess_run() -> None:
    """Output, input, text, status, env, cwd and shell come out as ``subprocess.run``'s, for the same arguments."""
    calls: list[tuple[Any, dict[str, Any]]] = [
        (["sh", "-c", "cat; echo error >&2; exit 3"], {"input": b"in", "capture_output": True}),
        (["cat"], {"input": "\xe4\n", "capture_output": True, "encoding": "utf-8"}),
        ("echo $X; pwd", {"shell": True, "stdout": subprocess.PIPE, "env": {"X": "1"}, "cwd": "/"}),
        ("echo $0", {"shell": True, "stdout": subprocess.PIPE, "executable": "/bin/sh"}),
        ("echo", {"stdout": subprocess.PIPE}),
        (Path("/bin/echo"), {"stdout": subprocess.PIPE}),
        ([b"echo", "a", Path("b")], {"stdout": subprocess.PIPE, "text": True}),
        (("echo", "c"), {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}),
        (["name", "-c", "echo $0 $1", "x", "y"], {"executable": "/bin/sh", "stdout": subprocess.PIPE}),
        ("kill -9 $$", {"shell": True}),
        (["sh", "-c", "umask"], {"umask": 0o12, "stdout": subprocess.PIPE}),
        (["sh", "-c", 'echo "$1$X"', "sh", b"\xff\xfe"], {"env": {b"X": b"\x80"}, "stdout": subprocess.PIPE}),
        ("kill -PIPE $$; echo ignored", {"shell": True, "restore_signals": True, "stdout": subprocess.PIPE}),
        ("kill -PIPE $$; echo ignored", {"shell": True, "restore_signals": False, "stdout": subprocess.PIPE}),
    ]
    if os.geteuid() == 0:
        users = {"user": 65534, "group": 1, "extra_groups": [2]}
        calls += [("id -u; id -g; id -G", {"shell": True, "stdout": subprocess.PIPE, **users})]
    assert issubclass(rusage.CompletedProcess, subprocess.CompletedProcess)
    for args, keywords in calls:
        expected = subprocess.run(args, check=False, **keywords)
        seen = rusage.run(args, **keywords)
        assert isinstance(seen, rusage.CompletedProcess)
        assert (seen.returncode, seen.stdout, seen.stderr) == (expected.returncode, expected.stdout, expected.stderr)
        assert isinstance(seen.rusage, rusage.RUsage)
    words: Any = iter(["echo", "c"])  # works in subprocess too, and is in no documentation
    assert rusage.run(words, stdout=subprocess.PIPE).stdout == b"c\n"


BAD: list[tuple[Any, dict[str, Any]]] = [
    (["no such program"], {}),
    (["/no/such/program"], {}),
    (["/etc/passwd"], {}),
    (["/etc/passwd/x"], {}),
    (["/"], {}),
    (["true"], {"cwd": "/etc/passwd"}),
    (["true"], {"cwd": "/no/such/folder"}),
    (["true"], {"executable": "/no/such/program"}),
    (["true", "x" * 2**22], {}),
    (["true"], {"env": {"A=B": "c"}}),
    (["true"], {"env": {"A": "c" * 2**22}}),
    (["tr\0ue"], {}),
    (["true", "\0"], {}),
    ([], {}),
    (5, {}),
    ([5], {}),
    (["true", None], {}),
    (Path("/bin/true"), {"shell": True}),
    (["true"], {"pass_fds": [-1]}),
    (["true"], {"pass_fds": [10**6]}),
    (["true"], {"umask": "x"}),
    (["true"], {"user": -1}),
    (["true"], {"user": 1.5}),
    (["true"], {"bufsize": "x"}),
    (["true"], {"input": b"", "stdin": subprocess.PIPE}),
    (["true"], {"capture_output": True, "stdout": subprocess.PIPE}),
    (["true"], {"stdin": 987654}),
    (["true"], {"nonsense": 1}),
    (["false"], {"check": True}),
    (["sh", "-c", "kill -9 $$"], {"check": True}),
    (["sleep", "60"], {"timeout": 0.05}),
    (["sleep", "60"], {"timeout": 0.05, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}),
]
if sys.version_info >= (3, 11):
    # No process has that ID: group 1 can be joined where process 1 leads the session.
    BAD += [(["true"], {"process_group": 2**31 - 1}), (["true"], {"process_group": "x"})]
    if platform.python_implementation() == "CPython" and sys.version_info >= (3, 13):  # others take the lower 32 bits
        BAD += [(["true"], {"process_group": 2**40})]


@pytest.mark.filterwarnings("ignore:pass_fds overriding:RuntimeWarning")
@pytest.mark.parametrize(("args", "keywords"), BAD, ids=[f"{args!r:.30} {words!s:.30}" for args, words in BAD])
def test_errors_of_subprocess(args: Any, keywords: dict[str, Any]) -> None:
    """The same type, arguments and file name as ``subprocess.run`` raises; and with a process, its usage."""
    raised = []
    runs: tuple[Callable[..., Any], ...] = subprocess.run, rusage.run
    for run in runs:
        with pytest.raises(BaseException) as info:  # noqa: PT011 (whatever subprocess raises)
            run(args, **keywords)
        raised.append(info.value)
    expected, seen = raised
    assert type(seen) is type(expected)
    if not isinstance(expected, (TypeError, subprocess.TimeoutExpired)):  # names of functions; what time was left
        assert str(seen) == str(expected)
    assert getattr(seen, "errno", None) == getattr(expected, "errno", None)
    assert getattr(seen, "filename", None) == getattr(expected, "filename", None)
    if isinstance(seen, (subprocess.TimeoutExpired, subprocess.CalledProcessError)):
        assert isinstance(seen.rusage, rusage.RUsage)  # type: ignore[union-attr]
        assert seen.elapsed > 0  # type: ignore[union-attr]
        assert seen.measured >= {"ru_utime"}  # type: ignore[union-attr]


def test_search_of_path(tmp_path: Path) -> None:
    """The first file that can be executed runs, and else the first error is raised; the oracle is ``subprocess``."""
    texts = {"plain": ("echo\n", 0o755), "missing": ("#!/no/such\n", 0o755), "denied": ("#!/bin/sh\n", 0o644)}
    for folder, (text, mode) in texts.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tool").write_text(text)
        (tmp_path / folder / "tool").chmod(mode)
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "tool").symlink_to(str(shutil.which("echo")))
    long = "x" * 300  # which no file system can resolve
    searches = [
        "none denied good",
        "good none",
        "none",
        "denied none",
        "missing",
        "plain",
        "plain missing",
        "denied plain",
    ]
    for folders in [*searches, f"{long} plain", f"plain {long}", f"none {long} plain none", f"{long} good"]:
        path = os.pathsep.join(f"{tmp_path}/{folder}" for folder in folders.split())
        for program in "tool", path + "/tool":
            expected, seen = (outcome(module, [program, "x"], env={"PATH": path}) for module in (subprocess, rusage))
            assert seen == expected, (folders, program)
    with pytest.raises(FileNotFoundError):
        rusage.run(["tool"])


def outcome(module: Any, command: list[str], **keywords: Any) -> object:
    """Return the output of a program, or what is known of the error."""
    try:
        return module.run(command, stdout=subprocess.PIPE, **keywords).stdout
    except OSError as error:
        return type(error), error.errno, error.filename


@needs_sh
def test_session_and_process_group() -> None:
    """The target itself leads the new session or group, so ``os.killpg(pid)`` reaches it and its children."""
    with rusage.Popen(["sh", "-c", "sleep 60 & wait"], start_new_session=True) as process:
        assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM
    if sys.version_info >= (3, 11):
        with rusage.Popen(["sleep", "60"], process_group=0) as process:
            assert os.getpgid(process.pid) == process.pid
            assert os.getsid(process.pid) == os.getsid(0)
            with rusage.Popen(["sleep", "60"], process_group=process.pid) as other:
                assert os.getpgid(other.pid) == process.pid
                os.killpg(process.pid, signal.SIGTERM)
                assert other.wait() == process.wait() == -signal.SIGTERM


@pytest.mark.timeout(method="thread")  # the other method uses SIGALRM too
def test_interrupted_run_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception of a signal's handler propagates from ``run``, and the child has been reaped.

    The signal arrives after the start, during which ``subprocess`` would leave the child.
    """
    communicate = rusage.Popen.communicate

    def soon_interrupted(*args: Any, **keywords: Any) -> Any:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        return communicate(*args, **keywords)

    class Stop(Exception):  # noqa: N818 (not an error)
        pass

    def stop(*_: object) -> None:
        raise Stop

    monkeypatch.setattr(rusage.Popen, "communicate", soon_interrupted)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        with pytest.raises(Stop):
            rusage.run(["sleep", "60"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@linux_only
@pytest.mark.parametrize("call", ["access", "readlink", "read", "pread", "waitpid"])
def test_interrupted_start_leaves_no_child(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a handler raises during a start, even as a system call might, the child is killed and reaped."""

    class Stop(FileNotFoundError):  # noqa: N818 (not an error)
        pass

    def interrupted(*_: object) -> None:
        monkeypatch.undo()
        raise Stop

    monkeypatch.setattr(os, call, interrupted)
    before = signal.signal(signal.SIGUSR1, interrupted)  # a start believes in a handler only if there is one
    try:
        with pytest.raises(Stop):
            rusage.Popen(["sleep", "60"])
    finally:
        signal.signal(signal.SIGUSR1, before)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_threads_wait_and_poll() -> None:
    """Each of many threads on one child sees the same status, and with it the usage."""
    for _ in range(20):
        with rusage.Popen(["sleep", "0.02"], stdin=subprocess.DEVNULL) as process:
            seen: list[tuple[int | None, object]] = []

            def look(wait: bool, process: "rusage.Popen[bytes]", seen: "list[tuple[int | None, object]]") -> None:  # noqa: FBT001
                if wait:
                    process.wait()
                while process.poll() is None:
                    time.sleep(0.0005)
                seen.append((process.returncode, process.rusage))

            threads = [threading.Thread(target=look, args=(n % 2 == 0, process, seen)) for n in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert seen == [(0, process.rusage)] * 8
            assert process.rusage is not None


@linux_only
@pytest.mark.xdist_group("alone")
@pytest.mark.parametrize("children", [80, MANY_CHILDREN])
def test_children_of_8_threads(children: int) -> None:
    """Each child touches an amount of its own, and that is its peak; the sum is what RUSAGE_CHILDREN grew by."""
    # dd allocates a buffer of the given size. ru_maxrss lacks the pages that are still in the counters of the CPUs:
    # with at most 16, up to 32 in each.
    tolerance = max(MIB, 64 * rusage.getpagesize())
    sizes = [step * 2 * tolerance for step in range(1, 9)]
    small = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=1"]
    base = rusage.run(small, stderr=subprocess.DEVNULL).rusage
    totals: list[list[float]] = []
    wrong: list[tuple[int, int]] = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    def work(first: int) -> None:
        total = [0.0] * 16
        for number in range(children // 8):
            size = sizes[(first * 5 + number) % len(sizes)]
            command = ["dd", "if=/dev/zero", "of=/dev/null", f"bs={size}", "count=1"]
            done = rusage.run(command, stderr=subprocess.DEVNULL, check=True)
            if abs(done.rusage.ru_maxrss - base.ru_maxrss - size) > tolerance:
                wrong.append((size, done.rusage.ru_maxrss))
            total = [a + b for a, b in zip(total, done.rusage, strict=True)]
        totals.append(total)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(totals) == 8
    assert not wrong, (base, wrong[:10], len(wrong))
    summed = rusage.RUsage._make(map(sum, zip(*totals, strict=True)))
    grown = rusage.from_native(after) - rusage.from_native(before)
    # The launchers are in it too, from the fork on. One takes 3 ms on PyPy, which has no vfork, and in an emulator
    # about the time of a small program.
    assert -0.0001 * children < grown.cputime - summed.cputime < max(0.015 * children, 4 * summed.cputime)
    assert 0 <= grown.ru_minflt - summed.ru_minflt < 5000 * children


@linux_only
def test_children_killed_while_starting() -> None:
    """SIGKILL at any moment of a start is an exit by SIGKILL, or reaches the child; no process is left."""
    stop = threading.Event()
    me = os.getpid()

    def kill_all() -> None:
        while not stop.is_set():
            for task in os.listdir(f"/proc/{me}/task"):
                try:
                    children = Path(f"/proc/{me}/task/{task}/children").read_text()
                except OSError:
                    continue
                for child in children.split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(child), signal.SIGKILL)

    killer = threading.Thread(target=kill_all)
    killer.start()
    try:
        for _ in range(100):
            process = rusage.Popen(["sleep", "60"])
            assert process.wait() == -signal.SIGKILL
            assert isinstance(process.rusage, rusage.RUsage)
    finally:
        stop.set()
        killer.join()
