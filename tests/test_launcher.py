"""The launcher under unusual conditions: each test runs a program of its own."""

import json
import os
import platform
import random
import shlex
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import pytest

import rusage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the launcher is Linux's")

UNSHARE, STRACE = shutil.which("unshare") or "", shutil.which("strace") or ""

root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may change its IDs: run it as root"
)
filters_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64" or sys.maxsize < 2**32, reason="the filter has the numbers of x86_64"
)
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc libc6-dev")

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


def test_kernel_without_close_range(program: Callable[..., str]) -> None:
    """``subprocess`` closes the file descriptors then, and the peak is measured all the same."""
    program("start_files.py", "no_close_range")


@filters_x86_64
def test_kernel_without_noexec_seal(program: Callable[..., str]) -> None:
    """memfd_create(2) has the flag since Linux 6.3."""
    program("start_files.py", "no_seal")


def test_error_output_to_closed_descriptor(program: Callable[..., str]) -> None:
    """EBADF: no descriptor of a start has the number of a standard stream."""
    program("start_files.py", "no_standard_streams")


def test_descriptors_of_a_start(program: Callable[..., str]) -> None:
    """They are above 2 and close-on-exec."""
    assert program("start_files.py", "above_2") == "True"


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
    """The handler is called once for each launcher and once for each child, unless two signals become one."""
    assert int(program("start_signals.py", "handler_calls")) in {1, 2}


@pytest.mark.parametrize("module", ["rusage", "subprocess"])
def test_interrupted_start_runs_once(module: str, program: Callable[..., str], tmp_path: Path) -> None:
    """A handler that is not written in Python has no frame: its exception ends the start all the same."""
    assert program("start_once.py", module, "200", str(tmp_path / "log")) == "1\n"


def test_interrupted_starts_leave_nothing_of_ours(program: Callable[..., str]) -> None:
    """Exceptions of a signal handler, at random instants, leave none of the launcher's descriptors."""
    ours = json.loads(program("start_interruptions.py", "rusage", "150"))
    assert ours["interrupted"] > 5
    assert ours["memfds"] == 0
    assert ours["children"] <= ours["interrupted"] / 2


@pytest.mark.thorough
def test_interrupted_starts_leave_no_more(program: Callable[..., str]) -> None:
    """Exceptions of a signal handler, at random instants, leave fewer children and descriptors than in subprocess."""
    # subprocess's code, which is a part of each of our starts, loses few of many. 400 starts would differ by chance.
    modules = "rusage", "subprocess"
    ours, theirs = (json.loads(program("start_interruptions.py", module, "1000")) for module in modules)
    assert min(ours["interrupted"], theirs["interrupted"]) > 20
    assert ours["memfds"] == 0
    assert ours["descriptors"] / ours["interrupted"] <= 2 * theirs["descriptors"] / theirs["interrupted"] + 0.05
    assert ours["children"] / ours["interrupted"] <= theirs["children"] / theirs["interrupted"] + 0.05


# --- Where the launcher cannot be used --------------------------------------------------------------------------------


def test_refused_launcher_is_remembered(program: Callable[..., str], tmp_path: Path) -> None:
    """The launcher is tried once; later children are started directly without another attempt."""
    launcher = tmp_path / "launcher"
    launcher.write_text("#!/bin/sh\nexit 253\n")
    launcher.chmod(0o755)
    program("start_failures.py", "unusable", str(launcher))


def test_pause_does_not_end_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may have found that the launcher cannot be used at all."""
    from rusage._children import launcher_availability

    monkeypatch.setattr(launcher_availability, "_retry_at", 0.0)
    assert launcher_availability.usable(other_ids=False)
    launcher_availability.pause(launcher_availability.NEVER)
    launcher_availability.pause(-1)
    assert not launcher_availability.usable(other_ids=False)


@pytest.mark.parametrize("way", ["missing", "not executable", "another version"])
def test_unavailable_launcher_is_tried_again(way: str, program: Callable[..., str], tmp_path: Path) -> None:
    """After a while: the package may be being reinstalled, or have been upgraded under a running process."""
    launcher = tmp_path / "launcher"
    if way == "not executable":
        launcher.write_bytes(b"\x7fELF")
        launcher.chmod(0o644)
    program("start_failures.py", "unavailable", "" if way == "another version" else str(launcher))


@pytest.mark.parametrize("way", ["missing", pytest.param("not executable", marks=pytest.mark.thorough)])
def test_ignored_sigchld_without_a_launcher(way: str, program: Callable[..., str], tmp_path: Path) -> None:
    """The start goes to ``subprocess``, which also starts what only the launcher has too many arguments for."""
    launcher = tmp_path / "launcher"
    if way == "not executable":
        launcher.write_bytes(b"\x7fELF")
        launcher.chmod(0o644)
    program("start_failures.py", "ignored_sigchld", str(launcher))


def test_lack_of_descriptors_is_not_remembered(program: Callable[..., str]) -> None:
    """The next child is started through the launcher again."""
    program("start_failures.py", "few_descriptors")


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
    if not UNSHARE or subprocess.run([UNSHARE, "-m", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no permission to make a namespace, or no unshare(1)")
    program("start_failures.py", "no_execution", str(tmp_path), before=[UNSHARE, "-m"])


@pytest.mark.parametrize("restore", [True, False])
def test_peak_where_no_file_may_grow(restore: bool, program: Callable[..., str]) -> None:  # noqa: FBT001 (a column)
    """RLIMIT_FSIZE also limits the memory that parent and launcher share; the child runs all the same."""
    program("start_failures.py", "no_file_growth", str(restore))


@filters_x86_64
def test_sandbox_that_kills_the_launcher(program: Callable[..., str]) -> None:
    """The child, which does not make the system call that is forbidden, runs; its peak is not measured."""
    program("start_failures.py", "sandbox")


@root_only
def test_no_process_for_the_launcher(program: Callable[..., str]) -> None:
    """Where RLIMIT_NPROC permits no third process the child is started directly."""
    program("start_failures.py", "no_process")


# --- Other users ------------------------------------------------------------------------------------------------------


def is_static() -> bool:
    """Return whether the launcher may start children of other users."""
    from rusage._children import launcher_availability

    return launcher_availability.is_static


# The second number is for machines that are not slow.
STARTS = [
    int(os.environ.get("RUSAGE_TEST_STARTS", "60")),
    pytest.param(
        500 if sys.implementation.name == "pypy" else 2000,  # it has no vfork(2): a start takes 20 ms of CPU time
        marks=[pytest.mark.thorough, pytest.mark.pypy, pytest.mark.not_emulated],
    ),
]


@root_only
@pytest.mark.parametrize("starts", STARTS)
@pytest.mark.parametrize("attack", ["reader", "writer"])
def test_child_of_another_user_opens_nothing(attack: str, starts: int, program: Callable[..., str]) -> None:
    """A process of that user can neither take a descriptor of the parent's nor change the child's process ID."""
    report = json.loads(program("privileged_starts.py", attack, str(starts)))
    assert report["succeeded"] == report["others"] == 0
    assert report["failed"] > starts / 20  # it has found the children
    assert report["measured"] == (starts if is_static() else 0)


@needs_compiler
@pytest.mark.parametrize(("other_ids", "state"), [("yes", "unmapped 0"), ("", "unmapped 1")])
def test_child_before_its_program(other_ids: str, state: str, program: Callable[..., str], tmp_path: Path) -> None:
    """It has no mapping of the memory that the parent reads; with other IDs, processes of its user cannot trace it."""
    launcher, log = tmp_path / "launcher", tmp_path / "log"
    folder = Path(__file__).parent
    command = ["cc", "-static", f'-DLOG="{log}"', "-include", str(folder / "programs" / "before_exec.h"), "-o"]
    command += [str(launcher), str(folder.parent / "rusage" / "_children" / "launcher.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(reason="there is no static C library")
    program("start_failures.py", "before_exec", str(launcher), other_ids)
    assert {*log.read_text().splitlines()} == {state}  # one line for each attempt to execute the program


@filters_x86_64
def test_child_with_other_ids_shares_no_memory(program: Callable[..., str]) -> None:
    """Otherwise its new user, if it could trace it, would have the rights of the launcher."""
    program("start_failures.py", "shared_memory")


@filters_x86_64
def test_child_gets_a_copy_where_shared_memory_is_refused(program: Callable[..., str]) -> None:
    """Emulators of a processor refuse it too."""
    program("start_failures.py", "no_shared_memory")


@pytest.mark.parametrize(
    "check",
    ["processes", "ended", "cut_off", "same_number", "old_number", "old_time_namespace", "reports", "forked"],
)
def test_start_whose_reports_are_forged(check: str, program: Callable[..., str], tmp_path: Path) -> None:
    """No other process is signalled or waited for, and the program runs once."""
    program("start_forged.py", check, str(tmp_path / "log"))


def test_program_runs_once_where_the_exit_is_refused(program: Callable[..., str], tmp_path: Path) -> None:
    """The launcher tries again to exit, in registers alone: its child uses its stack."""
    from rusage._children import launcher_availability

    launcher = tmp_path / "launcher"
    traced = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "inject=exit_group:error=EPERM:when=1"]
    killed = ["sh", "-c", "kill -KILL $$"]
    if (
        shutil.which("strace") is None
        or subprocess.call([*traced, *killed], stderr=subprocess.DEVNULL) != -signal.SIGKILL
    ):
        pytest.skip(reason="no strace(1) that may trace: apt-get install strace, and run it as root")
    launcher.write_text(f'#!/bin/sh\nexec {shlex.join([*traced, launcher_availability.PATH])} "$@"\n')
    launcher.chmod(0o755)
    program("start_failures.py", "refused_exit", str(launcher))


class Uid(int, Enum):
    """User IDs whose names str() returns."""

    WEB = 33
    DATABASE_ADMINISTRATOR = 1001


class Gid(IntEnum):
    """Group IDs."""

    WEB = 34


class Digits(int):
    """A number whose text is another one."""

    def __str__(self) -> str:
        return "0"

    __repr__ = __str__


class Chameleon(int):
    """A number that compares equal to anything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


@root_only
@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"user": Uid.WEB}, "33 0"),
        ({"user": Uid.DATABASE_ADMINISTRATOR}, "1001 0"),
        ({"user": True}, "1 0"),
        ({"user": Digits(1)}, "1 0"),
        ({"group": Gid.WEB}, "0 34"),
        (
            {"user": Uid.WEB, "group": Digits(35), "extra_groups": [Gid.WEB, 2**31]},
            "33 35 34 2147483648",
        ),
        ({"user": 2**31, "group": 3_000_000_000}, "2147483648 3000000000"),
        ({"user": 2**32 - 2, "group": 2**32 - 2}, "4294967294 4294967294"),
        ({"extra_groups": []}, "0 0"),
    ],
    ids=str,
)
def test_ids_as_given(keywords: dict[str, Any], expected: str) -> None:
    """A number means its value, whatever its text is, and up to 2**32 - 2. The oracle is subprocess too."""
    in_status = "$(grep ^Gid /proc/self/status | cut -f3) $(grep ^Groups /proc/self/status | cut -f2)"
    command = ["sh", "-c", f"echo $(id -u) {in_status}"]
    keywords = {"extra_groups": [], **keywords}
    done, oracle = (module.run(command, capture_output=True, text=True, **keywords) for module in (rusage, subprocess))
    assert done.stdout.strip() == oracle.stdout.strip() == expected
    assert ("ru_maxrss" in done.measured) is is_static()


@root_only
def test_user_that_equals_none() -> None:
    """The comparison of a number with None is not left to the number."""
    for name, option in ("user", "-u"), ("group", "-g"):
        keywords: dict[str, Any] = {name: Chameleon(33)}
        assert rusage.run(["id", option], capture_output=True, text=True, **keywords).stdout == "33\n"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="process_group is new in Python 3.11")
@pytest.mark.parametrize("group", [0, False, Digits(0), -1, -5], ids=repr)
def test_process_group_as_given(group: int) -> None:
    """A number means its value, and a negative one the group of this process, as in ``subprocess``."""
    command = ["sh", "-c", "read -r stat < /proc/self/stat; set -- $stat; echo $(($5 == $1))"]
    for module in rusage, subprocess:
        done = module.run(command, capture_output=True, text=True, process_group=group)
        assert done.stdout.strip() == str(int(group >= 0))


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
def test_ld_preload_of_the_child(program: Callable[..., str], entered_by_all: Path) -> None:
    """It has no effect on the launcher, which runs with the IDs of the parent."""
    if not is_static():
        pytest.skip(reason="the launcher has a dynamic loader on this processor")
    library, log = entered_by_all / "library.so", entered_by_all / "log"
    source = entered_by_all / "library.c"
    source.write_text(LIBRARY)
    command = ["cc", "-shared", "-fPIC", f'-DLOG="{log}"', "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    for user in ["", "65534"] if os.geteuid() == 0 else [""]:
        log.write_text("")
        log.chmod(0o666)
        program("start_children.py", "preload", str(library), user)
        assert log.read_text().split() == [user or str(os.geteuid())]


@root_only
@pytest.mark.parametrize(
    ("change", "usable"),
    [
        ("nothing", True),
        ("dumpable", False),
        ("user", False),
        ("group", False),
        ("keepcaps", False),
        ("other", True),
        ("noroot", False),  # the launcher would have none of the capabilities
        ("noroot_ambient", True),
        ("noroot_none", True),
        ("none", False),  # the launcher would have all
        ("no_setuid", False),  # the launcher would have it
        ("no_setuid_ever", True),
        ("not_bounding", False),  # the launcher would not have it
        ("not_effective", False),
    ],
)
def test_launcher_is_protected_like_its_parent(change: str, usable: bool, program: Callable[..., str]) -> None:  # noqa: FBT001 (a column)
    """It is used only with exactly the rights of this process; the oracle is a program that this process executes."""
    assert program("protection.py", change) == f"{usable}\n"


@root_only
@pytest.mark.parametrize("change", ["none", "no_setuid", "no_setuid_ever", "noroot", "noroot_none"])
def test_user_without_capability_to_change_ids(change: str, program: Callable[..., str]) -> None:
    """PermissionError, as in ``subprocess``, where this process may not change its IDs but a program might."""
    assert program("protection.py", change, "start") == "same\n"


@root_only
@pytest.mark.parametrize("change", ["nothing", "fsgid", "fsuid"])
def test_file_system_ids(change: str, program: Callable[..., str], entered_by_all: Path) -> None:
    """They decide what may be executed (setfsgid(2)); the oracle is ``subprocess``."""
    program("file_system_ids.py", change, str(entered_by_all))


def test_other_ids_need_a_static_launcher(program: Callable[..., str]) -> None:
    """A launcher with a dynamic loader would load the child's LD_PRELOAD with the IDs of the parent."""
    program("start_children.py", "dynamic_launcher")


# --- Another root directory -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root_programs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return a program in place of the launcher and another program, which each make a directory of their name."""
    folder, source = tmp_path_factory.mktemp("programs"), Path(__file__).parent / "programs" / "start_trap.c"
    children = Path(__file__).parent.parent / "rusage" / "_children"
    options = ["-O2", "-ffreestanding", "-fno-stack-protector", "-static", "-nostdlib", f"-I{children}"]
    for name in "trap", "program":
        command = ["cc", *options, f'-DNAME="{name}"', "-o", str(folder / name), str(source)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip(reason="this processor has programs with a C library only")
    return [str(folder / "trap"), str(folder / "program")]


@root_only
@needs_compiler
@pytest.mark.parametrize("age", ["", pytest.param("old", marks=filters_x86_64)], ids=["statx", "namespace file"])
@pytest.mark.parametrize("way", ["chroot", "namespace", "bind"])
def test_launcher_of_another_root(
    way: str, age: str, root_programs: list[str], program: Callable[..., str], tmp_path: Path
) -> None:
    """What is in the launcher's place after chroot(2), or in another mount namespace, is not executed."""
    printed = program("changed_root.py", way, str(tmp_path), *root_programs, *([age] if age else []))
    assert printed == "7 ['program'] False\n"


@root_only
@filters_x86_64
def test_root_that_cannot_be_identified(program: Callable[..., str], without_proc: list[str]) -> None:
    """Without statx(2) and /proc, children are started directly."""
    program("start_failures.py", "unknown_root", before=without_proc)


# --- Programs that depend on the process ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "way"),
    [
        *[(check, "") for check in ("links", "search", "hidden")],
        *[pytest.param(check, "ENOSYS", marks=filters_x86_64) for check in ("links", "hidden")],
        pytest.param("hidden", "EPERM", marks=filters_x86_64),
        pytest.param("search", "ENOSYS", marks=[filters_x86_64, pytest.mark.thorough]),
        *[pytest.param(each, "EPERM", marks=[filters_x86_64, pytest.mark.thorough]) for each in ("links", "search")],
    ],
)
def test_program_in_proc_self(check: str, way: str, program: Callable[..., str], entered_by_all: Path) -> None:
    """A path through /proc/self or /dev/fd leads to this process's files, also without openat2(2)."""
    if check == "hidden" and os.geteuid() != 0:
        pytest.skip(reason="only root may start programs of other users")
    program("start_links.py", check, str(entered_by_all), way)


# --- The child --------------------------------------------------------------------------------------------------------


def test_child_outlives_its_thread(program: Callable[..., str]) -> None:
    """It is a child of the process: another thread can wait for it."""
    program("start_children.py", "in_thread")


def test_target_is_a_direct_child(program: Callable[..., str]) -> None:
    """``pid`` is the target's, its parent is this process, and the launcher has exited."""
    program("start_children.py", "direct_child")


def test_children_are_forgotten(program: Callable[..., str]) -> None:
    """Their process IDs are not kept when their exits have been seen, by whatever object."""
    program("start_children.py", "forgotten")


def test_subreaper_adopts_no_launcher(program: Callable[..., str]) -> None:
    """Orphans become children of a process with PR_SET_CHILD_SUBREAPER; a start leaves none."""
    program("start_children.py", "subreaper")


@pytest.mark.skipif(not UNSHARE, reason="no unshare(1): on Linux, install util-linux")
@pytest.mark.parametrize("options", [["-pf"], ["-pf", "--mount-proc"], ["-p"]], ids=" ".join)
def test_pid_namespaces(options: list[str], program: Callable[..., str]) -> None:
    """As process 1 of a container, with any /proc, children are measured; in one of their own their peak is not."""
    if subprocess.run([UNSHARE, *options, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no permission to make a namespace or to mount in it: run it as root, not in a sandbox")
    # Without -f only the children are in the new one, and it ends with the first of them.
    program("start_children.py", "plain" if "-pf" in options else "first_of_namespace", before=[UNSHARE, *options])


@pytest.mark.skipif(not UNSHARE, reason="no unshare(1): on Linux, install util-linux")
def test_proc_of_another_pid_namespace(program: Callable[..., str]) -> None:
    """The ages of the processes that have the same IDs there are not compared."""
    if subprocess.run([UNSHARE, "-pf", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no permission to make a namespace: run it as root, not in a sandbox")
    program("start_children.py", "other_proc", before=[UNSHARE, "-pf", "sh", "-c", '"$@"; exit $?', "sh"])


@pytest.mark.skipif(not UNSHARE, reason="no unshare(1): on Linux, install util-linux")
@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (["no_file_growth_in_namespace"], ""),
        (["no_program_in_namespace", "/no/such/program"], "FileNotFoundError 2 /no/such/program\n"),
        (["no_program_in_namespace", "/etc/passwd"], "PermissionError 13 /etc/passwd\n"),
    ],
    ids=["file size limit", "no file", "not executable"],
)
def test_only_start_in_pid_namespace(check: list[str], expected: str, program: Callable[..., str]) -> None:
    """Its first process is the only one: there cannot be a second attempt, which would be ENOMEM."""
    if subprocess.run([UNSHARE, "-p", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no permission to make a namespace: run it as root, not in a sandbox")
    assert program("start_failures.py", *check, before=[UNSHARE, "-p"]) == expected


@pytest.mark.skipif(not STRACE, reason="no strace(1): apt-get install strace")
def test_starts_under_a_tracer(program: Callable[..., str]) -> None:
    """strace(1) follows launcher and child."""
    if subprocess.run([STRACE, "-o", "/dev/null", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no permission to trace: run it as root, not in a sandbox")
    strace = [STRACE, "-f", "-qq", "-e", "trace=execve", "-o", "/dev/null"]
    program("start_children.py", "plain", before=strace)


@pytest.mark.parametrize(
    "check",
    [
        ["replaced_environment", "before the first start"],
        ["replaced_environment", "after the first start"],
        ["no_arguments"],
    ],
)
def test_program_is_found_as_by_subprocess(check: list[str], program: Callable[..., str]) -> None:
    """With a mapping in place of os.environ, and without arguments."""
    program("start_children.py", *check)


class Growing(dict[str, str]):
    """An environment that contains each variable, once it has been looked for."""

    def __missing__(self, name: str) -> str:
        self[name] = os.environ.get("PATH", "")
        return self[name]


@pytest.mark.parametrize("keywords", [{}, {"close_fds": False}, {"preexec_fn": os.getpid}], ids=str)
@pytest.mark.parametrize("path", [None, "/no/such/launcher"])
def test_environment_that_changes_when_it_is_read(
    keywords: dict[str, Any], path: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search for the program adds the variable PATH; the program's environment is what it was before."""
    from rusage._children import launcher_availability

    if path:  # a direct start follows the attempt
        monkeypatch.setattr(launcher_availability, "PATH", path)
        monkeypatch.setattr(launcher_availability, "_retry_at", 0.0)
    outcomes = []
    for module in subprocess, rusage:
        env = Growing(A="1")
        done = module.run(["env"], env=env, capture_output=True, **keywords)
        outcomes.append((done.stdout, dict(env)))
    assert outcomes[0] == outcomes[1]


class Repeated(Mapping[str, str]):
    """An environment that has a variable twice, with two values, as the mappings of HTTP headers do."""

    def __getitem__(self, name: str) -> str:
        return {"A": "1", "PATH": os.environ.get("PATH", "")}[name]

    def __iter__(self) -> Iterator[str]:
        return iter(["A", "A", "PATH"])

    def __len__(self) -> int:
        return 3

    def items(self) -> Any:
        """Return both values."""
        return [("A", "1"), ("A", "2"), ("PATH", self["PATH"])]


@pytest.mark.parametrize("executable", [None, "/usr/bin/env"])
def test_environment_with_equal_names(executable: str | None) -> None:
    """Which values the program gets depends on how subprocess starts it."""
    outcomes = [
        module.run(["env"], executable=executable, env=Repeated(), capture_output=True).stdout
        for module in (subprocess, rusage)
    ]
    assert outcomes[0] == outcomes[1]


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy itself needs more memory")
@pytest.mark.not_emulated
@pytest.mark.parametrize(
    ("what", "error"), [pytest.param("words", "OSError", marks=pytest.mark.thorough), ("groups", "ValueError")]
)
def test_errors_where_memory_is_short(what: str, error: str, program: Callable[..., str]) -> None:
    """The exceptions of ``subprocess``, which needs less memory for them."""
    assert program("tight_address_space.py", what) == f"[] {error}\n"


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


# VERSION FLAGS PARENT MEMORY DONE PROCESS_GROUP USER GROUP, no groups, no limits, the FD 1, one path.
GOOD = ["1", "32", "1", "9", "1", "0", "0", "0", "0", "0", "1", "1", "1"]


def test_launcher_with_good_numbers() -> None:
    """Its parent is not process 1 as it sees it, so it reports that it executes the program itself."""
    assert run_launcher(GOOD) == (5, struct.pack("=ii", 1, 0))


@pytest.mark.parametrize(
    "number", ["", "-1", "+1", " 1", "1 ", "0x1", "x", "1.0", "\u0661", "True", "4294967296", "9" * 40]
)
def test_launcher_with_a_bad_number(number: str) -> None:
    """The launcher refuses, at any position, what is no decimal number or not in the range of the type."""
    for position in range(len(GOOD)):
        assert run_launcher([*GOOD[:position], number, *GOOD[position + 1 :]]) == NOT_UNDERSTOOD


@pytest.mark.parametrize(
    "numbers",
    [
        *(GOOD[:length] for length in range(len(GOOD))),
        [*GOOD, "1"],
        ["2", *GOOD[1:]],  # another version
        ["1", "128", *GOOD[2:]],  # an unknown flag
        [*GOOD[:6], "4294967295", *GOOD[7:]],  # "unchanged" to the kernel
        [*GOOD[:8], "1025", *GOOD[9:]],  # too many groups
        [*GOOD[:9], "65", *GOOD[10:]],  # too many limits
        [*GOOD[:9], "1", "4", "0", "0", "0", *GOOD[10:]],  # a limit with a number too few
        [*GOOD[:10], "2", "3", "1", "1"],  # descriptors in descending order
        [*GOOD[:10], "1", "3", "1"],  # the pipe is not among them
        [*GOOD[:12], "0"],  # no path
        [*GOOD[:12], "5"],  # more paths than arguments
    ],
    ids=" ".join,
)
def test_launcher_with_bad_numbers(numbers: list[str]) -> None:
    """Nothing is started, and nothing is printed."""
    assert run_launcher(numbers) == NOT_UNDERSTOOD


@pytest.mark.parametrize("words", [[], [" ".join(GOOD)]])
def test_launcher_with_few_words(words: list[str]) -> None:
    """Without numbers, or with numbers only."""
    assert run_words(words) == NOT_UNDERSTOOD


NOT_UNDERSTOOD = 252, b""


def run_launcher(numbers: list[str]) -> tuple[int, bytes]:
    """Start a shell with these numbers; return as run_words() does."""
    return run_words([" ".join(numbers), "/bin/sh", "sh", "-c", "exit 5"])


def run_words(words: list[str]) -> tuple[int, bytes]:
    """Return the launcher's exit status and its report, for which it takes standard output; it must print nothing."""
    from rusage._children import launcher_availability

    done = subprocess.run([launcher_availability.PATH, *words], capture_output=True, check=False)
    assert done.stderr == b""
    return done.returncode, done.stdout


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


@needs_compiler
def test_launcher_with_random_words(tmp_path: Path) -> None:
    """Neither sanitizer finds an error, whatever the words are."""
    launcher = tmp_path / "launcher"
    source = Path(__file__).parent.parent / "rusage" / "_children" / "launcher.c"
    options = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = ["cc", *options, "-o", str(launcher), str(source)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no sanitizers: install the compiler's libasan and libubsan")
    choose = random.Random(int(os.environ.get("RUSAGE_TEST_SEED", "1")))
    values = ["0", "1", "2", "3", "32", "63", "64", "1024", "1025", "2147483647", "4294967295", "-1", "", "x", "9" * 30]
    statuses = set()
    for _ in range(int(os.environ.get("RUSAGE_TEST_STARTS", "50"))):
        numbers = [*GOOD]
        for _ in range(choose.randrange(4)):
            numbers[choose.randrange(len(numbers))] = choose.choice(values)
        if choose.random() < 0.3:
            position = choose.randrange(len(numbers))
            numbers[position:position] = [choose.choice(values) for _ in range(choose.randrange(5))]
        words = [" ".join(numbers), "/bin/true", "true"]
        words = words[: choose.randrange(len(words) + 1)] if choose.random() < 0.3 else words
        done = subprocess.run([str(launcher), *words], capture_output=True, check=False)
        assert b"ERROR" not in done.stderr, (words, done.stderr)
        assert b"runtime error" not in done.stderr, (words, done.stderr)
        statuses.add(done.returncode)
    assert statuses >= {0, 252}


def test_build_sees_a_dynamic_loader() -> None:
    """The extension records what readelf(1) finds in the launcher; the shell has a loader on most systems."""
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip(reason="no readelf(1): apt-get install binutils")
    from test_c import build_script

    from rusage._children import launcher_availability

    build, launcher = build_script(), Path(launcher_availability.PATH)
    for path in launcher, Path("/bin/sh").resolve():
        headers = subprocess.run([readelf, "--segments", path], capture_output=True, text=True, check=True).stdout
        has_loader = "INTERP" in headers
        assert build.is_static(path) is not has_loader
        assert path != launcher or is_static() is not has_loader


def test_start_with_other_ids_reads_no_file(program: Callable[..., str]) -> None:
    """A program that watches its event loop may refuse to open a file there."""
    program("start_children.py", "opened_files")


def test_build_fails_without_a_launcher(tmp_path: Path) -> None:
    """A wheel without it would report no peaks."""
    pytest.importorskip("setuptools", reason="no setuptools: pip install --group tests")
    from setuptools import Distribution, Extension
    from setuptools.errors import LinkError
    from test_c import build_script

    class Compiler:
        def compile(self, sources: list[str], **_: object) -> list[str]:
            assert (Path(__file__).parent.parent / sources[0]).exists()
            return ["launcher.o"]

        def link_executable(self, *_: object, **__: object) -> None:
            raise LinkError

    build = build_script()
    command = build.build_ext(Distribution({"ext_modules": [Extension("rusage._rusage", [])]}))
    command.ensure_finalized()
    command.build_temp = command.build_lib = str(tmp_path)
    command.compiler = Compiler()
    with pytest.raises(LinkError):
        command.build_extension(command.extensions[0])
