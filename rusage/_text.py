"""Figures as text, for the representations of blocks and children."""

from __future__ import annotations

from ._backends._base import TIMES

TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._fields import RUsage


def figures(usage: RUsage, measured: frozenset[str], sizes: dict[str, int | None], elapsed: float) -> str:
    """Return the CPU time, the sizes (in bytes; None: not measured) and the elapsed time (in seconds) for a repr."""
    texts = {"cputime": f"{usage.cputime:.6f} s" if measured >= TIMES else "not measured"}
    for name, size in sizes.items():
        texts[name] = "not measured" if size is None else f"{size / 2**20:.1f} MiB"
    texts["elapsed"] = f"{elapsed:.6f} s"
    return ", ".join(f"{name}={text}" for name, text in texts.items())
