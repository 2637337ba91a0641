"""The manual page of the command, from its table of options; ``commandoptions.py`` writes it.

The programs that write manual pages read a parser of argparse, whose import is too slow for the command, or the text of
``--help``, which lacks most sections.
"""

from __future__ import annotations

import textwrap

import rusage
from rusage._cli import help as table

DATE = "November 26, 2026"  # of the last change of the text

DESCRIPTION = """\
Runs
.Ar command
and reports its resource usage on standard error: the elapsed time, and the fields of
.Xr getrusage 2
that the system measures.
The usage includes the children that the command has waited for.
The peak memory is not a sum: it is the peak of the largest process, of the command and of the children that it has
waited for.
On Linux it includes no peak of
.Nm .
A figure that was not measured is left out.
.Pp
Without a command,
.Nm
reports the usage of its own process on standard output.
.Pp
The command inherits the streams, the file descriptors, the environment and the signals of
.Nm .
SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGALRM are forwarded to it."""

# Sentences that follow the text of rusage --help.
DETAILS = {
    "markdown": "The units are in the names of the columns.",
    "csv": "The columns are the command, the number of the run, whether it is in the statistics, the exit status or "
    "the signal, the elapsed seconds and all sixteen fields; a figure that was not measured is empty.",
    "output": "The file is created or truncated before the command runs.",
    "append": "This option needs\n.Fl o .",
    "json": "The members are described by the JSON Schema\n.Pa docs/rusage.schema.json\nin the source distribution.",
    "format": "See\n.Sx FORMAT .",
    "portability": "The last one of\n.Fl f\nand\n.Fl p\ncounts.\n"
    "If the command fails, no line about it precedes this report.",
    "verbose": "A figure that was not measured is\n.Sq \\&? ,\nso that each line keeps its place and its label.",
    "quiet": "This is a line such as\n.Dq Command exited with non-zero status 3\n"
    "before a report of GNU time; the report of\n.Nm\nhas none.",
    "runs": "See\n.Sx SERIES .",
    "export": "The end of its name tells the format.\nA table of a single run has one row.",
    "prepare": "It is split into words as a shell splits it.\nIts time is not measured.\n"
    "If it fails, it ends the series.",
    "show-output": "See\n.Sx SERIES .",
    "compare": "See\n.Sx COMPARISON .",
    "warmup": "A run that fails also ends the series.",
    "ignore-failure": "A run that fails then does not determine the exit status.",
    "info": "These are the version, the tag of the wheel, the interpreter, the system, whether programs are started "
    "through the launcher, the error of the peak on this machine, and the fields that are measured.",
    "tree": "See\n.Sx TREE .",
    "interval": "The default is 10 ms.",
    "samples": "The columns are the elapsed seconds, the memory, the CPU time so far, the number of processes and how "
    "many of them could not be read.",
    "plot": "The picture shows memory and CPU use over time, and marks the largest sample.\nThis needs matplotlib.",
    "pid": "The report on standard output has the CPU time, the present size and the peak of the process, and with\n"
    ".Fl -tree\nthe present memory of its tree.",
    "limit-tree-rss": "The limit is on the largest sample of the memory of all processes together.",
    "kill": "See\n.Sx TREE .",
    "limit-maxrss": "SIZE is a number of bytes, or a number with KiB, MiB, GiB or TiB.\n"
    "The limit is checked after the command has ended.",
    "limit-cputime": "The limit is checked after the command has ended.",
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
    "123": "The command succeeded, but exceeded a limit; or\n.Fl -kill\nhas killed processes.",
    "125": "A file for a report could not be opened, the process of\n.Fl -pid\ncannot be read, the command's exit "
    "status is not available, a limit could not be checked, or standard output could not be written.",
    "126": "The command could not be executed.",
    "127": "The command was not found.",
    "128 + n": "Signal n killed the command.\nIf it was SIGINT, it kills\n.Nm\ntoo.",
}

TREE = """\
With
.Fl -tree
the command and all its descendants are sampled while they run.
The report has the largest sum of resident set sizes, and when and in how many processes it was found.
A page that processes share counts in each of them.
A peak between two samples is missed.
A descendant stays in the tree when its parent ends.
.Pp
With
.Fl -kill
a sample over the limit of the tree ends the command and all its descendants: they get SIGTERM, and those that are left
after five seconds get SIGKILL, for five more seconds at most while new ones appear.
Processes that are still running then, or that
.Nm
has no permission to kill, are named.
The exit status is then 123, whatever the command's is."""

SERIES = """\
With
.Fl n
the command is run RUNS times, one run after another.
The standard input of each run is
.Pa /dev/null .
Output that would appear on the terminal is hidden, and output that is redirected is left alone.
Hidden standard output goes into a pipe that
.Nm
reads, and hidden standard error into a temporary file, whose last lines are printed if a run fails and so ends the
series.
If standard error is a terminal, a line with a bar shows how many runs are left, and about how long they will take.
The report has the mean, the standard deviation of the sample, the minimum, the median and the maximum of each figure,
and the JSON also has the figures of each run.
.Pp
A run that fails ends the series with its exit status, and is not in the statistics.
SIGINT, SIGQUIT, SIGTERM and SIGHUP end the series after the current run, which is not in the statistics, whether it
succeeds or not.
The completed runs are still reported.
The exit status is the current run's if it failed; otherwise it is 128 + n, or
.Nm
dies of SIGINT.
.Pp
An outlier is a run whose elapsed time or peak memory is more than three interquartile ranges outside the quartiles, and
which differs from the median by more than a tenth of it.
It remains in the statistics.
.Pp
Limits apply to each run."""

COMPARISON = """\
With
.Fl -compare
each argument that follows the options is a command line.
It is split into words as a shell splits it, but run without a shell.
On Windows the program gets it unchanged.
.Pp
Each round runs every command once, every second round in reverse order.
Without
.Fl n
there are as many rounds as fit into 3 seconds for each command, but at least 10.
Only complete rounds are in the statistics; all else is as in a series.
The report has a row for each command: the mean and the standard deviation of the elapsed time, the CPU time and the
peak memory of the largest process, and the ratio of each mean to the first command's mean with half the width of its
95 % confidence interval.
.Sq *
marks the smallest mean of a column if its own 95 % confidence interval does not touch any other command's.
A sentence at the end says by how much a command differs from the first one in memory and elapsed time, if the
intervals allow it.
A command that fails ends the series; a line on standard error names it."""

ENVIRONMENT = {
    "Ev NO_COLOR": "If this variable is set and not empty, reports are not in colour.",
    "Ev TERM": "If this variable is\n.Ql dumb ,\nreports are not in colour.\n"
    "Otherwise, reports on a terminal are in colour.",
}

FORMAT = """\
The format is printed with a newline at its end.
.Ql \\et ,
.Ql \\en
and
.Ql \\e\\e
are a tab, a newline and a backslash.
The following are replaced by figures;
.Sq \\&?
stands for a figure that was not measured:"""

NAMED = """\
A field that is given by its name is printed in its own unit, seconds to the microsecond:
.Ql %{elapsed} ,"""


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


def option(found: table.Option) -> str:
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
        ".Nm",
        ".Fl -compare",
        ".Op Ar option ...",
        ".Op Fl -",
        ".Ar command-line ...",
        ".Nm",
        ".Fl -pid Ar PID",
        ".Op Fl -tree",
        ".Op Fl -json",
        ".Sh DESCRIPTION",
        DESCRIPTION,
        ".Sh OPTIONS",
    ]
    for title, group in table.OPTIONS.items():
        rows = {option(found): sentence(found.text) for found in group}
        for found in group:
            if found.name in DETAILS:
                rows[option(found)] += f"\n{DETAILS[found.name]}"
        lines += [f".Ss {title}", *items(rows, "Ds")]
    letters = {f"Ql \\&%{letter}": text(words) for letter, words in LETTERS.items()}
    fields = [f".Ql %{{{name}}}" for name in rusage.fields]
    separated = [f"{name} ," for name in fields[:-2]] + [fields[-2], "and", f"{fields[-1]} ."]
    lines += [".Sh FORMAT", FORMAT, *items(letters, "xxxx"), ".Pp", NAMED, *separated[:-2], *separated[-2:]]
    lines += [
        ".Sh TREE",
        TREE,
        ".Sh SERIES",
        SERIES,
        ".Sh COMPARISON",
        COMPARISON,
        ".Sh ENVIRONMENT",
        *items(ENVIRONMENT, "xxxxxxxx"),
        ".Sh EXIT STATUS",
        *items(STATUSES, "xxxxxxxx"),
        ".Pp",
        "A report that cannot be written does not change the status.",
        ".Sh EXAMPLES",
    ]
    for example, purpose in table.EXAMPLES:
        dashes = text(example).replace("--", r"\-\-")
        lines += [text(purpose), f".Dl {dashes}", ".Pp"]
    lines[-1:] = [".Sh SEE ALSO", ".Xr time 1 ,", ".Xr getrusage 2"]
    return "".join(f"{line}\n" for line in wrapped("\n".join(lines).split("\n")))


def wrapped(lines: list[str]) -> list[str]:
    """Wrap the lines of text as mandoc's checks require."""
    result = []
    for line in lines:
        result += [line] if line.startswith(".") else textwrap.wrap(line, 80, break_on_hyphens=False)
    return result
