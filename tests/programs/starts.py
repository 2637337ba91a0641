"""Starts through the launcher, each in a process of its own: ``python starts.py CHECK [ARGUMENT...]``."""

import contextlib
import ctypes
import errno
import gc
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import checks
from checks import check, nothing_is_left, raises, use_launcher

import rusage
import rusage._launcher.start as launch

# --- File descriptors -------------------------------------------------------------------------------------------------

OWN_LISTED = ["ls", "/proc/self/fd"]


def many_open() -> None:
    """Have 3000 open descriptors, then all that there may be; no start may leak one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(3100, hard), hard))
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(3000)]
    for fd in fds:
        os.set_inheritable(fd, True)  # noqa: FBT003 (takes no keyword)
    check()
    check(close_fds=False)
    assert rusage.run(OWN_LISTED, capture_output=True).stdout.split() == [b"0", b"1", b"2", b"3"]
    try:
        while True:
            fds.append(os.dup(0))
    except OSError:
        pass
    for free in range(8):
        before = len(os.listdir("/proc/self/fd")) if free else None
        failed = None
        try:
            rusage.run(["true"])
        except OSError as error:
            failed = error.errno
        assert failed in (None, errno.EMFILE)
        assert before is None or len(os.listdir("/proc/self/fd")) == before
        os.close(fds.pop())
    for fd in fds[-20:]:
        os.close(fd)
    check()  # the lack is not remembered


def fork_meanwhile() -> None:
    """Fork while subprocess reads from its pipe, as another thread might."""
    forked: list[int] = []
    real = os.read

    def read(fd: int, size: int) -> bytes:
        if not forked:
            forked.append(os.fork())
            if not forked[0]:
                time.sleep(20)
        return real(fd, size)

    os.read = read
    try:
        done = rusage.run(["true"])
        assert "ru_maxrss" in done.measured
        assert os.waitpid(forked[0], os.WNOHANG) == (0, 0)
    finally:
        os.kill(forked[0], signal.SIGKILL)
        os.waitpid(forked[0], 0)


def no_close_range() -> None:
    """Have subprocess close the descriptors, as on a kernel without close_range(2), which is not here."""
    assert launch.use_close_range
    launch.use_close_range = False
    os.set_inheritable(os.dup(0), True)  # noqa: FBT003 (takes no keyword)
    check()
    assert rusage.run(OWN_LISTED, capture_output=True).stdout.split() == [b"0", b"1", b"2", b"3"]


def no_seal() -> None:
    """Refuse MFD_NOEXEC_SEAL, as Linux before 6.3 does."""
    memfd_create, noexec_seal = 319, 8
    checks.refuse(memfd_create, errno.EINVAL, second_argument=noexec_seal)
    with raises(OSError):
        os.memfd_create("refused", noexec_seal)
    check()


# --- Signals ----------------------------------------------------------------------------------------------------------


class Stop(Exception):  # noqa: N818 (not an error)
    """The exception of a signal handler."""


def stop(*_: object) -> None:
    """Raise, as a signal handler."""
    raise Stop


def ignored() -> None:
    """Ignore SIGCHLD: the kernel then keeps no status."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    done = rusage.run(["sh", "-c", "exit 5"])
    assert done.returncode == 0
    assert done.measured == frozenset()
    assert not any(done.rusage)
    process = rusage.Popen(["sh", "-c", "exit 5"])
    while process.poll() is None:
        pass
    assert process.measured == frozenset()
    assert process.rusage is not None
    assert not any(process.rusage)
    with raises(FileNotFoundError):
        rusage.run(["/no/such/program"])


def reaped_elsewhere() -> None:
    """Wait for every child in a SIGCHLD handler, launchers included."""

    def reap(*_: object) -> None:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    signal.signal(signal.SIGCHLD, reap)
    for _ in range(50):
        done = rusage.run(["sh", "-c", "exit 5"])
        assert done.returncode in (0, 5)
        assert done.measured or not any(done.rusage)


def interrupted() -> None:
    """Interrupt a start that cannot end, because a process that was forked meanwhile has the pipe's write end.

    The constructor opens the pipe. Nothing else comes between that and the launcher's start, when the fork must be.
    """
    signal.signal(signal.SIGALRM, stop)
    forked: list[int] = []
    real = launch.Launch.__init__

    def prepare(self: launch.Launch, *arguments: Any) -> None:
        real(self, *arguments)
        forked.append(os.fork())
        if not forked[0]:
            time.sleep(30)
            os._exit(0)
        signal.setitimer(signal.ITIMER_REAL, 0.5, 0.2)

    launch.Launch.__init__ = prepare  # type: ignore[assignment, method-assign]
    with raises(Stop):
        rusage.Popen(["sleep", "60"])
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert os.waitpid(-1, os.WNOHANG) == (0, 0)  # the forked process only: it still runs
    os.kill(forked[0], signal.SIGKILL)
    os.waitpid(forked[0], 0)


def handler_raises() -> None:
    """Raise in the handler that the launcher's exit calls."""
    signal.signal(signal.SIGCHLD, stop)
    for _ in range(20):
        with raises(Stop):
            rusage.Popen(["sleep", "60"])
        nothing_is_left()


interruption: type[Exception] = Stop
starting = False


def stop_start(*_: object) -> None:
    """Raise, as a signal handler, during a start."""
    if starting:
        raise Stop


def interrupt(delay: float, log: str) -> bool:
    """Start a program and wait for it; return whether that was interrupted, after this delay in seconds."""
    global starting  # noqa: PLW0603 (the signal handler's)
    process = None
    try:
        starting = True
        signal.setitimer(signal.ITIMER_REAL, delay)
        process = rusage.Popen(["/bin/sh", "-c", 'echo >>"$0"', log], stdout=subprocess.PIPE)
        starting = False
    except interruption:
        pass
    starting = False
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
    except interruption:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if process is None:
        return True
    process.communicate()
    return False


def reap() -> int:
    """Wait for all children; return their number."""
    number = 0
    try:
        while os.waitpid(-1, 0)[0]:
            number += 1
    except ChildProcessError:
        return number
    raise AssertionError


def descriptors() -> list[str]:
    """Return what the open descriptors are."""
    paths = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return [os.readlink(path) for path in paths if os.path.lexists(path)]  # without the list itself


def random_instants(count: str, handler: str, log: str) -> None:
    """Interrupt starts of a program that appends a line to the file LOG, by a handler in ``python`` or in ``c``.

    The exception of the latter has no frame. Print as JSON what the starts leave, and how often one ran its program.
    """
    global interruption
    delays = random.Random(0)
    raising: Any = stop_start
    if handler == "c":
        raising, interruption = time.time, TypeError  # it takes no arguments
    Path(log).touch()
    began = time.perf_counter()
    for _ in range(10):
        interrupt(0, log)
    usual = (time.perf_counter() - began) / 10
    signal.signal(signal.SIGALRM, raising)
    before = len(descriptors())
    numbers = dict.fromkeys(("interrupted", "children", "most runs"), 0)
    for _ in range(int(count)):
        size = os.stat(log).st_size
        numbers["interrupted"] += interrupt(max(1e-6, delays.random() * usual), log)
        numbers["children"] += reap()
        numbers["most runs"] = max(numbers["most runs"], os.stat(log).st_size - size)
    for _ in range(3):  # PyPy frees what an object with a finalizer refers to in the collection after its own
        gc.collect()
    left = descriptors()
    numbers |= {"descriptors": len(left) - before, "memfds": sum("memfd:rusage" in path for path in left)}
    print(json.dumps(numbers))


# --- Where the launcher cannot be used --------------------------------------------------------------------------------

# One that no other process has, nor another run of this program: RLIMIT_NPROC counts all processes of a user.
USER = 20_000 + os.getpid() % 40_000


def unusable(launcher: str, when: str) -> None:
    """Use a launcher that does not work and then the real one, which works ``at once``, ``later`` or ``never``."""
    real = use_launcher(launcher)
    for _ in range(2):
        check(isolated=False)
    use_launcher(real)
    check(isolated=when == "at once")
    now = time.monotonic() + 120
    time.monotonic = lambda: now  # which the launcher's use depends on
    check(isolated=when != "never")


def unknown_root(when: str = "") -> None:
    """Have no statx(2) and no /proc, when rusage is imported and later."""
    if not when:
        statx = 332
        checks.refuse(statx, errno.ENOSYS)
        os.execv(sys.executable, [sys.executable, *sys.argv, "later"])  # noqa: S606 (the filter stays)
    rusage.run(["true"])
    check(isolated=False)


def small_files() -> None:
    """Limit the size of files, with core dumps: no start may touch a file of the user's that has a core's name."""
    with open("core", "w", encoding="ascii") as file:
        file.write("mine")
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for size, isolated in (100, True), (12, True), (11, False), (0, False):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        for restore in True, False:
            check(isolated=isolated, restore_signals=restore)
        with open("core", encoding="ascii") as file:
            assert file.read() == "mine"
        assert os.listdir(".") == ["core"]


def no_process() -> None:
    """Become a user that may have two processes: the launcher cannot create a third."""
    run = rusage.run  # imports what it needs
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: otherwise the launcher is not used
    resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))
    try:
        done = run(["/bin/true"])
    except PermissionError as error:
        if error.filename != "/bin/true":  # this user may not read the interpreter
            raise SystemExit("skip") from None
        raise
    assert done.returncode == 0
    assert done.rusage.ru_maxrss == 0 or "ru_maxrss" in done.measured


# System calls of the launcher on x86_64.
CALLS = {"ftruncate": 77, "clone": 56, "exit_group": 231}
KILL, REFUSE, ALLOW = 0x80000000, 0x00050001, 0x7FFF0000  # what a seccomp filter returns
LOAD, EQUAL, BITS_SET, END = 0x20, 0x15, 0x45, 0x06  # of a seccomp filter
CLONE_VM, CLONE_PARENT = 0x100, 0x8000


def clone_with(flag: int) -> list[tuple[int, int, int, int]]:
    """Return the first lines of a filter for clone(2) with a flag."""
    return [(LOAD, 0, 0, 0), (EQUAL, 0, 3, CALLS["clone"]), (LOAD, 0, 0, 16), (BITS_SET, 0, 1, flag)]


def sandbox(name: str, action: str) -> None:
    """Kill each process that makes a system call, or refuse the call: the program runs once, as by subprocess."""
    lines = clone_with(CLONE_PARENT) if name == "clone" else [(LOAD, 0, 0, 0), (EQUAL, 0, 1, CALLS[name])]
    rusage.run(["true"])
    checks.install_filter([*lines, (END, 0, 0, {"kill": KILL, "refuse": REFUSE}[action]), (END, 0, 0, ALLOW)])
    done, expected = (module.run(["echo", "x"], stdout=subprocess.PIPE) for module in (rusage, subprocess))
    assert (done.returncode, done.stdout) == (expected.returncode, expected.stdout), (done, expected)
    assert ("ru_maxrss" in done.measured) is (name == "exit_group")
    nothing_is_left()
    if name == "exit_group":
        ctypes.CDLL(None).syscall(60, 0)  # exit(2), which the filter allows


def no_shared_memory() -> None:
    """Refuse clone(2) with memory that both processes use: the child gets a copy."""
    checks.install_filter([*clone_with(CLONE_VM), (END, 0, 0, REFUSE), (END, 0, 0, ALLOW)])
    check()


# --- The child --------------------------------------------------------------------------------------------------------


def plain(launcher: str = "") -> None:
    """Start children, through a given launcher if there is one."""
    if launcher:
        use_launcher(launcher)
    check()


def first_of_namespace() -> None:
    """Start the first process of a PID namespace, which is not isolated."""
    done = rusage.run(["sh", "-c", "exit 5"])
    assert done.returncode == 5
    assert done.measured
    assert "ru_maxrss" not in done.measured


def in_thread() -> None:
    """Start a child in a thread that ends before the child does."""
    started: list[rusage.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: started.append(rusage.Popen(["sh", "-c", "sleep 0.3; exit 5"])))
    thread.start()
    thread.join()
    assert started[0].wait() == 5
    assert "ru_maxrss" in started[0].measured


def forgotten() -> None:
    """Start children that are waited for, that fail to start, or whose objects are dropped."""
    check()
    for function in None, os.getpid:
        process: object = rusage.Popen(["sleep", "0.2"], preexec_fn=function)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del process
            gc.collect()
    end = time.monotonic() + 60
    while vars(subprocess)["_active"] and time.monotonic() < end:
        rusage.run(["true"])  # subprocess then waits for children without an object


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
    use_launcher("/no/such/launcher")
    start("true")
    start("/no/such/program")
    assert len(gone) == 4, gone


# --- A wrong process ID in the launcher's memory ----------------------------------------------------------------------

# C code in another thread might fork a process that writes there. Here this process itself does, when the launcher has
# ended. Each program that is started appends a line to a file.
LOG = Path("log")
PROGRAM = ["sh", "-c", 'echo x >>"$0"; exit 3', str(LOG)]
real_read = launch.read_memory


def start_with(child: int) -> "rusage.Popen[bytes]":
    """Start the program with a forged process ID of the child."""
    LOG.write_text("")
    launch.read_memory = lambda fd: (child, *real_read(fd)[1:])
    try:
        return rusage.Popen(PROGRAM)
    finally:
        launch.read_memory = real_read


def reap_lost() -> None:
    """Wait for the child that has no object, which must have run once; other children run on."""
    pid = status = 0
    while not pid:
        pid, status = os.waitpid(-1, os.WNOHANG)
    assert os.waitstatus_to_exitcode(status) == 3
    assert LOG.read_text() == "x\n"


def processes() -> None:
    """Name other processes: none may be signalled, no status may be taken from it, and the program runs once."""
    gone = subprocess.Popen(["true"])  # noqa: S607 (found in PATH)
    gone.wait()
    for pid in os.getppid(), os.getpid(), gone.pid, 1, -1, -gone.pid:
        process = start_with(pid)
        assert process.pid > 0
        assert (process.returncode, process.measured) == (0, frozenset())
        process.kill()
        reap_lost()


if sys.platform == "linux":
    checks.main(
        *(many_open, fork_meanwhile, no_close_range, no_seal),
        *(ignored, reaped_elsewhere, interrupted, handler_raises, random_instants),
        *(unusable, unknown_root, small_files, no_process, sandbox, no_shared_memory),
        *(plain, first_of_namespace, in_thread, forgotten, audit, collected, processes),
    )
    nothing_is_left()
