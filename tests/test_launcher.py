"""The launcher under unusual conditions: each test runs a program of its own."""

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

UNSHARE, STRACE = shutil.which("unshare") or "", shutil.which("strace") or ""

root_only = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may change its IDs")
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

# --- File descriptors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1], [0, 1, 2]], ids=str)
def test_closed_standard_streams(closed: list[int], program: Callable[..., str], tmp_path: Path) -> None:
    """They are closed in the child too, and the pipes of ``run`` work."""
    report = tmp_path / "report"
    program("start_files.py", "closed_streams", str(report), *map(str, closed))
    assert report.read_text() == "done"


def test_3000_open_file_descriptors(program: Callable[..., str]) -> None:
    """None reaches the child, and none is leaked where there can be no more: the error is then EMFILE."""
    program("start_files.py", "many_open")


def test_inherited_file_descriptors(program: Callable[..., str]) -> None:
    """The oracle is a child of ``subprocess``, with the same ``close_fds`` and ``pass_fds``."""
    program("start_files.py", "as_subprocess")


@pytest.mark.parametrize("launcher", ["", "/no/such/launcher"], ids=["with", "without"])
def test_file_descriptors_from_an_iterator(launcher: str, program: Callable[..., str]) -> None:
    """``pass_fds`` is iterated over once, although there may be two attempts."""
    program("start_files.py", "iterator", launcher)


def test_passing_a_closed_file_descriptor(program: Callable[..., str]) -> None:
    """EBADF, as in ``subprocess``, even if the launcher has opened something with that number."""
    program("start_files.py", "closed_ones")


def test_fork_during_a_start(program: Callable[..., str]) -> None:
    """The forked process does not inherit the end of a pipe that the start waits for."""
    program("start_files.py", "fork_meanwhile")


def test_kernel_without_close_range(program: Callable[..., str], tmp_path: Path) -> None:
    """``subprocess`` closes the file descriptors then, and the peak is measured all the same."""
    pretending = tmp_path / "pretending"
    pretending.write_text('#!/bin/sh\nreal="$0.real"\nif [ "$9" != -1 ]; then exit 254; fi\nexec "$real" "$@"\n')
    pretending.chmod(0o755)
    program("start_files.py", "no_close_range", str(pretending))


def test_kernel_without_noexec_seal(program: Callable[..., str]) -> None:
    """memfd_create(2) has the flag since Linux 6.3; it is tried once."""
    program("start_files.py", "no_seal")


# --- Signals ----------------------------------------------------------------------------------------------------------


def test_ignored_sigchld(program: Callable[..., str]) -> None:
    """The status is 0, as in ``subprocess``, and no field is measured."""
    assert program("start_signals.py", "ignored") == "done\n"


def test_children_reaped_elsewhere(program: Callable[..., str]) -> None:
    """If a SIGCHLD handler waits for every child, launchers included, no start fails or hangs."""
    program("start_signals.py", "reaped_elsewhere")


def test_start_is_interruptible(program: Callable[..., str]) -> None:
    """While another process holds the pipe's writing end, a signal handler's exception ends the start."""
    program("start_signals.py", "interrupted")


def test_sigchld_handler_that_raises(program: Callable[..., str]) -> None:
    """The launcher's exit sends a SIGCHLD: what the handler raises propagates, and no child is left."""
    program("start_signals.py", "handler_raises")


def test_sigchld_handler_sees_the_launcher(program: Callable[..., str]) -> None:
    """It is called once for each launcher and once for each child, unless two signals become one."""
    assert int(program("start_signals.py", "handler_calls")) in {1, 2}


# --- Where the launcher cannot be used --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["missing", "not executable", "refused"])
def test_unusable_launcher_is_remembered(way: str, program: Callable[..., str], tmp_path: Path) -> None:
    """It is tried once; later children are started directly at once."""
    launcher = tmp_path / "launcher"
    if way != "missing":
        launcher.write_text("#!/bin/sh\nexit 253\n")
        launcher.chmod(0o755 if way == "refused" else 0o644)
    program("start_failures.py", "unusable", str(launcher))


def test_lack_of_memory_is_not_remembered(program: Callable[..., str]) -> None:
    """The next child is started through the launcher again."""
    program("start_failures.py", "no_memory")


def test_failing_launcher_is_not_remembered(program: Callable[..., str], tmp_path: Path) -> None:
    """Its status 255 says that it may work the next time."""
    launcher = tmp_path / "launcher"
    launcher.write_text("#!/bin/sh\nexit 255\n")
    launcher.chmod(0o755)
    program("start_failures.py", "failing", str(launcher))


@pytest.mark.parametrize("way", ["removed", "not executable", "no program"])
def test_peak_without_a_launcher(way: str, program: Callable[..., str], tmp_path: Path) -> None:
    """The child runs, its other figures are right, and its peak is not measured."""
    launcher = tmp_path / "launcher"
    if way == "not executable":
        launcher.write_bytes(b"\x7fELF")
    elif way == "no program":
        launcher.write_text("#!/no/such/interpreter\n")
        launcher.chmod(0o755)
    program("start_failures.py", "missing", str(launcher))


def test_peak_on_a_noexec_mount(program: Callable[..., str], tmp_path: Path) -> None:
    """As without a launcher."""
    program("start_failures.py", "no_execution", str(tmp_path))


@pytest.mark.parametrize("restore", [True, False])
def test_peak_where_no_file_may_grow(restore: bool, program: Callable[..., str]) -> None:  # noqa: FBT001 (a column)
    """RLIMIT_FSIZE also limits the memory that parent and launcher share; the child runs all the same."""
    program("start_failures.py", "no_file_growth", str(restore))


@pytest.mark.skipif(
    platform.machine() != "x86_64" or sys.maxsize < 2**32, reason="the filter has the numbers of x86_64"
)
def test_sandbox_that_kills_the_launcher(program: Callable[..., str]) -> None:
    """The child, which does not make the system call that is forbidden, runs; its peak is not measured."""
    program("start_failures.py", "sandbox")


@root_only
def test_no_process_for_the_launcher(program: Callable[..., str]) -> None:
    """Where RLIMIT_NPROC permits no third process the child is started directly."""
    program("start_failures.py", "no_process", "54321")


# --- Other users ------------------------------------------------------------------------------------------------------


def is_static() -> bool:
    """Return whether the launcher may start children of other users."""
    from rusage._children import launcher

    return launcher.is_static()


@root_only
@pytest.mark.parametrize("attack", ["reader", "writer"])
def test_child_of_another_user_opens_nothing(attack: str, program: Callable[..., str]) -> None:
    """A process of that user can neither take a descriptor of the parent's nor change the child's process ID."""
    starts = int(os.environ.get("RUSAGE_TEST_STARTS", "2000"))
    report = json.loads(program("privileged_starts.py", attack, str(starts)))
    assert report["succeeded"] == report["others"] == 0
    assert report["failed"] > starts / 20  # it has found the children
    assert report["measured"] == (starts if is_static() else 0)


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


@needs_compiler
def test_ld_preload_of_the_child(program: Callable[..., str], tmp_path: Path) -> None:
    """It has no effect on the launcher, which runs with the IDs of the parent."""
    if not is_static():
        pytest.skip(reason="the launcher has a dynamic loader on this processor")
    library, log = tmp_path / "library.so", tmp_path / "log"
    source = tmp_path / "library.c"
    source.write_text(LIBRARY)
    command = ["cc", "-shared", "-fPIC", f'-DLOG="{log}"', "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    for user in ["", "65534"] if os.geteuid() == 0 else [""]:
        log.write_text("")
        log.chmod(0o666)
        for folder in [tmp_path, *tmp_path.parents[:-2]]:
            folder.chmod(folder.stat().st_mode | 0o055)
        program("start_children.py", "preload", str(library), user)
        assert log.read_text().split() == [user or str(os.geteuid())]


@root_only
@pytest.mark.parametrize(
    ("change", "usable"),
    [("nothing", True), ("dumpable", False), ("user", False), ("group", False), ("keepcaps", False), ("other", True)],
)
def test_launcher_is_protected_like_its_parent(change: str, usable: bool, program: Callable[..., str]) -> None:  # noqa: FBT001 (a column)
    """It is not used where a program that this process executes can be traced by more processes than this one."""
    assert program("protection.py", change) == f"{usable}\n"


def test_other_ids_need_a_static_launcher(program: Callable[..., str]) -> None:
    """A launcher with a dynamic loader would load the child's LD_PRELOAD with the IDs of the parent."""
    program("start_children.py", "dynamic_launcher")


# --- The child --------------------------------------------------------------------------------------------------------


def test_child_outlives_its_thread(program: Callable[..., str]) -> None:
    """It is a child of the process: another thread can wait for it."""
    program("start_children.py", "in_thread")


def test_target_is_a_direct_child(program: Callable[..., str]) -> None:
    """``pid`` is the target's, its parent is this process, and the launcher has exited."""
    program("start_children.py", "direct_child")


def test_subreaper_adopts_no_launcher(program: Callable[..., str]) -> None:
    """Orphans become children of a process with PR_SET_CHILD_SUBREAPER; a start leaves none."""
    program("start_children.py", "subreaper")


@pytest.mark.skipif(not UNSHARE, reason="there is no unshare(1)")
@pytest.mark.parametrize("options", [["-pf"], ["-pf", "--mount-proc"], ["-p"]], ids=" ".join)
def test_pid_namespaces(options: list[str], program: Callable[..., str]) -> None:
    """As process 1 of a container, with any /proc, children are measured; in one of their own their peak is not."""
    if subprocess.run([UNSHARE, *options, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no permission to make a namespace, or no file system to mount in it")
    # Without -f only the children are in the new one, and it ends with the first of them.
    program("start_children.py", "plain" if "-pf" in options else "first_of_namespace", before=[UNSHARE, *options])


@pytest.mark.skipif(not STRACE, reason="there is no strace")
def test_starts_under_a_tracer(program: Callable[..., str]) -> None:
    """strace(1) follows launcher and child."""
    if subprocess.run([STRACE, "-o", "/dev/null", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no permission to trace")
    strace = [STRACE, "-f", "-qq", "-e", "trace=execve", "-o", "/dev/null"]
    program("start_children.py", "plain", before=strace)


def test_audit_hook_sees_the_program(program: Callable[..., str]) -> None:
    """A hook that refuses a program by its name is called before the launcher is started."""
    program("start_children.py", "audit")


@pytest.mark.skipif(platform.python_implementation() == "PyPy", reason="PyPy counts no references")
def test_failed_start_makes_no_cycle(program: Callable[..., str]) -> None:
    """The object is freed with its last reference, whether the launcher or a signal handler made the start fail."""
    program("start_children.py", "collected")


@pytest.mark.parametrize("keep", ["child", "import os; os.child", "import encodings; encodings.child"])
def test_unwaited_child_at_exit(keep: str) -> None:
    """An interpreter that ends with a child running prints what it prints for subprocess: nothing."""
    for module in "subprocess", "rusage":
        code = f"import {module}; {keep} = {module}.Popen(['sleep', '0.1'])"
        # A debug build shows the ResourceWarning that a child is still running.
        command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""


# --- The program itself -----------------------------------------------------------------------------------------------


def test_launcher_with_bad_arguments() -> None:
    """It fails, prints nothing and starts nothing."""
    from rusage._children import launcher

    bad = ["1", "1", "1", "0", "-1", "-1", "1"], ["1", "1", "1", "0", "-1", "9", "1", "/bin/echo", "echo"]
    no_memory = ["1", "9", "1", "0", "-1", "-1", "1", "/bin/echo", "echo"]
    for arguments in [], ["1"], *bad, no_memory, ["x"] * 11:
        done = subprocess.run([launcher.PATH, *arguments], capture_output=True, check=False)
        assert done.returncode > 0
        assert done.stdout == done.stderr == b""


@needs_compiler
@pytest.mark.parametrize(
    "options", [["-DRUSAGE_NO_LIBC", "-ffreestanding", "-static", "-nostdlib"], []], ids=["bare", "libc"]
)
def test_both_forms_compile_and_work(options: list[str], program: Callable[..., str], tmp_path: Path) -> None:
    """Without a C library, for the processors of nolibc.h, and with one, for all others; no warnings."""
    source = Path(__file__).parent.parent / "rusage" / "_children" / "launcher.c"
    launcher = tmp_path / "launcher"
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-stack-protector", *options, "-o", str(launcher)]
    command.append(str(source))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if options and "no system calls without a C library" in done.stderr:
        pytest.skip(reason="this processor has the form with a C library only")
    assert done.returncode == 0, done.stderr
    program("start_children.py", "plain", str(launcher))


def test_build_fails_without_a_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel without it would report no peaks."""
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
