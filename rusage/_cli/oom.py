"""How many processes of this cgroup the kernel has killed for lack of memory: see cgroups(7)."""

from __future__ import annotations

import os


def counter(proc: str = "/proc/self") -> str:
    """Return the file that counts the kills of the cgroup of this process; empty if there is none.

    Version 1 counts a cgroup alone, version 2 with those below it.
    """
    try:
        with open(f"{proc}/cgroup", "rb") as file:
            cgroups = [line.rstrip(b"\n").split(b":", 2) for line in file]
        named = {name: path for _, names, path in cgroups for name in names.split(b",")}
        kind, name, mine = b"cgroup2", b"/memory.events", named.get(b"")
        if b"memory" in named:
            kind, name, mine = b"cgroup", b"/memory.oom_control", named[b"memory"]
        with open(f"{proc}/mountinfo", "rb") as file:
            for line in file:
                before, _, after = line.partition(b" - ")
                if mine is None or after.split(b" ", 1)[0] != kind:
                    continue
                top, point = map(_unescaped, before.split(b" ")[3:5])
                top = top.rstrip(b"/")
                # A bind mount, or another namespace, may show other cgroups.
                is_shown = (mine + b"/").startswith(top + b"/") and not mine.startswith(b"/..")
                path = os.fsdecode(point + mine[len(top) :] + name)
                if is_shown and kills(path) is not None:
                    return path
    except (OSError, ValueError):
        pass
    return ""


def _unescaped(field: bytes) -> bytes:
    """Return a field of mountinfo, in which spaces and others are octal numbers."""
    if b"\\" not in field:
        return field
    import re

    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)


def kills(path: str) -> int | None:
    """Return the number in such a file; None without one, as before Linux 4.13."""
    try:
        with open(path, "rb") as file:
            for line in file:
                name, _, number = line.partition(b" ")
                if name == b"oom_kill":
                    return int(number)
    except (OSError, ValueError):
        pass
    return None
