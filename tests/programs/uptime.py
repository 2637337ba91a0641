"""Print how long this program has run, the uptime of its process and the clock: ``python uptime.py NAME``."""

import sys
import time
from pathlib import Path

from rusage._backends import BACKEND

started = time.monotonic()
Path("/proc/self/comm").write_text(sys.argv[1], encoding="ascii")
time.sleep(0.3)
least = time.monotonic() - started
assert BACKEND.uptime is not None
print(least, BACKEND.uptime(), time.monotonic())
