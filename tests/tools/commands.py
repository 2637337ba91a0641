"""What the programs in this folder share: their new folder, and commands that run quietly or are watched."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent


class Run(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    lines: list[str]


def new_folder(usage: str | None) -> Path:
    """Return the folder that the first argument of the program names, which must not exist; end without an argument."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(usage)
    folder = Path(sys.argv[1]).resolve()
    if folder.exists():
        sys.exit(f"{folder} exists already")
    return folder


def show_line(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def watch(
    command: Sequence[str | Path],
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    show: Callable[[str], None] = show_line,
) -> Run:
    """Run a command and show its lines of output; kill it after some seconds, or if this program is interrupted."""
    lines = []

    def stop() -> None:
        print(f"killed after {timeout} seconds", flush=True)
        process.kill()

    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        timer = threading.Timer(timeout or 0, stop)
        timer.daemon = True
        if timeout is not None:
            timer.start()
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.decode(errors="replace").rstrip("\r\n"))
                show(lines[-1])
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            timer.cancel()
    return Run(status, lines)


def run(*command: str | Path, timeout: float | None = None, env: Mapping[str, str] | None = None) -> None:
    """Run a command whose output matters only if it fails; twice a minute, show its newest line as a sign of life."""
    shown = time.monotonic()

    def show(line: str) -> None:
        nonlocal shown
        if time.monotonic() - shown > 30:
            shown = time.monotonic()
            print(f"  {line}", flush=True)

    done = watch(command, timeout, env, show)
    if done.status:
        sys.exit("\n".join([*done.lines, f"exit status {done.status} of {' '.join(map(str, command))}"]))
