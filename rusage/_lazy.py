"""Modules that are imported at their first use."""

from __future__ import annotations

import sys

from ._rusage import lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from types import ModuleType

# Windows processes cannot change their root directory.
_root_changed = lib.rusage_root_changed if hasattr(lib, "rusage_root_changed") else None


def load(module: str, use: str, statement: str) -> ModuleType:
    """Import a module at its first use, and return it.

    Raises ``ImportError`` if it would be read from another root directory than the package: the owner of that directory
    could put another module there, which would run with the rights of this process. Also if it can no longer be found,
    and in a signal handler that interrupts its import. ``use`` needs the module, which ``statement`` imports.
    """
    reason = (
        "needs a module that can no longer be imported: before a change of the root directory, the mount namespace or "
        "the user, for example by chroot() or setuid()"
    )
    try:
        if _root_changed is not None and module not in sys.modules and _root_changed():
            raise ImportError(f"{use} {reason}, use {statement!r}")
        __import__(module)
    except (ModuleNotFoundError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise ImportError(f"{use} {reason}, use {statement!r}") from error
    found = sys.modules[module]
    if getattr(found.__spec__, "_initializing", False):
        raise ImportError(f"{use} is being imported: before a signal handler needs it, use {statement!r}")
    return found
