"""Start processes that hold memory, and wait for them.

``tree_of_processes.py NUMBER MIB [WORD...]``. They stay for half a second after all of them hold
it. Words: ``stay`` makes it a minute, and ``stubborn`` makes the children ignore SIGTERM. Prints
the process IDs of the children.
"""

import os
import signal
import sys
import time

number, size, words = int(sys.argv[1]), int(sys.argv[2]) << 20, sys.argv[3:]
read, ready = os.pipe()
go, closed_if_all_are_ready = os.pipe()

for _ in range(number):
    if not os.fork():
        os.close(closed_if_all_are_ready)
        if "stubborn" in words:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        memory = b"x" * size
        os.write(1, b"%d\n" % os.getpid())
        os.write(ready, b"x")
        os.read(go, 1)
        time.sleep(60 if "stay" in words else 0.5)
        os._exit(0)
for _ in range(number):
    os.read(read, 1)
os.close(closed_if_all_are_ready)
for _ in range(number):
    os.wait()
