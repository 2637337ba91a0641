"""Modules that are imported at their first use."""

from __future__ import annotations

import os
import sys

from ._rusage import lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from types import ModuleType

# Windows processes cannot change their root directory.
_root_changed = lib.rusage_root_changed if hasattr(lib, "rusage_root_changed") else None

_HAS_FORK = hasattr(os, "register_at_fork")

if sys.platform != "win32" and _HAS_FORK:
    os.register_at_fork(
        before=lib.rusage_before_fork,
        after_in_parent=lib.rusage_after_fork_in_parent,
        after_in_child=lib.rusage_after_fork_in_child,
    )


def _is_upgraded() -> bool:
    """Return whether the package has been replaced by another version since its import."""
    package = sys.modules["rusage"]
    try:
        with open(str(package.__file__), "rb") as file:
            return package.__version__.encode() not in file.read()
    except OSError:
        return False


def load(module: str, use: str, statement: str) -> ModuleType:
    """Import a module at its first use, and return it.

    Raises ``ImportError`` if it would be read from another root directory than the package: the
    owner of that directory could put another module there, which would run with the rights of this
    process. Also if it can no longer be found, if another version of it is found, and in a signal
    handler that interrupts its import. ``use`` needs the module, which ``statement`` imports.

    A fork waits for the imports of other threads, for about a second at most; what a signal handler
    raises meanwhile is not lost.
    """
    reason = (
        "needs a module that can no longer be imported: before a change of the root directory, "
        "the mount namespace or the user, for example by chroot() or setuid()"
    )
    if _root_changed is not None and module not in sys.modules and _root_changed():
        raise ImportError(f"{use} {reason}, use {statement!r}")
    begun = lib.rusage_imports() if _HAS_FORK else 0
    try:
        if _HAS_FORK:
            lib.rusage_begin_import()
        __import__(module)
    except (ImportError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if _is_upgraded():
            raise ImportError(
                f"{use}: rusage has been upgraded while this process runs: restart it"
            ) from error
        if type(error) is ImportError:
            raise
        raise ImportError(f"{use} {reason}, use {statement!r}") from error
    finally:
        if _HAS_FORK:
            lib.rusage_end_imports(begun)
    found = sys.modules[module]
    if getattr(found.__spec__, "_initializing", False):
        raise ImportError(
            f"{use} is being imported: before a signal handler needs it, use {statement!r}"
        )
    return found
