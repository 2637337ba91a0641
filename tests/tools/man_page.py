"""Write the manual page of the command from its table of options: ``python tests/tools/man_page.py docs/rusage.1``."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import rusage
from rusage._cli import _options

DATE = "November 25, 2026"  # of the last change of the text

DESCRIPTION = """\
Runs
.Ar command
and reports its resource usage on standard error: the elapsed time, and the fields of
.Xr getrusage 2
that the system measures.
The usage includes that of the children that the command has waited for.
On Linux the peak memory is the command's own.
A figure that was not measured is left out.
.Pp
Without a command,
.Nm
reports the usage of its own process on standard output.
.Pp
The command inherits the streams, the file descriptors, the environment and the signals of
.Nm .
SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGALRM are forwarded to it."""

# Sentences that follow what rusage --help says of an option.
DETAILS = {
    "output": "The file is created or truncated before the command runs.",
    "append": "Needs\n.Fl o .",
    "json": "The members are described by the JSON Schema\n.Pa docs/rusage.schema.json\nin the source distribution.",
    "format": "See\n.Sx FORMAT .",
    "portability": "The last one of\n.Fl f\nand\n.Fl p\ncounts.\nNo line precedes it if the command fails.",
    "verbose": "A figure that was not measured is\n.Sq \\&? ,\nso that each line keeps its place and its label.",
    "quiet": "Such as\n.Dq Command exited with non-zero status 3 ,\nwhich precedes the formats of GNU time.",
    "runs": "See\n.Sx SERIES .",
    "warmup": "These runs are in no report, but one that fails ends the series.",
    "ignore-failure": "The exit status is then not that of a run that failed.",
    "limit-maxrss": "A number of bytes, or one with KiB, MiB, GiB or TiB.\nIt is compared when the command has ended.",
    "limit-cputime": "It is compared when the command has ended.",
}

# The letters of GNU time.
LETTERS = {
    "%": "a percent sign",
    "C": "the command and its arguments",
    "D": "average unshared data size in KiB, with the stack",
    "E": "elapsed time as h:mm:ss or m:ss.ss",
    "F": "page faults with I/O",
    "I": "file system inputs",
    "K": "average total size in KiB",
    "M": "maximum resident set size in KiB",
    "O": "file system outputs",
    "P": "CPU time in percent of the elapsed time",
    "R": "page faults without I/O",
    "S": "system time in seconds",
    "U": "user time in seconds",
    "W": "swaps",
    "X": "average shared text size in KiB",
    "Z": "page size in bytes",
    "c": "involuntary context switches",
    "e": "elapsed time in seconds",
    "k": "signals received",
    "p": "average stack size in KiB",
    "r": "socket messages received",
    "s": "socket messages sent",
    "t": "average resident set size: not measured on any system",
    "w": "voluntary context switches",
    "x": "exit status; not measured if a signal killed the command",
}

STATUSES = {
    "0 to 255": "The command's own.",
    "2": "The options of\n.Nm\nare wrong.",
    "123": "The command has succeeded, and was over a limit.",
    "125": "The report's file could not be opened, the command's exit status is not available, a figure that has a "
    "limit was not measured, or standard output could not be written.",
    "126": "The command could not be executed.",
    "127": "The command was not found.",
    "128 + n": "Signal n killed the command.\nIf it was SIGINT, it kills\n.Nm\ntoo.",
}

SERIES = """\
With
.Fl n
the command is run again and again, one run after another.
Each run reads
.Pa /dev/null ;
what it prints goes through.
If standard error is a terminal, it shows which run is under way.
The report has the mean, the standard deviation of the sample, the minimum, the median and the maximum of each figure,
and the JSON also has the figures of each run.
.Pp
A run that fails ends the series with its exit status, and does not count.
SIGINT, SIGQUIT, SIGTERM and SIGHUP end the series after the run that they arrive in, which does not count, whether it
succeeds or not; the exit status is then that of the run if it has failed, and otherwise as if the signal had killed it.
The report has the runs up to there.
.Pp
An outlier is a run whose elapsed time or peak memory is more than three interquartile ranges outside the quartiles, and
more than a tenth of the median away from it.
It counts.
.Pp
Limits apply to each run."""

FORMAT = """\
The format is printed with a newline at its end.
.Ql \\et ,
.Ql \\en
and
.Ql \\e\\e
are a tab, a newline and a backslash.
These are replaced by figures;
.Sq \\&?
is one that was not measured:"""

NAMED = """\
A field by its name is in its own unit; seconds are printed to the microsecond:
.Ql %{elapsed} ,
and"""


def text(words: str) -> str:
    """Return a line with the characters that roff would interpret escaped."""
    escaped = words.replace("\\", "\\e")
    return f"\\&{escaped}" if escaped[:1] in {".", "'"} else escaped


def items(rows: dict[str, str], width: str) -> list[str]:
    """Return a list of terms and their descriptions."""
    return [f".Bl -tag -width {width}", *(f".It {term}\n{words}" for term, words in rows.items()), ".El"]


def sentence(words: str) -> str:
    """Return words with a capital letter and a full stop."""
    return text(f"{words[0].upper()}{words[1:]}.")


def option(found: _options.Option) -> str:
    """Return an option's spellings."""
    value = f" Ar {found.value}" if found.value else ""
    long = f"Fl -{found.name}{value}"
    return f"Fl {found.letter}{value} , {long}" if found.letter else long


def page() -> str:
    """Return the manual page, for mdoc(7)."""
    lines = [
        '.\\" Written by tests/tools/man_page.py.',
        f".Dd {DATE}",
        ".Dt RUSAGE 1",
        ".Os",
        ".Sh NAME",
        ".Nm rusage",
        ".Nd run a command and report its resource usage",
        ".Sh SYNOPSIS",
        ".Nm",
        ".Op Ar option ...",
        ".Op Fl -",
        ".Op Ar command Op Ar argument ...",
        ".Sh DESCRIPTION",
        DESCRIPTION,
        ".Sh OPTIONS",
    ]
    for title, group in _options.OPTIONS.items():
        rows = {option(found): sentence(found.text) for found in group}
        for found in group:
            if found.name in DETAILS:
                rows[option(found)] += f"\n{DETAILS[found.name]}"
        lines += [f".Ss {title}", *items(rows, "Ds")]
    letters = {f"Ql \\&%{letter}": text(words) for letter, words in LETTERS.items()}
    fields = [f".Ql %{{{name}}}" for name in rusage.fields]
    separated = [f"{name} ," for name in fields[:-2]] + [fields[-2], "and", f"{fields[-1]} ."]
    lines += [".Sh FORMAT", FORMAT, *items(letters, "xxxx"), ".Pp", NAMED, *separated[:-2], *separated[-2:]]
    lines += [".Sh SERIES", SERIES, ".Sh EXIT STATUS", *items(STATUSES, "xxxxxxxx"), ".Sh EXAMPLES"]
    for example, purpose in _options.EXAMPLES:
        dashes = text(example).replace("--", r"\-\-")
        lines += [text(purpose), f".Dl {dashes}", ".Pp"]
    lines[-1:] = [".Sh SEE ALSO", ".Xr time 1 ,", ".Xr getrusage 2"]
    return "".join(f"{line}\n" for line in wrapped("\n".join(lines).split("\n")))


def wrapped(lines: list[str]) -> list[str]:
    """Wrap the lines of text as mandoc wants them."""
    result = []
    for line in lines:
        result += [line] if line.startswith(".") else textwrap.wrap(line, 80, break_on_hyphens=False)
    return result


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
