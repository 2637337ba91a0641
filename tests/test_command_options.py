"""The manual page and the completions, which ``tests/tools/command_options.py`` writes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import command_options
import pytest
from terminals import Start, read_until

import rusage
from rusage._cli import gnu
from rusage._cli.options import EXAMPLES

pytestmark = pytest.mark.system

DOCS = Path(__file__).parent.parent / "docs"
BASH, FISH, ZSH, MANDOC = (shutil.which(name) or "" for name in ("bash", "fish", "zsh", "mandoc"))


@pytest.mark.parametrize("path", command_options.FILES, ids=lambda path: path.name)
def test_files_are_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == command_options.FILES[path]()


def test_content_of_the_manual_page() -> None:
    """The letters and names that the report replaces, the examples, and what implies --tree."""
    page = (DOCS / "rusage.1").read_text(encoding="utf-8")

    def is_replaced(name: str) -> bool:
        return gnu.report(f"%{name}", ["x"], 0, {}) != f"?{name}"

    letters = re.findall(r"(?m)^\.It Ql \\&%(.)$", page)
    assert letters == [*filter(is_replaced, map(chr, range(33, 127)))]
    names = re.findall(r"(?m)^\.Ql %(\{\w+\})", page)
    assert names == [f"{{{name}}}" for name in ("elapsed", *rusage.fields)]
    assert all(map(is_replaced, names))
    examples = [each.replace("--", r"\-\-") for each in EXAMPLES]
    assert re.findall(r"(?m)^\.Dl (.*)$", page) == examples
    for option in "limit-tree-rss", "samples", "plot":  # test_cli_tree.py uses them without it
        _, _, text = page.partition(f".It Fl -{option} Ar ")
        assert re.search(r"implies\s(?:\.Fl -|--)tree", re.split(r"(?m)^\.(?:It|El)\b", text)[0])


@pytest.mark.skipif(not MANDOC, reason="no mandoc(1): apt-get install mandoc")
def test_manual_page_has_no_lint() -> None:
    """A page that is referred to need not be installed."""
    command = [MANDOC, "-T", "lint", str(DOCS / "rusage.1")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert [line for line in lines if "referenced manual not found" not in line] == []


# What a shell makes of a line and TAB; "mine" is a command that completes its own arguments.
TYPED = {
    "rusage --js": "rusage --json ",
    "rusage --json slee": "rusage --json sleep ",
    "rusage -- slee": "rusage -- sleep ",
    "rusage -- --js": "rusage -- --js",
    "rusage mine al": "rusage mine alpha ",
    "rusage -- mine al": "rusage -- mine alpha ",
    "rusage -n 5 -- mine al": "rusage -n 5 -- mine alpha ",
    "rusage --output x -- mine alpha be": "rusage --output x -- mine alpha beta ",
    "rusage mine --js": "rusage mine --js",
    "rusage -- mine --col": "rusage -- mine --colour ",
    "rusage -o a_f": "rusage -o a_file ",
    "rusage -n a_f": "rusage -n a_f",
}


@pytest.mark.skipif(not ZSH, reason="no zsh: apt-get install zsh")
def test_completion_in_zsh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_terminal: Start
) -> None:
    """Control-T shows the line and removes it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZDOTDIR", str(tmp_path))
    Path("a_file").touch()
    Path(".zshrc").write_text(
        f"""
        fpath=({DOCS / "completions"} $fpath)
        autoload -Uz compinit && compinit -u -D
        unsetopt list_beep zle_bracketed_paste
        _mine() {{ _arguments '--colour[x]' '*:word:(alpha beta)' }} && compdef _mine mine
        show() {{ print -r -- "<$BUFFER>" >> shown; BUFFER= }} && zle -N show && bindkey '^T' show
        PS1='prompt: '
        """
    )
    _, terminal = on_terminal("TERM=dumb", ZSH, "-d", "-i")
    read_until(terminal, b"prompt: ")
    os.write(terminal, "".join(f"{line}\t\x14" for line in TYPED).encode() + b"echo the ''end\r")
    read_until(terminal, b"the end")
    assert Path("shown").read_text().splitlines() == [f"<{line}>" for line in TYPED.values()]


# Print what each shell says of the last word of each line.
SCRIPTS = {
    FISH: """
        source $argv[1]
        complete -c mine -f -l colour; complete -c mine -f -a "alpha beta"
        for line in $argv[2..]
            string join -- " " "<" (complete -C $line | string split -f 1 \\t)
        end
        true
    """,
    BASH: """
        source "$0"
        mine() { COMPREPLY=($(compgen -W "alpha beta --colour" -- "$cur")); }
        for line; do
            # As with the package bash-completion.
            [[ $line != *mine* ]] || _command_offset() { mine; }
            read -ra COMP_WORDS <<< "$line"
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _rusage
            echo "<" "${COMPREPLY[@]}"
        done
    """,
}


@pytest.mark.parametrize(
    ("shell", "name"), [(FISH, "rusage.fish"), (BASH, "rusage")], ids=["fish", "bash"]
)
def test_completion(shell: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike the others, bash splits a line at each =, too."""
    has_mapfile = [BASH, "-c", "type -t mapfile"]
    if not shell or (shell == BASH and subprocess.run(has_mapfile, check=False).returncode):
        pytest.skip(reason="no fish, or no bash of version 4 or later: apt-get install bash fish")
    monkeypatch.chdir(tmp_path)
    Path("a_file").touch()
    before = ("cat", "--output =") if shell == BASH else ()
    typed = {f"rusage {words} a_f": f"rusage {words} a_file " for words in before} | TYPED
    no_configuration = "--no-config" if shell == FISH else "--norc"
    completions = str(DOCS / "completions" / name)
    command = [shell, no_configuration, "-c", SCRIPTS[shell], completions, *typed]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    shown = [{*line.split()[1:]} for line in done.stdout.splitlines()]
    for words, (line, completed) in zip(shown, typed.items(), strict=True):
        assert completed.split()[-1] in words if completed != line else not words, line
