"""Notes forks, so that an object can notice that it is a copy in a forked child."""

import os
from _thread import get_ident

forks: list[int] = []
"""The threads that have forked this process or its ancestors since this module was imported.

Each of them goes on in the child.
"""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: forks.append(get_ident()))
