"""The launcher under hostile conditions: each runs in an interpreter of its own."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the launcher is Linux's")

PROGRAMS = Path(__file__).parent / "programs"
UNSHARE, STRACE = shutil.which("unshare") or "", shutil.which("strace") or ""

CHECK = """
import json, os, signal, subprocess, sys, threading, rusage

def check(apart=True, **keywords):
    "Run a child that must be itself, and say on standard error if it is not."
    done = rusage.run(["sh", "-c", "exit 5"], **keywords)
    assert done.returncode == 5, done
    assert ("ru_maxrss" in done.measured) is apart, done.measured
    assert (done.rusage.ru_maxrss > 0) is apart, done.rusage
    try:
        rusage.run(["/no/such/program"], **keywords)
    except FileNotFoundError as error:
        assert error.filename == "/no/such/program"
    else:
        raise AssertionError("no error")

def nothing_is_left(children=True):
    try:
        left = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return
    raise AssertionError(left)
"""


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1], [0, 1, 2]], ids=str)
def test_standard_streams_may_be_closed(closed: list[int], python: Callable[..., str], tmp_path: Path) -> None:
    """With 0, 1 or 2 closed in the parent they are closed in the child too, and pipes for it still arrive."""
    program = f"""{CHECK}
report = os.open({str(tmp_path / "report")!r}, os.O_WRONLY | os.O_CREAT)
report = os.dup2(report, 100, inheritable=False)
for fd in range(3):
    if fd in {closed}:
        os.close(fd)
os.closerange(3, 100)
check()
listed = "for fd in 0 1 2; do if [ -e /dev/fd/$fd ]; then echo $fd; fi; done >&9"
read, write = os.pipe()
os.dup2(write, 9)
rusage.run(["sh", "-c", listed], pass_fds=[9])
outputs = os.read(read, 100).split()
expected = [str(fd).encode() for fd in range(3) if fd not in {closed}]
done = rusage.run(["cat"], input=b"x", capture_output=True)
assert done.stdout == b"x", done
nothing_is_left()
os.write(100, b"done")
"""
    python("-c", program)
    assert (tmp_path / "report").read_text() == "done"


def test_sigchld_may_be_ignored(python: Callable[..., str]) -> None:
    """With SIGCHLD ignored nobody can wait: the status is 0, as in subprocess, and nothing is called measured."""
    python(
        "-c",
        f"""{CHECK}
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
done = rusage.run(["sh", "-c", "exit 5"])
assert done.returncode == 0
assert done.measured == frozenset() and not any(done.rusage)
process = rusage.Popen(["sh", "-c", "exit 5"])
while process.poll() is None:
    pass
assert process.measured == frozenset() and not any(process.rusage)
try:
    rusage.run(["/no/such/program"])
except FileNotFoundError:
    nothing_is_left()
    print("done")
""",
    )


def test_somebody_else_may_wait_for_all_children(python: Callable[..., str]) -> None:
    """A SIGCHLD handler that waits for every child gets the launchers and some children; no start fails or hangs."""
    python(
        "-c",
        f"""{CHECK}
def reap(*_):
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
nothing_is_left()
""",
    )


def test_3000_open_file_descriptors(python: Callable[..., str]) -> None:
    """They are as many afterwards, and none reaches the child; when there are no more, the error is subprocess's."""
    python(
        "-c",
        f"""{CHECK}
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(3100, hard), hard))
fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(3000)]
for fd in fds:
    os.set_inheritable(fd, True)
check()
check(close_fds=False)
assert rusage.run(["ls", "/proc/self/fd"], capture_output=True).stdout.split() == [b"0", b"1", b"2", b"3"]
try:
    while True:
        fds.append(os.dup(0))
except OSError:
    pass
for free in range(8):
    before = len(os.listdir("/proc/self/fd")) if free else None
    try:
        rusage.run(["true"])
    except OSError as error:
        assert error.errno == 24
    assert before is None or len(os.listdir("/proc/self/fd")) == before
    os.close(fds.pop())
nothing_is_left()
""",
    )


def test_the_child_has_no_file_descriptor_of_the_launchers(python: Callable[..., str]) -> None:
    """With close_fds and without, whatever is passed on, the child has those that a child of subprocess has."""
    python(
        "-c",
        f"""{CHECK}
fd = os.dup(0)
os.set_inheritable(os.dup(0), True)
for keywords in {{}}, {{"close_fds": False}}, {{"pass_fds": [fd]}}, {{"pass_fds": (0, fd, 2)}}:
    command = ["sh", "-c", "ls /proc/$$/fd"]
    done = rusage.run(command, capture_output=True, **keywords)
    assert "ru_maxrss" in done.measured
    assert done.stdout == subprocess.run(command, capture_output=True, **keywords).stdout
nothing_is_left()
""",
    )


@pytest.mark.parametrize(
    "launcher", ["", "rusage._children.launcher.PATH = '/no/such/launcher'"], ids=["with", "without"]
)
def test_file_descriptors_may_be_an_iterator(launcher: str, python: Callable[..., str]) -> None:
    """Whatever is tried before the child has been started, ``pass_fds`` is read once."""
    python(
        "-c",
        f"""{CHECK}
import rusage._children.launcher
{launcher}
read, write = os.pipe()
rusage.run(["sh", "-c", f"echo x >/proc/self/fd/{{write}}"], pass_fds=iter([write]), check=True)
assert os.read(read, 10) == b"x\\n"
""",
    )


def test_a_fork_elsewhere_does_not_hold_up_a_start(python: Callable[..., str]) -> None:
    """Who forks while a child is being started gets no end of a pipe that the start waits for."""
    python(
        "-c",
        f"""{CHECK}
import time
forked = []
real = os.read
def read(fd, size):
    "What subprocess waits by: other threads run meanwhile."
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
""",
    )


def test_start_is_interruptible(python: Callable[..., str]) -> None:
    """While another process holds the pipe's writing end, a signal handler's exception ends the start."""
    python(
        "-c",
        f"""{CHECK}
import time
class Stop(Exception):
    pass
def stop(*_):
    raise Stop
signal.signal(signal.SIGALRM, stop)
forked, real = [], os.pipe
def pipe():
    "Fork, as another thread might, before the launcher has been started."
    fds = real()
    if not forked:
        forked.append(os.fork())
        if not forked[0]:
            time.sleep(30)
            os._exit(0)
        signal.setitimer(signal.ITIMER_REAL, 0.5, 0.2)
    return fds
os.pipe = pipe
try:
    rusage.Popen(["sleep", "60"])
except Stop:
    pass
else:
    raise AssertionError("not interrupted")
signal.setitimer(signal.ITIMER_REAL, 0)
assert os.waitpid(-1, os.WNOHANG) == (0, 0)  # the forked process only: it still runs
os.kill(forked[0], signal.SIGKILL)
os.waitpid(forked[0], 0)
nothing_is_left()
""",
    )


def test_sigchld_handler_that_raises(python: Callable[..., str]) -> None:
    """The launcher's exit sends a SIGCHLD: what the handler raises propagates, and no child is left."""
    python(
        "-c",
        f"""{CHECK}
class Stop(Exception):
    pass
def stop(*_):
    raise Stop
signal.signal(signal.SIGCHLD, stop)
for _ in range(20):
    try:
        rusage.Popen(["sleep", "60"])
    except Stop:
        pass
    else:
        raise AssertionError("no exception")
    nothing_is_left()
""",
    )


def test_sigchld_handler_sees_the_launcher(python: Callable[..., str]) -> None:
    """It is called once for each launcher and once for each child, unless two signals become one."""
    assert int(
        python(
            "-c",
            f"""{CHECK}
seen = []
signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))
rusage.run(["sleep", "0.2"])
print(len(seen))
""",
        )
    ) in {1, 2}


COUNT_ATTEMPTS = """
import rusage._children.launcher as launch
attempts = []
def hook(event, arguments):
    if event == "subprocess.Popen":
        attempts.append(arguments[0] == launch.PATH)
sys.addaudithook(hook)
def starts_of_the_launcher():
    attempts.clear()
    rusage.run(["true"])
    return sum(attempts)
"""


@pytest.mark.parametrize("way", ["missing", "not executable", "refused"])
def test_unusable_launcher_is_remembered(way: str, python: Callable[..., str], tmp_path: Path) -> None:
    """It is tried once; later children are started directly at once."""
    launcher = tmp_path / "launcher"
    if way != "missing":
        launcher.write_text("#!/bin/sh\nexit 253\n")
        launcher.chmod(0o755 if way == "refused" else 0o644)
    python(
        "-c",
        f"""{CHECK}{COUNT_ATTEMPTS}
real, launch.PATH = launch.PATH, {str(launcher)!r}
assert starts_of_the_launcher() == 1
assert starts_of_the_launcher() == 0
launch.PATH = real
assert starts_of_the_launcher() == 0
check(apart=False)
""",
    )


@pytest.mark.parametrize("way", ["memory", "exit status"])
def test_transient_failure_is_not_remembered(way: str, python: Callable[..., str], tmp_path: Path) -> None:
    """The next child is started through the launcher again."""
    launcher = tmp_path / "launcher"
    launcher.write_text("#!/bin/sh\nexit 255\n")
    launcher.chmod(0o755)
    python(
        "-c",
        f"""{CHECK}{COUNT_ATTEMPTS}
real, path = os.memfd_create, launch.PATH
def create(*_):
    raise OSError(12, "Cannot allocate memory")
if {way == "memory"}:
    os.memfd_create = create
else:
    launch.PATH = {str(launcher)!r}
assert starts_of_the_launcher() == {int(way != "memory")}
os.memfd_create, launch.PATH = real, path
assert starts_of_the_launcher() == 1
check()
""",
    )


@pytest.mark.parametrize("attack", ["reader", "writer"])
def test_child_of_another_user_opens_nothing(attack: str, python: Callable[..., str]) -> None:
    """A process of that user can neither take a descriptor of the parent's nor change the child's process ID."""
    if os.geteuid() != 0:
        pytest.skip(reason="only root may start a child of another user")
    starts = int(os.environ.get("RUSAGE_TEST_STARTS", "2000"))
    report = json.loads(python(str(PROGRAMS / "privileged_starts.py"), attack, str(starts)))
    assert report["succeeded"] == report["others"] == 0
    assert report["failed"] > starts / 20  # it has found the children
    assert report["measured"] == (starts if is_static() else 0)


def is_static() -> bool:
    """Return whether the launcher may start children of other users."""
    from rusage._children import launcher as _launch

    return _launch.is_static()


# Appends a line with the effective user ID to a file when it is loaded.
LIBRARY = """
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

__attribute__((constructor)) static void loaded(void)
{
    dprintf(open(LOG, O_WRONLY | O_APPEND), "%d\\n", (int)geteuid());
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_ld_preload_runs_in_the_child_only(python: Callable[..., str], tmp_path: Path) -> None:
    """The child's LD_PRELOAD has no effect on the launcher, which runs with the IDs of the parent."""
    if not is_static():
        pytest.skip(reason="the launcher has a dynamic loader on this processor")
    library, log = tmp_path / "library.so", tmp_path / "log"
    source = tmp_path / "library.c"
    source.write_text(LIBRARY)
    command = ["cc", "-shared", "-fPIC", f'-DLOG="{log}"', "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    for keywords in ["", ", user=65534, group=65534, extra_groups=[]"] if os.geteuid() == 0 else [""]:
        log.write_text("")
        log.chmod(0o666)
        for folder in [tmp_path, *tmp_path.parents[:-2]]:
            folder.chmod(folder.stat().st_mode | 0o055)
        python("-c", f"{CHECK}\nassert rusage.run(['true'], env={{'LD_PRELOAD': {str(library)!r}}}{keywords}).measured")
        assert log.read_text().split() == [str(65534 if keywords else os.geteuid())]


IDS = [
    ("", True),
    ("libc.prctl(4, 0, 0, 0, 0)", False),  # PR_SET_DUMPABLE
    ("os.seteuid(65534)", False),
    ("os.setegid(65534)", False),
    ("libc.prctl(8, 1, 0, 0, 0); os.setgroups([]); os.setresgid(5, 5, 5); os.setresuid(5, 5, 5)", False),  # KEEPCAPS
    ("os.setgroups([]); os.setresgid(5, 5, 5); os.setresuid(5, 5, 5); libc.prctl(4, 1, 0, 0, 0)", True),
]


@pytest.mark.parametrize(("change", "usable"), IDS, ids=[row[0][:30] for row in IDS])
def test_launcher_is_as_protected_as_its_parent(change: str, usable: bool, python: Callable[..., str]) -> None:  # noqa: FBT001 (a column)
    """It is not used where a program that this process executes can be traced by more processes than this one."""
    if os.geteuid() != 0:
        pytest.skip(reason="only root may change its IDs")
    python(
        "-c",
        f"""
import ctypes, os, rusage, rusage._children.launcher as launch
libc = ctypes.CDLL(None)
assert launch.usable(other_ids=False)
{change}
assert launch.usable(other_ids=False) is {usable}
""",
    )


def test_other_ids_need_a_static_launcher(python: Callable[..., str]) -> None:
    """A launcher with a dynamic loader would load the child's LD_PRELOAD with the IDs of the parent."""
    python(
        "-c",
        f"""{CHECK}
import rusage._children.launcher as launch
launch.PATH = sys.executable  # has a dynamic loader
assert not launch.is_static()
assert launch.usable(other_ids=False) and not launch.usable(other_ids=True)
""",
    )


@pytest.mark.parametrize("restore", [True, False])
def test_where_no_file_may_be_written_the_peak_is_not_measured(restore: bool, python: Callable[..., str]) -> None:  # noqa: FBT001 (a column)
    """RLIMIT_FSIZE also limits memory that is shared by a file descriptor; the child runs all the same."""
    python(
        "-c",
        f"""{CHECK}
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
check(apart=False, restore_signals={restore})
nothing_is_left()
""",
    )


@pytest.mark.skipif(
    platform.machine() != "x86_64" or sys.maxsize < 2**32, reason="the filter has the numbers of x86_64"
)
def test_in_a_sandbox_that_kills_the_launcher_the_peak_is_not_measured(python: Callable[..., str]) -> None:
    """Who is killed for a system call of the launcher's is not the child, which makes none such."""
    python(
        "-c",
        f"""{CHECK}
import ctypes, struct
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
GETPPID, KILL, ALLOW = 110, 0x80000000, 0x7FFF0000
program = b"".join(struct.pack("=HBBI", *line) for line in [
    (LOAD, 0, 0, 0), (EQUAL, 0, 1, GETPPID), (RETURN, 0, 0, KILL), (RETURN, 0, 0, ALLOW)])
instructions = ctypes.create_string_buffer(program)
filter = struct.pack("@HP", 4, ctypes.addressof(instructions))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, filter, 0, 0) == 0
assert subprocess.run(["true"]).returncode == 0
done = rusage.run(["true"])
assert done.returncode == 0, done
assert "ru_maxrss" not in done.measured and done.rusage.ru_maxrss == 0
nothing_is_left()
""",
    )


def test_a_system_that_knows_no_seal_has_memory_all_the_same(python: Callable[..., str]) -> None:
    """Linux before 6.3 refuses the flag; then it is left out, once and for all."""
    python(
        "-c",
        f"""{CHECK}
asked, real = [], os.memfd_create
def create(name, flags):
    asked.append(flags)
    if flags & 8:
        raise OSError(22, "Invalid argument")
    return real(name, flags)
os.memfd_create = create
check()
assert asked == [9, 1, 1], asked
""",
    )


def test_a_closed_file_descriptor_cannot_be_passed_on(python: Callable[..., str]) -> None:
    """It is the error that it is in subprocess, and not one of the launcher's that happens to get the number."""
    python(
        "-c",
        f"""{CHECK}
free = os.dup(0)
os.close(free)
for fd in range(free + 2, free + 8):
    try:
        rusage.run(["true"], pass_fds=[fd])
    except OSError as error:
        assert error.errno == 9, error
    else:
        raise AssertionError(fd)
nothing_is_left()
""",
    )


def test_a_child_outlives_the_thread_that_started_it(python: Callable[..., str]) -> None:
    """The target is a child of the process: when the thread that started it has ended, others wait for it."""
    python(
        "-c",
        f"""{CHECK}
started = []
thread = threading.Thread(target=lambda: started.append(rusage.Popen(["sh", "-c", "sleep 0.3; exit 5"])))
thread.start()
thread.join()
assert started[0].wait() == 5
assert "ru_maxrss" in started[0].measured
nothing_is_left()
""",
    )


def test_target_is_a_direct_child(python: Callable[..., str]) -> None:
    """``pid`` is the target's, its parent is this process, and by the time it is known the launcher has gone."""
    python(
        "-c",
        f"""{CHECK}
process = rusage.Popen(["sh", "-c", "echo $$ $PPID; read x; exit 5"], stdin=-1, stdout=-1)
line = process.stdout.readline().split()
assert [int(number) for number in line] == [process.pid, os.getpid()]
children = "".join(open(f"/proc/self/task/{{task}}/children").read() for task in os.listdir("/proc/self/task"))
assert children.split() == [str(process.pid)]
assert os.readlink(f"/proc/{{process.pid}}/exe") != rusage.__path__[0] + "/_children/_launcher"
process.communicate(b"x")
assert process.returncode == 5
nothing_is_left()
""",
    )


def test_being_a_subreaper_changes_nothing(python: Callable[..., str]) -> None:
    """With PR_SET_CHILD_SUBREAPER, orphans come to this process; a launcher leaves none."""
    python(
        "-c",
        f"""{CHECK}
import ctypes
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
for _ in range(20):
    check()
nothing_is_left()
""",
    )


@pytest.mark.parametrize("way", ["removed", "not executable", "no program", "noexec"])
def test_without_a_launcher_the_peak_is_not_measured(way: str, tmp_path: Path) -> None:
    """Where the launcher cannot be executed the child runs all the same, its other figures are right, its peak is 0."""
    launcher = tmp_path / "launcher"
    if way == "not executable":
        launcher.write_bytes(b"\x7fELF")
    elif way == "no program":
        launcher.write_text("#!/no/such/interpreter\n")
        launcher.chmod(0o755)
    prepare = f"import rusage._children.launcher; rusage._children.launcher.PATH = {str(launcher)!r}"
    if way == "noexec":
        prepare = f"""
import ctypes, shutil, rusage._children.launcher
folder = {str(tmp_path)!r}
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x00020000) or libc.mount(b"none", b"/", None, 1 << 18 | 1 << 14, None) or libc.mount(
        b"none", folder.encode(), b"tmpfs", 8, None):
    raise SystemExit("skip")
rusage._children.launcher.PATH = shutil.copy2(rusage._children.launcher.PATH, folder)
"""
    done = subprocess.run(
        [sys.executable, "-c", f"{CHECK}\n{prepare}\ncheck(apart=False)\nnothing_is_left()"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.stderr == "skip\n":
        pytest.skip(reason="no permission to mount")
    assert done.returncode == 0, done.stderr


def test_a_launcher_that_cannot_create_a_brother_gives_up_cleanly() -> None:
    """Where there may be no second process (RLIMIT_NPROC) the child is started directly."""
    if os.geteuid() != 0:
        pytest.skip(reason="only root may become a user that has no other process")
    program = f"""{CHECK}
import resource
import rusage._children.popen, rusage._children.launcher
os.setgroups([]); os.setgid(54321); os.setuid(54321)
resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))
done = rusage.run(["/bin/true"])
assert done.returncode == 0
assert done.rusage.ru_maxrss == 0 or "ru_maxrss" in done.measured
nothing_is_left()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if "Permission denied" in done.stderr and "/bin/true" not in done.stderr:
        pytest.skip(reason="that user may not read this interpreter")
    assert done.returncode == 0, done.stderr


def test_a_system_without_close_range_closes_otherwise(python: Callable[..., str], tmp_path: Path) -> None:
    """If the launcher cannot close what the child must not have, subprocess does, and the peak is still measured."""
    pretending = tmp_path / "pretending"
    pretending.write_text('#!/bin/sh\nreal="$0.real"\nif [ "$9" != -1 ]; then exit 254; fi\nexec "$real" "$@"\n')
    pretending.chmod(0o755)
    python(
        "-c",
        f"""{CHECK}
import rusage._children.launcher as launch
os.symlink(launch.PATH, {str(pretending) + ".real"!r})
launch.PATH = {str(pretending)!r}
assert launch.use_close_range
fd = os.dup(0)
os.set_inheritable(fd, True)
check()
assert not launch.use_close_range
assert rusage.run(["ls", "/proc/self/fd"], capture_output=True).stdout.split() == [b"0", b"1", b"2", b"3"]
check()
nothing_is_left()
""",
    )


@pytest.mark.skipif(not UNSHARE, reason="there is no unshare(1)")
@pytest.mark.parametrize("options", [["-pf"], ["-pf", "--mount-proc"], ["-p"]], ids=" ".join)
def test_pid_namespaces(options: list[str]) -> None:
    """As pid 1 of a container, with any /proc, children are measured; in one of their own their peak is not."""
    if subprocess.run([UNSHARE, *options, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no permission to make a namespace, or no file system to mount in it")
    # Without -f only the children are in the new one, and it ends with the first of them.
    first = "done = rusage.run(['sh', '-c', 'exit 5']); assert done.returncode == 5; assert done.measured"
    first += " and 'ru_maxrss' not in done.measured and done.rusage.ru_maxrss == 0"
    program = f"{CHECK}\n{'check()' if '-pf' in options else first}\nnothing_is_left()"
    done = subprocess.run(
        [UNSHARE, *options, sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not STRACE, reason="there is no strace")
def test_under_a_tracer() -> None:
    """A tracer follows launcher and target, and the child is the same."""
    if subprocess.run([STRACE, "-o", "/dev/null", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no permission to trace")
    done = subprocess.run(
        [STRACE, "-f", "-qq", "-e", "trace=execve", "-o", "/dev/null", sys.executable, "-c", f"{CHECK}\ncheck()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_an_audit_hook_sees_the_real_program(python: Callable[..., str]) -> None:
    """A hook that refuses a program by its name refuses it here too, before anything has been started."""
    python(
        "-c",
        f"""{CHECK}
seen = []
def hook(event, arguments):
    if event == "subprocess.Popen":
        seen.append(arguments[:2])
        if arguments[0] == "false":
            raise RuntimeError("not allowed")
sys.addaudithook(hook)
rusage.run(["true", "x"])
assert seen[0] == ("true", ["true", "x"]), seen
seen.clear()
try:
    rusage.run(["false"])
except RuntimeError:
    assert len(seen) == 1
else:
    raise AssertionError
nothing_is_left()
""",
    )


@pytest.mark.skipif(platform.python_implementation() == "PyPy", reason="PyPy counts no references")
def test_a_start_that_fails_leaves_nothing_to_the_collector(python: Callable[..., str]) -> None:
    """Whatever was raised, and whether by the launcher or a signal's handler, the object goes with its last name."""
    python(
        "-c",
        f"""{CHECK}
import gc
import rusage._children.launcher
gone = []
class Popen(rusage.Popen):
    def __del__(self, *rest, **keywords):
        gone.append(1)
        super().__del__(*rest, **keywords)
def handler(*_):
    raise ZeroDivisionError
def start(program):
    try:
        Popen([program]).wait()
    except (OSError, ZeroDivisionError):
        pass
gc.collect()
gc.disable()
start("/no/such/program")
signal.signal(signal.SIGCHLD, handler)
start("true")
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
rusage._children.launcher.PATH = "/no/such/launcher"
start("true")
start("/no/such/program")
assert len(gone) == 4, gone
""",
    )


def test_the_launcher_alone_does_nothing() -> None:
    """Called by hand with arguments that are not its own it fails, and neither crashes nor runs anything."""
    from rusage._children import launcher as _launch

    bad = ["1", "1", "1", "0", "-1", "-1", "1"], ["1", "1", "1", "0", "-1", "9", "1", "/bin/echo", "echo"]
    no_memory = ["1", "9", "1", "0", "-1", "-1", "1", "/bin/echo", "echo"]
    for arguments in [], ["1"], *bad, no_memory, ["x"] * 11:
        done = subprocess.run([_launch.PATH, *arguments], capture_output=True, check=False)
        assert done.returncode > 0
        assert done.stdout == done.stderr == b""


@pytest.mark.parametrize("keep", ["child", "import os; os.child", "import encodings; encodings.child"])
def test_unwaited_child_at_exit(keep: str) -> None:
    """An interpreter that ends with a child running prints what it prints for subprocess: nothing."""
    for module in "subprocess", "rusage":
        program = f"import {module}; {keep} = {module}.Popen(['sleep', '0.1'])"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.stderr == ""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
@pytest.mark.parametrize(
    "options", [["-DRUSAGE_NO_LIBC", "-ffreestanding", "-static", "-nostdlib"], []], ids=["bare", "libc"]
)
def test_both_forms_of_the_launcher_compile_without_warnings_and_work(
    options: list[str], python: Callable[..., str], tmp_path: Path
) -> None:
    """Without a C library, for processors that the source knows, and with one, for all others, it does the same."""
    source = Path(__file__).parent.parent / "rusage" / "_launcher.c"
    if not source.exists():
        pytest.skip(reason="the tests are run without the sources")
    program = tmp_path / "launcher"
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-stack-protector", *options, "-o", str(program)]
    command.append(str(source))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if options and "no system calls without a C library" in done.stderr:
        pytest.skip(reason="this processor has the form with a C library only")
    assert done.returncode == 0, done.stderr
    python(
        "-c", f"{CHECK}\nimport rusage._children.launcher as l\nl.PATH = {str(program)!r}\ncheck()\nnothing_is_left()"
    )


def test_a_build_that_cannot_link_the_launcher_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no wheel without it."""
    from setuptools import Distribution
    from setuptools.errors import LinkError
    from test_c import build_script

    class Compiler:
        def compile(self, sources: list[str], **_: object) -> list[str]:
            assert Path(sources[0]).exists()
            return ["launcher.o"]

        def link_executable(self, *_: object, **__: object) -> None:
            raise LinkError

    build = build_script()
    monkeypatch.setattr("setuptools.command.build_ext.build_ext.build_extensions", lambda _: None)
    command = build.build_ext(Distribution())
    command.build_temp = command.build_lib = str(tmp_path)
    command.compiler = Compiler()
    with pytest.raises(LinkError):
        command.build_extensions()
