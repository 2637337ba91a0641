"""``python -m rusage``: report the resource usage of a command, or this process's and the meaning of each field."""

from __future__ import annotations

import errno
import os
import sys

from . import RUSAGE_SELF, fields, getrusage, measured


def main(arguments: list[str] | None = None) -> int:
    """Run the command that follows the options, or print this process's usage; return the exit status."""
    try:
        try:
            return _main(sys.argv[1:] if arguments is None else arguments)
        finally:  # a SystemExit of argparse too
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        from ._command import CANCELED, complain, discard  # noqa: PLC0415 (rarely needed)

        complain("standard output", error.strerror)
        discard(sys.stdout)
        return CANCELED


def _main(arguments: list[str]) -> int:
    if not arguments or not arguments[0].startswith("-"):
        as_json, output, append, command = False, None, False, arguments
    elif arguments[0] == "--":
        as_json, output, append, command = False, None, False, arguments[1:]
    else:
        as_json, output, append, command = _parse(arguments)
    if command:
        from ._command import run_command  # noqa: PLC0415 (only to run one)

        return run_command(command, as_json=as_json, output=output, append=append)
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    print(_as_json() if as_json else _as_text())
    return 0


def _parse(arguments: list[str]) -> tuple[bool, str | None, bool, list[str]]:
    """Return the values of the options, and the command that follows them."""
    import argparse  # noqa: PLC0415 (slow, and only needed if there are options)

    parser = argparse.ArgumentParser(
        prog="rusage",
        usage="%(prog)s [--json] [-o FILE [--append]] [--] [command ...]",
        description="Run a command and report its resource usage; without a command, report that of this process.",
        epilog="example: %(prog)s --json -o usage.json -- make -j4",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with exact numbers")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the command's usage to FILE, not standard error")
    parser.add_argument("--append", action="store_true", help="append to FILE, and name the command in each report")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.version:
        print(f"rusage {_version()}")
        parser.exit()
    command: list[str] = options.command
    if command[:1] == ["--"]:  # argparse of Python 3.12 and before leaves it here, later ones take it away
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


def _as_text() -> str:
    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    rows = [
        (name, human(usage[name], fields[name].unit) if name in known else "-", fields[name].meaning) for name in fields
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{name:<{widths[0]}}  {value:>{widths[1]}}  {meaning}" for name, value, meaning in rows)


def _as_json() -> str:
    import json  # noqa: PLC0415 (slow, and only needed here)

    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    return json.dumps(
        {
            name: {"value": usage[name], "unit": field.unit, "measured": name in known, "meaning": field.meaning}
            for name, field in fields.items()
        },
        indent=2,
    )


def human(value: float, unit: str) -> str:
    """Return a value with its unit; bytes also in KiB, MiB, GiB or TiB."""
    if unit == "seconds":
        return f"{value:.6f} s"
    if unit != "bytes" or value < 1024:
        return f"{value} {unit}"
    power = min((int(value).bit_length() - 1) // 10, 4)
    return f"{value} bytes ({value / 1024**power:.1f} {'KMGT'[power - 1]}iB)"


if __name__ == "__main__":
    sys.exit(main())
