"""The peak resident set size of a block, where the high-water mark can be reset: ``measure(reset_peak=True)``.

Only Linux can: see ``rusage_peak()`` in rusage/_backends/linux.c. The mark is not the same as getrusage's ru_maxrss,
which never falls below the peak that the process inherited at exec.
"""

from __future__ import annotations

import os
from _thread import RLock

from ._children.inherited import parent_peak
from ._rusage import ffi, lib

_get = getattr(lib, "rusage_peak", None)

# The mark belongs to the process. Before each reset it is folded into all open blocks, so that they keep their peaks.
# The lock is re-entrant because a signal handler or a finalizer may start a block while its thread holds it.
lock = RLock()
open_blocks: list[Peak] = []


class Peak:
    """The peak of one block, which begins when the object is created."""

    __slots__ = ("forked", "highest", "measured", "resident")

    def __init__(self) -> None:
        self.forked = False
        with lock:
            size = _fold(reset=True)
            self.measured = size is not None
            self.resident = self.highest = size or 0
            open_blocks.append(self)

    @staticmethod
    def available() -> bool:
        """Return whether a peak can probably be measured; only the attempt tells for certain."""
        return _get is not None and os.access("/proc/self/clear_refs", os.W_OK)

    def update(self) -> None:
        """Take the mark into account, if the block is open."""
        with lock:
            if self.measured and self in open_blocks and _fold(reset=False) is None:
                self.measured = False

    def stop(self) -> None:
        """End the block."""
        with lock:
            self.update()
            if self in open_blocks:  # not in a forked child
                open_blocks.remove(self)

    def check(self) -> None:
        """Raise ``RuntimeError`` in a forked child if the block was open at the fork."""
        if self.forked:
            raise RuntimeError("this block was open across a fork: it is measured in the parent only")


def _fold(*, reset: bool) -> int | None:
    """Raise the peaks of all open blocks to the mark; return the resident set size in bytes, None if it is unknown."""
    if _get is None:
        return None
    # Before the call: a signal handler may start a block after it, whose peak is not this mark.
    blocks = tuple(open_blocks)
    if reset:
        parent_peak()
    sizes = ffi.new("int64_t[2]")
    if _get(sizes, reset):
        return None
    for block in blocks:
        block.highest = max(block.highest, sizes[0])
    return sizes[1]


def _after_fork() -> None:
    """In a child: the mark is a new one, and the lock may be held by a thread that does not exist here."""
    global lock, open_blocks
    for block in open_blocks:
        block.forked = True
    lock, open_blocks = RLock(), []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
