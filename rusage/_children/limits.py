"""Resource limits of a child (``rlimits``): checked before the start, set between fork and exec.

The launcher sets them if it starts the child; otherwise a ``preexec_fn`` does.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import sys
from contextlib import contextmanager
from operator import index
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    Limits = tuple[tuple[int, int, int], ...]  # resource, soft limit, hard limit

_NOT_ALLOWED = "not allowed to raise maximum limit"
_EXCEEDS = "current limit exceeds maximum limit"

if sys.platform == "win32":

    def check_limits(rlimits: Mapping[int, Iterable[int]] | None) -> Limits:
        """Raise ``ValueError``, as subprocess does for arguments that only POSIX has."""
        if rlimits is not None:
            raise ValueError("rlimits is not supported on Windows platforms")
        return ()

else:
    import resource

    _ERRNO = struct.Struct("i")

    # Since Python 3.14 limits are unsigned, except for -1. Earlier versions read negative numbers as the largest ones.
    _UNSIGNED = sys.version_info >= (3, 14)

    def check_limits(rlimits: Mapping[int, Iterable[int]] | None) -> Limits:
        """Return limits as plain integers. An invalid one raises the same exception as ``resource.setrlimit``."""
        if rlimits is None:
            return ()
        return tuple(_check_limit(number, limits) for number, limits in dict(rlimits).items())

    def _resources() -> set[int]:
        return {getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}

    def _check_limit(number: int, limits: Iterable[int]) -> tuple[int, int, int]:
        resource.getrlimit(number)
        number = index(number)
        pair = tuple(limits)
        if sys.implementation.name == "pypy" and number not in _resources():  # its getrlimit() accepts any
            raise ValueError("invalid resource specified")
        if len(pair) != 2:
            raise ValueError("expected a tuple of 2 integers")
        soft, hard = _limit(pair[0]), _limit(pair[1])
        if soft % 2**64 > hard % 2**64:
            raise ValueError(_EXCEEDS)
        return number, soft, hard

    def _limit(value: int) -> int:
        limit = index(value)
        if _UNSIGNED and limit < -1:
            raise ValueError("Cannot convert negative int")
        if not -(2**63) <= limit < (2**64 if _UNSIGNED else 2**63):
            raise OverflowError("Python int too large to convert to C rlim_t")
        return resource.RLIM_INFINITY if limit == -1 else limit

    def limit_error(code: int) -> Exception:
        """Return the exception of ``resource.setrlimit`` for an errno."""
        if code == errno.EPERM:
            return ValueError(_NOT_ALLOWED)
        return ValueError(_EXCEEDS) if code == errno.EINVAL else OSError(code, os.strerror(code))

    @contextmanager
    def set_in_child(limits: Limits, preexec_fn: Callable[[], Any] | None) -> Generator[Callable[[], Any] | None]:
        """Yield a ``preexec_fn`` that calls the given one and then sets the limits; raise if one was refused.

        An exception of a ``preexec_fn`` reaches the parent as a ``SubprocessError`` without details. Therefore the
        child stores the errno in shared memory, which unlike a pipe cannot become one of its standard streams.
        """
        if not limits:
            yield preexec_fn
            return
        with mmap.mmap(-1, _ERRNO.size) as memory:

            def set_limits() -> None:
                if preexec_fn is not None:
                    preexec_fn()
                for number, soft, hard in limits:
                    try:
                        resource.setrlimit(number, (soft, hard))
                    except (OSError, ValueError) as error:  # noqa: PERF203 (the child ends)
                        _ERRNO.pack_into(memory, 0, _errno_of(error))
                        raise

            try:
                yield set_limits
            except Exception:
                (code,) = _ERRNO.unpack_from(memory)
                if code:
                    raise limit_error(code) from None
                raise

    def _errno_of(error: OSError | ValueError) -> int:
        if isinstance(error, OSError):
            return error.errno or errno.EINVAL
        return errno.EPERM if str(error) == _NOT_ALLOWED else errno.EINVAL
