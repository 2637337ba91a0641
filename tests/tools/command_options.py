"""Write what comes from the command's table of options: ``python tests/tools/command_options.py``.

These are the list of options in the manual page, the completions for bash, zsh and fish, and the
lists in ``docs/command-reference.md``. The programs that write completions read a parser of
argparse, whose import is too slow for the command.
"""

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

from platform_tables import with_table

from rusage._cli.options import OPTIONS, Option, spelling

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
ALL = [option for group in OPTIONS.values() for option in group]
WITH_VALUE = [word for option in ALL if option.value for word in spelling(option)]

BASH = """\
# Completion of rusage(1) for bash. Written by tests/tools/command_options.py.

_rusage()
{{
    local cur=${{COMP_WORDS[COMP_CWORD]}} at option= options=yes
    COMPREPLY=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${{COMP_WORDS[at]}} in
            {with_value})
                option=${{COMP_WORDS[at]}}
                [[ ${{COMP_WORDS[at + 1]}} == "=" ]] && ((at++))
                ((at++))
                ;;
            --)
                options=
                ((at++))
                break
                ;;
            -*) ;;
            *) break ;;
        esac
    done
    if ((at > COMP_CWORD)); then # the value of an option
        case $option in
            {with_file})
                [[ $cur == "=" ]] && cur=
                compopt -o filenames 2> /dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                ;;
        esac
    elif ((at < COMP_CWORD)); then # an argument of the command
        if declare -F _comp_command_offset > /dev/null; then
            _comp_command_offset "$at"
        elif declare -F _command_offset > /dev/null; then
            _command_offset "$at"
        else
            compopt -o filenames 2> /dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
    elif [[ $options && $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "{options}" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
    fi
}}

complete -F _rusage rusage
"""


def bash() -> str:
    words = [word for option in ALL for word in spelling(option)]
    with_file = [word for option in ALL if option.value == "FILE" for word in spelling(option)]
    return BASH.format(
        options=" ".join(words), with_value=" | ".join(WITH_VALUE), with_file=" | ".join(with_file)
    )


def zsh() -> str:
    lines = [
        "#compdef rusage",
        "# Completion of rusage(1) for zsh. Written by tests/tools/command_options.py.",
        "",
    ]
    lines += ["_arguments -s -S \\", *(f"  {zsh_option(option)} \\" for option in ALL)]
    # _arguments leaves a "--" that follows the name directly among the words of the command.
    words = "[[ $words[1] == -- ]] && shift words && (( CURRENT-- )); _normal"
    lines += ["  '(-)1:command: _command_names -e' \\", f"  '*::argument:{{ {words} }}'"]
    return "".join(f"{line}\n" for line in lines)


def zsh_option(option: Option) -> str:
    words = [f"-{option.letter}{'+' if option.value else ''}"] if option.letter else []
    words.append(f"--{option.name}{'=' if option.value else ''}")
    text = option.text.replace("]", r"\]").replace("'", r"'\''")
    value = f":{option.value}:{'_files' if option.value == 'FILE' else ' '}" if option.value else ""
    if len(words) == 1:
        return f"'{words[0]}[{text}]{value}'"
    return f"'({' '.join(spelling(option))})'{{{','.join(words)}}}'[{text}]{value}'"


FISH = """\
# Completion of rusage(1) for fish. Written by tests/tools/command_options.py.

function __rusage_before_command
    set -l words (commandline -opc)[2..-1]
    while set -q words[1]
        if contains -- $words[1] {with_value}
            set -e words[1] # and its value
        else if test "$words[1]" = -- || not string match -q -- '-*' "$words[1]"
            return 1
        end
        set -e words[1]
    end
end

complete -c rusage -x -a "(__fish_complete_subcommand {with_value})"
"""


def fish() -> str:
    # __fish_complete_subcommand takes a long option for one of its own, if no letter precedes it.
    lines = [FISH.format(with_value=" ".join(sorted(WITH_VALUE, key=len)))]
    for option in ALL:
        text = option.text.replace("\\", "\\\\").replace("'", "\\'")
        letter = f" -s {option.letter}" if option.letter else ""
        value = {"": "", "FILE": " -r -F"}.get(option.value, " -x")
        lines.append(
            f"complete -c rusage -n __rusage_before_command{letter} "
            f"-l {option.name}{value} -d '{text}'\n"
        )
    return "".join(lines)


def page() -> str:
    parts = []
    for title, group in OPTIONS.items():
        lines = [f"{in_code(title)}:", ""]
        for option in group:
            words = [f"{word} {option.value}".strip() for word in spelling(option)]
            lines.append(f"- {', '.join(f'`{word}`' for word in words)}: {in_code(option.text)}")
        parts.append("\n".join(lines))
    text = (DOCS / "command-reference.md").read_text(encoding="utf-8")
    return with_table(text, "options", "\n\n".join(parts))


def in_code(text: str) -> str:
    """Return a text with options in code: Sphinx would join their two hyphens."""
    return re.sub(r"--[a-z-]+\*?|%{\w+}", r"`\g<0>`", text)


# The manual page is written by hand, except for the lines between two comments. Sentences that
# follow an option's own, after a comment of their own, are written by hand too.
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
    """Return the lists of options, with what has been written by hand about each option."""
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
    text = (DOCS / "rusage.1").read_text(encoding="utf-8")
    parts = re.split(
        r'(\.\\" (?:options, written by tests/tools/command_options.py:|end of the options)\n)',
        text,
    )
    before, begin, old, end, after = parts
    return before + begin + "".join(f"{line}\n" for line in man_options(old)) + end + after


FILES: dict[Path, Callable[[], str]] = {
    DOCS / "rusage.1": man_page,
    DOCS / "completions" / "rusage": bash,
    DOCS / "completions" / "_rusage": zsh,
    DOCS / "completions" / "rusage.fish": fish,
    DOCS / "command-reference.md": page,
}


def main() -> None:
    for path, text in FILES.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
