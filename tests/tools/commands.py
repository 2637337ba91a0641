"""What the programs in this folder share: their new folder, and commands that run quietly or are watched."""

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
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


def watch(
    command: Sequence[str | Path],
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
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
                print(lines[-1], flush=True)
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            timer.cancel()
    return Run(status, lines)


def run(*command: str | Path, env: Mapping[str, str] | None = None) -> None:
    """Run a command whose output matters only if it fails."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        sys.exit(
            f"{done.stdout.decode(errors='replace')}exit status {done.returncode} of {' '.join(map(str, command))}"
        )
