"""Execute itself until it is killed, each time from another thread: ``exec_in_threads.py``; print a dot each time."""

import _thread
import os
import sys
import time

os.write(1, b".")
_thread.start_new_thread(os.execv, (sys.executable, [sys.executable, "-I", "-S", __file__]))
time.sleep(600)
