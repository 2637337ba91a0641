"""Import ``run``, ``Popen`` and ``Process``, then use them in every way, and print what is imported meanwhile.

``python later_imports.py``, or ``python later_imports.py chroot FOLDER`` as root: look the names up after chroot(2).
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from typing import Any

from checks import raises

import rusage
from rusage._backends import BACKEND


def use_everything(run: Any, popen: Any, process: Any, run_async: Any) -> None:
    """Start children in each way, wait for them in each way, and read a process if that is possible."""
    python = sys.executable
    keywords: dict[str, Any]
    for keywords in (
        {},
        {"close_fds": False},
        {"capture_output": True, "text": True, "input": "x", "timeout": 60},
        {"shell": True},
        {"preexec_fn": os.getpid} if os.name == "posix" else {},
    ):
        run([python, "-c", ""] if "shell" not in keywords else "exit 0", **keywords, check=True)
    with contextlib.suppress(FileNotFoundError):
        run(["/no/such/program"])
    with contextlib.suppress(subprocess.CalledProcessError):
        run([python, "-c", "raise SystemExit(5)"], check=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run([python, "-c", "import time; time.sleep(60)"], timeout=0.1)
    with popen([python, "-c", ""]) as child:
        while child.poll() is None:
            pass
    asyncio.run(run_async([python, "-c", ""]))
    if process is not None:
        with process(os.getpid()) as this:
            this.getrusage()
            this.cputime()


class Recorder:
    """Record the names of modules that are looked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, *_: object) -> None:
        """Find nothing."""
        self.names.append(name)


# Those that this system has, of the names whose modules are imported at their first use.
NAMES = [name for name in ("run", "Popen", "Process", "peak", "rss") if name not in BACKEND.absent]


def after_chroot(folder: str) -> None:
    """Look up the names where the files of the package are out of reach."""
    with rusage.measure() as measured:
        pass
    os.chroot(folder)
    os.chdir("/")
    print(measured)
    for name in NAMES:
        with raises(ImportError) as caught:
            getattr(rusage, name)
        print(caught[0])


def main() -> None:
    """Print the modules."""
    if sys.argv[1:2] == ["chroot"]:
        after_chroot(sys.argv[2])
        return
    from rusage import Popen, run
    from rusage.asyncio import run as run_async

    process = getattr(rusage, "Process", None)
    # What Python itself imports at first use, whatever starts the child.
    asyncio.run(asyncio.sleep(0))
    subprocess.run([sys.executable, "-c", ""], capture_output=True, text=True, input="x", timeout=60, check=True)
    recorder = Recorder()
    sys.meta_path.insert(0, recorder)
    use_everything(run, Popen, process, run_async)
    print(recorder.names)


main()
