"""Orphans under ``--tree``: this process becomes their parent, so that they stay in the tree."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from .. import Tree
from .._rusage import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .. import Sample
    from .._rusage import Tree as Handle

if sys.platform != "win32" and sys.platform.startswith(("linux", "freebsd", "dragonfly")):
    CAN_ADOPT = hasattr(os, "waitid")  # PyPy has none

    def _ended() -> Iterator[int]:
        """Yield the process ID of each child that has ended and was not waited for; the caller waits for it."""
        with contextlib.suppress(ChildProcessError):
            while (child := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                yield child.si_pid

    def become_reaper() -> list[int]:
        """Become the parent of orphans; return the descendants that are left from earlier runs."""
        if not CAN_ADOPT or lib.rusage_become_reaper():
            return []
        for pid in _ended():
            os.waitpid(pid, 0)
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return []
        with Tree() as tree:
            return [member.pid for member in tree.members() if member.pid != os.getpid()]

    def adopt(tree: Tree, others: list[int]) -> None:
        """Make members of the orphans that become children of this process, but not of the others."""
        if CAN_ADOPT:
            array = ffi.new("int[]", others)
            tree._use(lambda handle: lib.rusage_tree_own_orphans(handle, os.getpid(), array, len(others)))  # noqa: SLF001

    def reap(tree: Tree, program: int, others: list[int]) -> Sample | None:
        """Wait for the orphans that have ended, until the program has: return a sample then, with its last time."""
        for pid in _ended() if CAN_ADOPT else ():
            if pid == program:
                return tree.sample()
            tree._use(lambda handle: _reap(handle, pid, others))  # noqa: B023, SLF001 (called here; same package)
        return None

    def _reap(tree: Handle, pid: int, others: list[int]) -> None:
        _, _, usage = os.wait4(pid, 0)
        if pid not in others:
            lib.rusage_tree_reaped(tree, pid, usage.ru_utime + usage.ru_stime)
            return
        others.remove(pid)  # an orphan may get its number
        lib.rusage_tree_own_orphans(tree, os.getpid(), ffi.new("int[]", others), len(others))

else:
    CAN_ADOPT = False

    def become_reaper() -> list[int]:
        """Do nothing: orphans cannot be had here."""
        return []

    def adopt(tree: Tree, others: list[int]) -> None:
        """Do nothing, as above."""

    def reap(tree: Tree, program: int, others: list[int]) -> Sample | None:
        """Do nothing, as above."""
