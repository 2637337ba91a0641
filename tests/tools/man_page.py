"""The part of the manual page, ``docs/rusage.1``, that comes from the command's table of options.

The page is written by hand, except for the lines between two comments: ``command_options.py`` replaces them. Sentences
that follow an option's own, after a comment of their own, are written by hand too.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from rusage._cli import options as table

PATH = Path(__file__).resolve().parent.parent.parent / "docs" / "rusage.1"
MORE = '.\\" More than --help says:'


def text(words: str) -> list[str]:
    """Return lines in which roff interprets no character, as short as mandoc's checks require."""
    escaped = words.replace("\\", "\\e")
    lines = textwrap.wrap(escaped, 80, break_on_hyphens=False)
    return [f"\\&{line}" if line[:1] in {".", "'"} else line for line in lines]


def item(option: table.Option) -> list[str]:
    """Return an option's spellings and its sentence in the help, with a capital letter and a full stop."""
    value = f" Ar {option.value}" if option.value else ""
    long = f"Fl -{option.name}{value}"
    spelled = f"Fl {option.letter}{value} , {long}" if option.letter else long
    return [f".It {spelled}", *text(f"{option.text[0].upper()}{option.text[1:]}.")]


def options(written: str) -> list[str]:
    """Return the lists of options, with what has been written by hand about each option."""
    more = {}
    for written_item in re.split(r"^\.(?:It|El)\b", written, flags=re.MULTILINE):
        generated, mark, sentences = written_item.partition(MORE)
        if mark:
            more[re.findall(r"Fl -([\w-]+)", generated)[0]] = [MORE, *sentences.split("\n")[1:-1]]
    lines = []
    for title, group in table.OPTIONS.items():
        lines += [f".Ss {title}", ".Bl -tag -width Ds"]
        for option in group:
            lines += [*item(option), *more.get(option.name, [])]
        lines += [".El"]
    return lines


def page() -> str:
    """Return the page with its list of options as it must be."""
    begin, end = '.\\" options, written by tests/tools/command_options.py:\n', '.\\" end of the options\n'
    before, found, rest = PATH.read_text(encoding="utf-8").partition(begin)
    old, also_found, after = rest.partition(end)
    if not found or not also_found:
        raise ValueError(f"no options in {PATH}")
    return before + begin + "".join(f"{line}\n" for line in options(old)) + end + after
