"""Record under gevent's patch: the thread is a greenlet, which samples only while others wait."""

from gevent import Timeout, monkey  # type: ignore[import-untyped]  # gevent has no stubs

monkey.patch_all()

import time  # noqa: E402 (gevent has replaced it)

import rusage  # noqa: E402 (as above)


def burn() -> None:
    """Use CPU time without a switch to another greenlet."""
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass


with Timeout(60), rusage.record(interval=0.01) as waiting:
    while len(waiting.samples) < 5:
        time.sleep(0.01)
with rusage.record(interval=0.01) as busy:
    burn()
assert waiting.missed < len(waiting.samples) * 50
assert len(busy.samples) == 2, busy.samples
assert busy.missed >= 15, busy
print("done")
