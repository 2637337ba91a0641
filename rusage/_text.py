"""Figures as text, for the representations of blocks and children."""

from __future__ import annotations

from ._backends._base import TIMES

TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._fields import RUsage


def figures(usage: RUsage, measured: frozenset[str], peak: int | None, elapsed: float, *, has_peak: bool = True) -> str:
    """Return the CPU time, the peak (in bytes; None: not measured) and the elapsed time (in seconds) for a repr."""
    texts = {"cputime": f"{usage.cputime:.6f} s" if measured >= TIMES else "not measured"}
    if has_peak:
        texts["peak"] = "not measured" if peak is None else f"{peak / 2**20:.1f} MiB"
    texts["elapsed"] = f"{elapsed:.6f} s"
    return ", ".join(f"{name}={text}" for name, text in texts.items())
