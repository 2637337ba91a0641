"""For type checkers only, which cannot evaluate the backend: the public names that some systems lack."""

import sys

__all__: list[str] = []

if sys.platform != "win32":
    from ._backends._base import RUSAGE_BOTH, RUSAGE_CHILDREN
    from ._convert import from_native
    from ._wait import wait3, wait4

    __all__ += ["RUSAGE_BOTH", "RUSAGE_CHILDREN", "from_native", "wait3", "wait4"]

if sys.platform != "ios" and not sys.platform.startswith("dragonfly") and not sys.platform.startswith("sunos"):
    from ._process import Process

    __all__ += ["Process"]

if not sys.platform.startswith("netbsd") and not sys.platform.startswith("dragonfly"):
    from ._backends._base import RUSAGE_THREAD

    __all__ += ["RUSAGE_THREAD"]
