"""The command under unusual conditions: ``python command_checks.py (usual|subprocess) CHECK [ARGUMENT...]``.

``subprocess`` starts the program as on the systems that have no launcher. Functions are replaced where a check needs a
moment that nothing else reaches, such as a signal between two system calls, or a system that is not this one.
"""

import contextlib
import errno
import io
import json
import os
import sys
import time
from typing import Any

import rusage
import rusage._wait4
from rusage._cli import _running, main

running: Any = _running
wait4: Any = rusage._wait4  # noqa: SLF001 (is replaced)

# Other modules are imported where they are used: one check is about what the command itself imports.
way, name = sys.argv.pop(1), sys.argv.pop(1)


def use_launcher(path: str) -> None:
    """Use the launcher at another path: no option names it."""
    running.launcher.availability.PATH = path


def plain() -> None:
    """Do as the command does."""
    sys.exit(main())


def lost_status() -> None:
    """Find that the program was waited for elsewhere."""

    def reap(_pid: int, _options: int) -> Any:
        raise ChildProcessError(errno.ECHILD, "")

    wait4.reap_child = reap
    sys.exit(main())


def early_signal() -> None:
    """Get a signal when the program is being started."""
    import signal

    from rusage._children import popen

    module: Any
    module, method = (running.launcher, "spawn") if way == "usual" else (popen.Popen, "__init__")
    start = getattr(module, method)

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return start(*arguments, **keywords)

    setattr(module, method, interrupted)
    sys.exit(main())


def late_signal() -> None:
    """Get a signal when the program has been waited for."""
    import signal

    reap, kill = wait4.reap_child, os.kill

    def reap_and_signal(pid: int, options: int) -> Any:
        result = reap(pid, options)
        if result[0]:
            kill(os.getpid(), signal.SIGTERM)
        return result

    def show(*arguments: object) -> None:
        print("kill", *arguments)

    wait4.reap_child = reap_and_signal
    os.kill = show
    sys.exit(main())


def late_hangup() -> None:
    """Get SIGHUP only after the program has: two that are pending at once are one."""
    import _signal  # type: ignore[import-not-found]  # typeshed has signal only

    take = _signal.sigwaitinfo

    def take_late(numbers: Any) -> Any:
        info = take(numbers)
        while info.si_signo == _signal.SIGHUP and not os.path.exists("hups"):
            time.sleep(0.05)
        return info

    _signal.sigwaitinfo = take_late
    sys.exit(main())


def launcher() -> None:
    """Use another launcher."""
    use_launcher(sys.argv.pop(1))
    sys.exit(main())


def no_peak() -> None:
    """Measure no peak, and know nothing of it."""
    if sys.platform != "win32":
        from rusage._children import posix

        module: Any = posix
        module.peak_bound = lambda *_: None
    known = running.known_fields
    running.known_fields = lambda usage, names: known(usage, names - {"ru_maxrss"})
    sys.exit(main())


def sampled() -> None:
    """Follow the rule of a system that samples the peak; nothing is known of what a child inherited."""
    from rusage._backends import BACKEND
    from rusage._backends._base import PEAK_SAMPLED
    from rusage._children import posix

    BACKEND.child_peak = PEAK_SAMPLED
    module: Any = posix
    module.read_inherited = lambda _: None
    if sys.platform == "linux":
        use_launcher("/no/such/launcher")
    sys.exit(main())


def between_runs() -> None:
    """Get SIGINT before the second run of a series."""
    import signal

    from rusage._cli import _rounds

    rounds: Any = _rounds

    def show_progress(text: str) -> None:
        if text.startswith("run 2"):
            os.kill(os.getpid(), signal.SIGINT)

    rounds._show_progress = show_progress  # noqa: SLF001 (is replaced)
    sys.exit(main())


def imports_take_time() -> None:
    """Print the elapsed time by a clock that only imports move forward."""
    now = 0

    class Slow:
        def find_spec(self, *_: object) -> None:
            nonlocal now
            now += 100

    sys.meta_path.insert(0, Slow())
    time.perf_counter = lambda: now
    if sys.platform == "linux":
        use_launcher("/no/such/launcher")
    with contextlib.redirect_stderr(io.StringIO()) as report:
        main(["--json", "true"])
    assert now >= 100
    print(json.loads(report.getvalue())["elapsed"])


def preparation_takes_time() -> None:
    """Print the elapsed time by a clock that only the preparation of a start moves forward."""
    now = 0
    resolve = running.launcher.protocol.resolve

    def slowly(*arguments: Any, **keywords: Any) -> Any:
        nonlocal now
        now += 100
        return resolve(*arguments, **keywords)

    running.launcher.protocol.resolve = slowly
    time.perf_counter = lambda: now
    with contextlib.redirect_stderr(io.StringIO()) as report:
        main(["--json", "true"])
    assert now == 100
    print(json.loads(report.getvalue())["elapsed"])


if way == "subprocess":
    running._by_launcher = lambda *_: None  # noqa: SLF001 (is replaced)
checks = [
    plain,
    lost_status,
    early_signal,
    late_signal,
    late_hangup,
    launcher,
    no_peak,
    sampled,
    between_runs,
    imports_take_time,
    preparation_takes_time,
]
{check.__name__: check for check in checks}[name]()
