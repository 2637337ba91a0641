"""``run`` for asyncio: ``await rusage.asyncio.run(...)``.

asyncio's own subprocesses do not report their usage: the event loop waits for each child and discards the usage.
Therefore this runs ``rusage.run`` in one thread for each child, which waits only for that child. It accepts the same
arguments, and works with every event loop of asyncio, including those that cannot wait for children. A child watcher
that waits for all children, such as ``asyncio.FastChildWatcher`` (Python 3.13 and earlier), may take the exit status:
nothing is measured then, and ``returncode`` is 0, as in ``subprocess``.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from ._children.popen import CompletedProcess  # noqa: TC001 (for typing.get_type_hints)
from ._children.run import complete, start

__all__ = ["run"]


async def _run(
    *popenargs: Any,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **kwargs: Any,
) -> CompletedProcess[Any]:
    """Do the same as ``rusage.run``, with the same arguments, without blocking the event loop.

    If the task is cancelled, the process is killed, and ``CancelledError`` propagates once its exit has been seen,
    even if the task is cancelled again meanwhile.
    Raises ``RuntimeError`` if no event loop is running; no process is started then.
    """
    loop = asyncio.get_running_loop()  # first: without a loop, no child must be started
    done: asyncio.Future[CompletedProcess[Any]] = loop.create_future()

    def deliver(result: CompletedProcess[Any] | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        elif result is not None:
            done.set_result(result)

    def work() -> None:
        result, error = None, None
        try:
            result = complete(process, input=input, timeout=timeout, check=check)
        except BaseException as caught:  # noqa: BLE001 (the awaiting task raises it)
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has been closed: no task is waiting
            loop.call_soon_threadsafe(deliver, result, error)

    process = start(*popenargs, input=input, capture_output=capture_output, **kwargs)
    try:
        # A daemon thread: a grandchild that keeps the pipes open must not prevent the interpreter from exiting.
        threading.Thread(target=work, name=f"rusage-{process.pid}", daemon=True).start()
    except BaseException:  # such as too many threads
        with process:  # closes the pipes and waits
            process.kill()
        raise
    try:
        return await done
    except asyncio.CancelledError:
        process.kill()
        # The thread may be reading from pipes that another process keeps open, so do not wait for it.
        while process.poll() is None:
            with contextlib.suppress(asyncio.CancelledError):  # cancelled again
                await asyncio.sleep(0.001)
        raise


if TYPE_CHECKING:
    from ._children.typed import run_async as run
else:
    run = _run
    run.__name__ = run.__qualname__ = "run"
