"""Start processes that hold memory: ``tree_of_processes.py NUMBER MIB [WORD...]``, and wait for them.

Words: ``stay`` waits for a minute instead of half a second, ``stubborn`` makes the children ignore SIGTERM, and
``detached`` makes them children of a process that has ended. Prints the process IDs of the children.
"""

import os
import signal
import sys
import time

number, size, words = int(sys.argv[1]), int(sys.argv[2]) << 20, sys.argv[3:]
seconds = 60 if "stay" in words else 0.5


def child() -> None:
    if "stubborn" in words:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    memory = b"x" * size
    os.write(1, b"%d\n" % os.getpid())
    time.sleep(seconds)
    del memory
    os._exit(0)


for _ in range(number):
    if not os.fork():
        if "detached" in words:
            time.sleep(0.2)  # until a sample has found this process
            if os.fork():
                time.sleep(0.2)
                os._exit(0)
        child()
for _ in range(number):
    os.wait()
if "detached" in words:
    time.sleep(seconds)
