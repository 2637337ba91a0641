"""Start children of another user while a process of that user attacks them, and print what came of it as JSON.

``python privileged_starts.py (reader|writer) STARTS``, as root on Linux. The attacker stops each process that it may
signal, and then tries to take a descriptor from it, or to write where the parent reads the child's process ID.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable

# One that no other process has, nor another run of this program: the attacker attacks and stops all of them.
USER = 20_000 + os.getpid() % 40_000
PIDFD_OPEN, PIDFD_GETFD = 434, 438  # the numbers are the same on every processor

libc = ctypes.CDLL(None, use_errno=True)


def take_descriptor(pid: int, secret: os.stat_result) -> bool:
    """Return whether the secret file could be taken from a process by pidfd_getfd(2)."""
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    if pidfd < 0:
        return False
    taken = False
    for number in range(3, 32):
        fd = libc.syscall(PIDFD_GETFD, pidfd, number, 0)
        if fd >= 0:
            taken = taken or os.path.samestat(os.fstat(fd), secret)
            os.close(fd)
    os.close(pidfd)
    return taken


def open_memory(pid: int, _: os.stat_result) -> bool:
    """Return whether the memory that has the child's process ID could be opened for writing."""
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{name}"
            if "memfd:rusage" in os.readlink(path):
                os.close(os.open(path, os.O_WRONLY))
                return True
        with open(f"/proc/{pid}/maps", "rb") as file:
            mapped = b"memfd:rusage" in file.read()
        os.close(os.open(f"/proc/{pid}/mem", os.O_WRONLY))
    except OSError:
        return False
    return mapped


def attack(attempt: Callable[[int, os.stat_result], bool], secret: os.stat_result, report: int) -> None:
    """Attack every process of the same user that can be found, until this process is killed."""
    while True:
        with open("/proc/loadavg", "rb") as file:  # as text it would need a module that this user may be unable to read
            newest = int(file.read().split()[-1])
        for pid in range(newest - 2, newest + 3):
            if pid == os.getpid():
                continue
            try:
                os.kill(pid, signal.SIGSTOP)
            except OSError:
                continue
            try:
                outcome = b"+" if attempt(pid, secret) else b"-"
            finally:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGCONT)
            os.write(report, outcome)  # may block until the parent reads


def main() -> None:
    """Fork the attacker, start the children, and report."""
    attempt = {"reader": take_descriptor, "writer": open_memory}[sys.argv[1]]
    with tempfile.TemporaryFile() as file:
        # What close_fds=True, the default, promises to close in the child.
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 (takes no keyword)
        secret = os.fstat(file.fileno())
        read, write = os.pipe()
        attacker = os.fork()
        if not attacker:
            try:
                file.close()
                os.close(read)
                os.setgroups([])
                os.setgid(USER)
                os.setuid(USER)
                attack(attempt, secret, write)
            finally:
                os._exit(1)
        os.close(write)
        import rusage

        measured = others = 0
        outcomes = {b"+": 0, b"-": 0}
        os.set_blocking(read, False)
        for _ in range(int(sys.argv[2])):
            process = rusage.Popen(["/bin/true"], user=USER, group=USER, extra_groups=[])
            others += process.wait() != 0
            measured += "ru_maxrss" in process.measured
            with contextlib.suppress(BlockingIOError):
                for byte in os.read(read, 65536):
                    outcomes[bytes([byte])] += 1
        os.kill(attacker, signal.SIGKILL)
        os.waitpid(attacker, 0)
    print(json.dumps({"succeeded": outcomes[b"+"], "failed": outcomes[b"-"], "measured": measured, "others": others}))


if __name__ == "__main__":
    main()
