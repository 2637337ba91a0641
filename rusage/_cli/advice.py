"""Advice in error messages: how a command line should have been written."""

from __future__ import annotations

import getopt
import re
import shlex
import sys

from .report import readable

# What only a shell interprets: operators, expansions, redirections, assignments before the command.
SHELL = re.compile(r"[|&;<>()$`*?\[{~\n]|^\s*\w+=")


def for_one_word(word: str, given: list[str]) -> str | None:
    """Return an error message for a program that was not found, whose name looks like a command line.

    *given*: the options of rusage.
    """
    if len(word.split()) < 2:
        return None
    needs_shell = sys.platform != "win32" and SHELL.search(word)
    line = f"sh -c {shlex.quote(word)}" if needs_shell else word.strip()
    return f"no program has this name; write: {readable(shlex.join(['rusage', *given, '--']))} {readable(line)}"


def for_late_options(given: list[str], commands: list[str], letters: str, names: list[str]) -> str | None:
    """Return a command line with the options before the commands; None if they are wrong anyway.

    *letters* and *names* are the options that getopt(3) knows.
    """
    try:
        late, rest = getopt.gnu_getopt(commands, letters, names)
    except getopt.GetoptError:
        return None
    words = [word for option, value in late for word in ([option, value] if value else [option])]
    return readable(shlex.join(["rusage", *given, *words, *rest]))
