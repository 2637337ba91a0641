"""PyInstaller's hook for ``rusage``: take the launcher along, which is no Python module (Linux only).

PyInstaller marks what is listed in ``binaries`` as executable.
"""

import os

_launcher = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "_launcher")

binaries = [(_launcher, "rusage")] if os.path.exists(_launcher) else []
