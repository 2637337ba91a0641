"""``rlimits``: resource limits of a child, and its peak under them."""

import asyncio
import builtins
import contextlib
import errno
import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import pytest
from conftest import needs_sh

import rusage
import rusage.asyncio

if sys.platform == "win32":

    def test_not_on_windows() -> None:
        """ValueError, as ``subprocess`` for arguments that only POSIX has."""
        with pytest.raises(ValueError, match="not supported on Windows"):
            rusage.Popen([sys.executable, "-c", ""], rlimits={0: (0, 0)})

    pytest.skip("limits need Unix", allow_module_level=True)

import resource
from resource import RLIMIT_CORE, RLIMIT_NOFILE, getrlimit

pytestmark = pytest.mark.usefixtures("nothing_is_left")
RUNS = int(os.environ.get("RUSAGE_TEST_STARTS", "20"))

# preexec_fn, which prevents the use of the launcher, stands for a direct start.
WAYS: dict[str, Callable[..., Any]] = {
    "run": rusage.run,
    "directly": functools.partial(rusage.run, preexec_fn=os.getpid),
    "asyncio": lambda *args, **keywords: asyncio.run(rusage.asyncio.run(*args, **keywords)),
}
every_way = pytest.mark.parametrize("run", WAYS.values(), ids=WAYS)


class Limit(IntEnum):
    """Resources and limits whose text is a name."""

    FILES = RLIMIT_NOFILE
    SOFT = 30
    HARD = 40


@every_way
@pytest.mark.parametrize(
    "rlimits", [{RLIMIT_NOFILE: (30, 40)}, {Limit.FILES: [Limit.SOFT, Limit.HARD]}], ids=["integers", "enumeration"]
)
@needs_sh
def test_limits_of_the_child(run: Callable[..., Any], rlimits: Any) -> None:
    """They are set in the child only; the oracle is ulimit of the shell."""
    before = getrlimit(RLIMIT_NOFILE)
    done = run(["sh", "-c", "ulimit -Sn; ulimit -Hn"], rlimits=rlimits, capture_output=True, text=True)
    assert done.stdout.split() == ["30", "40"]
    assert getrlimit(RLIMIT_NOFILE) == before


@every_way
def test_64_bit_limits(run: Callable[..., Any]) -> None:
    """Limits that 32 bits do not hold arrive whole, also infinity."""
    hard = getrlimit(RLIMIT_CORE)[1]
    if hard != resource.RLIM_INFINITY:
        pytest.skip(reason="the hard limit is lower")
    code = "import resource; print(*resource.getrlimit(resource.RLIMIT_CORE))"
    for soft in 2**32 + 5, 2**62 + 1, resource.RLIM_INFINITY:
        done = run([sys.executable, "-c", code], rlimits={RLIMIT_CORE: (soft, hard)}, capture_output=True, text=True)
        assert done.stdout.split() == [str(soft), str(hard)]


@pytest.mark.skipif(sys.platform != "linux", reason="a child's peak is always its own on Linux only")
def test_peak_under_a_limit(program: Callable[..., str]) -> None:
    """A child that runs out of memory, of a parent with three times the limit: its own peak is measured."""
    assert program("limited_memory.py", str(RUNS)) == f"{RUNS} of {RUNS}\n"


def outcome_of_setrlimit(rlimits: Any) -> tuple[type[BaseException], str] | None:
    """Set limits in a forked process by ``resource.setrlimit``; return the exception."""
    code = f"""
import resource
try:
    for number, limits in dict({rlimits!r}).items():
        resource.setrlimit(number, limits)
except Exception as error:
    print(type(error).__name__, error, sep=": ", end="")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if not done.stdout:
        return None
    name, _, text = done.stdout.partition(": ")
    kind: type[BaseException] = getattr(builtins, name)
    return kind, text


BAD = [
    {"x": (1, 1)},
    {None: (1, 1)},
    {1.5: (1, 1)},
    {2**40: (1, 1)},
    {RLIMIT_CORE: 5},
    {RLIMIT_CORE: None},
    {RLIMIT_CORE: (1,)},
    {RLIMIT_CORE: (1, 2, 3)},
    {RLIMIT_CORE: ("1", 2)},
    {RLIMIT_CORE: (1.0, 2)},
    {RLIMIT_CORE: (1, 2**70)},
    {RLIMIT_CORE: (-(2**70), 2)},
    {RLIMIT_CORE: (2, 1)},
    {RLIMIT_CORE: (-1, 1)},
    {RLIMIT_CORE: (1, 2**64)},
    {-1: (1, 1)},
    {1000: (1, 1)},
    5,
    "limits",
    [1, 2],
]


@every_way
@pytest.mark.parametrize("rlimits", BAD, ids=repr)
def test_bad_limits(run: Callable[..., Any], rlimits: Any) -> None:
    """The exception of ``resource.setrlimit``; nothing is started."""
    expected = outcome_of_setrlimit(rlimits)
    if sys.implementation.name == "pypy":  # checks less, and has other words
        expected = expected and ((TypeError, ValueError, OverflowError), "")  # type: ignore[assignment]
    with pytest.raises(expected[0] if expected else Exception) as caught:
        run(["/no/such/program"], rlimits=rlimits)
    assert not isinstance(caught.value, FileNotFoundError)
    text = str(caught.value)
    assert "rlimits: " in text
    if expected and isinstance(rlimits, dict) and rlimits.keys() <= {RLIMIT_CORE}:
        assert "RLIMIT_CORE" in text
        assert "a soft and a hard limit" in text


def test_name_in_the_place_of_a_limit() -> None:
    """The error says what is expected."""
    with pytest.raises(TypeError, match=re.escape("a constant such as resource.RLIMIT_CPU, not 'RLIMIT_CPU'")):
        rusage.run(["/no/such/program"], rlimits={"RLIMIT_CPU": (1, 1)})  # type: ignore[dict-item]


@every_way
def test_limits_after_the_own_function(run: Callable[..., Any]) -> None:
    """The caller's ``preexec_fn`` may still do what the limits forbid, and set them itself."""

    def prepare() -> None:
        resource.setrlimit(RLIMIT_NOFILE, (50, 50))

    code = "import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    command = [sys.executable, "-c", code]
    done = run(command, rlimits={RLIMIT_NOFILE: (30, 40)}, preexec_fn=prepare, capture_output=True, text=True)
    assert done.stdout.split() == ["30", "40"]


@pytest.mark.skipif(sys.platform != "linux", reason="the size of the address space is read from /proc")
@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy itself needs more")
def test_limits_where_no_address_space_is_left(program: Callable[..., str]) -> None:
    """The parent is at its own RLIMIT_AS: a ``preexec_fn`` of ``subprocess`` starts the program, and so do limits."""
    assert program("full_address_space.py") == "0\n0\nValueError not allowed to raise maximum limit\n"


def refused() -> dict[int, tuple[int, int]] | None:
    """Return limits that the system refuses to this process; None if it may raise every hard limit."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    rlimits = {RLIMIT_CORE: (0, 0), RLIMIT_NOFILE: (soft, 2**50 if hard != resource.RLIM_INFINITY else hard)}
    return rlimits if outcome_of_setrlimit(rlimits) else None


@every_way
def test_refused_limits(run: Callable[..., Any]) -> None:
    """The exception of ``resource.setrlimit`` in a child of ours, and nothing is left."""
    rlimits = refused()
    if rlimits is None:
        pytest.skip(reason="this system refuses no limit to this process")
    expected = outcome_of_setrlimit(rlimits)
    assert expected is not None
    with pytest.raises(expected[0]) as caught:
        run(["/no/such/program"], rlimits=rlimits)  # the limits are set before
    assert str(caught.value) == expected[1]


@pytest.mark.parametrize("function", [None, os.getpid])
def test_starts_under_limits(function: Any) -> None:
    """Of many starts, two thirds of them refused, nothing is left."""
    bad_ones = [limits for limits in ({RLIMIT_CORE: (2, 1)}, refused()) if limits]
    for _ in range(RUNS):
        assert rusage.run(["true"], rlimits={RLIMIT_CORE: (0, 0)}, preexec_fn=function).returncode == 0
        for bad in bad_ones:
            with pytest.raises(ValueError, match="limit"):
                rusage.run(["true"], rlimits=bad, preexec_fn=function)


# The same limit, set in both ways.
BY_RLIMITS: dict[str, Any] = {"rlimits": {RLIMIT_CORE: (0, 0)}}
BY_PREEXEC_FN: dict[str, Any] = {"preexec_fn": lambda: resource.setrlimit(RLIMIT_CORE, (0, 0))}


def next_fds() -> range:
    """Return the lowest free descriptors: the pipes of a start get some of these numbers."""
    first = os.dup(0)
    os.close(first)
    return range(first, first + 8)


def open_in_the_program(module: Any, last: int, **keywords: Any) -> object:
    """Return which descriptors a program has, or the error."""
    code = f"import os\nfor fd in range({last}):\n    try: os.fstat(fd); print(fd)\n    except OSError: pass"
    try:
        return module.run([sys.executable, "-IS", "-c", code], stdout=subprocess.PIPE, **keywords).stdout
    except OSError as error:
        return error.errno


@pytest.mark.parametrize("limited", [True, False])
def test_descriptors_as_in_subprocess(limited: bool) -> None:  # noqa: FBT001 (a parameter)
    """Those that are asked for, and none of a start's own in place of a closed one."""
    ours, theirs = (BY_RLIMITS, BY_PREEXEC_FN) if limited else ({}, {})
    read, write = os.pipe()
    os.set_inheritable(write, True)  # noqa: FBT003 (takes no keyword)
    fds = next_fds()
    calls: list[dict[str, Any]] = [{"close_fds": False}, {}, {"pass_fds": [read]}, {"pass_fds": [read, write]}]
    for fd in fds:
        calls += [{"pass_fds": [fd]}, {"stdin": fd}, {"stdin": fd, "pass_fds": [0]}]
    for given in calls:
        expected = open_in_the_program(subprocess, fds.start + 20, **given, **theirs)
        assert open_in_the_program(rusage, fds.start + 20, **given, **ours) == expected, given
    os.close(read)
    os.close(write)


def error_of(module: Any, path: str, **keywords: Any) -> object:
    """Return the error of a start that cannot succeed."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 (which one is compared)
        module.run([path], stdin=subprocess.PIPE, **keywords)
    return caught.value.errno


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may have no /dev/fd")
def test_numbers_of_the_descriptors_of_a_start() -> None:
    """A program may be named by one of them, which it cannot be; the oracle is ``subprocess``."""
    for path in [f"/dev/fd/{fd}" for fd in next_fds()]:
        assert error_of(rusage, path, **BY_RLIMITS) == error_of(subprocess, path, **BY_PREEXEC_FN), path


@needs_sh
@every_way
@pytest.mark.parametrize("name", ["AS", "DATA", "STACK", "NOFILE", "FSIZE", "CORE", "NPROC"])
def test_limit_of_zero(run: Callable[..., Any], name: str) -> None:
    """The program ends as with a ``preexec_fn`` of ``subprocess`` that sets it."""
    number = getattr(resource, f"RLIMIT_{name}", None)
    if number is None:
        pytest.skip(reason="this system does not have the limit")
    if sys.implementation.name == "pypy" and name in {"AS", "DATA"}:  # seen to wait for ever there
        pytest.skip(reason="PyPy itself needs memory before the child executes its program")
    limits = 0, 0
    oracle = subprocess.run(
        ["/bin/sh", "-c", "exit 5"],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(number, limits),
        check=False,
    )
    done = run(["/bin/sh", "-c", "exit 5"], stderr=subprocess.DEVNULL, rlimits={number: limits})
    assert done.returncode == oracle.returncode


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its IDs: run it as root")


@needs_sh
@root_only
@pytest.mark.skipif(not hasattr(resource, "RLIMIT_NPROC"), reason="this system does not have the limit")
@every_way
def test_process_limit_of_another_user(run: Callable[..., Any]) -> None:
    """The new user has more processes already; the limit is set after the change of the user."""
    keywords = {"user": 54321, "rlimits": {resource.RLIMIT_NPROC: (1, 1)}, "stderr": subprocess.DEVNULL}
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            process = stack.enter_context(subprocess.Popen(["/bin/sleep", "60"], user=54321))
            stack.callback(process.kill)
        assert run(["/bin/sh", "-c", "exit 5"], **keywords).returncode == 5
        assert run(["/bin/sh", "-c", "/bin/true; exit 0"], **keywords).returncode != 0  # it may not fork


def test_error_that_has_no_exception_of_its_own() -> None:
    """Any other errno is an ``OSError``, as in ``resource.setrlimit``."""
    from rusage._children.limits import limit_error

    error = limit_error(errno.EIO)
    assert isinstance(error, OSError)
    assert error.errno == errno.EIO
