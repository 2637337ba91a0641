"""Do something else in one run of a series: ``nth_run.py COUNT N USUAL UNUSUAL``.

COUNT is a file that gets one byte from each run; the run that makes it N bytes long is the unusual one. What to do is
``exit=STATUS``, ``kill=SIGNAL``, ``allocate=MIB``, ``sleep=SECONDS`` or ``catch=SIGNAL``, which exits with 0 when the
signal comes. Before it waits it prints "ready".
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
elif name == "sleep":
    # Python's handler would not run before the end of a sleep that begins just after the signal.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    print("ready", flush=True)
    time.sleep(float(value))
elif name == "catch":
    signal.pthread_sigmask(signal.SIG_BLOCK, [int(value)])
    print("ready", flush=True)
    signal.sigwait([int(value)])
