"""The options of the command."""

from __future__ import annotations

import argparse


def parse(arguments: list[str]) -> tuple[bool, str | None, bool, list[str]]:
    """Return the values of the options, and the command that follows them."""
    parser = argparse.ArgumentParser(
        prog="rusage",
        usage="%(prog)s [--json] [-o FILE [--append]] [--] [command ...]",
        description="Run a command and report its resource usage; without a command, report that of this process.",
        epilog="example: %(prog)s --json -o usage.json -- make -j4",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with exact numbers")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report to FILE instead of standard error")
    parser.add_argument(
        "--append", action="store_true", help="append to FILE; each text report begins with the command"
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.version:
        print(f"rusage {_version()}")
        parser.exit()
    command: list[str] = options.command
    if command[:1] == ["--"]:  # kept by argparse up to Python 3.12, removed by later versions
        del command[0]
    if options.output is not None and not command:
        parser.error("-o needs a command")
    if options.append and options.output is None:
        parser.error("--append needs -o")
    return options.json, options.output, options.append, command


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (slow, and only needed here)

    try:
        return version("rusage")
    except PackageNotFoundError:  # in a bundle without metadata
        return "(unknown version)"
