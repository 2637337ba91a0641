"""The words of a command line."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .results import Command


def split(text: str) -> Command:
    """Return the words of a command line, as a shell splits them. Windows programs split their own.

    Raises ``ValueError`` for an empty command, an open quote, and an operator of the shell between words.
    """
    if not text.strip(BLANKS):
        raise ValueError("an empty command")
    if sys.platform == "win32":
        return text
    if operator := re.search(OPERATOR, re.sub(QUOTED, "q", text)):
        raise ValueError(f"{operator[0].strip(BLANKS)!r} needs a shell, as in sh -c '...', or quotes")
    lexer = shlex.shlex(re.sub(QUOTED, _unescaped, text), posix=True, punctuation_chars=False)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = BLANKS, True, ""
    return list(lexer)


BLANKS = " \t\n"  # a shell keeps other white space
# The program would get them as arguments. Within a word, as in a URL, they are what the user wants.
OPERATOR = rf"(?:^|[{BLANKS}])(?:[|&;]+|\d*[<>]+&?)|[|&;]+(?=[{BLANKS}]|$)"
# In double quotes, shlex keeps a backslash that a shell removes; and it refuses one at the end of the text.
QUOTED = r"""(?s)'[^']*'|\\.|\\\Z|"(?:[^"\\]|\\.)*\""""
ESCAPES = {r"\$": "$", r"\`": "`", "\\\n": ""}


def _unescaped(quoted: re.Match[str]) -> str:
    """Return what shlex must get for a quoted text; a backslash at the end of a line continues it."""
    text = quoted[0]
    if text.startswith('"'):
        return re.sub(r"\\.", lambda pair: ESCAPES.get(pair[0], pair[0]), text, flags=re.DOTALL)
    return {"\\\n": "", "\\": r"\\"}.get(text, text)
