"""Modules that are imported at their first use."""

from __future__ import annotations

import os
import sys
from _thread import RLock

from ._rusage import lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from types import ModuleType

# Windows processes cannot change their root directory.
_root_changed = lib.rusage_root_changed if hasattr(lib, "rusage_root_changed") else None

# Held during an import and during a fork: a child would wait for ever for a module that another
# thread of its parent was importing. Re-entrant, since a signal handler may fork.
_lock = RLock()
# Without an end, two threads could wait for each other's lock: a fork takes logging's one too.
_PATIENCE = 1  # second


def load(module: str, use: str, statement: str) -> ModuleType:
    """Import a module at its first use, and return it.

    Raises ``ImportError`` if it would be read from another root directory than the package: the
    owner of that directory could put another module there, which would run with the rights of this
    process. Also if it can no longer be found, and in a signal handler that interrupts its import.
    ``use`` needs the module, which ``statement`` imports.
    """
    reason = (
        "needs a module that can no longer be imported: before a change of the root directory, "
        "the mount namespace or the user, for example by chroot() or setuid()"
    )
    with _lock:
        try:
            if _root_changed is not None and module not in sys.modules and _root_changed():
                raise ImportError(f"{use} {reason}, use {statement!r}")
            __import__(module)
        except (
            ModuleNotFoundError,
            FileNotFoundError,
            NotADirectoryError,
            PermissionError,
        ) as error:
            raise ImportError(f"{use} {reason}, use {statement!r}") from error
        found = sys.modules[module]
    if getattr(found.__spec__, "_initializing", False):
        raise ImportError(
            f"{use} is being imported: before a signal handler needs it, use {statement!r}"
        )
    return found


def _before_fork() -> None:
    _lock.acquire(timeout=_PATIENCE)


def _after_fork_in_parent() -> None:
    try:  # noqa: SIM105 (contextlib is imported where it is needed)
        _lock.release()
    except RuntimeError:  # the wait had ended without the lock
        pass


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603 (of the process)
    _lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
