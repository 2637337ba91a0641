"""``record``: the samples of a tree over time."""

import ctypes
import errno
import gc
import importlib.util
import mmap
import operator
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from operator import attrgetter, methodcaller
from typing import Any

import pytest
from conftest import CPYTHON, called_after, forks, in_child, linux, no_files, open_files
from scenes import MIB, held, wait_until

import rusage
from rusage._backends import BACKEND

if "record" in BACKEND.absent:
    pytest.skip(f"no record: {BACKEND.absent['record']}", allow_module_level=True)

FAST = 0.002


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = open_files()
    yield
    assert not threads()
    assert open_files() == before


def threads() -> int:
    from rusage import _record

    return len(_record._samplers)  # noqa: SLF001 (threading.enumerate() does not know them)


def wait_for(recording: rusage.record, count: int) -> None:
    wait_until(lambda: len(recording.samples) >= count, f"{count} samples")


def wait_for_the_end(*recordings: rusage.record) -> None:
    for r in recordings:
        # The locks that their threads release.
        wait_until(lambda r=r: not any(done.locked() for _, done in r._running), "the end")  # type: ignore[misc]  # noqa: SLF001
    wait_until(lambda: not threads(), "the end of the threads")


# --- Samples ---


def test_samples_of_a_block() -> None:
    before = time.time()
    with rusage.record(interval=FAST) as r:
        started = time.time()
        wait_for(r, 20)
    samples = r.samples
    assert before - 0.02 <= r.began <= started + 0.02  # the clock of Windows has ticks of 15.6 ms
    assert r.began + samples[-1].elapsed <= time.time() + 0.02
    times = [sample.elapsed for sample in samples]
    assert times == sorted(times)
    assert times[0] < times[1]
    assert all(
        sample.processes >= 1 and sample.rss > 0 and sample.pss is None for sample in samples
    )
    assert [sample.cputime for sample in samples] == sorted(sample.cputime for sample in samples)
    # Without drift: the n-th interval's sample is not taken before the interval.
    intervals = [int(when / FAST + 1e-6) for when in times[:-1]]
    assert len(set(intervals)) == len(intervals)
    due = r.missed + len(intervals)
    assert intervals[-1] + 1 <= due <= int(times[-1] / FAST) + 1
    assert r.interval == FAST


def test_time_between_opening_and_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """``began`` is the time of the opening, 1000 seconds before."""
    from rusage import _record

    now = _record._clock  # noqa: SLF001 (the clock of recordings)
    monkeypatch.setattr(_record, "_clock", lambda: now() + 1000)
    with rusage.record(interval=100) as r:
        assert r.began == pytest.approx(time.time() - 1000, abs=500)


def test_largest_and_its_members() -> None:
    tree = held(mib=5, children=[{"mib": 20}, {"mib": 30}])
    with tree as running, rusage.record(running.pid, interval=FAST) as r:
        wait_for(r, 3)
        os.kill(next(iter(running.scene.pids - {running.pid})), signal.SIGTERM)
        wait_until(lambda: r.samples[-1].processes == 2, "two processes")
        wait_for(r, len(r.samples) + 2)
    assert r.largest == max(r.samples, key=lambda sample: sample.rss)
    assert sum(member.rss for member in r.members) == r.largest.rss
    assert {member.pid for member in r.members} == running.scene.pids
    assert r.largest.processes == 3
    assert r.largest.rss > 55 * MIB


def test_cpu_share() -> None:
    first, last = rusage.Sample(1.0, 0, 0.5, 1, 0, None), rusage.Sample(2.0, 0, 2.5, 2, 0, None)
    assert last.cpu_share(first) == 2.0
    for earlier in last, rusage.Sample(2.5, 0, 2.5, 2, 0, None):
        with pytest.raises(ValueError, match="earlier"):
            last.cpu_share(earlier)


@pytest.mark.skipif(
    not CPYTHON or not hasattr(ctypes, "PyDLL") or os.name == "nt",
    reason="needs usleep() with the GIL",
)
@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no GIL")
def test_missed_intervals() -> None:
    with rusage.record(interval=0.01) as r:
        wait_for(r, 2)
        missed = r.missed
        ctypes.PyDLL(None).usleep(200_000)
    assert r.missed - missed >= 17
    times = [sample.elapsed for sample in r.samples]
    assert max(map(operator.sub, times[1:], times)) > 0.19


@pytest.mark.parametrize("limit", [2, 3, 7])
@pytest.mark.parametrize("size", ["rss", "pss"])
def test_neighbours_are_joined(size: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if size in BACKEND.absent:
        pytest.skip(reason="this system has no pss")
    sample_members = rusage.Tree._sample_members

    def falling_pss(tree: rusage.Tree, *, pss: bool = False) -> Any:
        sample, figures = sample_members(tree, pss=pss)
        return sample._replace(pss=sample.pss and 2**40 - sample.rss), figures

    monkeypatch.setattr(rusage.Tree, "_sample_members", falling_pss)
    seen: list[rusage.Sample] = []
    blocks: list[mmap.mmap] = []

    def note(sample: rusage.Sample) -> None:
        """Have another size each time: it grows, and shrinks at once."""
        seen.append(sample)
        blocks.append(mmap.mmap(-1, 2**19))
        for page in range(0, 2**19, 4096):
            blocks[-1][page] = 1
        if len(blocks) == 6:
            blocks.clear()

    with rusage.record(interval=FAST, max_samples=limit, pss=size == "pss", on_sample=note) as r:
        wait_until(lambda: len(seen) >= 40, "40 samples")
    span = 1
    while -(-len(seen) // span) > limit:
        span *= 2
    assert r.samples == [
        max(seen[n : n + span], key=attrgetter(size)) for n in range(0, len(seen), span)
    ]
    assert r.largest == max(seen, key=attrgetter(size))
    assert r.interval == FAST
    assert [sample.elapsed for sample in seen] == sorted({sample.elapsed for sample in seen})


# --- on_sample ---


def test_on_sample_in_compiled_code() -> None:
    """As below Cython, the caller's frame stands still: one instruction does all."""
    called = threading.Event()
    r = rusage.record(interval=FAST, on_sample=lambda _: called.set())
    steps: list[Callable[[], object]] = [r.__enter__, lambda: called.wait(60), r.stop]
    _, was_called, _ = map(methodcaller("__call__"), steps)
    assert was_called


def test_frame_of_the_caller_is_not_kept() -> None:
    def enter() -> weakref.ref[Any]:
        local = threading.Event()
        r.__enter__()
        return weakref.ref(local)

    r = rusage.record(interval=1000)
    local = enter()
    gc.collect()  # PyPy
    found = local()
    r.stop()
    assert found is None


@pytest.mark.parametrize("when", ["in the block", "at the end"])
def test_samples_during_a_slow_start(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rusage import _record, _threads

    seen: list[rusage.Sample] = []
    with held() as running:
        r = rusage.record(running.pid, interval=FAST, on_sample=seen.append)

        def start_slowly(*arguments: Any) -> None:
            _threads.start_without_signals(*arguments)
            wait_for(r, 5)
            if when == "at the end":
                running.scene.release()
                wait_until(lambda: not threads(), "the end of the thread")
            assert not seen

        monkeypatch.setattr(_record, "start_without_signals", start_slowly)
        with r:
            if when == "in the block":
                wait_until(lambda: seen, "calls")
                running.scene.release()
                wait_until(lambda: not threads(), "the end of the thread")
    assert len(seen) >= 5
    assert seen == r.samples


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_error_in_on_sample(error: BaseException) -> None:
    calls: list[rusage.Sample] = []

    def fail(sample: rusage.Sample) -> None:
        calls.append(sample)
        raise error

    r = rusage.record(interval=FAST, on_sample=fail)
    r.start()
    wait_for_the_end(r)
    count = len(r.samples)
    with pytest.raises(type(error)) as caught:
        r.stop()
    assert caught.value is error
    r.stop()
    assert len(r.samples) == count
    assert len(calls) == 1


def test_error_in_the_last_call_of_on_sample() -> None:
    """``stop`` makes this call itself."""

    def fail(sample: rusage.Sample) -> None:
        raise ValueError(sample)

    with (
        pytest.raises(ValueError, match="Sample") as caught,
        rusage.record(interval=1000, on_sample=fail),
    ):
        raise KeyError("theirs")
    assert isinstance(caught.value.__context__, KeyError)


def stop_in_on_sample() -> None:
    r = rusage.record(interval=FAST, on_sample=lambda _: r.stop() if len(r.samples) >= 3 else None)
    r.start()
    wait_for_the_end(r)
    count = len(r.samples)
    r.stop()
    assert len(r.samples) == count >= 3


def test_stop_in_on_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_in_on_sample()
    from rusage import _record, _threads

    def start_slowly(*arguments: Any) -> None:
        _threads.start_without_signals(*arguments)
        time.sleep(0.2)

    monkeypatch.setattr(_record, "start_without_signals", start_slowly)
    stop_in_on_sample()
    if hasattr(os, "fork"):
        in_child(stop_in_on_sample)


# --- The thread ---


def test_slow_on_sample_delays_itself_only() -> None:
    called, go_on = threading.Event(), threading.Event()

    def wait(_: rusage.Sample) -> None:
        called.set()
        go_on.wait(60)

    with rusage.record(interval=FAST) as one:
        with rusage.record(interval=FAST, on_sample=wait) as other:
            assert called.wait(60)
            taken = len(other.samples)
            wait_for(one, len(one.samples) + 10)
            assert threads() == 2
            assert len(other.samples) == taken
            go_on.set()
        assert threads() == 1
        ended = len(other.samples)
        wait_for(one, len(one.samples) + 10)
        assert len(other.samples) == ended


def test_recordings_that_stop_each_other() -> None:
    """No ``on_sample`` waits for the other one for ever."""
    both = threading.Barrier(2)

    def stop(name: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            both.wait(60)
            recordings[name].stop()

    recordings = {
        "one": rusage.record(interval=FAST, on_sample=lambda _: stop("other")),
        "other": rusage.record(interval=FAST, on_sample=lambda _: stop("one")),
    }
    for recording in recordings.values():
        recording.start()
    wait_for_the_end(*recordings.values())


def test_start_in_four_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_slowly(pid: int | None) -> rusage.Tree:
        time.sleep(0.1)
        return rusage.Tree(pid)

    monkeypatch.setattr("rusage._record.Tree", open_slowly)
    r = rusage.record(interval=FAST)
    with ThreadPoolExecutor(4) as pool:
        errors = [task.exception() for task in [pool.submit(r.start) for _ in range(4)]]
    assert [str(error)[:27] for error in errors if error] == ["this recording is in progre"] * 3
    wait_for(r, 3)
    r.stop()
    r.start()
    r.stop()


class Stop(Exception):  # noqa: N818 (not an error)
    """Raised by a handler."""


@forks
@pytest.mark.parametrize("which", ["record", "stop", "raise"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # interrupted before the close
def test_recordings_in_signal_handlers(which: str) -> None:
    r = rusage.record(interval=FAST)

    def record() -> None:
        r.start()
        r.tree.members()
        r.stop()

    def handle() -> None:
        if which == "raise":
            raise Stop
        if which == "stop":
            r.stop()
            return
        with rusage.record(interval=FAST) as inner:
            pass
        assert len(inner.samples) >= 2

    def interrupt() -> None:
        nonlocal r
        sys.unraisablehook = lambda _: None  # in __del__
        number, went_on = 0, True
        while went_on:
            number += 5
            try:
                # Not in signal.py, which has thousands of instructions.
                went_on = called_after(
                    number, record, handle, within=os.path.dirname(rusage.__file__)
                )
            except Stop:
                pass
            except ValueError as error:
                if which != "stop" or "closed" not in str(error):  # before a reading
                    raise
            r.stop()
            r = rusage.record(interval=FAST)
        assert number > 50
        assert not threads()

    in_child(interrupt)  # which may not hang


@pytest.mark.skipif(
    not hasattr(signal, "pthread_sigmask"), reason="this system has no signal masks"
)
def test_blocked_signals() -> None:
    """The thread blocks all but the signals of errors."""
    masks: list[set[Any]] = []

    def note(_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with rusage.record(interval=FAST, on_sample=note):
        wait_until(lambda: masks, "a sample of the thread")
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    errors = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
    assert not masks[0] & (errors | {signal.SIGKILL, signal.SIGSTOP})
    others = {signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGPROF}
    assert masks[0] >= others


@forks
def test_fork_in_a_block() -> None:
    with rusage.record(interval=FAST) as r:
        wait_for(r, 3)

        def stop() -> None:
            count = len(r.samples)
            time.sleep(10 * FAST)
            r.stop()
            with rusage.record(interval=FAST) as another:
                wait_for(another, 3)
            assert count == len(r.samples) >= 3

        in_child(stop)
        wait_for(r, len(r.samples) + 3)


@forks
def test_fork_in_on_sample() -> None:
    children: list[int] = []

    def fork(_: object) -> None:
        if not children:
            children.append(os.fork())

    with rusage.record(interval=FAST, on_sample=fork):
        wait_until(lambda: children, "a child")
        try:
            wait_until(lambda: os.waitpid(children[0], os.WNOHANG)[0], "the end of the child")
        except AssertionError:
            os.kill(children[0], signal.SIGKILL)
            os.waitpid(children[0], 0)
            raise


def test_end_of_the_program(python: Callable[..., str]) -> None:
    program = (
        "import time, rusage; r = rusage.record(interval=0.001); r.start()\n"
        "end = time.monotonic() + 60\n"
        "while len(r.samples) < 3 and time.monotonic() < end: time.sleep(0.01)\n"
        "print(len(r.samples))"
    )
    assert int(python("-W", "ignore", "-c", program)) >= 3


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not installed")
def test_gevent(program: Callable[..., str]) -> None:
    """The thread is a greenlet then."""
    assert program("gevent_record.py") == "done\n"


# --- The end of the tree ---


BURN = """
import sys, time
sys.stdin.read()
while time.process_time() < 0.2:
    pass
"""


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="this system has no waitid")
def test_zombie() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", BURN], stdin=subprocess.PIPE) as child:
        with rusage.record(child.pid, interval=1e300) as r:
            assert child.stdin is not None
            child.stdin.close()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with rusage.record(child.pid, interval=FAST) as of_a_zombie:
            time.sleep(5 * FAST)
    assert r.samples[0].processes == 1
    if BACKEND.name in {"Linux", "FreeBSD", "macOS"}:  # elsewhere a zombie has no times
        _, last = r.samples
        assert (last.processes, last.rss) == (0, 0)
        assert last.cputime > 0.1
    assert [sample[1:4] for sample in of_a_zombie.samples] == [(0, 0.0, 0)]
    assert of_a_zombie.members == []
    with (
        subprocess.Popen([sys.executable], stdin=subprocess.PIPE) as child,
        rusage.record(child.pid, interval=1000) as r,
    ):
        child.kill()
        child.wait()
    assert [sample.processes for sample in r.samples] == [1]


def test_recording_that_is_never_stopped() -> None:
    seen: list[rusage.Sample] = []
    with held() as running:
        rusage.record(running.pid, interval=FAST, on_sample=seen.append).start()
        gc.collect()
        before = len(seen)
        wait_until(lambda: len(seen) > before + 2, "more samples")
        with pytest.warns(ResourceWarning, match="unclosed <rusage.record: "):  # noqa: PT031 (at some time)
            running.scene.release()
            wait_for_the_end()
            gc.collect()


# --- The object ---


INTERVALS: dict[type[Exception], list[Any]] = {
    ValueError: [0, -1, float("nan"), float("inf"), 1e-320, 0.00009, 10**400],
    TypeError: ["1", Decimal("0.05")],
}


def test_bad_arguments() -> None:
    for error, intervals in INTERVALS.items():
        for interval in intervals:
            with pytest.raises(error, match="interval"):
                rusage.record(interval=interval)
    with pytest.raises(ValueError, match=r"at least 0\.0001 seconds: 0$"):
        rusage.record(interval=0)
    with pytest.raises(ValueError, match="max_samples"):
        rusage.record(max_samples=1)
    others: list[dict[str, Any]] = [{"max_samples": "2"}, {"max_samples": 2.5}, {"on_sample": 1}]
    for arguments in others:
        with pytest.raises(TypeError):
            rusage.record(**arguments)
    with pytest.raises(TypeError):
        rusage.record(os.getpid(), 0.1)  # type: ignore[call-arg]


def test_before_the_start() -> None:
    r = rusage.record()
    r.stop()
    assert r.samples == []
    assert repr(r) == "<rusage.record: 0 samples>"
    for name in "largest", "members", "tree", "began":
        with pytest.raises(RuntimeError, match="nothing has been recorded yet"):
            getattr(r, name)
    with pytest.raises(ProcessLookupError):
        rusage.record(2**31 - 1).start()


def test_start_and_stop() -> None:
    r = rusage.record(interval=FAST)
    r.start()
    assert repr(r.tree) == f"<rusage.Tree pid={os.getpid()}>"
    with pytest.raises(RuntimeError, match="in progress"):
        r.start()
    wait_for(r, 5)
    r.stop()
    first, *_ = r.samples
    assert "closed" in repr(r.tree)
    assert "largest=" in repr(r)
    r.stop()
    r.missed = 10**9
    with r as same:
        assert same is r
        assert r.missed < 10**9
        assert all(sample is not first for sample in r.samples)
        with pytest.raises(RuntimeError, match="in progress"):
            r.start()


@linux
def test_sample_that_fails() -> None:
    r = rusage.record(interval=FAST)
    r.start()
    with no_files():
        wait_for_the_end(r)
    with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
        r.stop()
