"""Run the examples of a Markdown page: ``examples.py PAGE``, in an empty current directory.

Each ``python`` block runs alone, in a new interpreter; a short one is typed line by line, as at
Python's prompt. An ``output`` block directly below one is what it prints. In a ``console`` block,
sh runs the lines that begin with ``$ ``; the other lines are what they print. A block of ``python``
whose first line is the name of a file, as a comment, is written to that file, and one of ``pycon``
is typed without its prompts. Output is compared on Linux 6.2 and later only, where the pages were
written: other systems measure other fields. Figures may differ, and columns may have another width.
The command's reports have units that suit the figures.

doctest and pytest plugins for Markdown compare figures too, which differ from run to run, and run
no shell sessions.

Exits with status 77 and a reason if this system or interpreter lacks something that an example
needs.
"""

from __future__ import annotations

import code
import errno
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import NamedTuple

import rusage
from rusage._backends import BACKEND

SKIPPED = 77
TYPED = 10  # the lines of the longest block that is typed
# The pages show figures of a Linux whose error of the peak is known, which needs /sys.
COMPARED = (
    BACKEND.name == "Linux"
    and "ru_maxrss" in BACKEND.process
    and rusage.fields["ru_maxrss"].error is not None
)
# py: a notebook's cell
NOT_RUN = {"dockerfile", "ini", "powershell", "py", "sh", "text", "yaml"}
# Modules that some systems or installations do not have; prometheus_client needs _ssl.
OPTIONAL = {
    "_ssl",
    "celery",
    "matplotlib",
    "opentelemetry",
    "prometheus_client",
    "psutil",
    "resource",
}
# The modules that a session imports besides rusage.
NAMED = ["asyncio", "os", "prometheus_client", "resource", r"rusage\.(?:opentelemetry|prometheus)"]
FENCE = re.compile(r"( *)(`{3,}|~{3,})(.*)")
# Another figure of a comparison may be the smallest: *.
FIGURE = re.compile(r"\*?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")
# The command's reports show a time in the unit that suits it.
TIME = re.compile(r"\b(wall|user|system|CPU) (time\b|\()|\bafter \d")
# A report in a narrow terminal continues a line below the figures.
CONTINUED = re.compile(r"\n {18}(?=\S)")
UNIT = re.compile(r"\b(us|ms|s)\b")


class Block(NamedTuple):
    """A fenced block."""

    kind: str
    line: int  # of its text, counted from 1
    text: str
    follows: bool  # only blank lines separate it from the block above


class Missing(Exception):  # noqa: N818 (not an error of the page)
    """A requirement of an example that this system or interpreter lacks."""


def blocks(text: str) -> list[Block]:
    found: list[Block] = []
    follows = False
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        fence = FENCE.fullmatch(line)
        if fence is None:
            follows = follows and not line.strip()
            continue
        indent, mark, kind = fence.groups()
        if indent:
            raise SyntaxError(f"line {number}: an indented block is not run")
        inside: list[str] = []
        for _, inner in lines:
            if inner.rstrip() == mark:
                break
            inside.append(f"{inner}\n")
        else:
            raise SyntaxError(f"line {number}: the block does not end")
        found.append(Block(kind.strip(), number + 1, "".join(inside), follows))
        follows = True
    return found


def lines_of(text: str, *, folded: bool) -> list[str]:
    """Return an output's lines without figures. fold(1) breaks lines by the length of figures."""
    found: list[str] = []
    for each in CONTINUED.sub(" ", text.rstrip()).splitlines():
        line = FIGURE.sub("0", UNIT.sub("s", each) if TIME.search(each) else each)
        found.append(re.sub(" +", " ", line.strip()))
    return " ".join(found).split() if folded else found


def compare(printed: str, shown: str, line: int, commands: str = "") -> None:
    lines, expected = (lines_of(text, folded="fold " in commands) for text in (printed, shown))
    if lines != expected:
        raise AssertionError(
            f"line {line}: the page shows\n\n{shown}\nbut this was printed:\n\n{printed}"
        )


def missing(error: Exception) -> str | None:
    """Return what this system or interpreter lacks, if that is why an example raised an error."""
    found = False
    if isinstance(error, ModuleNotFoundError):
        found = str(error.name).partition(".")[0] in OPTIONAL
    elif isinstance(error, FileNotFoundError):
        found = sys.platform == "win32" or (error.filename == "sh" and shutil.which("sh") is None)
        if error.filename is None and not os.path.exists("/dev/shm"):  # noqa: S108 (only looked at)
            return "the semaphores of multiprocessing need a tmpfs on /dev/shm"
    elif isinstance(error, OSError):
        found = error.errno == errno.EADDRNOTAVAIL  # there is no loopback interface
    elif isinstance(error, AttributeError):
        # PyPy does not set obj and name.
        is_limit = "module 'resource' has no attribute 'RLIMIT_" in str(error)
        found = is_limit or (error.obj is rusage and error.name in BACKEND.absent)
    return f"this system or interpreter lacks it: {error}" if found else None


class Prompt(code.InteractiveConsole):
    """Python's prompt, which ends at the first exception."""

    def showtraceback(self, *_: object, **__: object) -> None:
        """Raise the exception that is being handled."""
        raise  # noqa: PLE0704

    showsyntaxerror = showtraceback


def run_here(text: str) -> None:
    """Run a python block in this interpreter; exit with a reason if something is missing."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    lines = text.splitlines()
    try:
        if len(lines) > TYPED:
            program = compile(text, "<example>", "exec", dont_inherit=True)
            exec(program, namespace)  # noqa: S102 (the purpose of this program)
        else:
            prompt = Prompt(namespace)
            sys.displayhook = lambda _: None
            for line in [*lines, ""]:
                prompt.push(line)
    except Exception as error:
        reason = missing(error)
        if reason is None:
            raise
        print(reason, file=sys.stderr)
        sys.exit(SKIPPED)


def run_python(block: Block) -> str:
    done = subprocess.run(
        [sys.executable, __file__], input=block.text, capture_output=True, text=True, check=False
    )
    if done.returncode == SKIPPED:
        raise Missing(done.stderr.splitlines()[-1])
    if done.returncode:
        raise AssertionError(f"line {block.line}: this example fails alone\n{done.stderr}")
    return done.stdout


def run_console(block: Block) -> None:
    lines = block.text.splitlines()
    commands = [line[2:] for line in lines if line.startswith("$ ")]
    if not commands:
        raise SyntaxError(f"line {block.line}: a console block without a command")
    shell = shutil.which("sh")
    if shell is None:
        raise Missing("there is no shell")
    for command in commands:
        word = command.split()[0]
        search = [shell, "-c", f"command -v {word}"]
        if subprocess.run(search, stdout=subprocess.DEVNULL, check=False).returncode:
            raise Missing(f"there is no program {word!r}")
    done = subprocess.run(
        [shell, "-c", "\n".join(commands)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    shown = "\n".join(line for line in lines if not line.startswith("$ "))
    if COMPARED:
        compare(done.stdout, shown, block.line, block.text)
    if done.returncode and not shown:
        raise AssertionError(
            f"line {block.line}: exit status {done.returncode}, and the page does not show why"
        )


def file_name(block: Block) -> str | None:
    """Return the name of a file of Python, which its first line has."""
    name = re.match(r"# ([\w.]+\.py)\n", block.text) if block.kind == "python" else None
    return name and name[1]


def typed(session: str) -> str:
    """Return what is typed in a session at Python's prompt, and the imports before it."""
    modules = re.findall(rf"(?<![\w.])({'|'.join(NAMED)})\.", session)
    found = "".join(f"import {module}\n" for module in ["rusage", *modules])
    for prompt, line in re.findall(r"(?m)^(>>>|\.\.\.) ?(.*)", session):
        # A block ends at an empty line.
        ends = prompt == ">>>" and found.splitlines()[-1].startswith(" ")
        found += f"\n{line}\n" if ends else f"{line}\n"
    return found


def run_block(page: str, block: Block) -> str | None:
    name = file_name(block)
    if name:
        compile("\n" * block.line + block.text, page, "exec")
        Path(name).write_text(block.text, encoding="utf-8")
    elif block.kind == "python":
        return run_python(block)
    elif block.kind == "pycon":
        run_python(block._replace(text=typed(block.text)))
    elif block.kind == "console":
        if BACKEND.name == "Linux":
            run_console(block)
    elif block.kind not in NOT_RUN and not block.kind.startswith("{"):
        raise SyntaxError(
            f"line {block.line}: it is unknown whether a block of {block.kind!r} is run"
        )
    return None


def run(page: str) -> None:
    printed = None
    for block in blocks(Path(page).read_text(encoding="utf-8")):
        if block.kind != "output":
            printed = run_block(page, block)
            continue
        if printed is None or not block.follows:
            raise SyntaxError(f"line {block.line}: output without an example")
        if COMPARED:
            compare(printed, block.text, block.line)
        printed = None


def main() -> int:
    """Run a page, or the block in standard input; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Keep the order of the lines of this process and its children.
        sys.stdout.reconfigure(line_buffering=True)
    if not sys.argv[1:]:
        run_here(sys.stdin.read())
        return 0
    scripts = sysconfig.get_path("scripts"), os.path.dirname(sys.executable)
    os.environ["PATH"] = os.pathsep.join([*scripts, os.environ.get("PATH", os.defpath)])
    # With these, pytest does not shorten its lines.
    for name in {"CI", "BUILD_NUMBER"} & os.environ.keys():
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        if BACKEND.name == "Linux" and shutil.which("python") is None:  # Debian's is python3
            os.symlink(sys.executable, os.path.join(folder, "python"))
            os.environ["PATH"] += os.pathsep + folder
        try:
            run(sys.argv[1])
        except Missing as lacking:
            print(lacking)
            return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
