"""Run random commands by ``rusage`` and by another program, and compare all that the caller and the command see.

``python random_commands.py COUNT SEED OURS THEIRS``: both are command lines, such as ``"python -m rusage"`` and
``/usr/bin/time``. Prints each difference, and the number of commands; the exit status is 1 if there is a difference.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shlex
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RAW_ENVIRONMENT = HERE / "raw_environment.py"
ENTRIES = [
    *(b"=x=1", b"=", b"==", b"A", b"", b"A=1", b"A=2", b"A=", b"B==", b"\xff=\xfe\n"),
    *(b"LC_CTYPE=C", b"LC_CTYPE=C.UTF-8", b"LC_ALL=C", b"LANG=C"),
    *(b"PATH=.:/usr/bin:/bin", b"PATH=/usr/bin:/bin", b"PATH=", b"TMPDIR=/none"),
]
SIGNALS = [getattr(signal, f"SIG{name}") for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "ALRM", "WINCH")]
FILES = {
    "a_script": (0o755, "#!/bin/sh\necho script $#; exit 3\n"),
    "no_shebang": (0o755, "echo no shebang $#; exit 4\n"),
    "empty": (0o755, ""),
    "no_interpreter": (0o755, "#!/no/such/interpreter\n"),
    "not_executable": (0o644, "#!/bin/sh\n"),
    "-dash": (0o755, "#!/bin/sh\necho dash\n"),
    "a=b": (0o755, "#!/bin/sh\necho equal sign\n"),
}


def probe(path: str, todo: str) -> None:
    """Write the state of this process to a file, as the command; then exit or die, perhaps after a signal."""
    fds, report = {}, Path("report").stat() if Path("report").exists() else None
    for fd in range(64):
        with contextlib.suppress(OSError):
            status = os.fstat(fd)
            if report is None or not os.path.samestat(status, report):  # which GNU time lets its command inherit
                fds[fd] = f"{stat.S_IFMT(status.st_mode):o} {os.get_inheritable(fd)}"
    Path(path).touch()
    state: dict[str, Any] = {
        "fds": fds,
        "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        "ignored": [int(number) for number in SIGNALS if signal.getsignal(number) == signal.SIG_IGN],
        "child signal": str(signal.getsignal(signal.SIGCHLD)),
        "environment": Path("/proc/self/environ").read_bytes().hex() if Path("/proc/self/environ").exists() else "",
        "arguments": sys.argv[3:],
        "umask": os.umask(0),
        "in the folder": Path(path).exists(),
        "session": os.getsid(0) == os.getsid(os.getppid()),
        "group": os.getpgid(0) == os.getpgid(os.getppid()),
    }
    Path(path).write_text(json.dumps(state, sort_keys=True))
    what, _, number = todo.partition(":")
    if what == "kill":
        os.kill(os.getpid(), int(number))
    elif what == "copy":
        with contextlib.suppress(OSError):
            os.write(1, os.read(0, 100))
    os._exit(int(number) if what == "exit" else 0)


def draw(choose: random.Random) -> dict[str, Any]:
    """Return a random command and its circumstances."""
    todo = choose.choice(["exit:0", "exit:1", "exit:7", "exit:255", "kill:9", "kill:15", "kill:2", "kill:3", "copy"])
    arguments = choose.choices(["", "a b", "-x", "--", "\udcff", "é", "%e", "\\n"], k=choose.randrange(4))
    others = [
        *([name, *arguments] for name in (f"./{each}" for each in FILES)),
        *(["a_script"], ["no_shebang", "x"], ["/no/such/program"], ["no_such_program"], ["./folder"], ["folder/"]),
        *([""], ["."]),
        *(["sh", "-c", "exit 3"], ["/bin/true"], ["sh", "-c", "cat; echo error >&2"]),
    ]
    probing = [sys.executable, str(Path(__file__)), "probe", "REPORT", todo, *arguments]
    is_probe = choose.random() < 0.6
    options = choose.choice([["-f", "%x %C"], ["-qf", "%x\\t%Z"], ["-f", "%x", "-a"], ["-pf", "%x %%"]])
    # The exit status of a program that a signal killed: "?", for GNU time 0.
    options = [option.replace("%x", "%%" if "kill" in todo else "%x") for option in options]
    return {
        "command": probing if is_probe else choose.choice(others),
        "options": options,
        "separator": choose.choice([[], ["--"]]),
        "extra": choose.sample([5, 11, 40], choose.choice([0, 0, 1, 2])),
        "ignored": sorted(choose.sample(SIGNALS, choose.choice([0, 0, 1, 2]))),
        "blocked": sorted(choose.sample(SIGNALS, choose.choice([0, 0, 1, 3]))),
        "environment": choose.choices(ENTRIES, k=choose.randrange(6)) if choose.random() < 0.6 else None,
        "input": choose.choice([b"", b"text\n"]),
        "earlier": choose.choice([None, "of an earlier command\n"]),
        "umask": choose.choice([0o22, 0o77, 0]),
    }


def prepare(drawn: dict[str, Any]) -> None:
    """Change the state of a child before it executes a program."""
    os.umask(drawn["umask"])
    fifo = os.open("fifo", os.O_RDWR)
    for fd in drawn["extra"]:
        os.dup2(fifo, fd)
    if fifo not in drawn["extra"]:
        os.close(fifo)
    for number in drawn["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, drawn["blocked"])


def observe(words: list[str], drawn: dict[str, Any]) -> dict[str, Any]:
    """Run a command by a program, and return all that can be observed."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        for name, (mode, text) in FILES.items():
            (folder / name).write_text(text)
            (folder / name).chmod(mode)
        (folder / "folder").mkdir()
        if drawn["earlier"] is not None:
            (folder / "report").write_text(drawn["earlier"])
        os.mkfifo(folder / "fifo")

        state, report = folder / "state", folder / "report"
        command = ["state" if word == "REPORT" else word for word in drawn["command"]]
        line = [*words, "-o", "report", *drawn["options"], *drawn["separator"], *command]
        if drawn["environment"] is not None:
            entries = "".join(f"x{entry.hex()}," for entry in drawn["environment"])
            line = [sys.executable, "-S", str(RAW_ENVIRONMENT), entries, *line]
        with subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=path,
            preexec_fn=lambda: prepare(drawn),  # noqa: PLW1509 (this process has one thread)
            close_fds=False,
        ) as process:
            try:
                stdout, stderr = process.communicate(drawn["input"], timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        status = process.returncode
        return {
            # rusage dies of SIGINT if the command did; GNU time exits with 130.
            "status": 128 - status if status < 0 else status,
            "stdout": stdout.decode(errors="backslashreplace"),
            "stderr": re.sub(
                r"(?m)^(.*/)?(rusage|time): (cannot run )?.*$", "<error>", stderr.decode(errors="backslashreplace")
            ),
            "report": report.read_text(errors="surrogateescape") if report.exists() else None,
            "mode": oct(report.stat().st_mode) if report.exists() else None,
            **(json.loads(state.read_text()) if state.exists() else {}),
        }


def main(count: str, seed: str, ours: str, theirs: str) -> int:
    """Compare random commands."""
    choose, differences = random.Random(int(seed)), 0
    for number in range(int(count)):
        drawn = draw(choose)
        found = [observe(shlex.split(words), drawn) for words in (ours, theirs)]
        if found[0] != found[1]:
            differences += 1
            print(number, drawn)
            for name in found[0].keys() | found[1].keys():
                if found[0].get(name) != found[1].get(name):
                    print(f"  {name}: {found[0].get(name)!r} instead of {found[1].get(name)!r}")
    print(f"{count} commands, {differences} different")
    return int(differences > 0)


if __name__ == "__main__":
    if sys.argv[1] == "probe":
        probe(*sys.argv[2:4])
    sys.exit(main(*sys.argv[1:]))
