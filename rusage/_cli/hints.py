"""What a user may have meant by a wrong word: the end of an error message."""

from __future__ import annotations

import difflib
import os
import shlex
import sys

PEAK = "--limit-maxrss or, for all processes together, --limit-tree-rss"
TIMEOUT = "rusage timeout 5 COMMAND"
# Words for options of this program, or for what other programs do, which are not like any option.
MEANT = {
    **dict.fromkeys(["memory", "limit-memory", "max-memory", "mem", "rss"], PEAK),
    **dict.fromkeys(["timeout", "time"], TIMEOUT),
    "duration": f"{TIMEOUT}, or timeout -s INT 5 rusage --pid PID",
    "cpu": "--limit-cputime",
    **dict.fromkeys(["children", "descendants"], "--tree"),
    **dict.fromkeys(["repeat", "count"], "--runs"),
}


def of_option(message: str, opt: str, names: list[str], arguments: list[str]) -> str:
    """Return the message of getopt about an option, with the options that may be meant."""
    message = message.partition(";")[0]  # CPython 3.14 lists the options, as they are in its table
    for word in arguments:  # such as -json, which getopt takes for five letters
        whole = word[1:].partition("=")[0]
        if len(opt) == 1 and word[:1] == "-" and opt in whole and (whole in {*names, *MEANT}):
            opt, message = whole, f"option {word} not recognized"
            break
    if "argument" in message:  # the option is known
        return message
    if opt in MEANT:
        return f"{message}; did you mean {MEANT[opt]}?"
    return message + suggestion(opt, names, "--{}")


def suggestion(word: str, names: list[str], form: str) -> str:
    """Return the names that begin with a word, or are like it, as a question."""
    close = [name for name in names if name.startswith(word)]
    close = close or difflib.get_close_matches(word, names)
    meant = " or ".join(map(form.format, close))
    return f"; did you mean {meant}?" if meant else ""


RUNNERS = {".py": "python3", ".sh": "sh"}


def of_program(command: list[str] | str, error: OSError) -> str:
    """Return why a program cannot be started, and how a file or word like it can be."""
    words = command.split() if isinstance(command, str) else command  # Windows splits its own
    program = words[0]
    path = program if os.path.dirname(program) else os.path.join(".", program)
    is_missing = isinstance(error, FileNotFoundError)
    hint = ""
    if path == program and os.path.isdir(path):
        hint = "this is a directory"
    elif os.path.isfile(path):
        hint = _of_file(program, path, is_missing=is_missing)
    elif is_missing and len(words) == 1 and len(program.split()) > 1:
        return "no program has this name: leave out the quotes, or use sh -c"
    elif is_missing and "=" in program:
        hint = f"use env for a variable: env {program} COMMAND"
    elif is_missing and program.isalpha():
        hint = "use sh -c for a builtin of the shell"
    return "; ".join(filter(None, [error.strerror, hint]))


def _of_file(program: str, path: str, *, is_missing: bool) -> str:
    if not os.access(path, os.X_OK) or sys.platform == "win32":
        runner = RUNNERS.get(os.path.splitext(program)[1].lower())
        if runner is not None:
            return f"use {runner} {shlex.quote(program)}"
        is_mode = sys.platform != "win32"
        return f"the file is not executable: chmod +x {shlex.quote(path)}" if is_mode else ""
    if path != program:
        return f"use {shlex.quote(path)}"
    return "the interpreter in its first line is missing" if is_missing else ""
