"""What the programs in this folder share: their new folder, commands, and parts of files."""

import platform
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# What compiles the package's C for 32-bit x86, as rusage_build.py does: the x87 rounds twice.
IS_X86 = re.fullmatch(r"(?i)i.86|x86_64|amd64", platform.machine()) is not None
FLOAT_FLAGS = ["-msse2", "-mfpmath=sse"] if IS_X86 and struct.calcsize("P") == 4 else []


def new_folder(usage: str | None) -> Path:
    """Return the folder of the first argument, which must not exist; end without an argument."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(usage)
    folder = Path(sys.argv[1]).resolve()
    if folder.exists():
        sys.exit(f"{folder} exists already")
    return folder


def replaced(path: Path, *parts: tuple[str, str, str]) -> str:
    """Return a file's text with what each part says between two texts, which stay."""
    text = path.read_text(encoding="utf-8")
    for begin, written, end in parts:
        before, found, rest = text.partition(begin)
        _, also_found, after = rest.partition(end)
        if not found or not also_found:
            raise ValueError(f"{path} has no {begin} ... {end}")
        text = before + begin + written + end + after
    return text


def marked(name: str, written: str) -> tuple[str, str, str]:
    """Return a part of a page of Markdown, between the two comments with this name."""
    return f"<!-- {name} -->\n\n", written, f"\n\n<!-- /{name} -->"


def run(*command: str | Path, env: Mapping[str, str] | None = None) -> None:
    """Run a command whose output matters only if it fails."""
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdin=null, stdout=pipe, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        sys.exit(
            f"{done.stdout.decode(errors='replace')}exit status {done.returncode} of "
            f"{' '.join(map(str, command))}"
        )


def run_all(commands: Iterable[tuple[str, list[str]]]) -> int:
    """Run commands and print how each ended; return the first exit status that is not 0.

    It is negative if a signal has killed the program.
    """
    first = 0
    for name, command in commands:
        start = time.monotonic()
        status = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
        print(f"{name}: exit status {status} after {time.monotonic() - start:.0f} s", flush=True)
        first = first or status
    return first
