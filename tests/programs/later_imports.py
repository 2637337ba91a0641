"""Import ``run``, ``Popen`` and ``Process``, then use them in every way, and print what is imported meanwhile.

``python later_imports.py``, or, as root, ``python later_imports.py (chroot|namespace) FOLDER``: look the names up after
a change of the root directory or the mount namespace. FOLDER is what is then in the place of the package.
"""

import asyncio
import contextlib
import ctypes
import os
import subprocess
import sys
from typing import Any

from checks import raises

import rusage
from rusage._backends import BACKEND


def use_everything(run: Any, popen: Any, process: Any, record: Any, run_async: Any) -> None:
    """Start children in each way, wait for them in each way, and read a process if that is possible."""
    python = sys.executable
    keywords: dict[str, Any]
    for keywords in (
        {},
        {"close_fds": False},
        {"capture_output": True, "text": True, "input": "x", "timeout": 60},
        {"shell": True} if os.name == "nt" or os.path.exists("/bin/sh") else {},
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
        with record(interval=0.001) as recording:
            while len(recording.samples) < 3:
                pass


class Recorder:
    """Record the names of modules that are looked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, *_: object) -> None:
        """Find nothing."""
        self.names.append(name)


# Those that this system has, of the names whose modules are imported at their first use.
LAZY = ["run", "Popen", "CompletedProcess", "asyncio", "Process", "peak", "rss", "Tree", "record", "pss"]
NAMES = [name for name in LAZY if name not in BACKEND.absent]


def change_root(way: str, folder: str) -> None:
    """Put a folder in the place of the package, in another root directory or mount namespace."""
    package = os.path.dirname(rusage.__file__)
    if way == "chroot":
        assert folder.endswith(package)
        os.chroot(folder.removesuffix(package))
        os.chdir("/")
        return
    libc = ctypes.CDLL(None)
    new_namespace, private, bind = 0x20000, 1 << 14 | 1 << 18, 1 << 12
    if (
        libc.unshare(new_namespace)
        or libc.mount(b"none", b"/", None, private, None)
        or libc.mount(folder.encode(), package.encode(), None, bind, None)
    ):
        raise SystemExit("skip")


def after_change(way: str, folder: str) -> None:
    """Look up the names where there is another package."""
    with rusage.measure() as measured:
        pass
    change_root(way, folder)
    print(measured)
    for name in NAMES:
        with raises(ImportError) as caught:
            getattr(rusage, name)
        print(caught[0])
    with raises(ImportError) as caught:
        rusage.measure(reset_peak=True)
    print(caught[0])
    for module in "inspect", "typing":
        known = sys.modules.pop(module)
        with raises(ImportError) as caught:
            rusage.measure()(print)
        sys.modules[module] = known
        print(caught[0])
    assert not hasattr(rusage, "nonsense")


def main() -> None:
    """Print the modules."""
    if sys.argv[1:]:
        after_change(*sys.argv[1:])
        return
    from rusage import Popen, run
    from rusage.asyncio import run as run_async

    process, record = getattr(rusage, "Process", None), getattr(rusage, "record", None)
    # What Python itself imports at first use, whatever starts the child.
    asyncio.run(asyncio.sleep(0))
    subprocess.run([sys.executable, "-c", ""], capture_output=True, text=True, input="x", timeout=60, check=True)
    recorder = Recorder()
    sys.meta_path.insert(0, recorder)
    use_everything(run, Popen, process, record, run_async)
    print(recorder.names)


main()
