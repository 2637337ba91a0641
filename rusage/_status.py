"""The peak of a program in /proc/PID/status of Linux (man page: proc_pid_status, section 5)."""

from __future__ import annotations

import os

SIZE = 8192  # more than usual; a process can have 65536 groups


def high_water_mark(path: str) -> int | None:
    """Return VmHWM, the maximum resident set size, in bytes; None if the file cannot be read or does not contain it.

    Unlike ``ru_maxrss``, it does not include the peak of the process before exec.
    """
    try:
        file = os.open(path, os.O_RDONLY)  # takes less time than open()
        try:
            status = chunk = os.read(file, SIZE)
            while len(chunk) == SIZE:
                chunk = os.read(file, SIZE)
                status += chunk
        finally:
            os.close(file)
    except OSError:
        return None
    found = status.partition(b"\nVmHWM:")[2]  # a newline in the program's name would be escaped
    return int(found.split(maxsplit=1)[0]) * 1024 if found else None
