"""Fixtures of several test files."""

import atexit
import binascii
import compileall
import contextlib
import ctypes
import functools
import gc
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import types
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from terminals import Start

pytest_plugins = "pytester"  # for tests/test_pytest_plugin.py

PROGRAMS = Path(__file__).parent / "programs"
CPYTHON = platform.python_implementation() == "CPython"

linux = pytest.mark.skipif(sys.platform != "linux", reason="tests Linux, such as its /proc")
root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="run it as root on Linux"
)
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
needs_sh = pytest.mark.skipif(shutil.which("sh") is None, reason="this system has no shell")


def under_wine() -> bool:
    if sys.platform != "win32":
        return False
    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


# For a kernel that runs only Python, without a userland.
STAND_INS = {
    "true": "",
    "false": "raise SystemExit(1)",
    "sleep": "import time; time.sleep(float(sys.argv[1]))",
    "cat": "sys.stdout.buffer.write(sys.stdin.buffer.read())",
    "echo": "print(*sys.argv[1:])",
}


def search_own_folders() -> None:
    """Leave out of PATH what this user cannot enter: it changes the error for a missing program.

    Add a folder with the programs that this system lacks, for this process and its children.
    """
    folders = [folder for folder in os.get_exec_path() if os.access(folder or ".", os.X_OK)]
    if sys.platform != "win32" and shutil.which("true") is None:
        folder = tempfile.mkdtemp(prefix="rusage-programs-")
        atexit.register(shutil.rmtree, folder)
        for name, code in STAND_INS.items():
            program = Path(folder, name)
            program.write_text(f"#!{sys.executable}\nimport sys\n{code}\n")
            program.chmod(0o755)
        folders.append(folder)
    os.environ["PATH"] = os.pathsep.join(folders)


def keep_bytecode() -> None:
    """Let Python write bytecode.

    Otherwise hundreds of interpreters would compile the package, and each worker all tests. The
    package is compiled now: an interpreter with a limit on the size of files may write half a file
    of bytecode.
    """
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    package = importlib.util.find_spec("rusage")
    if package is not None and package.submodule_search_locations:
        compileall.compile_dir(package.submodule_search_locations[0], quiet=2)


def modules(package: Path) -> dict[Path, bytes]:
    return {file.relative_to(package): file.read_bytes() for file in package.rglob("*.py")}


def check_build() -> None:
    """Refuse an installed copy that differs from this source tree, or a build of other C files."""
    import rusage
    from rusage._rusage import lib

    tree, tested = Path(__file__).parent.parent / "rusage", Path(rusage.__file__).parent
    again = "python -m pip install -e ."
    if not tree.exists():  # as in a distribution's tests of its own package
        return
    if modules(tested) != modules(tree):
        raise pytest.UsageError(f"{tested} differs from {tree}: {again}")
    files = (each for each in tree.rglob("*") if each.suffix in {".c", ".h", ".cdef"})
    texts = sorted(each.read_text(encoding="utf-8") for each in files)
    if getattr(lib, "RUSAGE_SOURCES", None) != binascii.crc32("".join(texts).encode()):
        raise pytest.UsageError(f"the C files have changed since the build: {again}")


def pytest_configure() -> None:
    keep_bytecode()
    search_own_folders()
    try:
        import rusage  # noqa: F401 (all tests need it)
    except ImportError as error:
        if error.name not in {"rusage", "rusage._rusage"}:
            raise
        install = "Install it and what its tests need: python -m pip install -e . --group tests"
        raise pytest.UsageError(f"{error}\n{install}\n.github/CONTRIBUTING.md says more.") from None
    check_build()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite in parallel and limit each test's time, if the plugins are installed."""
    options = config.option
    if getattr(options, "timeout", 0) is None:
        options.timeout = 600.0  # many times what the slowest test takes, in seconds
    is_worker = hasattr(config, "workerinput")  # of pytest-xdist: it calls this hook too
    paths = getattr(options, "file_or_dir", [])  # --help has none
    whole = all(os.path.isdir(path) for path in paths)
    asked = getattr(options, "numprocesses", 0) is not None or options.usepdb or options.trace
    if whole and not is_worker and not asked:
        # Many tests wait: two processes for each CPU. The variable is pytest-xdist's own.
        number = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
        options.numprocesses = int(number or min(2 * (os.cpu_count() or 1), 8))
        options.dist = "loadgroup"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a thorough test, unless -m says something of them or its own name asks for it."""
    option = item.config.option
    asked = "thorough" in option.markexpr or any("::" in word for word in option.file_or_dir)
    if not asked and item.get_closest_marker("thorough"):
        pytest.skip(reason="takes long; run by: pytest -m thorough")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """End the run if a process of pytest-xdist has crashed, which would otherwise be replaced."""
    if error:
        session = node.config.pluginmanager.getplugin("dsession")
        session.shouldstop = f"worker {node.gateway.id!r} crashed"


@pytest.hookimpl(optionalhook=True, trylast=True)
def pytest_handlecrashitem(report: pytest.TestReport) -> None:
    """Let its test fail, which pytest-rerunfailures would run once more."""
    report.outcome = "failed"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Show what a failed command has printed: the error of subprocess has only its exit status."""
    result = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, subprocess.CalledProcessError):
        for name, output in ("output", error.stdout), ("error output", error.stderr):
            text = output if isinstance(output, str) else os.fsdecode(output or b"")
            result.get_result().sections.append((f"{name} of the command", text))


@pytest.fixture(scope="session", autouse=True)
def options_of_this_pytest() -> None:
    """Keep PYTEST_ADDOPTS from pytests that tests start; pytest-xdist's workers have read it."""
    os.environ.pop("PYTEST_ADDOPTS", None)


@pytest.fixture(scope="session", autouse=True)
def terminal_signals() -> None:
    """Give the terminal's signals their defaults: a background job or nohup ignores them."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in {"SIGHUP", "SIGQUIT"} & set(dir(signal)):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def collected_once() -> None:
    """Exempt all imported modules from gc.collect() in tests: they take it 0.1 s each time."""
    if hasattr(gc, "freeze"):  # not on PyPy
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave the source tree, which has no extension and would be an interpreter's first path."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def python() -> Callable[..., str]:
    """Return a function that runs a new interpreter and returns what it prints."""

    def run(*arguments: str, before: Sequence[str] = (), **environment: str) -> str:
        command = [*before, sys.executable, *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | environment
        )
        if done.stderr.startswith("skip"):
            reason = done.stderr.removeprefix("skip").strip(": \n")
            denied = "no permission for what the program does: run it as root, not in a sandbox"
            pytest.skip(reason=reason or denied)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def program(python: Callable[..., str]) -> Callable[..., str]:
    """Return a function that does so with a file of tests/programs."""

    def run(name: str, *arguments: str, before: Sequence[str] = ()) -> str:
        # With PYTHONSAFEPATH in the environment a program's folder is not in its path.
        path = os.pathsep.join(filter(None, [str(PROGRAMS), os.environ.get("PYTHONPATH")]))
        return python(str(PROGRAMS / name), *arguments, before=before, PYTHONPATH=path)

    return run


def open_files() -> list[int]:
    """Return the open file descriptors, where /proc shows them.

    Not the one that lists them, whose number varies. A thread in accept(2), as one of
    pytest-rerunfailures, has reserved a number that /proc does not show.
    """
    folder = Path("/proc/self/fd")
    listed = os.listdir(folder) if sys.platform == "linux" else []
    return sorted(int(fd) for fd in listed if os.path.lexists(folder / fd))


def no_child_is_left() -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """After the test, no child and, where /proc shows them, no new file descriptor is left."""
    before = {*open_files()}
    yield
    no_child_is_left()
    if not before >= {*open_files()}:
        gc.collect()  # PyPy closes late what has been dropped
    left = {*open_files()} - before
    assert not left, [os.path.realpath(f"/proc/self/fd/{fd}") for fd in left]


NO_NAMESPACE = "no new namespaces: run it as root, not in a sandbox, where / is a mount point"


def namespaces(*words: str | Path) -> list[str]:
    """Return the words before a command that run it by unshare(1), or skip the test."""
    if shutil.which("unshare") is None:
        pytest.skip(reason="no unshare(1): install util-linux")
    before = ["unshare", *map(str, words)]
    done = subprocess.run([*before, "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(reason=f"{NO_NAMESPACE} ({done.stderr.strip()})")
    return before


@pytest.fixture
def without_proc() -> list[str]:
    """Return the words before a command that run it in a mount namespace without /proc."""
    return namespaces("--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")


def change_signals() -> None:
    """Change what a program inherits, between fork and exec."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGWINCH])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGURG, signal.SIG_IGN)


def spin(seconds: float) -> None:
    now = getattr(time, "thread_time", time.process_time)  # NetBSD lacks the first one
    end = now() + seconds
    while now() < end:
        pass


SKIPPED = 77
NOBODY = 65534


def in_child(function: Callable[[], object]) -> None:
    """Call a function in a forked child, which may fail or skip the test, or take five minutes."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            signal.alarm(300)
            function()
            status = 0
        except pytest.skip.Exception as skipped:
            os.write(write, str(skipped).encode())
            status = SKIPPED
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)
    os.close(write)
    try:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == SKIPPED:
            pytest.skip(reason=os.read(read, 1000).decode())
    finally:
        os.close(read)
    assert status == 0


def alone(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test in a forked child, with which its memory, handlers, filters and IDs end."""

    @functools.wraps(test)
    def forked(**arguments: Any) -> None:
        in_child(lambda: test(**arguments))

    return forked


def become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    # PR_SET_DUMPABLE, as after an exec: this user may read it
    assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0


@contextlib.contextmanager
def no_files() -> Iterator[None]:
    """Let this process open no file, as if too many were open; those that are open stay so."""
    resource = pytest.importorskip("resource", reason="this system has no RLIMIT_NOFILE")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def on_terminal() -> Iterator[Start]:
    """Return a function that starts a command on a new terminal: it returns leader and our end."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    import forked

    started = []

    def start(*command: str, columns: int = 0) -> tuple["subprocess.Popen[bytes]", int]:
        try:
            ours, theirs = pty.openpty()
        except OSError:
            pytest.skip(reason="this system has no pseudo-terminals")
        if columns:
            subprocess.run(["stty", "columns", str(columns)], stdin=theirs, check=True)  # noqa: S607 (any)
        leader = forked.popen([forked.LEADER, *command], stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        started.append((leader, ours))
        return leader, ours

    yield start
    for leader, ours in started:
        leader.kill()
        leader.wait()
        os.close(ours)


def called_after(
    instructions: int,
    function: Callable[[], object],
    handler: Callable[[], object],
    *,
    within: str = "",
) -> bool:
    """Call a function, and a handler in it after a number of instructions, as a signal's.

    Return whether it had that many instructions of Python, in files whose names have some text.
    """
    left = instructions

    def trace(frame: types.FrameType, event: str, _: object) -> Any:
        nonlocal left
        if within not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left < 0:
                sys.settrace(None)
                handler()
                return None
        return trace

    before = sys.gettrace()
    try:
        sys._getframe().f_trace_opcodes = True  # noqa: SLF001 (before settrace(), for CPython 3.12)
        sys.settrace(trace)
        function()
    finally:
        sys.settrace(before)
    return left < 0


def at_each_instruction(function: Any, handler: Any, *, step: int, within: str) -> Iterator[None]:
    """Do so for each multiple of a step of instructions; yield after each call."""
    number = 0
    while called_after(number, function, handler, within=within):
        yield
        number += step
    assert number > 5


each_instruction = pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.thorough)])


def interrupted_after(instructions: int, function: Callable[[], None]) -> bool:
    """Raise in a function after a number of Python instructions; return whether it had so many."""

    class Stop(Exception):  # noqa: N818 (not an error)
        pass

    def stop() -> None:
        raise Stop

    try:
        return called_after(instructions, function, stop)
    except Stop:
        return True
