"""Sizes in bytes, as users write them in options and marks; and figures as text."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._fields import RUsage

SIZE = r"(?a)\s*(\d+)(?:(?:\.(\d+))? *([KMGT])(?:iB)?)?\s*"
MAX_SIZE = 2**64 - 1


def parse_size(text: str) -> int:
    """Return a size such as ``"100 MiB"``, ``"500M"``, ``"1.5G"`` or ``"4096"`` in bytes.

    It is rounded down. The units are KiB, MiB, GiB and TiB, in short K, M, G and T, and bytes
    without a unit. Anything else raises ``ValueError``: ``MB`` too, because not all programs agree
    on its meaning, and sizes of 2**64 bytes or more.
    """
    import re  # noqa: PLC0415 (the command may not need it)

    match = re.fullmatch(SIZE, text)
    if match is None:
        raise ValueError(
            f"not a size: {shown(text)} "
            "(expected a number of bytes, or one with K, M, G or T, such as 500M)"
        )
    whole, fraction, prefix = match.groups(default="")
    # int() refuses thousands of digits. No multiple of 2**-40, a byte in TiB, has more than 40
    # decimals.
    whole, fraction = whole.lstrip("0"), fraction[:40]
    power = ["", *"KMGT"].index(prefix)
    if len(whole) <= len(str(MAX_SIZE)):
        # Exact, unlike a float.
        size = (int(f"0{whole}{fraction}") << 10 * power) // int("1" + "0" * len(fraction))
        if size <= MAX_SIZE:
            return size
    raise ValueError(f"too large a size: {shown(text)} (it must be less than 2**64 bytes)")


def shown(text: str) -> str:
    """Return a user's text for an error message, cut to 50 characters."""
    return repr(text if len(text) <= 50 else f"{text[:47]}...")


# --- Figures as text, for representations and for the plugin for pytest ---

MIB = 2**20  # bytes


def mebibytes(size: float) -> str:
    """Return a size in bytes as text."""
    return f"{size / MIB:.1f} MiB"


def usage_text(
    usage: RUsage, measured: frozenset[str], sizes: dict[str, int | None], elapsed: float
) -> str:
    """Return the CPU time, the sizes and the elapsed time for a repr.

    ``sizes`` are in bytes (None: not measured), ``elapsed`` is in seconds.
    """
    has_times = measured >= {"ru_utime", "ru_stime"}
    texts = {"cputime": f"{usage.cputime:.6f} s" if has_times else "not measured"}
    for name, size in sizes.items():
        texts[name] = "not measured" if size is None else mebibytes(size)
    texts["elapsed"] = f"{elapsed:.6f} s"
    return ", ".join(f"{name}={text}" for name, text in texts.items())
