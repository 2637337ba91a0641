"""What several tests and programs do: start a child, and refuse system calls to themselves."""

import ctypes
import errno
import struct
from typing import Any

import rusage


def check(*, isolated: bool = True, **keywords: Any) -> None:
    """Start a child that must have its status, and its peak only if isolated.

    A missing program must be an error.
    """
    import pytest  # which starts a process on PyPy

    done = rusage.run(["sh", "-c", "exit 5"], **keywords)
    assert done.returncode == 5, done
    assert ("ru_maxrss" in done.measured) is isolated, done.measured
    assert (done.rusage.ru_maxrss > 0) is isolated, done.rusage
    with pytest.raises(FileNotFoundError) as caught:
        rusage.run(["/no/such/program"], **keywords)
    assert caught.value.filename == "/no/such/program"


KILL, REFUSE, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000  # what a filter returns


def refuse(
    system_call: int, error: int, *, argument: int = 0, bits: int = 0, action: int = REFUSE
) -> None:
    """Have a system call fail from now on, or another action taken.

    With ``bits``, only where an argument, of which 0 is the first, has one of them (x86_64).
    """
    load, equal, bits_set, end = 0x20, 0x15, 0x45, 0x06
    lines = [(load, 0, 0, 0), (equal, 0, 3 if bits else 1, system_call)]
    if bits:
        lines += [(load, 0, 0, 16 + 8 * argument), (bits_set, 0, 1, bits)]
    lines += [(end, 0, 0, action | error), (end, 0, 0, ALLOW)]
    install_filter(lines)


def hide_lists_of_children() -> None:
    """Let access(2), by which Tree looks for /proc/PID/task/TID/children, find nothing (x86_64)."""
    for system_call in 21, 269, 439:  # access, faccessat, faccessat2
        refuse(system_call, errno.ENOENT)


def install_filter(lines: list[tuple[int, int, int, int]], *, flags: int = 0) -> int:
    """Install a seccomp filter, given as the instructions of a ``struct sock_filter`` (x86_64).

    Return what seccomp(2) has returned.
    """
    instructions = ctypes.create_string_buffer(
        b"".join(struct.pack("=HBBI", *line) for line in lines)
    )
    seccomp_filter = struct.pack("@HP", len(lines), ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    returned: int = libc.syscall(317, 1, flags, seccomp_filter)  # SECCOMP_SET_MODE_FILTER
    assert returned >= 0
    return returned
