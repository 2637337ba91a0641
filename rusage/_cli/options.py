"""The options of the command: their table and the parser.

The help, its pages and the completions are made from the table.
"""

from __future__ import annotations

import contextlib
import sys

from .._units import parse_size, shown
from .gnu import POSIX, VERBOSE
from .output import complain

TYPE_CHECKING = False

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable
    from typing import Any, NoReturn

    Command = list[str] | str
    """The words of a command; on Windows also a command line."""


class Option:
    """An option, and its line in the help.

    The letter is without its dash; it is empty if there is none, as is the name of the value.
    *convert* returns the value for a text, or raises ``ValueError``. *needs*: options of which one
    must be given too. *excludes*: options that must not.
    """

    def __init__(  # noqa: PLR0913 (a row of the table)
        self,
        letter: str,
        name: str,
        value: str,
        text: str,
        convert: Callable[[str], Any] = str,
        *,
        needs: Collection[str] = (),
        excludes: Collection[str] = (),
    ) -> None:
        self.letter, self.name, self.value = letter, name, value
        self.text, self.convert = text, convert
        self.needs, self.excludes = needs, excludes


class Options:
    """The values of the options, which the table below describes."""

    output: str | None = None
    append = False
    against: str | None = None
    stored: dict[str, float] | None = None
    """The figures of the report of ``--against``, once it has been read; of a series, medians."""
    stored_file: os.stat_result | None = None
    """The file of ``--against``, once it has been read."""
    kill = False
    pss = False
    """Whether each sample has PSS."""
    interval = 0.01
    pid: int | None = None
    runs: int | None = None
    """None for a single run, and for a comparison that determines it."""
    warmup = 0
    ignore_failure = False
    compare = False
    prepare: Command | None = None
    show_output = False

    def __init__(self, values: dict[str, Any]) -> None:
        """*values*: by the names of the options, the last given ones at the end."""
        vars(self).update({name.replace("-", "_"): value for name, value in values.items()})
        self.show = next((name for name in SHOWN if name in values), None)
        self.kind = next((name for name in KINDS if name in values), None)
        """None for a text."""
        self.exports: list[tuple[str, str]] = [*values.get("export", [])]
        self.exports += [values[name] for name in ("samples", "plot") if name in values]
        """Kinds, also ``samples`` and the formats of pictures, and the files for these reports."""
        formats: dict[str, str | None] = {"format": values.get("format"), "portability": POSIX}
        last = next((name for name in reversed(values) if name in formats), "format")
        self.format = VERBOSE if "verbose" in values else formats[last]
        """The format of a report of GNU time; None for the report of rusage."""
        self.first_line = self.format is not POSIX and "quiet" not in values
        """Whether a report in GNU time's format begins with a line about a program that fails."""
        self.limits: dict[str, float] = {
            figure: values[name] for name, figure in LIMITS.items() if name in values
        }
        """Of ``ru_maxrss``, ``tree_rss`` and ``tree_pss`` in bytes, of ``cputime`` in seconds.

        A ``Percent`` until it is absolute.
        """
        # Medians need it, and so do limits relative to them.
        self.pss |= isinstance(self.limits.get("tree_pss"), Percent)
        self.records = self.pid is not None and not values.keys().isdisjoint(RECORDS)
        """Whether the running process is recorded over time."""
        self.tree = self.records or not values.keys().isdisjoint(SAMPLES)
        self.relative: dict[str, Collection[str]] = {}
        """The limits that were relative, and what does not count: see ``least_and_most``."""
        self.adopts = bool(self.limits) or self.against is not None
        """Whether the program's orphans count: also in a report that is to be compared with."""
        self.adopts |= any(kind == "json" for kind, _ in self.exports)
        self.is_series = self.compare or self.runs is not None


# --- Conversions of values ---


def _number(
    what: str, least: float, kind: type[float] = int, most: float = sys.maxsize
) -> Callable[[str], float]:
    """Return the conversion of a number."""

    def convert(text: str) -> float:
        value: float = -1
        with contextlib.suppress(ValueError):
            value = kind(text) if text.isascii() and "_" not in text else -1
        if not 0 <= value <= most:  # also of NaN
            raise ValueError(f"not a {what}: {shown(text)}")
        if value < least:
            raise ValueError(f"must be at least {least}: {shown(text)}")
        return value

    return convert


class Percent(float):
    """A limit that is by so much above a stored figure."""


def _limit(absolute: Callable[[str], float]) -> Callable[[str], float]:
    """Return the conversion of a limit that is absolute, or relative like ``+10%``."""
    percent = _number("percentage", 0, Percent)

    def convert(text: str) -> float:
        if text.startswith("+") != text.endswith("%"):  # float() would accept "+10"
            raise ValueError(f"a limit relative to --against is like +10%: {shown(text)}")
        return percent(text[1:-1]) if text.endswith("%") else absolute(text)

    return convert


def _one_of(words: Iterable[str]) -> str:
    """Return words as "A", "A or B", or "A, B or C"."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _file(kinds: dict[str, str]) -> Callable[[str], tuple[str, str]]:
    """Return the conversion of a file's name to the kind of report for its end, and the name."""

    def convert(path: str) -> tuple[str, str]:
        for end, kind in kinds.items():
            if path.lower().endswith(end):
                return kind, path
        raise ValueError(f"the name of a file must end with {_one_of(kinds)}: {shown(path)}")

    return convert


REPORTS = {".json": "json", ".csv": "csv", ".md": "markdown"}
PICTURES = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
# The program would get them as arguments. Within a word, as in a URL, they are what the user wants.
OPERATOR = r"\d*[|&;<>].*|.*[|&;]"


def split(text: str) -> Command:
    """Return the words of a command line. Windows programs split their own.

    Raises ``ValueError`` for an empty command, an open quote, and an operator of the shell between
    words.
    """
    import re
    import shlex

    if not text.strip():
        raise ValueError(f"an empty command: {shown(text)}")
    if sys.platform == "win32":
        return text
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{error}: {shown(text)}") from None
    for word in words:
        if word in text.split() and re.fullmatch(OPERATOR, word):  # not of quoted ones
            raise ValueError(f"{word!r} needs a shell, as in sh -c '...', or quotes: {shown(text)}")
    return words


SECONDS = "number of seconds"

_runs, _warmup = _number("number of runs", 1), _number("number of runs", 0)
_interval = _number(SECONDS, 0.0001, float)
_samples, _picture = _file({"": "samples"}), _file(PICTURES)
_pid = _number("process ID", 1, most=2**31 - 1)
_max_size = _limit(parse_size)
_max_seconds = _limit(_number(SECONDS, 0, float))

# --- The table ---

KINDS, FORMATS = ["json", "markdown", "csv"], ["format", "portability", "verbose"]
SERIES = ["runs", "compare"]
# Options that sample all processes, and those that record a running one.
SAMPLES = ["tree", "samples", "plot", "limit-tree-rss", "limit-tree-pss"]
RECORDS = ["interval", "samples", "plot"]
SAMPLED = [*SAMPLES, "pid"]
NOT_IN_SERIES = [*FORMATS, "samples", "plot"]

GNU_TIME = "Reports of GNU time 1.9"
# fmt: off
OPTIONS = {
    "Used most": [
        Option("n", "runs", "RUNS", "run the command RUNS times, report statistics",
               _runs, excludes=NOT_IN_SERIES),
        Option("", "compare", "", "compare commands without a shell, 3 s for each",
               excludes=NOT_IN_SERIES),
        Option("o", "output", "FILE", "write the report to FILE, not to standard error"),
        Option("", "json", "", "report in JSON; -o - writes to standard output",
               excludes=["markdown", "csv", *FORMATS]),
        Option("", "export", "FILE", "also report to FILE, .json, .csv or .md", _file(REPORTS)),
        Option("h", "help", "", "print this help and exit"),
    ],
    "Series of runs (--runs and --compare)": [
        Option("", "warmup", "N", "make N unreported runs first", _warmup, needs=SERIES),
        Option("", "prepare", "COMMAND", "run COMMAND before each run, without a shell",
               split, needs=SERIES),
        Option("", "show-output", "", "show output on terminals, instead of the progress",
               needs=SERIES),
        Option("", "ignore-failure", "", "continue after a run that fails, and count it",
               needs=SERIES),
        Option("", "markdown", "", "print a Markdown table; also of a single run",
               excludes=["json", "csv", *FORMATS]),
        Option("", "csv", "", "print comma-separated values, a row for each run",
               excludes=["json", "markdown", *FORMATS]),
    ],
    "The program and its descendants": [
        Option("", "tree", "", "sample the memory of all processes together", excludes=FORMATS),
        Option("", "pss", "", "also the sum that counts shared pages once (Linux)", needs=SAMPLED),
        Option("", "interval", "SECONDS", "seconds between two samples (0.01)",
               _interval, needs=SAMPLED),
        Option("", "samples", "FILE", "write the samples to FILE as CSV; implies --tree", _samples),
        Option("", "plot", "FILE", "draw them: .png, .svg or .pdf; implies --tree", _picture),
        Option("", "pid", "PID", "report a running process, not a command", _pid),
    ],
    "Limits (exit status 123 if exceeded)": [
        Option("", "limit-maxrss", "SIZE", "limit on the peak of the largest process",
               _max_size),
        Option("", "limit-tree-rss", "SIZE", "limit on all processes together, like 500M",
               _max_size),
        Option("", "limit-tree-pss", "SIZE", "the same, counting shared pages once (Linux)",
               _max_size),
        Option("", "kill", "", "kill all when a sample exceeds --limit-tree-*",
               needs=["limit-tree-rss", "limit-tree-pss"]),
        Option("", "limit-cputime", "SECONDS", "limit on user and system time, also of orphans",
               _max_seconds),
        Option("", "against", "FILE", "compare with a report in JSON; limits like +10%",
               excludes=["compare", *FORMATS]),
    ],
    GNU_TIME: [
        Option("f", "format", "FORMAT", "report in FORMAT: letters, or %{ru_maxrss}"),
        Option("p", "portability", "", "report real, user and system time as in POSIX"),
        Option("v", "verbose", "", "report all figures, regardless of -f and -p"),
        Option("q", "quiet", "", "leave out the line about a failure"),
    ],
    "Other options": [
        Option("a", "append", "", "append to FILE, with the command in text reports",
               needs=["output"]),
        Option("", "info", "", "print the facts for a bug report and exit"),
        Option("V", "version", "", "print the version and exit"),
    ],
}
# fmt: on
EXAMPLES = [
    "rusage --tree make -j4",
    "rusage -n 20 -- ./test",
    "rusage -n 20 --compare 'sort a.txt' 'sort -S 10M a.txt'",
    "rusage -f '%e %M' ./test",
    "rusage --limit-tree-rss 500M --kill make -j4",
]
LIMITS = {
    "limit-maxrss": "ru_maxrss",
    "limit-tree-rss": "tree_rss",
    "limit-tree-pss": "tree_pss",
    "limit-cputime": "cputime",
}

# Options that print something else than a report.
SHOWN = ["help", "info", "version"]
WITH_PID = {"pid", "json", "tree", "pss", *RECORDS}


def spelling(option: Option) -> list[str]:
    """Return the ways to write an option."""
    return [*([f"-{option.letter}"] if option.letter else []), f"--{option.name}"]


def help_text(width: int) -> str:
    """Return the help for a terminal of this width; the options of GNU time in one line."""
    import textwrap

    usage = "Report the resource usage of a command; without one, of rusage itself."
    text = [
        "usage: rusage [option ...] [--] [command [argument ...]]",
        *textwrap.wrap(usage, width),
        "",
    ]
    for title, group in OPTIONS.items():
        if title == GNU_TIME:
            text += textwrap.wrap(f"{title}: -f FORMAT, -p, -v and -q", width)
        else:
            text.append(f"{title}:")
            for option in group:
                letter = f"-{option.letter}," if option.letter else ""
                first = f"  {letter:3} --{option.name} {option.value}"
                text += textwrap.wrap(
                    option.text, width, initial_indent=f"{first:31}", subsequent_indent=" " * 31
                )
        text.append("")
    return "\n".join([*text, "Examples:", *(f"  {example}" for example in EXAMPLES)])


# --- The parser ---


def parse(arguments: list[str]) -> tuple[Options, list[str]]:
    """Return the values of the options, and the command that follows them.

    Exits with status 2 if they are wrong.
    """
    if arguments[:1] == ["--"]:
        return Options({}), arguments[1:]
    if not arguments or not arguments[0].startswith("-"):
        return Options({}), arguments
    import getopt

    known = {
        spelled: option
        for group in OPTIONS.values()
        for option in group
        for spelled in spelling(option)
    }
    letters = "".join(
        word[1:] + (":" if known[word].value else "") for word in known if word[1] != "-"
    )
    names = [word[2:] + ("=" if known[word].value else "") for word in known if word[1] == "-"]
    try:
        pairs, command = getopt.getopt(arguments, letters, names)
    except getopt.GetoptError as error:
        fail(error.msg.partition(";")[0])  # CPython 3.14 lists the options as they are in names
    given = [(known[word], text) for word, text in pairs]
    for option, _ in given:
        if option.name in SHOWN:
            return Options({option.name: True}), command
    return _convert(given, command), command


def _convert(given: list[tuple[Option, str]], command: list[str]) -> Options:
    """Return the values of options; exit if they are wrong."""
    values: dict[str, Any] = {}
    name = ""
    try:
        for option, text in given:
            name = option.name
            value = option.convert(text) if option.value else True
            before = values.pop(name, [])  # the last one given is at the end
            values[name] = [*before, value] if name == "export" else value
        _check_combination(
            values, {option.name: option for option, _ in given}, has_command=bool(command)
        )
        if "compare" in values:
            name = "compare"
            for line in command:
                if line.startswith("-"):
                    fail(f"--compare: options precede the commands: {shown(line)}")
                split(line)
    except ValueError as error:
        fail(f"--{name}: {error}")
    options = Options(values)
    _check_surroundings(options, draws="plot" in values)
    return options


def _check_combination(
    values: dict[str, Any], given: dict[str, Option], *, has_command: bool
) -> None:
    """Exit if options contradict each other."""
    for name, value in values.items():
        option = given[name]
        if not has_command and name not in (WITH_PID if "pid" in values else {"json"}):
            fail(f"--{name} needs a command{' or --pid' if name in WITH_PID else ''}")
        if option.needs and values.keys().isdisjoint(option.needs):
            fail(f"--{name} needs {_one_of(f'--{needed}' for needed in option.needs)}")
        if isinstance(value, Percent) and "against" not in values:
            fail(f"--{name}: a percentage needs --against")
        for other in values:
            if other in option.excludes:
                fail(f"--{name} excludes --{other}")
    if has_command and "pid" in values:
        fail("--pid excludes a command")


def _check_surroundings(options: Options, *, draws: bool) -> None:
    """Exit if the system or installation lacks what is needed."""
    if draws:
        from importlib.util import find_spec

        if find_spec("matplotlib") is None:
            fail(
                "--plot needs matplotlib: pip install 'rusage[plot]', "
                "pipx inject rusage matplotlib, or uvx --with matplotlib rusage"
            )
    if options.tree or options.pid is not None:
        from .._backends import BACKEND

        names = ["Tree" if options.tree else "Process"]
        if options.pss or "tree_pss" in options.limits:
            names.append("pss")
        for name in names:
            if name in BACKEND.absent:
                fail(f"{BACKEND.name} has no {name}: {BACKEND.absent[name]}")


def fail(text: str) -> NoReturn:
    """Exit with the status of a wrong usage."""
    complain(text)
    if sys.stderr is not None:
        sys.stderr.write("Try 'rusage --help' for the options.\n")
    sys.exit(2)
