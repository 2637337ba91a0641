"""Modules that are imported at their first use."""

from __future__ import annotations

import sys

from ._rusage import lib

# Windows processes cannot change their root directory.
_root_changed = lib.rusage_root_changed if hasattr(lib, "rusage_root_changed") else None


def check_import(module: str, use: str, statement: str) -> None:
    """Raise ``ImportError`` if a module would be read from another root directory than the package.

    The owner of that directory could put another module there, which would run with the rights of this process. ``use``
    needs the module, which ``statement`` imports.
    """
    if _root_changed is not None and module not in sys.modules and _root_changed():
        raise too_late(use, statement)


def too_late(use: str, statement: str) -> ImportError:
    """Return the exception for a module that can no longer be imported."""
    return ImportError(
        f"{use} needs a module that can no longer be imported: before a change of the root directory, the mount "
        f"namespace or the user, for example by chroot() or setuid(), use {statement!r}"
    )
