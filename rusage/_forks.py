"""Counts forks, so that an object can notice that it is a copy in a forked child."""

import os

count = 0
"""How often this process and its ancestors have been forked since this module was imported."""


def _after_fork() -> None:
    global count  # noqa: PLW0603 (of the process)
    count += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
