"""The table of the command's options, and what ``tests/tools/command_options.py`` writes from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import command_options
import pytest
from terminals import Start, read_until

from rusage._cli import options as table

pytestmark = pytest.mark.system

NAMES = {option.name for group in table.OPTIONS.values() for option in group}
DOCS = Path(__file__).parent.parent / "docs"
BASH, FISH, ZSH = (shutil.which(name) or "" for name in ("bash", "fish", "zsh"))


@pytest.mark.parametrize("path", command_options.FILES, ids=lambda path: path.name)
def test_files_are_up_to_date(path: Path) -> None:
    """``python tests/tools/command_options.py`` writes them."""
    assert path.read_text(encoding="utf-8") == command_options.FILES[path]()


def complete(*words: str) -> set[str]:
    """Return what bash completes for the last of the words."""
    script = """
        source "$0"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _rusage
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = DOCS / "completions" / "rusage"
    command = [BASH, "--norc", "-c", script, str(path), "rusage", *words]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def has_mapfile() -> bool:
    """Return whether there is a bash of version 4 or later."""
    return bool(BASH) and not subprocess.run([BASH, "-c", "type mapfile"], capture_output=True, check=False).returncode


@pytest.mark.skipif(sys.platform == "win32" or not has_mapfile(), reason="no bash of version 4 or later: install bash")
def test_completion_in_bash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options before the command, files for their values, and commands."""
    monkeypatch.chdir(tmp_path)
    Path("a_file").touch()
    assert complete("--") == {f"--{name}" for name in NAMES}
    assert complete("-n", "5", "--limit-m") == {"--limit-maxrss"}
    assert complete("-o", "a_f") == {"a_file"}
    assert complete("--output", "=", "a_f") == {"a_file"}
    assert complete("-n", "a_f") == set()
    assert "cat" in complete("--json", "ca")
    assert "cat" in complete("--output", "=", "a_file", "ca")
    assert complete("cat", "a_f") == {"a_file"}
    assert complete("cat", "--") == set()
    assert complete("--", "--js") == set()


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
def test_completion_in_zsh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_terminal: Start) -> None:
    """The keys are typed in an interactive shell, in which Control-T shows the line and removes it."""
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
    _, terminal = on_terminal("env", "TERM=dumb", ZSH, "-d", "-i")
    read_until(terminal, b"prompt: ")
    os.write(terminal, "".join(f"{line}\t\x14" for line in TYPED).encode() + b"echo the ''end\r")
    read_until(terminal, b"the end")
    assert Path("shown").read_text().splitlines() == [f"<{line}>" for line in TYPED.values()]


@pytest.mark.skipif(not FISH, reason="no fish: apt-get install fish")
def test_completion_in_fish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell says how the last word can be completed."""
    monkeypatch.chdir(tmp_path)
    Path("a_file").touch()
    script = f"""
        source {DOCS / "completions" / "rusage.fish"}
        complete -c mine -f -l colour; complete -c mine -f -a "alpha beta"
        for line in $argv; string join -- " " "<" (complete -C $line | string split -f 1 \\t); end; true
    """
    done = subprocess.run([FISH, "--no-config", "-c", script, *TYPED], capture_output=True, text=True, check=True)
    shown = [{*line.split()[1:]} for line in done.stdout.splitlines()]
    for words, (line, completed) in zip(shown, TYPED.items(), strict=True):
        assert completed.split()[-1] in words if completed != line else not words, line
