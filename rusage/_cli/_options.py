"""The options of the command."""

from __future__ import annotations

import getopt
import io
import sys
from typing import TYPE_CHECKING, NamedTuple

from .._units import parse_size
from . import Options
from ._gnu import POSIX, VERBOSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn


class Option(NamedTuple):
    """An option and what ``-h`` says of it."""

    letter: str
    """Without the dash; empty if there is none."""
    name: str
    value: str
    """What the value is called; empty if there is none."""
    text: str


SUMMARY = "Run a command and report its resource usage, or that of rusage without one."

OPTIONS = {
    "Report": [
        Option("o", "output", "FILE", "write the report to FILE, not to standard error"),
        Option("a", "append", "", "append to FILE, with the command in text reports"),
        Option("", "json", "", "print one JSON object with exact numbers"),
        Option("h", "help", "", "print this help and exit"),
        Option("", "version", "", "print the version and exit"),
    ],
    "Report as from GNU time 1.9": [
        Option("f", "format", "FORMAT", "its letters, and fields by name: %{ru_maxrss}"),
        Option("p", "portability", "", "real, user and system time as in POSIX"),
        Option("v", "verbose", "", "all figures, whatever -f and -p say"),
        Option("q", "quiet", "", "without the line about a failure"),
    ],
    "Series of runs": [
        Option("n", "runs", "RUNS", "run the command RUNS times, report statistics"),
        Option("", "warmup", "N", "run it N times before that"),
        Option("", "ignore-failure", "", "continue after a run that fails, and count it"),
    ],
    "Limits, whose excess makes the exit status 123": [
        Option("", "limit-maxrss", "SIZE", "of the peak memory, such as 500MiB"),
        Option("", "limit-cputime", "SECONDS", "of user and system time together"),
    ],
}

EXAMPLES = [
    ("rusage --json -o usage.json make -j4", "Write the usage of a build to a file."),
    ("rusage -f '%e %M' make -j4", "Print the elapsed seconds and the peak memory in KiB."),
    ("rusage -n 20 --limit-maxrss 500MiB -- ./test", "Run a test 20 times, and fail if it used more memory once."),
]

SPELLINGS = {
    spelling: option.name
    for group in OPTIONS.values()
    for option in group
    for spelling in (f"-{option.letter}", f"--{option.name}")
}


def parse(arguments: list[str]) -> tuple[Options, list[str]]:
    """Return the values of the options, and the command that follows them. Exits with status 2 if they are wrong."""
    known = [option for group in OPTIONS.values() for option in group]
    letters = "".join(option.letter + (":" if option.value else "") for option in known if option.letter)
    names = [option.name + ("=" if option.value else "") for option in known]
    try:
        pairs, command = getopt.getopt(arguments, letters, names)
    except getopt.GetoptError as error:
        _fail(error.msg)
    given = [(SPELLINGS[key], value) for key, value in pairs]
    values = dict(given)
    if "help" in values or "version" in values:
        print(_help() if "help" in values else f"rusage {_version()}")
        sys.exit()
    options = Options()
    options.json, options.append, options.output = "json" in values, "append" in values, values.get("output")
    options.format, first_line = _layout(given)
    options.first_line = first_line and "quiet" not in values
    numbers = {name: _number(name, value) for name, value in values.items() if name in NUMBERS}
    options.limits = {LIMITS[name]: number for name, number in numbers.items() if name in LIMITS} or None
    options.runs, options.warmup = _count("runs", values), _count("warmup", values) or 0
    options.ignore_failure = "ignore-failure" in values
    _check(options, values, has_command=bool(command))
    if options.format is not None and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="surrogateescape")  # %C: the bytes of the command, which need not be text
    return options, command


def _layout(given: list[tuple[str, str]]) -> tuple[str | None, bool]:
    """Return the format of GNU time, if one is asked for, and whether a line about a failure precedes it."""
    layout: tuple[str | None, bool] = None, True
    for name, value in given:
        if name == "verbose":
            return VERBOSE, True
        if name in {"format", "portability"}:
            layout = (value, True) if name == "format" else (POSIX, False)
    return layout


def _count(name: str, values: dict[str, str]) -> int | None:
    """Return how many runs an option asks for."""
    text = values.get(name)
    if text is not None and (not text.isdecimal() or (name == "runs" and int(text) == 0)):
        _fail(f"--{name}: not a number of runs: {text!r}")
    return None if text is None else int(text)


def _number(name: str, value: str) -> float:
    try:
        return NUMBERS[name](value)
    except ValueError as error:
        _fail(f"--{name}: {error}")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"not a number of seconds: {text!r}")
    return seconds


NUMBERS: dict[str, Callable[[str], float]] = {"limit-maxrss": parse_size, "limit-cputime": _seconds}
LIMITS = {"limit-maxrss": "ru_maxrss", "limit-cputime": "cputime"}


def _check(options: Options, given: Iterable[str], *, has_command: bool) -> None:
    """Exit if options contradict each other."""
    if not has_command:
        for name in given:
            if name != "json":
                _fail(f"--{name} needs a command")
    if options.append and options.output is None:
        _fail("--append needs --output")
    if options.format is None and "quiet" in given:
        _fail("--quiet needs --format or --verbose")
    if options.runs is None and (options.warmup or options.ignore_failure):
        _fail("--warmup and --ignore-failure need --runs")
    if options.runs is not None and options.format is not None:
        _fail("--runs excludes --format, --portability and --verbose")
    if options.json and options.format is not None:
        _fail("--json excludes --format, --portability and --verbose")


def _fail(text: str) -> NoReturn:
    """Exit with the status of a wrong usage."""
    if sys.stderr is not None:
        sys.stderr.write(f"rusage: {text}\nTry 'rusage --help' for the options.\n")
    sys.exit(2)


def _help() -> str:
    """Return what ``-h`` prints: at most 23 lines of 80 columns, so that a small terminal shows it and the prompt."""
    lines = ["usage: rusage [option ...] [--] [command [argument ...]]", SUMMARY]
    for title, group in OPTIONS.items():
        lines.append(f"{title}:")
        for letter, name, value, text in group:
            spelling = f"{f'-{letter}, ' if letter else '    '}--{name} {value}"
            lines.append(f"  {spelling:<27} {text}")
    for at, (example, _) in enumerate(EXAMPLES):
        lines.append(f"{'' if at else 'Examples:':<9} {example}")
    return "\n".join(lines)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (slow, and only needed here)

    try:
        return version("rusage")
    except PackageNotFoundError:  # in a bundle without metadata
        return "(unknown version)"
