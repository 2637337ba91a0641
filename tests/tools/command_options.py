"""Write what comes from the command's table of options: ``python tests/tools/command_options.py``.

These are the list of options in the manual page, the completions for bash, zsh and fish, and the
lists in ``docs/command-reference.md``. The programs that write completions read a parser of
argparse, whose import is too slow for the command.
"""

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

from commands import marked, replaced

from rusage._cli.options import OPTIONS, Option, spelling

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
COMPLETIONS = DOCS / "completions"
ALL = [option for group in OPTIONS.values() for option in group]
WITH_VALUE = [word for option in ALL if option.value for word in spelling(option)]


def bash() -> str:
    words = [word for option in ALL for word in spelling(option)]
    with_file = [word for option in ALL if option.value == "FILE" for word in spelling(option)]
    return replaced(
        COMPLETIONS / "rusage",
        ("case ${COMP_WORDS[at]} in\n            ", " | ".join(WITH_VALUE), ")"),
        ("case $option in\n            ", " | ".join(with_file), ")"),
        ('compgen -W "', " ".join(words), '"'),
    )


def zsh() -> str:
    lines = "".join(f"  {zsh_option(option)} \\\n" for option in ALL)
    return replaced(COMPLETIONS / "_rusage", ("_arguments -s -S \\\n", lines, "  '(-)1:"))


def zsh_option(option: Option) -> str:
    words = [f"-{option.letter}{'+' if option.value else ''}"] if option.letter else []
    words.append(f"--{option.name}{'=' if option.value else ''}")
    text = option.text.replace("]", r"\]").replace("'", r"'\''")
    value = f":{option.value}:{'_files' if option.value == 'FILE' else ' '}" if option.value else ""
    if len(words) == 1:
        return f"'{words[0]}[{text}]{value}'"
    return f"'({' '.join(spelling(option))})'{{{','.join(words)}}}'[{text}]{value}'"


def fish() -> str:
    # __fish_complete_subcommand takes a long option for one of its own, if no letter precedes it.
    with_value = " ".join(sorted(WITH_VALUE, key=len))
    lines = ""
    for option in ALL:
        text = option.text.replace("\\", "\\\\").replace("'", "\\'")
        letter = f" -s {option.letter}" if option.letter else ""
        value = {"": "", "FILE": " -r -F"}.get(option.value, " -x")
        lines += (
            f"complete -c rusage -n __rusage_before_command{letter} "
            f"-l {option.name}{value} -d '{text}'\n"
        )
    return replaced(
        COMPLETIONS / "rusage.fish",
        ("contains -- $words[1] ", with_value, "\n"),
        ("\nend\n\n", lines, "complete -c rusage -x"),
        ("(__fish_complete_subcommand ", with_value, ")"),
    )


def page() -> str:
    parts = []
    for title, group in OPTIONS.items():
        lines = [f"{in_code(title)}:", ""]
        for option in group:
            words = [f"{word} {option.value}".strip() for word in spelling(option)]
            lines.append(f"- {', '.join(f'`{word}`' for word in words)}: {in_code(option.text)}")
        parts.append("\n".join(lines))
    return replaced(DOCS / "command-reference.md", marked("options", "\n\n".join(parts)))


def in_code(text: str) -> str:
    """Return a text with options in code: Sphinx would join their two hyphens."""
    return re.sub(r"--[a-z-]+\*?|%{\w+}", r"`\g<0>`", text)


# The manual page is written by hand, except for the lines between two comments. Sentences that
# follow an option's own, after a comment of their own, are written by hand too.
MARKS = (
    '.\\" options, written by tests/tools/command_options.py:\n',
    '.\\" end of the options\n',
)
MORE = '.\\" More than --help says:'


def roff(words: str) -> list[str]:
    """Return lines in which roff interprets no character, as short as mandoc's checks require."""
    escaped = words.replace("\\", "\\e")
    lines = textwrap.wrap(escaped, 80, break_on_hyphens=False)
    return [f"\\&{line}" if line[:1] in {".", "'"} else line for line in lines]


def item(option: Option) -> list[str]:
    value = f" Ar {option.value}" if option.value else ""
    long = f"Fl -{option.name}{value}"
    spelled = f"Fl {option.letter}{value} , {long}" if option.letter else long
    return [f".It {spelled}", *roff(f"{option.text[0].upper()}{option.text[1:]}.")]


def man_options(written: str) -> list[str]:
    more = {}
    for written_item in re.split(r"^\.(?:It|El)\b", written, flags=re.MULTILINE):
        generated, mark, sentences = written_item.partition(MORE)
        if mark:
            more[re.findall(r"Fl -([\w-]+)", generated)[0]] = [MORE, *sentences.split("\n")[1:-1]]
    lines = []
    for title, group in OPTIONS.items():
        lines += [f".Ss {title}", ".Bl -tag -width Ds"]
        for option in group:
            lines += [*item(option), *more.get(option.name, [])]
        lines += [".El"]
    return lines


def man_page() -> str:
    begin, end = MARKS
    page = DOCS / "rusage.1"
    old = page.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]
    return replaced(page, (begin, "".join(f"{line}\n" for line in man_options(old)), end))


FILES: dict[Path, Callable[[], str]] = {
    DOCS / "rusage.1": man_page,
    COMPLETIONS / "rusage": bash,
    COMPLETIONS / "_rusage": zsh,
    COMPLETIONS / "rusage.fish": fish,
    DOCS / "command-reference.md": page,
}


def main() -> None:
    for path, text in FILES.items():
        path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
