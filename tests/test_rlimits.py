"""``rlimits``: resource limits of a child, and its peak under them."""

import contextlib
import errno
import mmap
import os
import re
import subprocess
import sys
from enum import IntEnum
from typing import Any

import pytest
from conftest import alone, needs_sh

import rusage
import rusage.asyncio
from rusage._backends import BACKEND

if sys.platform == "win32":

    def test_not_on_windows() -> None:
        with pytest.raises(ValueError, match="not supported on Windows"):
            rusage.Popen([sys.executable, "-c", ""], rlimits={0: (0, 0)})

    pytest.skip("limits need Unix", allow_module_level=True)

import resource
from resource import RLIMIT_CORE, RLIMIT_NOFILE, getrlimit

pytestmark = pytest.mark.usefixtures("nothing_is_left")
MIB = 2**20
RUNS = int(os.environ.get("RUSAGE_TEST_STARTS", "20"))


def lower() -> None:
    resource.setrlimit(RLIMIT_NOFILE, (50, 60))


# preexec_fn, which prevents the use of the launcher, stands for a direct start. What a child with
# limits has, and what a refused limit raises and leaves, is compared with a preexec_fn of
# subprocess in test_differential.py.
WAYS: list[dict[str, Any]] = [{}, {"preexec_fn": lower}]
every_way = pytest.mark.parametrize("keywords", WAYS, ids=["run", "directly"])


class Limit(IntEnum):
    """Resources and limits whose text is a name."""

    FILES = RLIMIT_NOFILE
    SOFT = 30
    HARD = 40


@every_way
@needs_sh
def test_limits_of_the_child(keywords: dict[str, Any]) -> None:
    """The oracle is ulimit of the shell."""
    before = getrlimit(RLIMIT_NOFILE)
    command = ["sh", "-c", "ulimit -Sn; ulimit -Hn"]
    limits: Any = {Limit.FILES: [Limit.SOFT, Limit.HARD]}
    done = rusage.run(command, rlimits=limits, stdout=subprocess.PIPE, **keywords)
    assert done.stdout.split() == [b"30", b"40"]
    assert getrlimit(RLIMIT_NOFILE) == before


@pytest.mark.skipif(
    sys.platform != "linux", reason="the size of the address space is read from /proc"
)
@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy itself needs more")
@alone
def test_limits_where_no_address_space_is_left() -> None:
    def start_all(error: type[Exception]) -> None:
        assert subprocess.run("true", preexec_fn=os.getpid, check=False).returncode == 0  # noqa: S607 (found in PATH)
        done = rusage.run(["true"], preexec_fn=os.getpid, rlimits={RLIMIT_CORE: (0, 0)})
        assert done.returncode == 0
        with pytest.raises(error):
            rusage.run(["true"], preexec_fn=os.getpid, rlimits={RLIMIT_NOFILE: (0, 2**50)})

    start_all(ValueError)  # what is imported or cached has been
    # They stay on the heap when freed: subprocess reads into a buffer of this size.
    room = bytes(50_000), bytes(50_000)
    with open("/proc/self/statm", "rb") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    del room
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    try:
        mmap.mmap(-1, mmap.PAGESIZE).close()
    except OSError:
        start_all(subprocess.SubprocessError)
    else:  # musl has given the room back
        start_all(ValueError)


@pytest.mark.skipif(
    sys.platform != "linux", reason="a child's peak is always its own on Linux only"
)
@alone
def test_peak_under_a_limit() -> None:
    limit = (400 if sys.implementation.name == "pypy" else 100) * MIB  # more than a Python needs
    code = f"try: bytearray({2 * limit})\nexcept MemoryError: raise SystemExit(5)"
    memory = bytearray(3 * limit)
    memory[::4096] = bytes(len(memory[::4096]))  # resident
    for _ in range(RUNS):
        done = rusage.run(
            [sys.executable, "-S", "-E", "-c", code], rlimits={resource.RLIMIT_AS: (limit, limit)}
        )
        assert done.returncode == 5
        assert "ru_maxrss" in done.measured
        assert MIB < done.rusage.ru_maxrss < limit


BAD = [
    {"x": (1, 1)},
    {None: (1, 1)},
    {2**40: (1, 1)},
    {RLIMIT_CORE: 5},
    {RLIMIT_CORE: (1,)},
    {RLIMIT_CORE: ("1", 2)},
    {RLIMIT_CORE: (-(2**70), 2)},
    {RLIMIT_CORE: (2, 1)},
    {RLIMIT_CORE: (-1, 1)},
    {RLIMIT_CORE: (1, 2**64)},
    {-1: (1, 1)},
    {1000: (1, 1)},
    5,
    "limits",
]


@pytest.mark.parametrize("rlimits", BAD, ids=repr)
# The warning is resource's, since Python 3.15.
@pytest.mark.filterwarnings("ignore:Use RLIM_INFINITY:DeprecationWarning")
def test_bad_limits(rlimits: Any) -> None:
    """``resource.setrlimit`` raises the same exception."""
    expected: Any = (TypeError, ValueError, OverflowError)
    if sys.implementation.name != "pypy":  # checks less
        try:
            for number, limits in dict(rlimits).items():
                resource.setrlimit(number, limits)
            # FreeBSD's kernel lowers a soft limit above the hard one.
            assert sys.platform.startswith("freebsd")
        except expected as error:
            expected = type(error)
    with pytest.raises(expected, match="rlimits: ") as caught:
        rusage.run(["/no/such/program"], rlimits=rlimits)
    if isinstance(rlimits, dict) and rlimits.keys() <= {RLIMIT_CORE}:
        assert "RLIMIT_CORE" in str(caught.value)
        assert "a soft and a hard limit" in str(caught.value)
    if rlimits == {"x": (1, 1)}:
        assert "a constant such as resource.RLIMIT_CPU, not 'x'" in str(caught.value)


@needs_sh
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its IDs: run it as root")
@pytest.mark.skipif(
    not hasattr(resource, "RLIMIT_NPROC"), reason="this system does not have the limit"
)
@every_way
def test_process_limit_of_another_user(keywords: dict[str, Any]) -> None:
    """The new user has more processes already; the limit is set after the change of the user."""
    limited: Any = {
        "user": 54321,
        "rlimits": {resource.RLIMIT_NPROC: (1, 1)},
        "stderr": subprocess.DEVNULL,
        **keywords,
    }
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            process = stack.enter_context(subprocess.Popen(["/bin/sleep", "60"], user=54321))
            stack.callback(process.kill)
        if BACKEND.name == "NetBSD":  # its execve(2) refuses a user with too many processes
            with pytest.raises(BlockingIOError):
                rusage.run(["/bin/sh", "-c", "exit 5"], **limited)
            return
        assert rusage.run(["/bin/sh", "-c", "exit 5"], **limited).returncode == 5
        # It may not fork.
        assert rusage.run(["/bin/sh", "-c", "/bin/true; exit 0"], **limited).returncode != 0


def test_error_that_has_no_exception_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other errno is an ``OSError``, as in ``resource.setrlimit``."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    with pytest.raises(OSError, match=re.escape(os.strerror(errno.EIO))) as caught:
        rusage.run(["true"], preexec_fn=os.getpid, rlimits={RLIMIT_CORE: (0, 0)})
    assert caught.value.errno == errno.EIO
