"""Children that were started through the launcher: ``python start_children.py CHECK [ARGUMENT...]``."""

import contextlib
import ctypes
import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import checks
from checks import check, nothing_is_left, raises

import rusage
import rusage._children.launcher as launch
import rusage._children.launcher_availability as availability
from rusage._rusage import lib


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
    assert done.rusage.ru_maxrss == 0
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


def direct_child() -> None:
    """Compare the child's process ID and parent with its own, and the list of children with it."""
    command = ["sh", "-c", "echo $$ $PPID; read x; exit 5"]
    process = rusage.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = process.stdout.readline().split()
    assert [int(number) for number in line] == [process.pid, os.getpid()]
    tasks = Path("/proc/self/task")
    children = "".join((task / "children").read_text() for task in tasks.iterdir())
    assert children.split() == [str(process.pid)]
    assert os.readlink(f"/proc/{process.pid}/exe") != availability.PATH
    process.communicate(b"x")
    assert process.returncode == 5
    nothing_is_left()


def forgotten() -> None:
    """Start children that are waited for, that fail to start, or whose objects are dropped."""
    check()
    for function in None, os.getpid:
        process: object = rusage.Popen(["sleep", "0.2"], preexec_fn=function)
        assert launch.children
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del process
            gc.collect()
    end = time.monotonic() + 60
    while launch.children and time.monotonic() < end:
        rusage.run(["true"])  # subprocess then waits for children without an object
    assert not launch.children
    nothing_is_left()


def subreaper() -> None:
    """Become the parent of all orphans (PR_SET_CHILD_SUBREAPER)."""
    assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
    for _ in range(20):
        check()
    nothing_is_left()


def other_proc() -> None:
    """Read no start time from the /proc of another PID namespace, in which 2 is the kernel threads' parent."""
    assert os.getpid() == 2
    assert {lib.rusage_start_time(pid) for pid in range(1, 300)} == {-1}
    with subprocess.Popen(["sleep", "20"]) as other:  # noqa: S607 (found in PATH)
        for _ in range(20):
            check()
        other.kill()
    nothing_is_left()


def preload(library: str, user: str = "") -> None:
    """Start a child with LD_PRELOAD, possibly as another user and group."""
    keywords: dict[str, Any] = {"user": int(user), "group": int(user), "extra_groups": []} if user else {}
    assert rusage.run(["true"], env={"LD_PRELOAD": library}, **keywords).measured


def dynamic_launcher() -> None:
    """Use a launcher that has a dynamic loader."""
    availability.is_static = False
    assert availability.usable(other_ids=False)
    assert not availability.usable(other_ids=True)


def opened_files() -> None:
    """Open no file at the first start with other IDs; os.devnull shows that the hook sees them."""
    rusage.run(["true"])
    opened: list[Any] = []
    sys.addaudithook(lambda event, values: opened.append(values[0]) if event == "open" else None)
    rusage.run(["true"], group=os.getgid())
    assert opened == []
    with open(os.devnull, "rb"):
        assert opened == [os.devnull]


def replaced_environment(when: str) -> None:
    """Search the PATH of a mapping that replaces os.environ, as subprocess does."""
    if when == "after the first start":
        check()
    original = os.environb[b"PATH"]
    os.environ = {"PATH": "/no/such/folder"}  # type: ignore[assignment]  # noqa: B003 (what is tested)
    for module in subprocess, rusage:
        with raises(FileNotFoundError):
            module.run(["true"])
    os.environ = {"PATH": os.fsdecode(original)}  # type: ignore[assignment]  # noqa: B003 (as above)
    check()
    os.environ["REPLACED"] = "1"
    for close_fds in True, False:  # subprocess may use posix_spawn(3) where close_fds is false
        printed = [
            module.run(["/usr/bin/env"], close_fds=close_fds, stdout=subprocess.PIPE).stdout
            for module in (subprocess, rusage)
        ]
        assert printed[0] == printed[1]


def no_arguments() -> None:
    """Start a program without arguments, or with an empty name as the first, which fails or not as in subprocess."""
    for arguments in [], [""], [b"", "x"]:
        for executable in "", "/bin/true", "/no/such/program":
            outcomes = [status_or_error(module, arguments, executable) for module in (subprocess, rusage)]
            assert outcomes[0] == outcomes[1], outcomes


def status_or_error(module: Any, arguments: list[Any], executable: str) -> object:
    """Return how a program ends."""
    try:
        return module.Popen(arguments, executable=executable).wait()
    except (OSError, ValueError) as error:
        return type(error), str(error)


def audit() -> None:
    """Refuse a program by its name in an audit hook."""
    seen: list[tuple[Any, ...]] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            seen.append(arguments[:2])
            if arguments[0] == "false":
                raise RuntimeError("not allowed")

    sys.addaudithook(hook)
    rusage.run(["true", "x"])
    assert seen[0] == ("true", ["true", "x"]), seen
    seen.clear()
    with raises(RuntimeError):
        rusage.run(["false"])
    assert len(seen) == 1
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "true")  # found first, cannot be executed: the launcher is started again
        program.write_text("#!/no/such/interpreter\n")
        program.chmod(0o755)
        seen.clear()
        rusage.run(["true"], env={"PATH": f"{folder}:{os.environ['PATH']}"}, check=True)
    assert [event[0] for event in seen].count("true") == 1
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
    direct_child,
    forgotten,
    subreaper,
    other_proc,
    preload,
    dynamic_launcher,
    opened_files,
    replaced_environment,
    no_arguments,
    audit,
    collected,
)
