"""How exact a peak is, and whether a block has one of its own here."""

import os
import platform

import pytest

from rusage._backends import BACKEND
from rusage._children.inherited import peak_margin

MIB = 2**20
PYPY = platform.python_implementation() == "PyPy"
# Of the kernel's counters, twice, and of the interpreter: PyPy's collector may grow at any time.
ERROR = (peak_margin() or MIB) + (24 if PYPY else 1) * MIB

# Wine shows Linux's /proc.
LINUX = BACKEND.name == "Linux" and os.path.exists("/proc/self/status")
RESETS = LINUX and os.path.exists("/proc/self/clear_refs")
resets = pytest.mark.skipif(not RESETS, reason="this system cannot reset the peak of a process")
