"""Start a program once for each system call of the start, which is refused once.

``unshare -pmf --mount-proc python refused_calls.py [ERROR ...]``, on x86_64: each call of this
process, of the launcher and of its child fails with each of the errors, such as ``EPERM``; with
``SIGKILL``, the launcher or its child is killed in its place. The program runs at most once, and
is waited for; no process is left, and no file descriptor, except one whose close is refused.
"""

import contextlib
import ctypes
import errno
import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checks import install_filter

from rusage import Popen

LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_OPEN, PIDFD_GETFD, MARK = 434, 438, 9999  # system calls; the last one does not exist
CLOSE, FSTAT, MMAP = 3, 5, 9
BRK = 12  # is never refused: glibc takes an errno for an address
USER_NOTIF, NEW_LISTENER, CONTINUE = 0x7FC00000, 8, 1
RECEIVE, SEND = 0xC0502100, 0xC0182101
PARENT, LAUNCHER, CHILD = range(3)

SHELL = os.path.realpath("/bin/sh")
PROGRAM = [SHELL, "-c", "echo /proc/self/fd/* >>log"]  # a line for each start
CALLS: list[dict[str, Any]] = [
    {},
    {"close_fds": False, "env": {"A": "1"}, "stdout": subprocess.PIPE}
    | {"cwd": ".", "rlimits": {resource.RLIMIT_CORE: (0, 0)}, "start_new_session": True},
]


def open_files() -> int:
    """Return the number of open file descriptors, and of one that is opened to count them."""
    return len(os.listdir("/proc/self/fd"))


def reap() -> int:
    """Wait for all children; return their number."""
    number = 0
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return number
        number += 1


# --- The process that starts ---


def start(call: dict[str, Any], control: int) -> None:
    """Start the program with all system calls notified, and write what has come of it."""
    files = open_files()
    number = os.dup(0)  # which the listener gets
    os.close(number)
    os.write(control, bytes([number]))
    assert install_filter([(0x06, 0, 0, USER_NOTIF)], flags=NEW_LISTENER) == number
    process, outcome = None, ""
    LIBC.syscall(MARK)
    try:
        process = Popen(PROGRAM, **call)
    except OSError as error:
        outcome = str(error.errno)
    except Exception as error:
        outcome = repr(error)
    LIBC.syscall(MARK)
    os.close(number)
    if process is not None:
        process.communicate()
        outcome = f"status {process.returncode}" + " measured" * ("ru_maxrss" in process.measured)
    gc.collect()
    for forgotten in vars(subprocess)["_active"]:  # which later starts wait for
        forgotten.wait()
    left = {"children": reap(), "files": open_files() - files}
    os.write(control, json.dumps([outcome, left]).encode())


# --- The process that refuses ---


def is_program(pid: int) -> bool:
    """Return whether a process has executed the program."""
    try:
        return os.readlink(f"/proc/{pid}/exe") == SHELL
    except OSError:
        return False


def answer(listener: int, request: bytearray, error: int, flags: int) -> None:
    """Answer a notification; the process may have been killed meanwhile."""
    response = bytearray(struct.pack("=8sqiI", bytes(request[:8]), 0, -error, flags))
    with contextlib.suppress(FileNotFoundError):
        fcntl.ioctl(listener, SEND, response)


def serve(listener: int, place: tuple[int, int], fault: int) -> int | None:
    """Let all system calls pass but one; return its number, None if there is no such call."""
    pids: list[int] = []
    counts = Counter[int]()
    marks, found = 0, None
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while poll.poll()[0][1] & select.POLLIN:
        request = bytearray(80)
        try:
            fcntl.ioctl(listener, RECEIVE, request)
        except FileNotFoundError:  # killed
            continue
        pid, _, number = struct.unpack_from("=IIi", request, 8)
        if number == MARK:
            marks += 1
        elif marks == 1 and number != BRK and not is_program(pid):
            if pid not in pids:
                pids.append(pid)
            role = pids.index(pid)
            counts[role] += 1
            if (role, counts[role]) == place:
                found = number
                if fault:
                    answer(listener, request, fault, 0)
                    continue
                os.kill(pid, signal.SIGKILL)
        answer(listener, request, 0, CONTINUE)
    return found


def outcomes(call: dict[str, Any], fault: int, role: int) -> Iterator[tuple[Any, str, Any, str]]:
    """Refuse each call of a process once; yield the call, what came of it, what is left, the log.

    At last, with no call, for a start in which none is refused.
    """
    log = Path("log")
    for count in range(1, 1000):
        log.write_text("")
        ours, theirs = (end.detach() for end in socket.socketpair())
        runner = os.fork()
        if runner == 0:
            os.close(ours)
            try:
                start(call, theirs)
            finally:
                os._exit(0)
        os.close(theirs)
        number = os.read(ours, 1)[0]
        pidfd, listener = LIBC.syscall(PIDFD_OPEN, runner, 0), -1
        while listener < 0:
            listener = LIBC.syscall(PIDFD_GETFD, pidfd, number, 0)
            if listener < 0 and ctypes.get_errno() != errno.EBADF:
                sys.exit("skip: no system calls can be notified (seccomp_unotify(2))")
        found = serve(listener, (role, count), fault)
        result = os.read(ours, 1000)
        for fd in pidfd, listener, ours:
            os.close(fd)
        os.waitpid(runner, 0)
        outcome, left = json.loads(result) if result else ("died", {"children": 0, "files": 0})
        left["orphans"] = reap()
        yield found, outcome, left, log.read_text()
        if found is None:
            return


def is_right(number: int, fault: int, outcome: str, left: dict[str, int], starts: int) -> bool:
    """Return whether what has come of a start is what the head of this file says."""
    if any(left[name] for name in ("children", "orphans")):
        return False
    # PyPy's open() leaves a descriptor whose status it cannot read.
    leaving = {CLOSE, FSTAT} if sys.implementation.name == "pypy" else {CLOSE}
    if left["files"] > (number in leaving and fault != 0):
        return False
    if outcome.startswith("status 0"):
        return starts == 1
    if not fault:
        return outcome.startswith("status -9") and starts == 0
    return starts <= 1 and outcome in {str(fault), *["MemoryError()"] * (number == MMAP)}


def main(*names: str) -> None:
    """Refuse all; print what is wrong, and what has come of all."""
    Popen(PROGRAM).wait()
    if hasattr(gc, "freeze"):  # not on PyPy
        gc.freeze()
    numbers, wrong = Counter[str](), 0
    for call in CALLS:
        for name in names:
            fault = 0 if name == "SIGKILL" else getattr(errno, name)
            for role in (LAUNCHER, CHILD) if fault == 0 else (PARENT, LAUNCHER, CHILD):
                *faulty, (_, usual, _, line) = outcomes(call, fault, role)
                assert (usual, line.count("\n")) == ("status 0 measured", 1)
                assert faulty
                for number, outcome, left, log in faulty:
                    numbers[outcome] += 1
                    starts = -1 if log.replace(line, "") else log.count("\n")
                    if not is_right(number, fault, outcome, left, starts):
                        wrong += 1
                        print(call, name, f"{role=} {number=}", outcome, left, repr(log))
    print(f"{sum(numbers.values())} refused, {wrong} wrong: {dict(numbers)}")
    assert not wrong


if __name__ == "__main__":
    main(*sys.argv[1:])
