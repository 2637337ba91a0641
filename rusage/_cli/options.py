"""The values of the command's options, and their parser."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from .. import __version__
from .._units import parse_size, shown
from .gnu import POSIX, VERBOSE
from .report import show, without_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import NoReturn

    from .files import Export

    Exports = list[tuple[str, Export]]
    """Kinds of reports, and open files for them."""


class Options:
    """The values of the options; these are the defaults."""

    output: str | None = None
    append = False
    kind: str | None = None
    """``json``, ``markdown`` or ``csv``; None for a text."""
    exports: list[tuple[str, str]]
    """Kinds, also ``samples`` and ``plot``, and the files for reports of this kind."""
    format: str | None = None
    """The format of a report of GNU time; None for the report of rusage."""
    first_line = True
    """Whether a report in GNU time's format begins with a line about a program that fails."""
    limits: dict[str, float] | None = None
    """Of ``ru_maxrss`` and ``tree_rss`` in bytes, of ``cputime`` in seconds."""
    tree = False
    """Whether the program and its descendants are sampled."""
    interval = 0.01
    """Seconds between two samples."""
    kill = False
    """Whether a sample over the limit kills the program and its descendants."""
    pid: int | None = None
    """The running process to report."""
    runs: int | None = None
    """The number of runs in a series; None for a single run, and for a comparison that determines it."""
    warmup = 0
    """The number of runs before the reported ones."""
    ignore_failure = False
    compare: list[str] | None = None
    """The command lines to compare."""
    prepare: str | None = None
    """The command line to run before each run."""
    show_output = False
    """Whether the runs of a series write to a terminal."""
    given: list[str]
    """The words before the command, without ``--``."""

    def __init__(self) -> None:
        self.exports, self.given = [], []


def parse(arguments: list[str]) -> tuple[Options, list[str]]:
    """Return the values of the options, and the command that follows them. Exits with status 2 if they are wrong."""
    if arguments[:1] == ["--"]:
        return Options(), arguments[1:]
    if not arguments or not arguments[0].startswith("-"):
        return Options(), arguments
    import getopt  # noqa: PLC0415 (slow, and only needed if there are options)

    from .help import OPTIONS, SPELLINGS  # noqa: PLC0415 (as above)

    known = [option for group in OPTIONS.values() for option in group]
    letters = "".join(option.letter + (":" if option.value else "") for option in known if option.letter)
    names = [option.name + ("=" if option.value else "") for option in known]
    try:
        pairs, command = getopt.getopt(arguments, letters, names)
    except getopt.GetoptError as error:
        _fail(error.msg)
    given = [(SPELLINGS[key], value) for key, value in pairs]
    values = dict(given)
    for name in ("help", "info", "version"):
        if name in values:
            show(_text(name))
            sys.exit()
    options = Options()
    options.append, options.output = "append" in values, values.get("output")
    options.kind = next((name for name in values if name in KINDS), None)
    options.exports = [(_kind(value), value) for name, value in given if name == "export"]
    options.given = [word for word in arguments[: len(arguments) - len(command)] if word != "--"]
    options.format, first_line = _layout(given)
    options.first_line = first_line and "quiet" not in values
    numbers = {name: _number(name, value) for name, value in values.items() if name in NUMBERS}
    options.limits = {LIMITS[name]: number for name, number in numbers.items() if name in LIMITS} or None
    options.runs, options.warmup = _count("runs", values), _count("warmup", values) or 0
    options.tree = not values.keys().isdisjoint({"tree", "limit-tree-rss", "samples", "plot"})
    options.interval, options.kill = numbers.get("interval", options.interval), "kill" in values
    options.pid = None if "pid" not in values else _pid(values["pid"])
    options.exports += [(name, values[name]) for name in ("samples", "plot") if name in values]
    options.ignore_failure, options.show_output = "ignore-failure" in values, "show-output" in values
    if "prepare" in values:
        (options.prepare,) = _command_lines("prepare", [values["prepare"]])
    if "compare" in values:
        if any(line.startswith("-") for line in command):
            from .advice import for_late_options  # noqa: PLC0415 (rarely needed)

            late = next(line for line in command if line.startswith("-"))
            advice = for_late_options(options.given, command, letters, names)
            _fail(f"--compare: options precede the commands: {shown(late)}", advice)
        options.compare = _command_lines("compare", command)
    _check(options, values, has_command=bool(command))
    if options.format is not None and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="surrogateescape")  # %C: the bytes of the command, which need not be text
    return options, command


def _text(name: str) -> str:
    """Return the text of an option that prints something instead of running a program."""
    if name == "help":
        from .help import HELP  # noqa: PLC0415 (as below)

        return HELP
    if name == "info":
        from .info import info  # noqa: PLC0415 (slow, and only needed here)

        return info()
    return f"rusage {__version__}"


def _layout(given: list[tuple[str, str]]) -> tuple[str | None, bool]:
    """Return the format for a report of GNU time, if any, and whether a line about a failure precedes the report."""
    layout: tuple[str | None, bool] = None, True
    for name, value in given:
        if name == "verbose":
            return VERBOSE, True
        if name in {"format", "portability"}:
            layout = (value, True) if name == "format" else (POSIX, False)
    return layout


def _count(name: str, values: dict[str, str]) -> int | None:
    """Return the number of runs that is the value of an option; None without the option."""
    text = values.get(name)
    if text is None:
        return None
    try:
        count = int(text) if text.isascii() and text.isdecimal() else -1
    except ValueError:  # thousands of digits
        count = -1
    if not (1 if name == "runs" else 0) <= count <= sys.maxsize:
        _fail(f"--{name}: not a number of runs: {shown(text)}")
    return count


def _command_lines(name: str, lines: list[str]) -> list[str]:
    """Return command lines that can be split into words."""
    from .command_line import split  # noqa: PLC0415 (slow, and only needed here)

    line = ""
    try:
        for line in lines:
            split(line)
    except ValueError as error:
        _fail(f"--{name}: {error}: {shown(line)}")
    return lines


def _kind(path: str) -> str:
    """Return the kind of report for a file by the end of its name."""
    suffix = next((suffix for suffix in SUFFIXES if path.endswith(suffix)), None)
    if suffix is None:
        _fail(f"--export: the name of a file ends with {', '.join(SUFFIXES)}: {shown(path)}")
    return SUFFIXES[suffix]


def _number(name: str, value: str) -> float:
    try:
        return NUMBERS[name](value)
    except ValueError as error:
        _fail(f"--{name}: {error}")


def _seconds(text: str) -> float:
    try:
        seconds = float(text) if text.isascii() and "_" not in text else -1
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"not a number of seconds: {shown(text)}")
    return seconds


def _interval(text: str) -> float:
    seconds = _seconds(text)
    if seconds < SMALLEST_INTERVAL:
        raise ValueError(f"must be at least {SMALLEST_INTERVAL}: {shown(text)}")
    return seconds


def _pid(text: str) -> int:
    """Return a process ID."""
    if not (text.isascii() and text.isdecimal() and len(text) < 11 and 0 < int(text) < 2**31):
        _fail(f"--pid: not a process ID: {shown(text)}")
    return int(text)


SMALLEST_INTERVAL = 0.001  # seconds; a sample takes about as long
KINDS = {"json", "markdown", "csv"}
SUFFIXES = {".json": "json", ".csv": "csv", ".md": "markdown"}
NUMBERS: dict[str, Callable[[str], float]] = {
    "limit-maxrss": parse_size,
    "limit-tree-rss": parse_size,
    "limit-cputime": _seconds,
    "interval": _interval,
}
LIMITS = {"limit-maxrss": "ru_maxrss", "limit-tree-rss": "tree_rss", "limit-cputime": "cputime"}
WITHOUT_COMMAND = {"json", "pid", "tree"}


def _check(options: Options, given: Collection[str], *, has_command: bool) -> None:
    """Exit if options contradict each other."""
    for name in given:
        if not has_command and name not in WITHOUT_COMMAND:
            _fail(f"--{name} needs a command")
    _check_tree(options, given, has_command=has_command)
    repeated = options.runs is not None or options.compare is not None
    gnu = options.format is not None
    paths = [path for path in (options.output, *(path for _, path in options.exports)) if path is not None]
    files = [os.path.realpath(path) for path in paths]
    twice = [path for path, file in zip(paths, files, strict=True) if files.count(file) > 1]
    wrong = {
        f"two reports cannot go to the same file: {' and '.join(map(shown, twice))}": twice,
        "--append needs --output": options.append and options.output is None,
        "--warmup and --ignore-failure need --runs or --compare": not repeated
        and (options.warmup or options.ignore_failure),
        "--prepare and --show-output need --runs or --compare": not repeated
        and (options.prepare is not None or options.show_output),
        "--markdown and --csv need --runs or --compare": not repeated and options.kind in {"markdown", "csv"},
        "--runs excludes --format, --portability and --verbose": repeated and gnu and not options.compare,
        "--compare excludes --format, --portability and --verbose": gnu and options.compare,
        "--json, --markdown and --csv exclude each other": len(KINDS & {*given}) > 1,
        "--json excludes --format, --portability and --verbose": options.kind == "json" and gnu,
    }
    for text, found in wrong.items():
        if found:
            _fail(text)


def _check_tree(options: Options, given: Collection[str], *, has_command: bool) -> None:
    """Exit if the options for trees contradict each other or the others, or if there is no tree on this system."""
    wrong = {
        "--pid excludes a command": options.pid is not None and has_command,
        "--tree needs a command or --pid": options.tree and options.pid is None and not has_command,
        "--kill needs --limit-tree-rss": options.kill and "limit-tree-rss" not in given,
        "--interval needs --tree": "interval" in given and not options.tree,
        "--samples and --plot exclude --runs and --compare": not {"runs", "compare"}.isdisjoint(given)
        and not {"samples", "plot"}.isdisjoint(given),
    }
    for text, found in wrong.items():
        if found:
            _fail(text)
    plot = next((path for kind, path in options.exports if kind == "plot"), None)
    if plot is not None:
        from importlib.util import find_spec  # noqa: PLC0415 (only needed here)

        if not plot.endswith((".png", ".svg", ".pdf")):
            _fail(f"--plot: the name of a file ends with .png, .svg or .pdf: {shown(plot)}")
        if find_spec("matplotlib") is None:
            _fail("--plot needs matplotlib: pip install matplotlib")
    name = "Tree" if options.tree else "Process" if options.pid is not None else ""
    if name:
        from .._backends import BACKEND  # noqa: PLC0415 (only needed here)

        if name in BACKEND.absent:
            _fail(f"{BACKEND.name} has no {name}: {BACKEND.absent[name]}")


def _fail(text: str, line: str | None = None) -> NoReturn:
    """Exit with the status of a wrong usage. *line*: the right command line, if that is known."""
    if sys.stderr is not None:
        advice = "Try 'rusage --help' for the options." if line is None else f"Write: {line}"
        sys.stderr.write(f"rusage: {without_controls(text)}\n{advice}\n")
    sys.exit(2)
