"""Sizes in bytes, as users write them in options and marks."""

from __future__ import annotations

import re

SIZE = re.compile(r"\s*(\d+)(?:(?:\.(\d+))? *([KMGT])iB)?\s*", re.ASCII)


def parse_size(text: str) -> int:
    """Return a size such as ``"100 MiB"``, ``"500MiB"``, ``"1.5 GiB"`` or ``"4096"`` in bytes, rounded down.

    The units are KiB, MiB, GiB and TiB, and bytes without a unit. Anything else raises ``ValueError``: decimal units
    (``MB``) too, because not all programs agree on their meaning.
    """
    match = SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a size: {text!r} (expected a number of bytes, or one with KiB, MiB, GiB or TiB)")
    whole, fraction, prefix = match.groups(default="")
    power = ["", *"KMGT"].index(prefix)
    return (int(whole + fraction) << 10 * power) // int("1" + "0" * len(fraction))  # exact, unlike a float
