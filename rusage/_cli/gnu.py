"""The reports of GNU time 1.9: ``-f``, ``-p`` and ``-v``.

Letters, escapes, labels and first lines are the same as in GNU time. A figure that was not measured is ``?``, where GNU
time prints 0; under ``-v`` too, so that each line keeps its place and its label.
"""

from __future__ import annotations

import re

from .._fields import FIELDS
from .._getrusage import getpagesize

POSIX = "real %e\\nuser %U\\nsys %S"
VERBOSE = """\
	Command being timed: "%C"
	User time (seconds): %U
	System time (seconds): %S
	Percent of CPU this job got: %P
	Elapsed (wall clock) time (h:mm:ss or m:ss): %E
	Average shared text size (kbytes): %X
	Average unshared data size (kbytes): %D
	Average stack size (kbytes): %p
	Average total size (kbytes): %K
	Maximum resident set size (kbytes): %M
	Average resident set size (kbytes): %t
	Major (requiring I/O) page faults: %F
	Minor (reclaiming a frame) page faults: %R
	Voluntary context switches: %w
	Involuntary context switches: %c
	Swaps: %W
	File system inputs: %I
	File system outputs: %O
	Socket messages sent: %s
	Socket messages received: %r
	Signals delivered: %k
	Page size (bytes): %Z
	Exit status: %x"""

UNKNOWN = "?"

COUNTS = {
    "F": "ru_majflt",
    "I": "ru_inblock",
    "O": "ru_oublock",
    "R": "ru_minflt",
    "W": "ru_nswap",
    "c": "ru_nivcsw",
    "k": "ru_nsignals",
    "r": "ru_msgrcv",
    "s": "ru_msgsnd",
    "w": "ru_nvcsw",
}
# GNU time's %D is the data and the stack. Its %t, the average resident set size, is ru_idrss, which is another figure.
AVERAGES = {
    "D": ("ru_idrss", "ru_isrss"),
    "K": ("ru_ixrss", "ru_idrss", "ru_isrss"),
    "X": ("ru_ixrss",),
    "p": ("ru_isrss",),
}
ESCAPES = {"t": "\t", "n": "\n", "\\": "\\"}
DIRECTIVE = r"(?s)%\{(\w+)\}|%(.?)|\\(.?)"


def first_line(code: int) -> str:
    """Return the line about a program's failure, which precedes the report; empty if the program succeeded."""
    if code < 0:
        return f"Command terminated by signal {-code}\n"
    return f"Command exited with non-zero status {code}\n" if code else ""


def report(layout: str, command: list[str], code: int, usage: dict[str, float], elapsed: float | None) -> str:
    """Return a report in GNU time's format *layout*.

    *code* is the exit code as in subprocess, or the exit status for a program that could not be started; *usage* has
    the measured fields, and *elapsed* is the seconds, or None if there was no program.
    """
    letters = _letters(command, code, usage, elapsed)
    named = {name: _exact(usage.get(name)) for name in FIELDS}
    named["elapsed"] = _exact(elapsed)

    def replacement(match: re.Match[str]) -> str:
        name, letter, escape = match.groups()
        if name is not None:
            return named.get(name, f"?{match[0][1:]}")
        if letter is not None:
            return letters.get(letter, f"?{letter}")
        return ESCAPES.get(escape, f"?\\{escape}")

    return re.sub(DIRECTIVE, replacement, layout)


def _letters(command: list[str], code: int, usage: dict[str, float], elapsed: float | None) -> dict[str, str]:
    """Return what replaces each letter."""
    user, system, peak = map(usage.get, ("ru_utime", "ru_stime", "ru_maxrss"))
    return {
        **{letter: str(usage.get(name, UNKNOWN)) for letter, name in COUNTS.items()},
        **{letter: _average(usage, names) for letter, names in AVERAGES.items()},
        "%": "%",
        "C": " ".join(command),
        "E": _clock(elapsed),
        "M": UNKNOWN if peak is None else str(int(peak) // 1024),
        "P": f"{_share(user, system, elapsed)}%",
        "S": _hundredths(system),
        "U": _hundredths(user),
        "Z": str(getpagesize()),
        "e": _hundredths(elapsed),
        "t": UNKNOWN,
        "x": str(code) if code >= 0 else UNKNOWN,
    }


# All figures are rounded down. A time in microseconds is exact, unlike a float.


def _exact(value: float | None) -> str:
    """Return a field in its own unit; seconds to the microsecond."""
    if value is None:
        return UNKNOWN
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _microseconds(seconds: float) -> int:
    return round(seconds * 10**6)


def _hundredths(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{_microseconds(seconds) // 10**4 / 100:.2f}"


def _clock(seconds: float | None) -> str:
    """Return seconds as ``m:ss.ss``, or from an hour on as ``h:mm:ss``."""
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(_microseconds(seconds) // 10**4, 6000)
    if minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02}:{rest // 100:02}"
    return f"{minutes}:{rest // 100:02}.{rest % 100:02}"


def _share(user: float | None, system: float | None, elapsed: float | None) -> str:
    """Return the CPU time in percent of the elapsed time."""
    if user is None or system is None or not elapsed:
        return UNKNOWN
    return str((_microseconds(user) + _microseconds(system)) * 100 // max(1, _microseconds(elapsed)))


def _average(usage: dict[str, float], names: tuple[str, ...]) -> str:
    """Return the average of integrals over the CPU time in KiB."""
    cpu = usage.get("ru_utime", 0) + usage.get("ru_stime", 0)
    if not cpu or not all(name in usage for name in names):
        return UNKNOWN
    return str(int(sum(usage[name] for name in names) / cpu) // 1024)
