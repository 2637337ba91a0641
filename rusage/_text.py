"""Figures as text, for the representations of blocks and children, and for the plugin for pytest."""

from __future__ import annotations

from ._backends._base import TIMES

TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._fields import RUsage


MIB = 2**20  # bytes


def mebibytes(size: float) -> str:
    """Return a size in bytes as text."""
    return f"{size / MIB:.1f} MiB"


def usage_text(usage: RUsage, measured: frozenset[str], sizes: dict[str, int | None], elapsed: float) -> str:
    """Return the CPU time, the sizes (in bytes; None: not measured) and the elapsed time (in seconds) for a repr."""
    texts = {"cputime": f"{usage.cputime:.6f} s" if measured >= TIMES else "not measured"}
    for name, size in sizes.items():
        texts[name] = "not measured" if size is None else mebibytes(size)
    texts["elapsed"] = f"{elapsed:.6f} s"
    return ", ".join(f"{name}={text}" for name, text in texts.items())
