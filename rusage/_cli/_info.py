"""The facts that a bug report needs: ``rusage --info``."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata

from .. import __version__, _getrusage, run
from .._backends import BACKEND
from .._backends._base import WHO
from ._reporting import quantity
from ._series import wrapped


def info() -> str:
    """Return facts about the installation, the interpreter, the system and the measured fields."""
    error = _getrusage.fields["ru_maxrss"].error
    isolated = "ru_maxrss" in run([sys.executable, "-c", ""]).measured
    rows = {
        "version": __version__,
        "wheel": _wheel_tag(),
        "interpreter": f"{platform.python_implementation()} {' '.join(sys.version.split())}",
        "system": f"{platform.system()} {platform.release()}, {platform.version()}",
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, pages of {_getrusage.getpagesize()} bytes",
        "backend": BACKEND.name,
        "launcher": _launcher(isolated=isolated),
        "error of the peak": "unknown" if error is None else f"up to {quantity(error, 'bytes')}",
    }
    for name, who in WHO.items():
        known = _getrusage.measured(who) if name not in BACKEND.absent else ()
        rows[f"measured, {name[7:].lower()}"] = _listed(known) if known else "not available"
    rows["measured, a child"] = _listed(_getrusage.WAITED if isolated else _getrusage.WAITED - {"ru_maxrss"})
    rows["measured, a process"] = _listed(BACKEND.process) if BACKEND.process else "not available"
    return "\n".join(wrapped(rows, colored=False))


def _listed(names: frozenset[str]) -> str:
    """Return the names of fields in their order."""
    return ", ".join(name for name in _getrusage.fields if name in names)


def _wheel_tag() -> str:
    """Return the tags of the wheel from which the package was installed."""
    for found in metadata.distributions(name="rusage"):
        lines = (found.read_text("WHEEL") or "").splitlines()
        tags = [line.removeprefix("Tag: ") for line in lines if line.startswith("Tag: ")]
        if tags:
            return ", ".join(tags)
    return "none: the package was not installed from one"


if sys.platform == "linux":

    def _launcher(*, isolated: bool) -> str:
        """Return whether programs are started through the launcher, and if not, why."""
        if isolated:
            return "used"
        import subprocess  # noqa: PLC0415 (only needed here)

        from .._children.launcher_availability import PATH  # noqa: PLC0415 (only needed here)
        from .._rusage import lib  # noqa: PLC0415 (only needed here)

        if not lib.rusage_may_launch():
            return "not used: it would have other rights than this process"
        try:
            code = subprocess.run([PATH], check=False, capture_output=True).returncode
        except OSError as error:
            return f"not used: {PATH}: {error.strerror}"
        return f"not used: signal {-code} kills it" if code < 0 else "not used: it cannot start a program here"

else:

    def _launcher(*, isolated: bool) -> str:  # noqa: ARG001 (the signature of Linux's)
        """Return that there is none."""
        return "none: it exists on Linux only"
