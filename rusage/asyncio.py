"""``run`` for asyncio: ``await rusage.asyncio.run(...)``.

asyncio's own subprocesses do not report their usage: the event loop waits for each child and discards it. So this is
``rusage.run`` in a thread of its own for each child, which waits for that child alone. It takes all arguments, and
works with every event loop of asyncio, also with one that cannot wait for children itself. A child watcher that waits
for all children, as ``asyncio.FastChildWatcher`` does (Python 3.13 and earlier), may take the exit status: then nothing
is measured, and ``returncode`` is 0, as in ``subprocess``.
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
    """Do what ``rusage.run`` does while the event loop goes on.

    If the task is cancelled, the process is killed, and ``CancelledError`` goes on once its exit was seen. Without a
    running event loop ``RuntimeError`` is raised, and no process is started.
    """
    loop = asyncio.get_running_loop()  # before the child is started: without a loop there is to be none
    done: asyncio.Future[CompletedProcess[Any]] = loop.create_future()

    def tell(result: CompletedProcess[Any] | None, error: BaseException | None) -> None:
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
        except BaseException as caught:  # noqa: BLE001 (it belongs to who awaits)
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(tell, result, error)

    process = start(*popenargs, input=input, capture_output=capture_output, **kwargs)
    try:
        # A daemon: if a grandchild holds the pipes for ever, the interpreter can end all the same.
        threading.Thread(target=work, name=f"rusage-{process.pid}", daemon=True).start()
    except BaseException:  # there may be too many threads
        with process:  # closes the pipes and waits
            process.kill()
        raise
    try:
        return await done
    except asyncio.CancelledError:
        process.kill()
        # The thread may be waiting for the pipes, which somebody else may hold for ever.
        while process.poll() is None:  # noqa: ASYNC110 (there is no event: that is the point)
            await asyncio.sleep(0.001)
        raise


if TYPE_CHECKING:
    from ._children.typed import run_async as run
else:
    run = _run
    run.__name__ = run.__qualname__ = "run"
