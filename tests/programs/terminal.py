"""Make standard input the controlling terminal of a new session, then ``run`` or ``exec`` a command on it.

``run`` prints the command's return code and stays: when the leader of a session exits, FreeBSD revokes the terminal and
drops the output that was not read.
"""

import fcntl
import os
import signal
import subprocess
import sys
import termios

os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if sys.argv[1] == "exec":
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 (the program that is tested)
for number in signal.SIGINT, signal.SIGQUIT:
    signal.signal(number, lambda *_: None)  # not ignored: the command would inherit that
print("return code", subprocess.call(sys.argv[2:]), flush=True)
while True:
    signal.pause()
