"""``rusage command args...``."""

import os
import platform
import re
import shlex
import signal
import subprocess
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

import forked
import pytest
from command import ENVIRONMENTS, execute, new_folder, python, started  # noqa: F401 (a fixture)
from command import plain as run
from conftest import linux, needs_sh
from expected import SAMPLED
from forked import CHECKS, RUSAGE
from terminals import Start, press, shown_by

import rusage
from rusage._backends import BACKEND

# As on the systems that have no launcher.
DIRECTLY = [*CHECKS, "launcher", "/no/such/launcher"]
WAYS = [RUSAGE, DIRECTLY] if sys.platform == "linux" else [RUSAGE]
both_ways = pytest.mark.parametrize("words", WAYS, ids=["usual", "directly"][: len(WAYS)])


def test_standard_streams_and_status_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIME", "%x")  # of GNU time
    done = run("sh", "-c", "cat; echo error >&2; exit 7", input="text")
    assert (done.returncode, done.stdout) == (7, "text")
    first, second, *_, last = done.stderr.splitlines()
    assert (first, second.split()[:2]) == ("error", ["wall", "time"])
    assert last.split() == ["exit", "status", "7"]
    is_measured = "ru_maxrss" in rusage.run(["true"]).measured
    assert ("peak memory" in done.stderr) == is_measured or "ru_maxrss" in SAMPLED


MISSING = "No such file or directory"


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        ("/no/such/program", 127, f"rusage: /no/such/program: {MISSING}\n"),
        ("'no such \x1b'", 127, f"rusage: no such \\x1b: {MISSING}\n"),
        ("./file", 126, "rusage: ./file: Permission denied\n"),
        ("./runs.py", 127, f"rusage: ./runs.py: {MISSING}\n"),
        ("./bin", 126, "rusage: ./bin: Permission denied\n"),
        ("sh -c 'kill -9 $$'", 128 + 9, "signal 9 (SIGKILL)\n"),
        # A shell ends a loop then.
        ("sh -c 'kill -2 $$; exit 1'", -signal.SIGINT, "signal 2 (SIGINT)\n"),
        pytest.param("a_script 'x y'", 0, " 0\n", marks=needs_sh),
        ("-- --", 127, f"rusage: --: {MISSING}\n"),
        ("-- ''", 127, "rusage: '': the name of the program is empty\n"),
        ("-o /no/such/file rm bin/a_script", 125, f"rusage: /no/such/file: {MISSING}\n"),
    ],
)
def test_exit_status(line: str, status: int, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of env(1), but for SIGINT; sh(1) runs what has no #!."""
    Path("file").touch()
    Path("bin").mkdir()
    for name, content in {"bin/a_script": 'test "$1" = "x y"\n', "runs.py": "#!/none\n"}.items():
        Path(name).write_text(content)
        Path(name).chmod(0o755)
    monkeypatch.setenv("PATH", f"bin:{os.environ['PATH']}")
    done = run(*shlex.split(line))
    assert done.returncode == status
    assert done.stderr.endswith(text)
    assert Path("bin/a_script").exists()  # nothing is run without the file for the report


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        [],
        ["--info"],
        ["-n", "2", "true"],
        ["-n", "20", "--ignore-failure", "false"],
        ["--tree", "sleep", "0.1"],
        ["-n", "2", "--tree", "--compare", "sleep 0.1", "sleep 0.2"],
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_reports_fit_the_terminal(on_terminal: Start, columns: int, words: list[str]) -> None:
    if "--tree" in words and not hasattr(rusage, "Tree"):
        pytest.skip("this system has no Tree")
    shown = shown_by(on_terminal, "NO_COLOR=1", *RUSAGE, *words, columns=columns)
    lines = [line.rpartition("\r")[2] for line in shown.split("\r\n")]
    assert max(map(len, lines)) <= columns
    if "--compare" in words:
        assert sum("high" in line.split() for line in lines) == 1  # the table has one part


@pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="the original environment is not available here"
)
@both_ways
def test_environment_is_unchanged(words: list[str]) -> None:
    program = ["/bin/cat", "/proc/self/environ"]
    for entries in ENVIRONMENTS:
        expected = b"".join(entry + b"\0" for entry in entries)
        for command in program, [*words, *program]:
            enter = partial(execute, command, entries)
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, preexec_fn=enter)
            assert done.stdout == expected, entries


@linux
@pytest.mark.parametrize("content", [b"", b"LC_CTYPE=C\0PAT"])
def test_untrusted_proc_environ(content: bytes) -> None:
    environment = {"PATH": os.defpath, "LC_CTYPE": "C.UTF-8", "A": "B"}
    done = run("env", before=[*CHECKS, "overwritten", content.hex()], env=environment)
    expected = sorted(f"{name}={value}" for name, value in environment.items())
    assert sorted(done.stdout.splitlines()) == expected


def test_command_without_proc(without_proc: list[str]) -> None:
    """Its peak cannot be told from the peak of rusage."""
    environment = {"PATH": os.defpath, "LC_CTYPE": "C.UTF-8"}
    words = ["sh", "-c", "printenv LC_CTYPE; exit 5"]
    done = run(*words, before=[*without_proc, *RUSAGE], env=environment)
    assert (done.returncode, done.stdout) == (5, "C.UTF-8\n"), done.stderr
    assert "user time" in done.stderr
    assert "peak memory" not in done.stderr


@both_ways
def test_ignored_sigchld_becomes_default(words: list[str]) -> None:
    """As by ``timeout``: it would discard the program's status."""
    code = "import signal; exit(7 if signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL else 8)"
    ignore = partial(signal.signal, signal.SIGCHLD, signal.SIG_IGN)
    done = run(sys.executable, "-c", code, before=words, preexec_fn=ignore)
    assert done.returncode == 7
    assert "user time" in done.stderr


needs_wait4 = pytest.mark.skipif("wait4" not in rusage.__all__, reason="the exit is seen by wait4")
EXITS = "sh -c 'sleep 0.3; exit 5'"
LOST = "the exit status is not available: another caller has already waited for the program"


@pytest.mark.parametrize(
    ("line", "condition", "status", "said"),
    [
        # ``subprocess`` takes a status that was waited for elsewhere for 0.
        pytest.param("true", "lost_status", 125, f"rusage: true: {LOST}\n", marks=needs_wait4),
        # A signal that arrives when the program is being started ends that, not rusage.
        ("sleep 60", "early_signal", 128 + signal.SIGTERM, r".*\(SIGTERM\)\n"),
        (EXITS, "interrupted_wait", 5, ".*user time.*"),
        # After the exit, another process may have got the PID: it gets no signal.
        pytest.param(EXITS, "late_signal", 5, ".*user time.*", marks=needs_wait4),
    ],
)
def test_unusual_conditions(line: str, condition: str, status: int, said: str) -> None:
    done = run(*shlex.split(line), before=[*CHECKS, condition])
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert re.fullmatch(said, done.stderr, re.DOTALL)


FORWARDED = [signal.SIGALRM, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2]


@pytest.mark.parametrize("number", FORWARDED, ids=lambda number: number.name)
@both_ways
def test_signals_are_forwarded(words: list[str], number: signal.Signals) -> None:
    for handler, status, text, printed in (
        ("trap 'echo caught; exit 9' ALRM HUP TERM USR1 USR2;", 9, "exit status", "caught\n"),
        ("", 128 + number, number.name, ""),
    ):
        script = f"{handler} echo ready; while :; do sleep 0.1; done"
        with started(*words, "sh", "-c", script) as process:
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout) == (status, printed)
        assert text in stderr


@both_ways
def test_ignored_signals_are_not_forwarded(words: list[str]) -> None:
    code = "import signal; signal.signal(15, signal.SIG_DFL); print('ready', flush=True); input()"
    ignore = partial(signal.signal, signal.SIGTERM, signal.SIG_IGN)
    with started(*words, *python(code), preexec_fn=ignore) as process:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert "exit status" in process.communicate("\n", timeout=60)[1]
    assert process.returncode == 0


@linux
def test_missing_launcher() -> None:
    for words, expected in (["sh", "-c", "exit 7"], 7), (["--info"], 0):
        done = run(*words, before=DIRECTLY, env=os.environ)  # this process knows its own
        assert done.returncode == expected, done.stderr
        assert "peak memory" not in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("launcher")]
    assert "not used: it cannot run here" in line


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="this system does not list file descriptors"
)
def test_file_of_the_report_is_not_inherited() -> None:
    """GNU time lets its program inherit it."""
    words = ["-o", "file", "--export", "file.json", "ls", "-l", "/proc/self/fd"]
    assert "/file" not in run(*words).stdout


BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


PRINTED, FULL = "standard output", "No space left on device"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    ("line", "status", "who"),
    [
        ("sh -c 'exit 7'", 7, ""),
        ("-n 2 true", 0, ""),
        *(
            (f"{file} {line}", status, who)
            for file, who in [
                ("-ao /dev/full", "/dev/full"),
                ("-o -", PRINTED),
                ("--export full.json", "full.json"),
            ]
            for line, status in [
                ("sh -c 'exit 7'", 7),
                ("true", 125),
                ("-n 2 true", 125),
                ("--limit-cputime 0 true", 123),
            ]
        ),
        *((line, 125, PRINTED) for line in ("", "--json", "--help", "--version")),
    ],
)
def test_report_that_cannot_be_written(line: str, status: int, who: str) -> None:
    """One line of complaint if possible; the program's failure and a limit come first."""
    Path("full.json").symlink_to("/dev/full")
    read, write = os.pipe()
    os.close(read)
    words = shlex.split(line)
    # An interpreter's end may fail too.
    start = forked.run if len(words) > 1 else subprocess.run
    with Path("/dev/full").open("w") as full, os.fdopen(write, "w") as broken:
        for errors in subprocess.PIPE, full, broken:
            done = start(
                [*RUSAGE, *words], stdout=full, stderr=errors, text=True, env=BUFFERED, check=False
            )
            assert done.returncode == status
            complaints = re.findall("rusage: .*: No space left.*", done.stderr or "")
            assert not who or not done.stderr or complaints == [f"rusage: {who}: {FULL}"]
    if status == 125 and who == PRINTED:
        done = run(*words, preexec_fn=lambda: os.close(1))
        assert (done.returncode, done.stderr) == (125, f"rusage: {who}: Bad file descriptor\n")
    if status == 7:
        ended = subprocess.run([*RUSAGE, *words], check=False, preexec_fn=lambda: os.close(2))
        assert ended.returncode == 7


@pytest.mark.parametrize("words", [[], ["--json"], ["--help"]], ids=str)
@pytest.mark.parametrize(
    "unbuffered", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"]
)
def test_closed_pipe_ends_silently(words: list[str], unbuffered: dict[str, str]) -> None:
    read, write = os.pipe()
    os.close(read)
    for blocked in [], [signal.SIGPIPE]:
        done = subprocess.run(
            [*RUSAGE, *words],
            stdout=write,
            stderr=subprocess.PIPE,
            env=BUFFERED | unbuffered,
            check=False,
            preexec_fn=partial(signal.pthread_sigmask, signal.SIG_BLOCK, blocked),
        )
        assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")
    os.close(write)


def test_append_names_the_command() -> None:
    for words in ["sh", "-c", "exit 0", b"\xff"], ["true"]:
        forked.run([*RUSAGE, "-o", "file", "--append", *words], check=True)
    lines = [line for line in Path("file").read_text().splitlines() if "command" in line]
    commands = [["command", "sh", "-c", "exit 0", r"\xff"], ["command", "true"]]
    assert [shlex.split(line) for line in lines] == commands
    run("-o", "file", "true")
    assert "command" not in Path("file").read_text()


def test_info_for_bug_reports() -> None:
    """Facts that others know too."""
    done = run("--info")
    assert (done.returncode, done.stderr) == (0, "")
    unwrapped = re.sub(r"\n +", " ", done.stdout)
    rows = dict(re.split("  +", line, maxsplit=1) for line in unwrapped.splitlines())
    assert rows["version"] == version("rusage")
    assert platform.python_implementation() in rows["interpreter"]
    assert rows["backend"] == BACKEND.name
    used = ("used", "not used: ") if sys.platform == "linux" else "none"
    assert rows["launcher"].startswith(used)
    for name in "self", "children":
        known = rusage.measured(getattr(rusage, f"RUSAGE_{name.upper()}"))
        listed = ", ".join(field for field in rusage.fields if field in known)
        assert rows[f"measured, {name}"] == listed


# Not a shell: FreeBSD's catches SIGQUIT until it executes another program.
DIES = """
import resource, signal
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
signal.signal(signal.SIGINT, signal.SIG_DFL)
print("ready", flush=True)
signal.pause()
"""
HANDLES = "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.1; done"


@pytest.mark.parametrize(
    ("program", "key", "text", "code"),
    [
        (python(DIES), b"\x03", b"(SIGINT)", -signal.SIGINT),
        (python(DIES), b"\x1c", b"(SIGQUIT)", 128 + signal.SIGQUIT),
        pytest.param(["sh", "-c", HANDLES], b"\x03", b"caught", 4, marks=needs_sh),
    ],
    ids=["interrupt", "quit", "caught"],
)
@both_ways
def test_keys_are_for_the_program(  # noqa: PLR0913, PLR0917 (a case)
    on_terminal: Start, words: list[str], program: list[str], key: bytes, text: bytes, code: int
) -> None:
    _, terminal = on_terminal(*words, *program)
    shown = press(terminal, key, f"return code {code}\r\n".encode())
    assert shown.count(text) == 1
    assert shown.index(text) < shown.index(b"exit status" if code == 4 else b"return code")
