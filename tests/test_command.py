"""``rusage command args…``."""

import json
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rusage

if sys.platform == "win32":
    pytest.skip("the programs that run here are those of a Unix", allow_module_level=True)

UNSHARE = shutil.which("unshare") or ""
RUSAGE = [sys.executable, "-m", "rusage"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a folder of its own, in which it can name files shortly."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, **keywords: object) -> "subprocess.CompletedProcess[str]":
    """Run the command with arguments."""
    return subprocess.run([*RUSAGE, *arguments], capture_output=True, text=True, check=False, **keywords)  # type: ignore[call-overload,no-any-return]


def test_standard_streams_and_status_pass_through() -> None:
    """What the command reads, writes and returns is its own; the report comes after it on standard error."""
    done = run("sh", "-c", "cat; echo error >&2; exit 7", input="text")
    assert done.stdout == "text"
    assert done.returncode == 7
    lines = done.stderr.splitlines()
    assert lines[0] == "error"
    assert lines[1].startswith("wall time")
    assert lines[-1].split() == ["exit", "status", "7"]
    assert ("peak memory" in done.stderr) == ("ru_maxrss" in rusage.run(["true"]).measured)


def test_json_has_exact_numbers_and_units() -> None:
    """One object on one line: only what was measured of this child, each figure with its unit."""
    done = run("--json", "--", "sh", "-c", "exit 3")
    assert done.returncode == 3
    record = json.loads(done.stderr)
    assert record["command"] == ["sh", "-c", "exit 3"]
    assert (record["exit_status"], record["signal"]) == (3, None)
    assert 0 < record["elapsed"] < 60
    assert record["usage"].keys() == rusage.run(["true"]).measured
    assert record["units"] == {"elapsed": "seconds", **{name: rusage.fields[name].unit for name in record["usage"]}}


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["/no/such/program"], 127),
        (["no such program"], 127),
        (["/etc/passwd"], 126),
        (["/"], 126),
        (["sh", "-c", "kill -9 $$"], 128 + 9),
        (["sh", "-c", "kill -TERM $$"], 128 + 15),
        (["sh", "-c", "exit 255"], 255),
    ],
    ids=str,
)
def test_exit_status_is_that_of_gnu_time(command: list[str], status: int) -> None:
    """127 not found, 126 not executable, 128 + n killed by signal n, else the command's."""
    done = run(*command)
    assert done.returncode == status
    if Path("/usr/bin/time").exists() and sys.platform == "linux":
        assert subprocess.run(["/usr/bin/time", *command], capture_output=True, check=False).returncode == status
    if status in (126, 127):
        assert done.stderr.startswith(f"rusage: {command[0]}: ")
    if status > 128 and status < 255:
        assert f"signal {status - 128} (SIG" in done.stderr
        assert json.loads(run("--json", *command).stderr)["signal"] == status - 128


def test_a_script_without_a_shebang_is_run_by_sh(tmp_path: Path) -> None:
    """As execvp(3) does it, and therefore GNU time, and every shell."""
    (tmp_path / "script").write_text('echo "$1"\n')
    (tmp_path / "script").chmod(0o755)
    done = run("./script", "x y")
    assert (done.returncode, done.stdout) == (0, "x y\n")


def test_the_report_can_go_to_a_file(tmp_path: Path) -> None:
    """``-o`` begins the file anew, ``--append`` keeps what it has; the command does not inherit it."""
    for options in ["-o", "file"], ["-o", "file"], ["--output=file", "--append"]:
        done = run("--json", *options, "true")
        assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["exit_status"] for line in (tmp_path / "file").read_text().splitlines()] == [0, 0]
    if Path("/proc/self/fd").exists():
        listed = run("-o", "file", "ls", "-l", "/proc/self/fd").stdout
        assert "/file" not in listed
    assert run("-o", "/no/such/file", "touch", "touched").returncode == 125
    assert not (tmp_path / "touched").exists()


def test_options_after_the_command_are_the_commands() -> None:
    """The first word that is no option begins the command; ``--`` ends the options, once."""
    assert run("echo", "--json", "-o", "x").stdout == "--json -o x\n"
    assert run("--json", "echo", "--json", "--").stdout == "--json --\n"
    assert run("--", "echo", "--").stdout == "--\n"
    assert run("--", "--").returncode == 127
    assert run("--json", "--", "--").returncode == 127
    assert run("--nonsense", "true").returncode == 2
    assert run("-o", "file").returncode == 2
    assert run("--append", "true").returncode == 2


def test_help_is_short_and_has_an_example() -> None:
    """``-h`` fits a small screen."""
    done = run("-h")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) <= 20
    assert "example: rusage " in done.stdout


def test_file_descriptors_pass_through() -> None:
    """What is inherited from the caller is handed on, as by GNU time."""
    read, write = os.pipe()
    os.set_inheritable(write, True)  # noqa: FBT003 (takes no keyword)
    program = f"import os; os.write({write}, b'x')"
    subprocess.run([*RUSAGE, sys.executable, "-c", program], close_fds=False, capture_output=True, check=True)
    os.close(write)
    assert os.read(read, 10) == b"x"
    os.close(read)


@pytest.mark.skipif(
    platform.python_implementation() == "PyPy", reason="PyPy forgets at its start that SIGINT was ignored"
)
def test_ignored_signals_stay_ignored() -> None:
    """What the caller ignores, the command does; what it does not ignore, the command does not either."""
    for ignore in True, False:
        done = subprocess.run(
            [*RUSAGE, "sh", "-c", "kill -INT $$; echo survived"],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignore else None,
        )
        assert (done.stdout == "survived\n") is ignore
        assert done.returncode == (0 if ignore else 130)


LAUNCHED = sys.platform == "linux" and hasattr(os, "posix_spawn")


@pytest.mark.skipif(not LAUNCHED, reason="here the command needs subprocess")
def test_the_command_is_light(python: Callable[..., str]) -> None:
    """Where the launcher is there, nothing is imported that takes longer than a short command does."""
    heavy = {"subprocess", "signal", "typing", "enum", "re", "argparse", "json", "selectors", "threading", "contextlib"}
    program = (
        "import sys; before = set(sys.modules); from rusage.__main__ import main; main(['true']); "
        f"print(sorted({heavy!r} & (set(sys.modules) - before)))"
    )
    assert python("-c", program).strip() == "[]"


LAUNCHERS: list[tuple[str | None, int]] = [
    (None, 7),
    ("no program", 7),
    ("#!/bin/sh\nexit 255\n", 7),
    ("#!/bin/sh\nkill -9 $$\n", 128 + 9),
]


@pytest.mark.skipif(sys.platform != "linux", reason="the launcher is Linux's")
@pytest.mark.parametrize(
    ("launcher", "status"), LAUNCHERS, ids=["no launcher", "no program", "a refusal", "killed at the start"]
)
def test_a_launcher_that_fails(launcher: str | None, status: int, tmp_path: Path) -> None:
    """The command runs all the same, and its peak is not told; a signal to the launcher is one to the command."""
    path = tmp_path / "launcher"
    if launcher is not None:
        path.write_text(launcher)
        path.chmod(0o755)
    program = f"""
import sys
import rusage._launch
from rusage.__main__ import main
rusage._launch.PATH = {str(path)!r}
sys.exit(main(["sh", "-c", "exit 7"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert "wall time" in done.stderr
    assert "peak memory" not in done.stderr


def test_the_wall_time_is_the_commands_alone(python: Callable[..., str]) -> None:
    """What this program imports in order to run the command does not count."""
    program = """
import contextlib, io, json, sys, time
import rusage._command
from rusage.__main__ import main
class Slow:
    def find_spec(self, name, path=None, target=None):
        global now
        now += 100
sys.meta_path.insert(0, Slow())
now = 0
time.perf_counter = lambda: now
if sys.platform == "linux":
    rusage._launch.PATH = "/no/such/launcher"
with contextlib.redirect_stderr(io.StringIO()) as report:
    main(["--json", "true"])
assert now >= 100
print(json.loads(report.getvalue())["elapsed"])
"""
    assert python("-c", program) == "0\n"


@pytest.mark.skipif(not UNSHARE, reason="there is no unshare(1)")
def test_a_command_in_a_pid_namespace_of_its_own() -> None:
    """It runs and its status is its own; its peak cannot be told from this program's."""
    if subprocess.run([UNSHARE, "-p", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(reason="no permission to make a namespace")
    done = subprocess.run(
        [UNSHARE, "-p", *RUSAGE, "sh", "-c", "echo $$; exit 5"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (5, "1\n"), done.stderr
    assert "user time" in done.stderr
    assert "peak memory" not in done.stderr


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Give a pseudo-terminal: our end and its name's."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def read_until(fd: int, text: bytes) -> bytes:
    """Read a terminal until it has shown something; what never comes is a failure, not a test that never ends."""
    seen = b""
    while text not in seen:
        assert select.select([fd], [], [], 60)[0], seen
        seen += os.read(fd, 4096)
    return seen


INNER = """
import os, signal, sys
os.setsid()
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def on_terminal(theirs: int, *command: str) -> "subprocess.Popen[bytes]":
    """Start a command as the leader of a session whose terminal this is."""
    return subprocess.Popen([sys.executable, "-c", INNER, *command], stdin=theirs, stdout=theirs, stderr=theirs)


def test_ctrl_c_reaches_the_command_and_the_report_is_still_printed(terminal: tuple[int, int]) -> None:
    """The command decides what the keys for interrupt and quit do; the report comes when it has ended."""
    for key, name, status in (b"\x03", b"(SIGINT)", 130), (b"\x1c", b"(SIGQUIT)", 131):
        process = on_terminal(terminal[1], *RUSAGE, "sh", "-c", "ulimit -c 0; echo ready; exec sleep 60")
        read_until(terminal[0], b"ready")
        time.sleep(0.2)  # the exec
        os.write(terminal[0], key)
        read_until(terminal[0], name)
        assert process.wait() == status
    script = "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.1; done"
    process = on_terminal(terminal[1], *RUSAGE, "sh", "-c", script)
    read_until(terminal[0], b"ready")
    os.write(terminal[0], b"\x03")
    assert b"caught" in read_until(terminal[0], b"exit status")
    assert process.wait() == 4


def test_ctrl_z_stops_both_and_fg_goes_on(terminal: tuple[int, int]) -> None:
    """A shell with job control sees the command stopped, and after fg it ends with its own status."""
    process = on_terminal(terminal[1], "/bin/sh", "-im")
    os.write(terminal[0], f"PS1=; {' '.join(RUSAGE)} sh -c 'echo rea''dy; sleep 1; exit 6'\n".encode())
    read_until(terminal[0], b"ready\r\n")
    os.write(terminal[0], b"\x1a")
    read_until(terminal[0], b"topped")
    os.write(terminal[0], b"fg; echo sta''tus $?; exit\n")
    shown = read_until(terminal[0], b"status 6")
    assert b"wall time" in shown
    process.wait()
