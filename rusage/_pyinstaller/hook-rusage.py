"""PyInstaller's hook for ``rusage``: take along what no import statement names.

That is the backend of this system and the launcher, which is no Python module (Linux only). PyInstaller marks what is
listed in ``binaries`` as executable.
"""

import os
import sys

from rusage._backends._platforms import backend_name

_launcher = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "_children", "_launcher")

binaries = [(_launcher, "rusage/_children")] if os.path.exists(_launcher) else []
hiddenimports = [f"rusage._backends.{backend_name(sys.platform)}"]
