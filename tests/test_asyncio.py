"""``rusage.asyncio.run``."""

import asyncio
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from conftest import needs_sh, no_child_is_left
from expected import SAMPLED

import rusage
import rusage.asyncio

if sys.platform == "win32":
    pytest.skip("the programs that run here need Unix", allow_module_level=True)

pytestmark = pytest.mark.usefixtures("nothing_is_left")


@needs_sh
def test_runs_beside_the_event_loop() -> None:
    async def main() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticker = asyncio.create_task(tick())
        commands = [["sh", "-c", f"sleep 0.3; cat; exit {number}"] for number in range(8)]
        started = time.perf_counter()
        results = await asyncio.gather(
            *(rusage.asyncio.run(command, input=b"x", capture_output=True) for command in commands)
        )
        assert time.perf_counter() - started < sum(done.elapsed for done in results)
        ticker.cancel()
        assert ticks >= 3
        assert [done.returncode for done in results] == [*range(8)]
        assert {done.stdout for done in results} == {b"x"}
        waited = rusage.run(["true"]).measured
        for done in results:
            assert isinstance(done.rusage, rusage.RUsage)
            assert done.measured - SAMPLED == waited - SAMPLED
            assert done.elapsed >= 0.3

    asyncio.run(main())


def test_error_of_a_start_that_no_future_can_hold() -> None:
    """Future.set_exception() refuses StopIteration."""

    class Environment(dict[str, str]):
        def keys(self) -> Any:
            raise StopIteration

        items = __iter__ = keys

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(asyncio.wait_for(rusage.asyncio.run(["true"], env=Environment()), 60))


def test_no_thread_or_loop_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="no running event loop"):
        rusage.asyncio.run(["sleep", "60"]).send(None)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        asyncio.run(rusage.asyncio.run(["sleep", "60"], stdin=subprocess.PIPE, capture_output=True))


@needs_sh
def test_cancelled_run_kills_its_process() -> None:
    early = [("exec sleep 60", pause / 1e4) for pause in range(20)]

    async def main() -> None:
        for command, after in [*early, ("sleep 1 & exec sleep 60", 0.2)]:
            task = asyncio.create_task(
                rusage.asyncio.run(["sh", "-c", command], capture_output=True)
            )
            await asyncio.sleep(after)
            task.cancel()
            while not task.done():
                await asyncio.sleep(0)
                task.cancel()
            assert task.cancelled()
            no_child_is_left()

    asyncio.run(main())
    join_threads()


def join_threads() -> None:
    """Wait for the threads of ``rusage.asyncio.run``: they have pipes until a grandchild ends."""
    for thread in threading.enumerate():
        if thread.name.startswith("rusage-"):
            assert thread.daemon  # the interpreter may exit before
            thread.join()


def test_cancel_after_a_failed_start() -> None:
    async def main() -> None:
        run = rusage.asyncio.run(["\0"])
        run.send(None)
        join_threads()
        run.throw(asyncio.CancelledError)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_result_after_a_cancel() -> None:
    """It is dropped, without an error of the loop."""
    errors: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        task = asyncio.create_task(rusage.asyncio.run(["sleep", "60"]))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(join_threads)
        await asyncio.sleep(0)  # what the thread has asked the loop to do

    asyncio.run(main())
    assert not errors
