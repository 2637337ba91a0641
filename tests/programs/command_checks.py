"""The command under unusual conditions: ``python command_checks.py (usual|subprocess) CHECK [ARGUMENT...]``.

``subprocess`` starts the program as on the systems that have no launcher.
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
import rusage._wait
from rusage import _cli

cli: Any = _cli
wait: Any = rusage._wait  # noqa: SLF001 (is replaced)

# Other modules are imported where they are used: one check is about what the command itself imports.
way, name = sys.argv.pop(1), sys.argv.pop(1)


def plain() -> None:
    """Do as the command does."""
    sys.exit(cli.main())


def lost_status() -> None:
    """Find that the program was waited for elsewhere."""

    def reap(_pid: int, _options: int) -> Any:
        raise ChildProcessError(errno.ECHILD, "")

    wait.reap = reap
    sys.exit(cli.main())


def early_signal() -> None:
    """Get a signal when the program is being started."""
    import signal

    from rusage._children import popen

    module: Any
    module, method = (cli.launcher, "spawn") if way == "usual" else (popen.Popen, "__init__")
    start = getattr(module, method)

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return start(*arguments, **keywords)

    setattr(module, method, interrupted)
    sys.exit(cli.main())


def late_signal() -> None:
    """Get a signal when the program has been waited for."""
    import signal

    reap, kill = wait.reap, os.kill

    def reap_and_signal(pid: int, options: int) -> Any:
        result = reap(pid, options)
        if result[0]:
            kill(os.getpid(), signal.SIGTERM)
        return result

    def show(*arguments: object) -> None:
        print("kill", *arguments)

    wait.reap = reap_and_signal
    os.kill = show
    sys.exit(cli.main())


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
    sys.exit(cli.main())


def launcher() -> None:
    """Use another launcher."""
    cli.launcher.PATH = sys.argv.pop(1)
    sys.exit(cli.main(["sh", "-c", "exit 7"]))


def no_peak() -> None:
    """Measure no peak."""
    known = cli.known_fields
    cli.known_fields = lambda usage, names: known(usage, names - {"ru_maxrss"})
    sys.exit(cli.main())


def between_runs() -> None:
    """Get SIGINT before the second run of a series."""
    import signal

    from rusage._cli import _series

    series: Any = _series

    def show_progress(text: str) -> None:
        if text.startswith("run 2"):
            os.kill(os.getpid(), signal.SIGINT)

    series._show_progress = show_progress  # noqa: SLF001 (is replaced)
    sys.exit(cli.main())


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
        cli.launcher.PATH = "/no/such/launcher"
    with contextlib.redirect_stderr(io.StringIO()) as report:
        cli.main(["--json", "true"])
    assert now >= 100
    print(json.loads(report.getvalue())["elapsed"])


def preparation_takes_time() -> None:
    """Print the elapsed time by a clock that only the preparation of a start moves forward."""
    now = 0
    resolve = cli.launcher.resolve

    def slowly(*arguments: Any, **keywords: Any) -> Any:
        nonlocal now
        now += 100
        return resolve(*arguments, **keywords)

    cli.launcher.resolve = slowly
    time.perf_counter = lambda: now
    with contextlib.redirect_stderr(io.StringIO()) as report:
        cli.main(["--json", "true"])
    assert now == 100
    print(json.loads(report.getvalue())["elapsed"])


if way == "subprocess":
    cli._by_launcher = lambda *_: None  # noqa: SLF001 (is replaced)
checks = [
    plain,
    lost_status,
    early_signal,
    late_signal,
    late_hangup,
    launcher,
    no_peak,
    between_runs,
    imports_take_time,
    preparation_takes_time,
]
{check.__name__: check for check in checks}[name]()
