"""Print which of the first 300 file descriptors are open."""

import os


def is_open(fd: int) -> bool:
    """Return whether a file descriptor is open."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


print([fd for fd in range(300) if is_open(fd)])
