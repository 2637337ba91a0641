"""Children that were started through the launcher: ``python start_children.py CHECK [ARGUMENT...]``."""

import contextlib
import gc
import os
import signal
import sys
import threading
import time
import warnings
from typing import Any

import checks
from checks import check, nothing_is_left, raises

import rusage
import rusage._launcher.start as launch


def plain(launcher: str = "") -> None:
    """Start children, through a given launcher if there is one."""
    if launcher:
        checks.use_launcher(launcher)
    check()
    nothing_is_left()


def first_of_namespace() -> None:
    """Start the first process of a PID namespace, which is not isolated."""
    done = rusage.run(["sh", "-c", "exit 5"])
    assert done.returncode == 5
    assert done.measured
    assert "ru_maxrss" not in done.measured
    nothing_is_left()


def in_thread() -> None:
    """Start a child in a thread that ends before the child does."""
    started: list[rusage.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: started.append(rusage.Popen(["sh", "-c", "sleep 0.3; exit 5"])))
    thread.start()
    thread.join()
    assert started[0].wait() == 5
    assert "ru_maxrss" in started[0].measured
    nothing_is_left()


def forgotten() -> None:
    """Start children that are waited for, that fail to start, or whose objects are dropped."""
    check()
    for function in None, os.getpid:
        process: object = rusage.Popen(["sleep", "0.2"], preexec_fn=function)
        assert launch.living
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del process
            gc.collect()
    end = time.monotonic() + 60
    while launch.living and time.monotonic() < end:
        rusage.run(["true"])  # subprocess then waits for children without an object
    assert not launch.living
    nothing_is_left()


def audit() -> None:
    """Refuse a program by its name in an audit hook, and then the launcher."""
    seen: list[Any] = []
    refused: list[Any] = ["false"]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            seen.append(arguments[0])
            if arguments[0] in refused:
                raise RuntimeError("not allowed")

    sys.addaudithook(hook)
    rusage.run(["true", "x"])
    assert seen == ["true", launch.PATH], seen
    seen.clear()
    with raises(RuntimeError):
        rusage.run(["false"])
    assert seen == ["false"]
    refused.append(launch.PATH)
    signal.signal(signal.SIGUSR1, lambda *_: None)  # whose exception it could be
    with raises(RuntimeError):
        rusage.run(["true"])
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    check(isolated=False)
    seen.clear()
    check(isolated=False)
    assert launch.PATH not in seen
    nothing_is_left()


def collected() -> None:
    """Fail to start in four ways, without a garbage collector."""
    gone = []

    class Popen(rusage.Popen[bytes]):
        def __del__(self, *rest: Any, **keywords: Any) -> None:
            gone.append(1)
            super().__del__(*rest, **keywords)

    def handler(*_: object) -> None:
        raise ZeroDivisionError

    def start(program: str) -> None:
        with contextlib.suppress(OSError, ZeroDivisionError):
            Popen([program]).wait()

    gc.collect()
    gc.disable()
    start("/no/such/program")
    signal.signal(signal.SIGCHLD, handler)
    start("true")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    checks.use_launcher("/no/such/launcher")
    start("true")
    start("/no/such/program")
    assert len(gone) == 4, gone


checks.main(
    plain,
    first_of_namespace,
    in_thread,
    forgotten,
    audit,
    collected,
)
