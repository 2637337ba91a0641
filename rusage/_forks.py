"""Counts forks, so that an object can notice that it is a copy in a forked child."""

import os
from _thread import get_ident

count = 0
"""How often this process and its ancestors have been forked since this module was imported."""
threads: list[int] = []
"""The threads that have forked, each of which goes on in the child."""


def _after_fork() -> None:
    global count  # noqa: PLW0603 (of the process)
    threads.append(get_ident())
    count = len(threads)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
