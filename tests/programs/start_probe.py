"""Do what start_probe.c does, on systems without a C compiler. Python ignores SIGPIPE and SIGXFSZ itself."""

import fcntl
import os
import resource
import signal
import sys

records = []
for fd in range(300):
    try:
        flags, status = fcntl.fcntl(fd, fcntl.F_GETFD), os.fstat(fd)
        how = fcntl.fcntl(fd, fcntl.F_GETFL)
    except OSError:
        continue
    records.append(f"fd {fd}={status.st_dev}:{status.st_ino} {status.st_mode >> 12} {flags} {how}")
records += [f"signal {int(number)} blocked=1" for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])]
for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGINT, getattr(signal, "SIGXFSZ", None)}:
    if signal.getsignal(number) != signal.SIG_DFL:
        records.append(f"signal {int(number)} action={signal.getsignal(number)}")
for name in dir(resource):
    if name.startswith("RLIMIT_"):
        records.append(f"limit {name}={resource.getrlimit(getattr(resource, name))}")
records += [f"argument {number}={word}" for number, word in enumerate(sys.argv)]
records += [f"environment {number}={pair}" for number, pair in enumerate(os.environb.items())]
records.append(f"ids={os.getuid()} {os.geteuid()} {os.getgid()} {os.getegid()} {os.getgroups()}")
records.append(f"pids={os.getpid()} {os.getppid()} {os.getpgrp()} {os.getsid(0)}")
records.append(f"umask={os.umask(0):o}")
records.append(f"nice={os.getpriority(os.PRIO_PROCESS, 0)}")
try:
    records.append(f"cwd={os.getcwd()}")
except OSError as error:
    records.append(f"cwd={error}")
records.append("end=1")
try:
    fd = os.open(os.path.join(os.path.dirname(sys.argv[0]), "../report"), os.O_WRONLY)
except OSError:
    pass
else:
    os.write(fd, "".join(record + "\0" for record in records).encode("utf-8", "surrogateescape"))
    os.close(fd)
result = 0
try:
    os.write(1, b"out\r\n\xc3\xa9\n")
    os.write(2, b"err\n")
except OSError:
    result = 98
todo, _, argument = sys.argv[1].partition(":") if len(sys.argv) > 1 else ("", "", "")
while todo == "cat":
    try:
        data = os.read(0, 4096)
        if not data:
            break
        os.write(1, data)
    except OSError:
        break
if todo == "kill":
    os.kill(os.getpid(), int(argument))
os._exit(int(argument) if todo == "exit" else result)
