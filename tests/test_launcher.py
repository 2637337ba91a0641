"""The launcher under unusual conditions: each test runs a program of its own."""

import json
import os
import platform
import random
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rusage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the launcher is Linux's")

SOURCE = Path(__file__).parent.parent / "rusage" / "_launcher" / "launcher.c"
UNSHARE, STRACE = shutil.which("unshare") or "", shutil.which("strace") or ""

root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may change its IDs: run it as root"
)
filters_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64" or sys.maxsize < 2**32, reason="the filter has the numbers of x86_64"
)
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc libc6-dev")


def skip_unless(command: list[str]) -> None:
    """Skip a test if a command does not succeed here."""
    if not command[0] or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip(reason=f"not permitted, or not installed: {shlex.join(command)}")


# --- File descriptors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "check",
    ["many_open", "fork_meanwhile", "no_close_range", pytest.param("no_seal", marks=filters_x86_64)],
)
def test_file_descriptors(check: str, program: Callable[..., str]) -> None:
    """None is leaked, reaches the child or is taken for another; kernels without some calls will do."""
    program("starts.py", check)


# --- Signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", ["ignored", "reaped_elsewhere", "interrupted", "handler_raises"])
def test_signals_during_a_start(check: str, program: Callable[..., str]) -> None:
    """SIGCHLD is ignored, or its handler reaps or raises; a handler ends a start that cannot end."""
    program("starts.py", check)


@pytest.mark.parametrize("handler", ["python", "c"])
@pytest.mark.parametrize("starts", ["150", pytest.param("1000", marks=pytest.mark.thorough)])
def test_interrupted_starts(starts: str, handler: str, program: Callable[..., str], tmp_path: Path) -> None:
    """At random instants; subprocess leaves the child of almost each such start. No program runs twice."""
    ours = json.loads(program("starts.py", "random_instants", starts, handler, str(tmp_path / "log")))
    assert ours["most runs"] == 1
    assert ours["memfds"] == 0
    assert handler == "c" or ours["interrupted"] > 5
    assert ours["children"] <= ours["interrupted"] / 2
    assert ours["descriptors"] <= 2 + ours["interrupted"] / 4  # subprocess loses some, between two lines


# --- Where the launcher cannot be used --------------------------------------------------------------------------------


NOT_UNDERSTOOD, REFUSED, FAILED = 252, 253, 255  # the launcher's exit statuses
# The file in the launcher's place, and when peaks are measured again after the launcher has come back.
UNUSABLE: list[tuple[str | None, int, str]] = [
    (f"#!/bin/sh\nexit {REFUSED}\n", 0o755, "never"),
    (f"#!/bin/sh\nexit {FAILED}\n", 0o755, "at once"),
    (f"#!/bin/sh\nexit {NOT_UNDERSTOOD}\n", 0o755, "later"),
    (None, 0, "later"),
    ("#!/no/such/interpreter\n", 0o755, "later"),
    ("\x7fELF", 0o755, "later"),
    ("\x7fELF", 0o644, "later"),
]


@pytest.mark.parametrize(("text", "mode", "when"), UNUSABLE)
def test_unusable_launcher(text: str | None, mode: int, when: str, program: Callable[..., str], tmp_path: Path) -> None:
    """Children run and their peaks are not measured. It is tried again, unless the system refuses it for ever."""
    launcher = tmp_path / "launcher"
    if text is not None:
        launcher.write_text(text)
        launcher.chmod(mode)
    program("starts.py", "unusable", str(launcher), when)


@pytest.mark.parametrize(("name", "status"), [("KILL", -9), ("TERM", -15), ("SYS", 0), ("SEGV", 0)])
def test_launcher_that_a_signal_kills(name: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that the launcher cannot cause itself is for the program, which does not run any more."""
    from rusage._launcher import start

    launcher = tmp_path / "launcher"
    launcher.write_text(f"#!/bin/sh\nkill -{name} $$\n")
    launcher.chmod(0o755)
    monkeypatch.setattr(start, "PATH", str(launcher))
    monkeypatch.setattr(start, "_retry_at", 0.0)
    assert rusage.run(["true"]).returncode == status


def test_pause_does_not_end_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may have found that the launcher cannot be used at all."""
    from rusage._launcher import start

    monkeypatch.setattr(start, "_retry_at", 0.0)
    start.pause(start.NEVER)
    start.pause(-1)
    assert "ru_maxrss" not in rusage.run(["true"]).measured


def test_launcher_dumps_no_core(program: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel deletes a file of that name first, where core_pattern is "core"; the limit is on the memfd too."""
    monkeypatch.chdir(tmp_path)
    program("starts.py", "small_files")


@filters_x86_64
@pytest.mark.parametrize("action", ["kill", "refuse"])
@pytest.mark.parametrize("call", ["ftruncate", "clone", "exit_group"])
def test_sandbox_without_a_system_call(call: str, action: str, program: Callable[..., str]) -> None:
    """The program runs, and runs once, whether a launcher cannot create it or cannot exit after it has."""
    program("starts.py", "sandbox", call, action)


@filters_x86_64
def test_child_gets_a_copy_where_shared_memory_is_refused(program: Callable[..., str]) -> None:
    """Emulators of a processor refuse it too."""
    program("starts.py", "no_shared_memory")


@root_only
def test_no_process_for_the_launcher(program: Callable[..., str]) -> None:
    """Where RLIMIT_NPROC permits no third process the child is started directly."""
    program("starts.py", "no_process")


def test_process_id_in_the_memory(program: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ID of a process that is no child of this one is not believed. The program runs once."""
    monkeypatch.chdir(tmp_path)
    program("starts.py", "processes")


# --- With the rights of the program -----------------------------------------------------------------------------------

THIS_USER = os.geteuid() if hasattr(os, "geteuid") else 0
DIRECT: list[dict[str, Any]] = [{"user": 33}, {"group": 33}, {"extra_groups": []}, {"user": THIS_USER}]


@root_only
@pytest.mark.parametrize("keywords", DIRECT, ids=str)
def test_other_users_are_started_directly(keywords: dict[str, Any]) -> None:
    """Also those that are the same."""
    done = rusage.run(["true"], **keywords)
    assert done.returncode == 0
    assert "ru_maxrss" not in done.measured


LINKS = {"folder/up": "../true", "second": "folder/up", "exe": "/proc/self/exe", "process": "/proc/self"}


@pytest.mark.parametrize(
    ("path", "depends"),  # on the process that follows it
    [
        ("./true", False),
        ("true", False),
        ("folder/up", False),
        ("{}/second", False),
        ("folder/../second", False),
        ("/proc/self/exe", True),
        ("./exe", True),
        ("exe", True),
        ("process/exe", True),
        ("folder/../exe", True),
    ],
)
def test_links_in_proc(path: str, *, depends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is named by one is started directly: the launcher's child would follow it to another file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    shutil.copy(shutil.which("true") or "", "true")
    for name, target in LINKS.items():
        os.symlink(target, name)
    program = path.format(tmp_path)
    done = rusage.run([program, "-c", ""], executable=program, env={"PATH": f"none:{tmp_path}"})
    assert (done.returncode, "ru_maxrss" in done.measured) == (0, not depends)


FOLDERS = """
import resource, rusage, sys
resource.setrlimit(resource.RLIMIT_STACK, (2**26, resource.getrlimit(resource.RLIMIT_STACK)[1]))
path = ":".join([sys.argv[1], *["/none"] * 19_000])
for program in sys.argv[2], f"{sys.argv[1]}/{sys.argv[2]}":
    done = rusage.run([program], env={"PATH": path})
    print(done.rusage.ru_maxrss if "ru_maxrss" in done.measured else "not measured")
"""


def test_peak_with_thousands_of_folders(python: Callable[..., str], tmp_path: Path) -> None:
    """PATH costs the launcher nothing: the child has the same variable."""
    (tmp_path / ("x" * 250)).symlink_to(shutil.which("true") or "")
    found, given = map(int, python("-c", FOLDERS, str(tmp_path), "x" * 250).split())
    assert found <= given + (rusage.fields["ru_maxrss"].error or 0)


SETGID, SETUID, NOROOT, NO_SETUID_FIXUP = 6, 7, 1, 4  # capabilities, securebits
ALL = [*range(64)]
ANOTHER_USER: list[Any] = [("groups", []), ("gids", (5, 5, 5)), ("ids", (5, 5, 5)), ("dumpable", 1)]
# What the process changes first, and whether the launcher would then have exactly its rights.
RIGHTS: list[tuple[list[Any], bool]] = [
    ([], True),
    ([("dumpable", 0)], False),
    ([("ids", (0, 65534, 0))], False),
    ([("gids", (0, 65534, 0))], False),
    ([("securebits", NO_SETUID_FIXUP), ("fsuid", 65534), ("dumpable", 1)], False),
    ([("fsgid", 65534), ("dumpable", 1)], False),
    (ANOTHER_USER, True),
    ([("keepcaps", 1), *ANOTHER_USER], False),
    ([("securebits", NOROOT)], False),  # the launcher would have no capability
    ([("securebits", NOROOT), ("ambient", ALL)], True),
    ([("securebits", NOROOT), ("without_capabilities", ALL)], True),
    ([("without_capabilities", ALL)], False),  # the launcher would have all
    ([("without_capabilities", [SETGID, SETUID])], False),
    ([("bounding", [SETGID, SETUID]), ("without_capabilities", [SETGID, SETUID])], True),
    ([("bounding", [SETUID])], False),  # the launcher would not have it
    ([("not_effective", ALL)], False),
    ([("personality", 0x0400000)], False),  # READ_IMPLIES_EXEC
    ([("limit", ("STACK", 255 * 1024))], False),
]


@root_only
@pytest.mark.parametrize(("conditions", "usable"), RIGHTS, ids=str)
def test_launcher_has_the_rights_of_its_parent(
    conditions: list[Any],
    usable: bool,  # noqa: FBT001 (a column)
    program: Callable[..., str],
) -> None:
    """Otherwise it is not used."""
    assert program("start_conditions.py", json.dumps(conditions)) == f"{usable}\n"


@root_only
@pytest.mark.parametrize(("label", "waits"), [("label\n", True), ("", False)])
def test_security_label_for_the_next_exec(label: str, waits: bool, tmp_path: Path) -> None:  # noqa: FBT001 (a column)
    """It is for the program: the launcher would use it up. Files stand for /proc/thread-self/attr."""
    skip_unless([UNSHARE, "-m", "mount", "--bind", "/proc", "/proc"])
    (tmp_path / "current").write_text("label\n")
    (tmp_path / "exec").write_text(label)
    code = "import rusage; print('ru_maxrss' in rusage.run(['true']).measured)"
    mount = 'mount --bind "$0" /proc/$$/attr && mount --bind "$0" /proc/$$/task/$$/attr && exec "$@"'
    command = [UNSHARE, "-m", "sh", "-c", mount, str(tmp_path), sys.executable, "-c", code]
    assert subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout == f"{not waits}\n"


# --- Another root directory -------------------------------------------------------------------------------------------


@root_only
@filters_x86_64
def test_root_that_cannot_be_identified(program: Callable[..., str], without_proc: list[str]) -> None:
    """Without statx(2) and /proc, children are started directly."""
    program("starts.py", "unknown_root", before=without_proc)


# --- The child --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", ["in_thread", "forgotten", "audit"])
def test_child_is_the_parents_own(check: str, program: Callable[..., str]) -> None:
    """Any thread can wait for it, nothing else is left; an audit hook may refuse the program, and then the launcher."""
    program("starts.py", check)


@pytest.mark.parametrize("options", [["-pf"], ["-pf", "--mount-proc"], ["-p"]], ids=" ".join)
def test_pid_namespaces(options: list[str], program: Callable[..., str]) -> None:
    """As process 1 of a container, with any /proc, children are measured; in one of their own their peak is not."""
    skip_unless([UNSHARE, *options, "true"])
    # Without -f only the children are in the new one, and it ends with the first of them.
    program("starts.py", "plain" if "-pf" in options else "first_of_namespace", before=[UNSHARE, *options])


def test_starts_under_a_tracer(program: Callable[..., str]) -> None:
    """strace(1) follows launcher and child."""
    skip_unless([STRACE, "-o", "/dev/null", "true"])
    strace = [STRACE, "-f", "-qq", "-e", "trace=execve", "-o", "/dev/null"]
    program("starts.py", "plain", before=strace)


@pytest.mark.skipif(platform.python_implementation() == "PyPy", reason="PyPy counts no references")
def test_failed_start_makes_no_cycle(program: Callable[..., str]) -> None:
    """The object is freed with its last reference, whether the launcher or a signal handler made the start fail."""
    program("starts.py", "collected")


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


# VERSION FLAGS MEMORY DONE PROCESS_GROUP, one limit: a resource and two numbers.
GOOD = ["2", "4", "9", "1", "0", "1", "4", "0", "0"]


def run_launcher(numbers: list[str], launcher: str = "") -> int:
    """Return the exit status of a launcher that shall start a shell with these numbers; it must print nothing."""
    from rusage._launcher.start import PATH

    command = [launcher or PATH, " ".join(numbers), "/bin/sh", "sh", "-c", "echo started"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"", b"")
    return done.returncode


@pytest.mark.parametrize(
    "number", ["", "-1", "+1", " 1", "1 ", "0x1", "x", "1.0", "\u0661", "True", "2" * 20, "9" * 40]
)
def test_launcher_with_a_bad_number(number: str) -> None:
    """The launcher refuses, at any position, what is no decimal number or not in the range of the type."""
    assert run_launcher(GOOD) == FAILED  # there is no memory at descriptor 9
    for position in range(len(GOOD)):
        assert run_launcher([*GOOD[:position], number, *GOOD[position + 1 :]]) == NOT_UNDERSTOOD


@pytest.mark.parametrize(
    "numbers",
    [
        *(GOOD[:length] for length in range(len(GOOD))),
        [*GOOD, "1"],
        ["1", *GOOD[1:]],  # another version
        ["2", "8", *GOOD[2:]],  # an unknown flag
        *([*GOOD[:place], "2147483648", *GOOD[place + 1 :]] for place in (2, 3, 4)),  # no int
        [*GOOD[:5], "65", *GOOD[6:]],  # too many limits
        [*GOOD[:5], "2", *GOOD[6:]],  # a limit too few
    ],
    ids=" ".join,
)
def test_launcher_with_bad_numbers(numbers: list[str]) -> None:
    """Nothing is started, and nothing is printed."""
    assert run_launcher(numbers) == NOT_UNDERSTOOD


@needs_compiler
@pytest.mark.parametrize(
    "options", [["-DRUSAGE_NO_LIBC", "-ffreestanding", "-static", "-nostdlib"], []], ids=["bare", "libc"]
)
def test_both_forms_compile_and_work(options: list[str], program: Callable[..., str], tmp_path: Path) -> None:
    """Without a C library, for the processors of nolibc.h, and with one, for all others; no warnings."""
    launcher = tmp_path / "launcher"
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-stack-protector", *options, "-o", str(launcher)]
    done = subprocess.run([*command, str(SOURCE)], capture_output=True, text=True, check=False)
    if options and "no system calls without a C library" in done.stderr:
        pytest.skip(reason="this processor has the form with a C library only")
    assert done.returncode == 0, done.stderr
    program("starts.py", "plain", str(launcher))


def test_launcher_with_random_words() -> None:
    """It exits with one of its own statuses, whatever the words are; tox -e sanitizers looks for more."""
    choose = random.Random(int(os.environ.get("RUSAGE_TEST_SEED", "1")))
    values = ["0", "1", "2", "4", "7", "8", "64", "65", "2147483647", "4294967295", "-1", "", "x", "9" * 20, "9" * 30]
    statuses = set()
    for _ in range(int(os.environ.get("RUSAGE_TEST_STARTS", "50"))):
        numbers = [*GOOD]
        for _ in range(choose.randrange(4)):
            numbers[choose.randrange(len(numbers))] = choose.choice(values)
        if choose.random() < 0.3:
            position = choose.randrange(len(numbers))
            numbers[position:position] = [choose.choice(values) for _ in range(choose.randrange(5))]
        statuses.add(run_launcher(numbers))
    assert statuses == {NOT_UNDERSTOOD, FAILED}
    from rusage._launcher.start import PATH

    for words in [], [" ".join(GOOD)]:
        assert subprocess.run([PATH, *words], capture_output=True, check=False).returncode == NOT_UNDERSTOOD


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
