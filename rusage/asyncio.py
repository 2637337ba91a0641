"""``run`` for asyncio: ``await rusage.asyncio.run(...)``.

asyncio's own subprocesses do not report their usage: the event loop waits for each child and
discards the usage. Therefore this ``run`` calls ``rusage.run`` in a thread for each child; the
thread starts the child and waits only for this child. ``docs/children.md`` describes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from ._children.popen import CompletedProcess, Popen, complete, name_encoding, start

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

    >>> asyncio.run(rusage.asyncio.run(["true"])).rusage.cputime
    0.000683

    If the task is cancelled, the process is killed, and ``CancelledError`` propagates once the exit
    has been seen, even if the task is cancelled again meanwhile. Raises ``RuntimeError`` if no
    event loop is running; no process is started then.
    """
    loop = asyncio.get_running_loop()  # first: without a loop, no child must be started
    name_encoding(popenargs, kwargs)  # here: the thread has no line of the caller
    # Not Future.set_exception(): it refuses some exceptions.
    ended: asyncio.Future[CompletedProcess[Any] | BaseException] = loop.create_future()
    processes: list[Popen[Any]] = []

    def deliver(outcome: CompletedProcess[Any] | BaseException) -> None:
        if not ended.done():
            ended.set_result(outcome)

    def work() -> None:
        outcome: CompletedProcess[Any] | BaseException
        try:
            processes.append(
                start(*popenargs, input=input, capture_output=capture_output, **kwargs)
            )
            outcome = complete(processes[0], input=input, timeout=timeout, check=check)
        except BaseException as error:  # noqa: BLE001 (the awaiting task raises it)
            outcome = error
        with contextlib.suppress(RuntimeError):  # the loop has been closed: no task is waiting
            loop.call_soon_threadsafe(deliver, outcome)

    # A daemon thread: a grandchild that keeps the pipes open must not prevent the interpreter from
    # exiting.
    thread = threading.Thread(target=work, name="rusage-run", daemon=True)
    thread.start()
    try:
        outcome = await ended
    except asyncio.CancelledError:
        # The thread may be reading from pipes that another process keeps open, so do not wait for
        # it.
        while thread.is_alive() and (not processes or processes[0].poll() is None):
            if processes:
                processes[0].kill()
            with contextlib.suppress(asyncio.CancelledError):  # cancelled again
                await asyncio.sleep(0.001)
        raise
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


if TYPE_CHECKING:
    from ._children.typed import run_async as run
else:
    run = _run
    run.__name__ = run.__qualname__ = "run"
