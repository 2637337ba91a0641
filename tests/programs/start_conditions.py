"""Print whether a process uses the launcher under conditions of ``start_runner.py``, given as JSON.

``python start_conditions.py '[["securebits", 1]]'``, as root on Linux.
"""

import json
import os
import sys

from start_runner import CONDITIONS

import rusage

assert "ru_maxrss" in rusage.run(["true"]).measured
for name, value in json.loads(sys.argv[1]):
    CONDITIONS[name][0](value)
    if name != "dumpable" and not os.access(rusage.__file__, os.R_OK):
        raise SystemExit("skip: another user may not read this installation")
print("ru_maxrss" in rusage.run(["true"]).measured)
