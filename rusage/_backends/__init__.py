"""The systems: ``NAME.c`` gets a kernel's values, and ``NAME.py`` says what they mean.

This module selects the backend of this system.
"""

import sys

from ._base import Backend
from ._platforms import REFUSED, backend_name

for _platform, _reason in REFUSED.items():
    if sys.platform.startswith(_platform):
        raise ImportError(f"rusage does not support {sys.platform}: {_reason}")

# Not importlib.import_module(): importing importlib takes longer than everything here.
_module = __import__(backend_name(sys.platform), globals(), fromlist=["BACKEND"], level=1)
BACKEND: Backend = _module.BACKEND

__all__ = ["BACKEND"]
