"""For type checkers only, which cannot evaluate the backend: the public names that some systems lack.

``python tests/tools/platform_tables.py`` writes this file from the backends. A condition names one platform at
a time: type checkers evaluate no tuple of them.
"""

import sys

__all__: list[str] = []

if sys.platform != "win32":
    from ._backends._base import RUSAGE_BOTH, RUSAGE_CHILDREN
    from ._getrusage import from_native, wait3, wait4

    __all__ += ["RUSAGE_BOTH", "RUSAGE_CHILDREN", "from_native", "wait3", "wait4"]

if not sys.platform.startswith("netbsd") and not sys.platform.startswith("dragonfly"):
    from ._backends._base import RUSAGE_THREAD

    __all__ += ["RUSAGE_THREAD"]

if (
    not sys.platform.startswith("freebsd")
    and not sys.platform.startswith("openbsd")
    and not sys.platform.startswith("netbsd")
    and not sys.platform.startswith("dragonfly")
    and not sys.platform.startswith("sunos")
):
    from ._memory import peak

    __all__ += ["peak"]

if sys.platform == "linux" or sys.platform.startswith("android"):
    from ._memory import pss

    __all__ += ["pss"]

if sys.platform != "ios" and not sys.platform.startswith("sunos"):
    from ._process import Process
    from ._record import record
    from ._tree import Member, Sample, Tree

    __all__ += ["Member", "Process", "Sample", "Tree", "record"]
