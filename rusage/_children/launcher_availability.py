"""When the launcher may be used (Linux only)."""

from __future__ import annotations

import errno
import os
import time

from .._rusage import lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

PATH = os.path.join(os.path.dirname(__file__), "_launcher")

# Errors of executing the launcher that would recur: no such file, a noexec file system, seccomp.
_UNAVAILABLE = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOSYS}
# After such an error the launcher is not tried for a while: the package may be being reinstalled.
PAUSE = 60.0  # seconds
NEVER = float("inf")
_retry_at = 0.0  # by time.monotonic()

# The launcher closes descriptors faster than subprocess does, where the kernel has close_range(2) (Linux 5.9).
use_close_range = bool(lib.rusage_has_close_range())
# Whether the launcher has no dynamic loader, which would obey LD_PRELOAD. rusage_build.py has looked.
is_static = bool(lib.RUSAGE_LAUNCHER_IS_STATIC)


def usable(*, other_ids: bool) -> bool:
    """Return whether a child may be started through the launcher, with the IDs of this process or with other ones."""
    return time.monotonic() >= _retry_at and bool(lib.rusage_may_launch()) and (not other_ids or is_static)


def is_own_failure(error: BaseException, cwd: Any) -> bool:
    """Return whether an error comes from executing the launcher, and not from changing to the directory ``cwd``."""
    return isinstance(error, OSError) and _is_path(error.filename) and not _is_path(cwd)


def _is_path(filename: Any) -> bool:
    # fsdecode: with -bb, a comparison of text with bytes is an error.
    return isinstance(filename, (str, bytes, os.PathLike)) and os.fsdecode(filename) == PATH


def note_failure(error: BaseException) -> None:
    """Pause the use of the launcher if the next attempts to execute it would fail in the same way."""
    if isinstance(error, OSError) and error.errno in _UNAVAILABLE:
        pause(PAUSE)


def pause(seconds: float) -> None:
    """Do not use the launcher for some seconds."""
    global _retry_at  # noqa: PLW0603 (cached: what the system allows does not change)
    _retry_at = max(_retry_at, time.monotonic() + seconds)
