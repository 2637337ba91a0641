"""Starts and file descriptors: ``python start_files.py CHECK [ARGUMENT...]``."""

import errno
import os
import resource
import signal
import sys
import time

import checks
from checks import check, nothing_is_left, raises

import rusage
import rusage._launcher.start as launch

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
    nothing_is_left()


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
    nothing_is_left()


def no_close_range() -> None:
    """Have subprocess close the descriptors, as on a kernel without close_range(2), which is not here."""
    assert launch.use_close_range
    launch.use_close_range = False
    os.set_inheritable(os.dup(0), True)  # noqa: FBT003 (takes no keyword)
    check()
    assert rusage.run(OWN_LISTED, capture_output=True).stdout.split() == [b"0", b"1", b"2", b"3"]
    nothing_is_left()


def no_seal() -> None:
    """Refuse MFD_NOEXEC_SEAL, as Linux before 6.3 does."""
    memfd_create, noexec_seal = 319, 8
    checks.refuse(memfd_create, errno.EINVAL, second_argument=noexec_seal)
    with raises(OSError):
        os.memfd_create("refused", noexec_seal)
    check()


if sys.platform == "linux":
    checks.main(
        many_open,
        fork_meanwhile,
        no_close_range,
        no_seal,
    )
