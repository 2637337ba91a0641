"""The selector: ``BACKEND`` holds the facts about the system that this is."""

import sys

if sys.platform in ("linux", "android"):
    from .linux import BACKEND
elif sys.platform == "win32":
    from .windows import BACKEND
else:
    from .unknown import BACKEND

__all__ = ["BACKEND"]
