"""The selector: ``BACKEND`` holds the facts about the system that this is."""

import sys

if sys.platform.startswith("linux") or sys.platform == "android":
    from .linux import BACKEND
elif sys.platform.startswith("darwin") or sys.platform == "ios":
    from .macos import BACKEND
elif sys.platform == "win32":
    from .windows import BACKEND
elif sys.platform.startswith("freebsd"):
    from .freebsd import BACKEND
elif sys.platform.startswith("openbsd"):
    from .openbsd import BACKEND
elif sys.platform.startswith("netbsd"):
    from .netbsd import BACKEND
elif sys.platform.startswith("dragonfly"):
    from .dragonfly import BACKEND
elif sys.platform.startswith("sunos"):
    from .illumos import BACKEND
else:
    from . import unknown

    BACKEND = unknown.backend(sys.platform)

__all__ = ["BACKEND"]
