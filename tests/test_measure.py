"""``measure``: blocks and functions."""

import asyncio
import concurrent.futures
import functools
import inspect
import re
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from conftest import spin

import rusage
from rusage import _measure
from rusage._units import usage_text

has_thread = pytest.mark.skipif(
    not hasattr(rusage, "RUSAGE_THREAD"), reason="this system has no RUSAGE_THREAD"
)


def test_block_is_a_difference() -> None:
    resource = pytest.importorskip(
        "resource", reason="without that module there is nothing to compare with"
    )

    def read() -> tuple[float, rusage.RUsage]:
        return time.perf_counter(), rusage.from_native(resource.getrusage(resource.RUSAGE_SELF))

    outer_clock, outer = read()
    with rusage.measure() as measured:
        inner_clock, inner = read()
        spin(0.05)
        touched = bytearray(8 << 20)
        inner_end_clock, inner_end = read()
    outer_end_clock, outer_end = read()
    assert inner_end_clock - inner_clock <= measured.elapsed <= outer_end_clock - outer_clock
    assert measured.usage.cputime >= 0.04
    least, most = inner_end - inner, outer_end - outer
    assert least.cputime - 1e-5 <= measured.usage.cputime <= most.cputime + 1e-5
    assert least.ru_minflt <= measured.usage.ru_minflt <= most.ru_minflt
    assert inner.ru_maxrss <= measured.usage.ru_maxrss <= outer_end.ru_maxrss
    assert measured.measured == rusage.measured()
    assert len(touched) == 8 << 20


def test_clock_is_read_outside_the_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the CPU time of one thread cannot exceed the elapsed time."""
    read = Mock()
    for name in "_clock", "getrusage":
        read.attach_mock(Mock(wraps=getattr(_measure, name)), name)
        monkeypatch.setattr(_measure, name, getattr(read, name))
    measured = rusage.measure()
    measured._new_peak = read.peak  # noqa: SLF001 (outside both)
    with measured:
        assert measured.elapsed >= 0
    names = [call[0] for call in read.mock_calls]
    ends = ["getrusage", "_clock", "peak().is_ours"] * 2
    assert names == ["peak", "_clock", "getrusage", *ends, "peak().update"]


def test_open_object_refuses_second_block() -> None:
    meter = rusage.measure()
    with meter:
        with pytest.raises(RuntimeError, match="open already"), meter:
            pytest.fail("entered twice")
        with (
            concurrent.futures.ThreadPoolExecutor() as pool,
            pytest.raises(RuntimeError, match="open already"),
        ):
            pool.submit(meter.__enter__).result()
        spin(0.1)
    assert sum(meter.usage[:2]) >= 0.05
    with meter:
        pass
    assert sum(meter.usage[:2]) < 0.05


def test_reading_before_a_block() -> None:
    m = rusage.measure(reset_peak=True)
    for name in "usage", "elapsed", "peak":
        with pytest.raises(RuntimeError, match="nothing has been measured"):
            getattr(m, name)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="call start"):
            m.stop()
        m.start()
        m.stop()


@has_thread
def test_block_of_a_thread_left_in_another() -> None:
    """The difference between threads can be negative."""
    spin(0.05)  # more than the other thread has used

    measured = rusage.measure(rusage.RUSAGE_THREAD)
    measured.start()
    message = "RUSAGE_THREAD: the block was entered in another thread"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for function in measured.stop, lambda: measured.usage:
            with pytest.raises(RuntimeError, match=message):
                pool.submit(function).result()
        measured.stop()
        assert pool.submit(lambda: measured.usage).result() == measured.usage
    assert measured.usage.ru_utime >= 0


@has_thread
def test_who_selects_the_thread() -> None:
    with rusage.measure(rusage.RUSAGE_THREAD) as thread, rusage.measure() as process:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            pool.submit(spin, 0.2).result()
        spin(0.2)
    # PyPy's own work takes time in each thread.
    assert process.usage.cputime - thread.usage.cputime >= 0.1
    assert thread.usage.cputime > 0.1
    assert thread.measured == rusage.measured(rusage.RUSAGE_THREAD)


def test_decorates_functions() -> None:
    meter = rusage.measure()

    @meter
    def work(depth: int) -> int:
        """Say something."""
        spin(0.05)
        return work(depth - 1) + 1 if depth else 0

    assert work.__name__ == "work"
    assert work.__doc__ == "Say something."
    assert work(3) == 3
    assert sum(meter.usage[:2]) > 0.12  # four calls; a clock may lose some ticks of 10 ms
    assert work(0) == 0
    assert meter.elapsed >= 0.01

    @meter
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


class Slow:
    """An object that is called like a coroutine function."""

    async def __call__(self, seconds: float) -> float:
        """Wait, then use CPU time."""
        await asyncio.sleep(seconds)
        spin(0.1)
        return seconds


class Numbers:
    """An object that is called like a generator function."""

    def __call__(self) -> Iterator[int]:
        """Yield one number."""
        yield 1


SLOW = Slow(), Slow().__call__, functools.partial(Slow()), functools.partial(Slow().__call__)


@pytest.mark.parametrize(
    "work", SLOW, ids=["object", "function", "partial object", "partial function"]
)
def test_decorates_coroutine_functions(work: Any) -> None:
    meter = rusage.measure()
    decorated = meter(work)
    assert inspect.iscoroutinefunction(decorated)
    assert decorated.measure is meter
    assert asyncio.run(decorated(0.05)) == 0.05
    assert meter.elapsed >= 0.06
    assert sum(meter.usage[:2]) >= 0.05


def test_coroutine_that_raises() -> None:
    meter = rusage.measure()

    @meter
    async def fail() -> None:
        spin(0.05)
        raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(fail())
    assert meter.elapsed >= 0.04
    assert round(sum(meter.usage[:2]), 6) >= 0.04  # a sum of ticks


def test_bool_is_not_who() -> None:
    """It would be RUSAGE_THREAD, or all threads, where ``reset_peak`` is meant."""
    for value in True, False:
        with pytest.raises(TypeError, match=f"use reset_peak={value}"):
            rusage.measure(value)


def test_decorator_without_parentheses() -> None:
    with pytest.raises(TypeError, match=r"m = rusage.measure\(\), then @m"):
        rusage.measure(spin)  # type: ignore[arg-type]
    decorated: Any = rusage.measure()(spin)
    decorated(0.01)
    assert decorated.measure.elapsed > 0


@pytest.mark.parametrize("work", [Numbers.__call__, Numbers()], ids=["function", "object"])
def test_refuses_generator_functions(work: Any) -> None:
    """A call of one runs nothing of its body: what could be measured would be wrong."""
    with pytest.raises(TypeError, match="generator"):
        rusage.measure()(work)


def test_repr_shows_figures() -> None:
    block = rusage.measure()
    assert repr(block) == "<rusage.measure: nothing has been measured yet>"
    with block:
        spin(0.01)
        assert re.fullmatch(
            r"<rusage.measure: cputime=\d+\.\d{6} s, elapsed=\d+\.\d{6} s>", str(block)
        )
    cputime = f"{block.usage.ru_utime + block.usage.ru_stime:.6f} s"
    assert repr(block) == f"<rusage.measure: cputime={cputime}, elapsed={block.elapsed:.6f} s>"


def test_repr_shows_growth() -> None:
    """A small block's peak includes what the process holds; only the growth is its own memory."""
    held = b"x" * 100 * 2**20
    with rusage.measure(reset_peak=True) as block:
        assert b"x" * 2**20
    text = ", peak=not measured, elapsed="
    if "peak" in block.measured:
        assert block.peak_growth < len(held) < block.peak
        peak, growth = block.peak / 2**20, block.peak_growth / 2**20
        text = f", peak={peak:.1f} MiB, peak_growth={growth:.1f} MiB, elapsed="
    assert text in repr(block)


def test_figures_that_are_not_measured() -> None:
    """Half of the CPU time is none."""
    for measured in frozenset[str](), frozenset({"ru_utime"}), frozenset({"ru_stime", "ru_maxrss"}):
        text = usage_text(rusage.RUsage.zero, measured, {"peak": None}, 1.5)
        assert text == "cputime=not measured, peak=not measured, elapsed=1.500000 s"
