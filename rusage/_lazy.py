"""Modules of this package that are imported at their first use."""

from __future__ import annotations

import sys

from ._rusage import lib

# Windows processes cannot change their root directory.
_root_changed = lib.rusage_root_changed if hasattr(lib, "rusage_root_changed") else None


def check_import(module: str, use: str, name: str) -> None:
    """Raise ``ImportError`` if a module would be read from another root directory than the package.

    The owner of that directory could put another module there, which would run with the rights of this process. ``use``
    needs the module; importing ``name`` from the package imports the module too.
    """
    if _root_changed is not None and f"rusage.{module}" not in sys.modules and _root_changed():
        raise too_late(use, name)


def too_late(use: str, name: str) -> ImportError:
    """Return the exception for a module that can no longer be imported."""
    return ImportError(
        f"{use} needs a module that can no longer be imported: before a change of the root directory, the mount "
        f"namespace or the user, for example by chroot() or setuid(), use 'from rusage import {name}'"
    )
