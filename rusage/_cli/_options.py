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


OPTIONS = {
    "Report": [
        Option("o", "output", "FILE", "write the report to FILE instead of standard error"),
        Option("a", "append", "", "append to FILE; each text report begins with the command"),
        Option("", "json", "", "one JSON object with exact numbers"),
    ],
    "Report of GNU time": [
        Option("f", "format", "FORMAT", "the format of GNU time, and %{elapsed}, %{ru_maxrss}, ..."),
        Option("p", "portability", "", "real, user and system time as POSIX wants them"),
        Option("v", "verbose", "", "all figures; wins over -f and -p, of which the last counts"),
        Option("q", "quiet", "", "no line about a program that fails"),
    ],
    "Limits": [
        Option("", "limit-maxrss", "SIZE", "exit with 123 if the peak memory was over SIZE, such as 500MiB"),
        Option("", "limit-cputime", "SECONDS", "exit with 123 if user and system time were over SECONDS"),
    ],
    "Other": [
        Option("h", "help", "", "print this help and exit"),
        Option("", "version", "", "print the version and exit"),
    ],
}


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
    if options.json and options.format is not None:
        _fail("--json excludes --format, --portability and --verbose")


def _fail(text: str) -> NoReturn:
    """Exit with the status of a wrong usage."""
    if sys.stderr is not None:
        sys.stderr.write(f"rusage: {text}\nTry 'rusage --help' for the options.\n")
    sys.exit(2)


def _help() -> str:
    """Return what ``-h`` prints."""
    lines = [
        "usage: rusage [option ...] [--] [command [argument ...]]",
        "",
        "Run a command and report its resource usage; without a command, report that of this process.",
    ]
    for title, group in OPTIONS.items():
        lines += ["", f"{title}:"]
        for letter, name, value, text in group:
            spelling = f"{f'-{letter}, ' if letter else '    '}--{name} {value}"
            lines.append(f"  {spelling:<24} {text}")
    return "\n".join([*lines, "", "example: rusage --json -o usage.json -- make -j4"])


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (slow, and only needed here)

    try:
        return version("rusage")
    except PackageNotFoundError:  # in a bundle without metadata
        return "(unknown version)"
