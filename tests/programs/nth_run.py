"""Do something else in one run of a series: ``nth_run.py COUNT N USUAL UNUSUAL``.

COUNT is a file that gets one byte from each run; the run that makes it N bytes long is the unusual one. What to do is
``exit=STATUS``, ``kill=SIGNAL``, ``allocate=MIB``, ``sleep=SECONDS`` or ``catch=SIGNAL``, which sleeps until the signal
comes and exits with 0. Before a sleep it prints "ready".
"""

import os
import signal
import sys
import time

count, number, *actions = sys.argv[1:]
with open(count, "ab") as file:
    file.write(b".")
name, _, value = actions[os.path.getsize(count) == int(number)].partition("=")
if name == "exit":
    sys.exit(int(value))
elif name == "kill":
    os.kill(os.getpid(), int(value))
elif name == "allocate":
    b"x" * (int(value) << 20)
elif name in {"sleep", "catch"}:
    if name == "catch":
        signal.signal(int(value), lambda *_: sys.exit())
    print("ready", flush=True)
    time.sleep(float(value) if name == "sleep" else 60)
