"""Resource limits of a child (``rlimits``): checked before the start, set between fork and exec.

The child of the launcher sets them, or a ``preexec_fn``.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from operator import index

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from typing import Any

    Limits = tuple[tuple[int, int, int], ...]  # resource, soft limit, hard limit

if sys.platform == "win32":

    def check_limits(rlimits: Mapping[int, Iterable[int]] | None) -> Limits:
        """Raise ``ValueError``, as subprocess does for arguments that only POSIX has."""
        if rlimits is not None:
            raise ValueError("rlimits is not supported on Windows platforms")
        return ()

else:
    import mmap
    import resource

    from .._calls import os_error

    # RLIMIT_OFILE is an old alias.
    _NAMES = {getattr(resource, name): name for name in dir(resource) if name.startswith("RLIMIT_")}
    _NAMES[resource.RLIMIT_NOFILE] = "RLIMIT_NOFILE"

    # Since Python 3.14 limits are unsigned, except for -1. Earlier versions read negative numbers
    # as the largest ones.
    _UNSIGNED = sys.version_info >= (3, 14)

    def check_limits(rlimits: Mapping[int, Iterable[int]] | None) -> Limits:
        """Return limits as plain integers.

        An invalid one raises the same exception as ``resource.setrlimit``, with a text that names
        it.
        """
        if rlimits is None:
            return ()
        expected = f"expected a mapping of resources to pairs of limits, not {rlimits!r}"
        checked = []
        try:
            for number, limits in dict(rlimits).items():
                expected = f"expected a constant such as resource.RLIMIT_CPU, not {number!r}"
                known = _resource(number)
                expected = (
                    f"{_NAMES.get(number, number)}: "
                    f"expected a soft and a hard limit, not {limits!r}"
                )
                checked.append((known, *_checked_pair(limits)))
        except (OverflowError, TypeError, ValueError) as error:
            raise type(error)(f"rlimits: {expected} ({error})") from error
        return tuple(checked)

    def _resource(number: int) -> int:
        resource.getrlimit(number)
        # PyPy's getrlimit() accepts any number.
        if sys.implementation.name == "pypy" and index(number) not in _NAMES:
            raise ValueError("invalid resource specified")
        return index(number)

    def _checked_pair(limits: Iterable[int]) -> tuple[int, int]:
        soft, hard = map(_limit, limits)
        if soft % 2**64 > hard % 2**64:
            raise ValueError("current limit exceeds maximum limit")
        return soft, hard

    def _limit(value: int) -> int:
        limit = index(value)
        if _UNSIGNED and limit < -1:
            raise ValueError("Cannot convert negative int")
        if not -(2**63) <= limit < (2**64 if _UNSIGNED else 2**63):
            raise OverflowError("Python int too large to convert to C rlim_t")
        return resource.RLIM_INFINITY if limit == -1 else limit

    @contextmanager
    def set_in_child(
        limits: Limits, preexec_fn: Callable[[], Any] | None
    ) -> Generator[Callable[[], Any] | None]:
        """Yield a ``preexec_fn`` that calls the given one and then sets the limits.

        Raises an exception if one was refused. An exception of a ``preexec_fn`` reaches the
        parent as a ``SubprocessError`` without details. Therefore the child writes them to shared
        memory. A parent that has reached its own RLIMIT_AS has none, and gets a
        ``SubprocessError``.
        """
        if not limits:
            yield preexec_fn
            return
        try:
            refusal = mmap.mmap(-1, mmap.PAGESIZE)
        except OSError:
            refusal = None
        with refusal or nullcontext():

            def set_limits() -> None:
                if preexec_fn is not None:
                    preexec_fn()
                for number, soft, hard in limits:
                    try:
                        resource.setrlimit(number, (soft, hard))
                    except (OSError, ValueError) as error:
                        if refusal is not None:
                            refusal.write(f"{getattr(error, 'errno', 0)} {error}".encode())
                        raise

            try:
                yield set_limits
            except Exception:
                written = b"" if refusal is None else refusal[:].rstrip(b"\0")
                code, _, text = written.decode().partition(" ")
                if not code:  # no limit was refused
                    raise
                number = int(code)
                error = os_error(number) if number else ValueError(text)
                raise error from None
