"""Counts forks, so that an object can notice that it is a copy in a forked child."""

import os

from ._rusage import lib

TYPE_CHECKING = False

if TYPE_CHECKING or not hasattr(os, "register_at_fork"):

    def forks() -> int:
        """Return the number of forks of this process and its ancestors since the import."""
        return 0

else:
    os.register_at_fork(after_in_child=lib.rusage_after_fork)
    forks = lib.rusage_forks
