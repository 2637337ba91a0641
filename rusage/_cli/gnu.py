"""The reports of GNU time 1.9: ``-f``, ``-p`` and ``-v``.

Letters, escapes, labels and first lines are the same as in GNU time. A figure that was not measured
is ``?``, where GNU time prints 0; under ``-v`` too, so that each line keeps its place and its
label.
"""

from __future__ import annotations

from operator import itemgetter

from .._fields import FIELDS
from .._getrusage import getpagesize
from .output import complain

TYPE_CHECKING = False

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    Figures = dict[str, float]

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

ESCAPES = {"t": "\t", "n": "\n", "\\": "\\"}
DIRECTIVE = r"(?s)%\{(\w+)\}|%(.?)|\\(.?)"


def report(
    layout: str,
    command: list[str],
    code: int,
    figures: Figures,
    *,
    first_line: bool = False,
) -> str:
    """Return a report in GNU time's format *layout*; *first_line*: after a line about a failure.

    *code* is the exit code as in subprocess, or the exit status for a program that could not be
    started, which has no figures.
    """
    import re

    known = {
        "%": "%",
        "C": " ".join(command),
        "Z": getpagesize(),
        "x": code if code >= 0 else UNKNOWN,
    }

    unknown: dict[str, None] = {}

    def replacement(match: re.Match[str]) -> str:
        name, letter, escape = match.groups()
        if escape is not None:
            return ESCAPES.get(escape, f"?\\{escape}")
        if letter in known:
            return str(known[letter])
        if letter not in LETTERS and name not in {*FIELDS, "elapsed"}:
            if name:
                unknown[name] = None
            return f"?{match[0][1:]}"
        try:  # a field in its own unit, seconds to the microsecond
            shown = LETTERS[letter](figures) if letter else figures[name]
        except (KeyError, ZeroDivisionError):
            shown = UNKNOWN
        if letter == "P":
            return f"{shown}%"
        return f"{shown:.6f}" if isinstance(shown, float) else str(shown)

    first = ""
    if first_line and code:
        how = f"exited with non-zero status {code}" if code > 0 else f"terminated by signal {-code}"
        first = f"Command {how}\n"
    text = first + re.sub(DIRECTIVE, replacement, layout)
    for name in unknown:
        complain("--format", f"no figure {name}; a field is written as %{{ru_maxrss}}")
    return text


# All figures are rounded down. A time in microseconds is exact, unlike a float.


def _microseconds(seconds: float) -> int:
    return round(seconds * 10**6)


def _hundredths(seconds: float) -> str:
    return f"{_microseconds(seconds) // 10**4 / 100:.2f}"


def _clock(seconds: float) -> str:
    """Return seconds as ``m:ss.ss``, or from an hour on as ``h:mm:ss``."""
    minutes, rest = divmod(_microseconds(seconds) // 10**4, 6000)
    if minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02}:{rest // 100:02}"
    return f"{minutes}:{rest // 100:02}.{rest % 100:02}"


def _share(figures: Figures) -> int:
    """Return the CPU time in percent of the elapsed time."""
    cpu = _microseconds(figures["ru_utime"]) + _microseconds(figures["ru_stime"])
    return cpu * 100 // _microseconds(figures["elapsed"])


def _average(figures: Figures, *names: str) -> int:
    """Return the average of integrals over the CPU time in KiB."""
    cpu = figures["ru_utime"] + figures["ru_stime"]
    return int(sum(figures[name] for name in names) / cpu) // 1024


# GNU time's %D is the data and the stack. Its %t, the average resident set size, is ru_idrss, which
# is another figure.
LETTERS: dict[str, Callable[[Figures], object]] = {
    "D": lambda figures: _average(figures, "ru_idrss", "ru_isrss"),
    "E": lambda figures: _clock(figures["elapsed"]),
    "F": itemgetter("ru_majflt"),
    "I": itemgetter("ru_inblock"),
    "K": lambda figures: _average(figures, "ru_ixrss", "ru_idrss", "ru_isrss"),
    "M": lambda figures: int(figures["ru_maxrss"]) // 1024,
    "O": itemgetter("ru_oublock"),
    "P": _share,
    "R": itemgetter("ru_minflt"),
    "S": lambda figures: _hundredths(figures["ru_stime"]),
    "U": lambda figures: _hundredths(figures["ru_utime"]),
    "W": itemgetter("ru_nswap"),
    "X": lambda figures: _average(figures, "ru_ixrss"),
    "c": itemgetter("ru_nivcsw"),
    "e": lambda figures: _hundredths(figures["elapsed"]),
    "k": itemgetter("ru_nsignals"),
    "p": lambda figures: _average(figures, "ru_isrss"),
    "r": itemgetter("ru_msgrcv"),
    "s": itemgetter("ru_msgsnd"),
    "t": lambda _: UNKNOWN,
    "w": itemgetter("ru_nvcsw"),
}
