"""PyInstaller's hook for ``rusage``: include the files that no import statement names.

These are the backend of this system and, on Linux, the launcher. PyInstaller marks files in
``binaries`` as executable.
"""

import os
import sys

from rusage._backends._platforms import backend_name

_launcher = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "_launcher", "launcher"
)

binaries = [(_launcher, "rusage/_launcher")] if os.path.exists(_launcher) else []
hiddenimports = [f"rusage._backends.{backend_name(sys.platform)}"]
