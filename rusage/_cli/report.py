"""The text report of a run, and the streams that reports are written to."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import TYPE_CHECKING

from .._fields import FIELDS
from .._getrusage import fields

if TYPE_CHECKING:
    from typing import TextIO

    from .files import Export
    from .results import Ended

# The exit status if rusage itself fails, as in env(1), nohup(1) and GNU time.
CANCELED = 125

# The control characters C0 and C1, which a terminal would obey.
CONTROLS = {number: f"\\x{number:02x}" for number in (*range(0x20), 0x7F) if chr(number) not in "\t\n"}
CONTROLS.update((number, f"\\u{number:04x}") for number in range(0x80, 0xA0))

# The units of a report for people, the smaller ones first.
UNITS: dict[str, list[tuple[float, str]]] = {
    "seconds": [(1e-6, "us"), (1e-3, "ms"), (1, "s")],
    "bytes": [(1, "bytes"), (2**10, "KiB"), (2**20, "MiB"), (2**30, "GiB"), (2**40, "TiB")],
}

# A peak in the usage of a program is not a sum: it is the largest one of the program and the children that it has
# waited for. On Windows it is the program's.
WHOSE = "of the program" if sys.platform == "win32" else "of its largest process"

KILLED = "signals of --kill"

# --- The streams -----------------------------------------------------------------------------------------------------


def write(report: str, file: TextIO | None) -> bool:
    """Write a report; print an error message if that fails. Return whether a file has what it is to have."""
    if file is None:  # the caller closed standard error
        return True
    try:
        file.write(report + "\n")
        file.flush()
        if file is not sys.stderr:
            file.close()  # NFS may report write errors only here
    except OSError as error:
        discard(file)
        if file is sys.stderr:
            return True
        complain(file.name, error.strerror)
        return False
    return True


def write_export(report: str | bytes, export: Export) -> bool:
    """Write a text or a picture to a file beside the report; print an error message if that fails."""
    try:
        export.write(report if isinstance(report, bytes) else f"{report}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        complain(export.path, error.strerror)
        return False
    return True


def show(text: str) -> None:
    """Print a text on standard output."""
    if sys.stdout is None:  # the caller closed it; print() would discard the text
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    print(text)


def complain(name: str, text: str | None) -> None:
    """Print an error message on standard error, if that is possible."""
    if sys.stderr is not None:
        try:
            sys.stderr.write(f"rusage: {readable(name)}: {text}\n")
            sys.stderr.flush()
        except OSError:
            discard(sys.stderr)


def readable(text: str) -> str:
    r"""Return a command's text for a report: control characters and bytes that are not UTF-8 as \xNN or \uNNNN."""
    return without_controls(utf8(text))


def on_one_line(text: str) -> str:
    r"""Return a text with all its control characters, tabs and newlines too, as \xNN or \uNNNN."""
    return text.translate({**CONTROLS, **{number: f"\\x{number:02x}" for number in b"\t\n"}})


def without_controls(text: str) -> str:
    r"""Return a text with its control characters, except for tabs and newlines, as \xNN or \uNNNN."""
    return text.translate(CONTROLS)


def utf8(text: str) -> str:
    r"""Return a text with each byte that is not UTF-8, for Python a lone surrogate, as \xNN."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def discard(stream: TextIO | None) -> None:
    """Redirect a stream that cannot be written to, so that the interpreter can flush it at exit without an error."""
    if stream is None:
        return
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
    except (OSError, ValueError):  # ValueError: it is closed
        pass


# --- The text --------------------------------------------------------------------------------------------------------


def scale(value: float, unit: str) -> tuple[float, str]:
    """Return the size and the name of the unit that suits a value in seconds or bytes.

    The value then has three digits before the decimal point at most, from microseconds on and up to seconds or TiB.
    """
    units = UNITS.get(unit)
    if units is None:
        return 1, unit
    if not value:
        return next(each for each in units if each[0] == 1)
    *smaller, largest = units
    return next((each for each in smaller if value < 999.5 * each[0]), largest)


def digits(value: float) -> str:
    """Return a number with three significant digits, or with all digits before the decimal point."""
    if value == int(value):
        return str(int(value))
    _, exponent = f"{value:.2e}".split("e")
    return f"{value:.{max(0, 2 - int(exponent))}f}"


def quantity(value: float, unit: str) -> str:
    """Return a value with three significant digits in the unit that suits it."""
    size, name = scale(value, unit)
    return f"{digits(value / size)} {name}"


def as_text(command: list[str] | None, ended: Ended, *, tree: str = "", colored: bool = False) -> str:
    """Return the report of a run; it begins with the command, if that is given. *tree*: the text about the tree."""
    code, usage, elapsed, *_ = ended
    usage = dict(usage)
    rows = {}
    if command is not None:
        import shlex  # noqa: PLC0415 (slow, and only needed here)

        rows["command"] = without_controls(shlex.join(command))
    rows["wall time"] = quantity(elapsed, "seconds")

    def row(label: str, text: str, *names: str) -> None:
        """Add a row if all its fields are measured."""
        if all(name in usage for name in names):
            rows[label] = text.format(*(usage.pop(name) for name in names))

    if usage.keys() >= {"ru_utime", "ru_stime"} and elapsed > 0:
        share = (usage["ru_utime"] + usage["ru_stime"]) / elapsed
        rows["user time"] = quantity(usage.pop("ru_utime"), "seconds")
        rows["system time"] = quantity(usage.pop("ru_stime"), "seconds")
        rows["CPU share"] = f"{share:.0%}"
    if "ru_maxrss" in usage:
        rows["peak memory"] = f"{quantity(usage.pop('ru_maxrss'), 'bytes')} {WHOSE}"
    if tree:
        rows["tree memory"] = tree
    row("page faults", "{} without I/O, {} with I/O", "ru_minflt", "ru_majflt")
    row("context switches", "{} voluntary, {} involuntary", "ru_nvcsw", "ru_nivcsw")
    row("block I/O", f"{{}} in, {{}} out ({fields['ru_inblock'].unit})", "ru_inblock", "ru_oublock")
    for name, value in usage.items():
        rows[FIELDS[name].meaning] = quantity(value, fields[name].unit)
    if ended.tree is not None and ended.tree.killed:
        rows[KILLED] = "sent to all processes: a sample exceeded the limit"
    last = "exit status" if code >= 0 else "killed by"
    rows[last] = f"{code}" if code >= 0 else signal_name(-code)
    text = lines(rows)
    if colored and code:
        before, newline, line = text.rpartition("\n")
        text = f"{before}{newline}{paint(line, RED)}"
    return text


def lines(rows: dict[str, str]) -> str:
    """Return one line for each label, and for each line of its text."""
    width = max(map(len, rows))
    indented = {label: text.replace("\n", f"\n{'':<{width}}  ") for label, text in rows.items()}
    return "\n".join(f"{label:<{width}}  {text}" for label, text in indented.items())


# Readable on light and dark backgrounds, unlike most colours.
RED, BOLD = "1;31", "1"

WIDTH = 80
UNBROKEN = "\xa0"  # a space at which lines are not wrapped
ALARMING = {"failures", "stopped by"}


def wrapped(rows: dict[str, str], *, colored: bool) -> list[str]:
    """Return lines with each label and its text, wrapped to ``WIDTH``; the text of ``command`` is not wrapped."""
    import textwrap  # noqa: PLC0415 (slow, and not needed for the report of one run)

    width = max(map(len, rows)) + 2
    found = []
    for label, text in rows.items():
        made = [f"{label:<{width}}{text}"]
        if label != "command":
            if len(made[0]) > WIDTH:
                made = textwrap.wrap(made[0], WIDTH, subsequent_indent=" " * width, break_on_hyphens=False)
            made = [line.replace(UNBROKEN, " ") for line in made]
        found += [paint(line, RED) for line in made] if colored and label in ALARMING else made
    return found


def is_colored(file: TextIO | None) -> bool:
    """Return whether a report is in colour: on terminals, except for Windows', which may not interpret the codes."""
    if file is None or not file.isatty() or sys.platform == "win32":
        return False
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str) -> str:
    """Return a text in a style: its parameters in the escape sequence."""
    return f"\x1b[{style}m{text}\x1b[0m"


def signal_name(number: int) -> str:
    """Return the name of a signal in a report."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal
        return f"signal {number}"


def describe_failure(what: str, code: int) -> str:
    """Return how a run has failed."""
    return f"{what} ({f'exit status {code}' if code > 0 else signal_name(-code)})"
