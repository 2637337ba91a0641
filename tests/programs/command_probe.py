"""Write the state of this process to the file ``state``, then exit or die.

``command_probe.py END [ARGUMENT ...]``
"""

import contextlib
import json
import os
import signal
import stat
import sys
from pathlib import Path

fds, report = {}, Path("report").stat() if Path("report").exists() else None
for fd in range(64):
    with contextlib.suppress(OSError):
        status = os.fstat(fd)
        # GNU time lets its command inherit the report.
        if report is None or not os.path.samestat(status, report):
            fds[fd] = f"{stat.S_IFMT(status.st_mode):o} {os.get_inheritable(fd)}"
environ = Path("/proc/self/environ")
state = {
    "fds": fds,
    "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
    "ignored": [
        int(number)
        for number in signal.valid_signals()
        if signal.getsignal(number) == signal.SIG_IGN
    ],
    "environment": environ.read_bytes().hex() if environ.exists() else "",
    "arguments": sys.argv[2:],
    "umask": os.umask(0),
    "session": os.getsid(0) == os.getsid(os.getppid()),
    "group": os.getpgid(0) == os.getpgid(os.getppid()),
}
Path("state").write_text(json.dumps(state))
end, _, number = sys.argv[1].partition(":")
if end == "kill":
    os.kill(os.getpid(), int(number))
elif end == "copy":
    with contextlib.suppress(OSError):
        os.write(1, os.read(0, 100))
os._exit(int(number) if end == "exit" else 0)
