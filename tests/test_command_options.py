"""The table of the command's options, and what ``tests/tools/command_options.py`` writes from it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import command_options
import pytest

from rusage._cli import help as table

NAMES = {option.name for group in table.OPTIONS.values() for option in group}
DOCS = Path(__file__).parent.parent / "docs"
BASH, ZSH = shutil.which("bash") or "", shutil.which("zsh") or ""


@pytest.mark.parametrize("path", command_options.FILES, ids=lambda path: path.name)
def test_files_are_up_to_date(path: Path) -> None:
    """``python tests/tools/command_options.py`` writes them."""
    assert path.read_text(encoding="utf-8") == command_options.FILES[path]()


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (table.help_text(), r"^  (?:-\w, |    )--([\w-]+)"),
        ((DOCS / "rusage.1").read_text(encoding="utf-8"), r"^\.It (?:.* , )?Fl -([\w-]+)"),
        ((DOCS / "completions" / "_rusage").read_text(encoding="utf-8"), r"(?:'|,)--([\w-]+)[\[=}]"),
        ((DOCS / "command.md").read_text(encoding="utf-8"), r"^\| (?:`-.*`, )?`--([\w-]+)"),
    ],
    ids=["help", "manual page", "zsh", "documentation"],
)
def test_all_options_everywhere(text: str, pattern: str) -> None:
    """And no others."""
    assert sorted(re.findall(pattern, text, re.MULTILINE)) == sorted(NAMES)


def test_parser_knows_all_options() -> None:
    """Each by its name and its letter."""
    assert set(table.SPELLINGS.values()) == NAMES


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


@pytest.mark.skipif(not ZSH, reason="no zsh: apt-get install zsh")
def test_completion_is_valid_in_zsh() -> None:
    """The shell parses the file without an error."""
    subprocess.run([ZSH, "-n", str(DOCS / "completions" / "_rusage")], check=True)
