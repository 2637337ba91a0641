"""``rusage -f``, ``-p`` and ``-v``. The oracle: GNU time, side by side.

``RUSAGE_TEST_COMMANDS`` and ``RUSAGE_TEST_SEED`` are the number of random commands, and the seed.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import forked
import pytest
from command import ENVIRONMENTS, check, execute, new_folder, python, text  # noqa: F401 (a fixture)
from conftest import PROGRAMS
from forked import RUSAGE

import rusage
from rusage._children import inherited
from rusage._cli import gnu

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

# Other systems than Linux call it gtime.
GNU_TIME = shutil.which("gtime") or shutil.which("time") or sys.executable
VERSION = subprocess.run([GNU_TIME, "--version"], capture_output=True, check=False).stdout
needs_gnu_time = pytest.mark.skipif(
    b"GNU" not in VERSION, reason="no GNU time: apt-get install time"
)

COMMANDS = {
    "succeeds": ["true"],
    "fails": ["sh", "-c", "exit 3"],
    "is killed": ["sh", "-c", "kill -9 $$"],
    # Again and again: on a loaded machine the first SIGCONT may come before the stop.
    "stops": [
        "sh",
        "-c",
        "(while sleep 0.1; do kill -CONT $$; done) 2>/dev/null & kill -STOP $$; kill $!; wait",
    ],
    "computes": python("sum(range(10**6))"),
    "reads a file": ["sh", "-c", f"cat {sys.executable} >/dev/null"],
    "writes a file": ["dd", "if=/dev/zero", "of=written", "bs=65536", "count=64"],
    "allocates 50 MiB": python("b'x' * (50 << 20)"),
    "forks children": ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 0.01; done"],
    "is not found": ["/no/such/program"],
    "is not executable": ["/etc/passwd"],
}
LETTERS = "DEFIKMOPRSUWXZcekprstwx"
FIGURE = re.compile(r"\?|\d+(:\d\d)*(\.\d+)?")
# The noise. Faults: GNU time's own between its fork and the program are included. The share of a
# short program may be anything. The peak: the error of the kernel's counters, in KiB.
SLACK = {"e": 0.1, "E": 0.1, "U": 0.1, "S": 0.1, "P": 100, "R": 60, "F": 8, "c": 30, "w": 30}
SLACK |= {"I": 1024, "O": 1024}
SLACK["M"] = (inherited.peak_margin() or 2**26) / 1024


def outcome(*words: str) -> tuple[int, list[str]]:
    """Run a command; return its status and the lines of its report, without messages of errors."""
    start = forked.run if words[0] == RUSAGE[0] else subprocess.run
    done = start(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    lines = os.fsdecode(done.stderr).split("\n")
    # dd(1), the reason, and a field that is none
    noise = re.compile(r"\d+\+\d records|\d+ bytes|.*(No such file|Permission denied|no figure)")
    return done.returncode, [line for line in lines if not noise.match(line)]


def both(words: list[str]) -> tuple[Any, Any]:
    """Run a command by GNU time and by rusage, and return both outcomes."""
    return outcome(GNU_TIME, *words), outcome(*RUSAGE, *words)


def check_lines(options: list[str], command: list[str]) -> None:
    """Compare the status and the lines without their figures, except those about a failure."""
    (their_status, theirs), (our_status, ours) = both([*options, *command])
    assert our_status == their_status
    for one, other in zip(ours, theirs, strict=True):
        assert one == other or (
            not one.startswith("Command ") and FIGURE.sub("#", one) == FIGURE.sub("#", other)
        )


def number(text: str) -> float:
    """Return a figure; ``h:mm:ss`` in seconds."""
    value = 0.0
    for part in text.rstrip("%").split(":"):
        value = value * 60 + float(part)
    return value


@needs_gnu_time
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_reports_as_gnu_time(command: list[str]) -> None:
    """Lines, labels and status are equal, letters nearly so; ``?`` where nothing is measured."""
    check_lines(["-p"], command)
    check_lines(["-v"], command)
    layout = "\\n".join(f"{letter}=%{letter}" for letter in LETTERS)
    # test_known_figures has the field of each letter
    figures = dict.fromkeys([*rusage.run(["true"]).measured, "elapsed"], 1.0)
    unknown = {
        each for each in LETTERS if gnu.report(f"%{each}", ["x"], 0, figures).startswith("?")
    }
    status, _ = outcome(GNU_TIME, *command)
    if status in (126, 127):  # no program has run
        unknown = {*LETTERS} - {*"Zx"}
    elif status > 128:  # a killed program has no exit status, where GNU time prints 0
        unknown |= {"x"}
    apart: dict[str, tuple[str, str]] = {}
    for _ in range(15):  # other programs on the machine may change a few runs
        theirs, ours = (
            dict(line.split("=", 1) for line in lines if line)
            for _, lines in both(["-q", "-f", layout, *command])
        )
        assert {letter for letter in LETTERS if ours[letter].rstrip("%") == "?"} == unknown
        apart = {
            letter: (ours[letter], theirs[letter])
            for letter in {*LETTERS} - unknown
            if abs(number(ours[letter]) - number(theirs[letter]))
            > SLACK.get(letter, 0) + 0.1 * number(theirs[letter])
        }
        if not apart:
            break
    assert apart == {}


@needs_gnu_time
@pytest.mark.parametrize(
    "options",
    [
        *(["-p", "-f", "%x"], ["-f", "%x", "-p"], ["-v", "-f", "%x"], ["-f", "%x", "-v"]),
        *(["-f", "%x", "-f", "%%"], ["-qv"], ["-pq"], ["-f%x"], ["-f", "-%x"], ["-f", ""]),
        *(["--format=%x"], ["--form", "%x"], ["--verbose", "--quiet"], ["--portability"]),
        ["-f", "%x\\t\\n\\\\\\q%q%%%{no}%é\\é"],
        ["-f", "%\n\\\n"],
        ["-f", "%x %C", "--"],
    ],
    ids=repr,
)
def test_options_and_escapes_as_gnu_time(options: list[str]) -> None:
    check_lines(options, ["sh", "-c", "exit 3", "\udcff\udcc3"])


def test_unknown_field_in_format() -> None:
    messages = [
        f"rusage: --format: no figure {name}; a field is written as %{{ru_maxrss}}"
        for name in ("maxrss", "nonsense")
    ]
    words = ["-f", "%{maxrss} %{nonsense} %{maxrss} %i %x", "true"]
    check(words, errors="\n".join(messages))
    assert text() == "?{maxrss} ?{nonsense} ?{maxrss} ?i 0\n"


# --- Random commands ---

COUNTS = [
    os.environ.get("RUSAGE_TEST_COMMANDS", "10"),
    pytest.param("40", marks=pytest.mark.thorough),
]
SEED = os.environ.get("RUSAGE_TEST_SEED", "1")
ENTRIES = [
    *itertools.chain(*ENVIRONMENTS),
    *(b"PATH=.:/usr/bin:/bin", b"PATH=/usr/bin:/bin", b"PATH=", b"TMPDIR=/none"),
]
SIGNALS = [
    getattr(signal, f"SIG{name}")
    for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "ALRM", "WINCH")
]
FILES = {
    "a_script": (0o755, "#!/bin/sh\necho script $#; exit 3\n"),
    "no_shebang": (0o755, "echo no shebang $#; exit 4\n"),
    "empty": (0o755, ""),
    "no_interpreter": (0o755, "#!/no/such/interpreter\n"),
    "not_executable": (0o644, "#!/bin/sh\n"),
    "-dash": (0o755, "#!/bin/sh\necho dash\n"),
    "a=b": (0o755, "#!/bin/sh\necho equal sign\n"),
}
ENDS = ["exit:0", "exit:1", "exit:7", "exit:255", "kill:9", "kill:15", "kill:2", "kill:3", "copy"]


def draw(choose: random.Random) -> dict[str, Any]:
    """Return a random command and its circumstances."""
    arguments = choose.choices(
        ["", "a b", "-x", "--", "\udcff", "é", "%e", "\\n"], k=choose.randrange(4)
    )
    others = [
        *([name, *arguments] for name in (f"./{each}" for each in FILES)),
        *(["a_script"], ["no_shebang", "x"], ["/no/such/program"], ["no_such_program"]),
        *(["./folder"], ["folder/"], [""], ["."]),
        *(["sh", "-c", "exit 3"], ["/bin/true"], ["sh", "-c", "cat; echo error >&2"]),
    ]
    script = str(PROGRAMS / "command_probe.py")
    probe = [sys.executable, "-S", script, choose.choice(ENDS), *arguments]
    return {
        "command": probe if choose.random() < 0.6 else choose.choice(others),
        # Not %x: of a program that a signal has killed, it is 0 for GNU time.
        "options": choose.choice(
            ["-f %C", "-qf %C\\t%Z", "-f %C -a", "-pf %%", "-f %C --"]
        ).split(),
        "extra": choose.sample([5, 11, 40], choose.choice([0, 0, 1, 2])),
        "ignored": choose.sample(SIGNALS, choose.choice([0, 0, 1, 2])),
        "blocked": choose.sample(SIGNALS, choose.choice([0, 0, 1, 3])),
        "environment": choose.choices(ENTRIES, k=choose.randrange(6))
        if choose.random() < 0.6
        else None,
        "input": choose.choice([b"", b"text\n"]),
        "earlier": choose.choice([None, "of an earlier command\n"]),
        "umask": choose.choice([0o22, 0o77, 0]),
    }


def observe(program: list[str], drawn: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a command by a program in a new folder, and return all that can be observed."""
    (folder / "folder").mkdir(parents=True)
    for name, (mode, content) in FILES.items():
        (folder / name).write_text(content)
        (folder / name).chmod(mode)
    state, report = folder / "state", folder / "report"
    if drawn["earlier"] is not None:
        report.write_text(drawn["earlier"])
    os.mkfifo(folder / "fifo")
    words = [*program, "-o", "report", *drawn["options"], *drawn["command"]]

    def prepare() -> None:
        os.umask(drawn["umask"])
        fifo = os.open("fifo", os.O_RDWR)
        for fd in drawn["extra"]:
            os.dup2(fifo, fd)
        if fifo not in drawn["extra"]:
            os.close(fifo)
        for number in drawn["ignored"]:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, drawn["blocked"])
        if drawn["environment"] is not None:
            execute(words, drawn["environment"])

    done = subprocess.run(
        words,
        input=drawn["input"],
        capture_output=True,
        cwd=folder,
        preexec_fn=prepare,
        close_fds=False,
        timeout=60,
        check=False,
    )
    errors = done.stderr.decode(errors="backslashreplace")
    return {
        # rusage dies of SIGINT if the command did; GNU time exits with 130.
        "status": 128 - done.returncode if done.returncode < 0 else done.returncode,
        "stdout": done.stdout,
        "stderr": re.sub(r"(?m)^(.*/)?(rusage|time): (cannot run )?.*$", "<error>", errors),
        "report": report.read_text(errors="surrogateescape") if report.exists() else None,
        "mode": oct(report.stat().st_mode) if report.exists() else None,
        **(json.loads(state.read_text()) if state.exists() else {}),
    }


@needs_gnu_time
@pytest.mark.parametrize("count", COUNTS)
def test_random_commands_as_by_gnu_time(count: str, tmp_path: Path) -> None:
    choose = random.Random(int(SEED))
    for number in range(int(count)):
        drawn = draw(choose)
        ours, theirs = (
            observe(by, drawn, tmp_path / f"{number} {by[0][-4:]}") for by in (RUSAGE, [GNU_TIME])
        )
        assert ours == theirs, drawn


@needs_gnu_time
@pytest.mark.parametrize("entries", [[], [b"PATH="], [b"PATH=:"], [b"PATH=/none"]])
def test_search_of_a_script_as_by_gnu_time(entries: list[bytes], tmp_path: Path) -> None:
    """An empty PATH, and an empty entry of it, are the current folder."""
    drawn = draw(random.Random(SEED))
    drawn |= {"command": ["no_shebang", "x"], "environment": entries}
    ours, theirs = (observe(by, drawn, tmp_path / by[0][-4:]) for by in (RUSAGE, [GNU_TIME]))
    assert ours == theirs


# --- Known figures ---

# Counts from 101 on, in the order of the fields.
COUNTS = ["minflt", "majflt", "nswap", "inblock", "oublock", "msgsnd", "msgrcv", "nsignals"]
COUNTS += ["nvcsw", "nivcsw"]
USAGE: dict[str, float] = {
    "ru_utime": 1.009999,
    "ru_stime": 0.990001,
    "ru_maxrss": 10 * 2**20 + 1023,
    "ru_ixrss": 6 * 2**20,
    "ru_idrss": 10 * 2**20,
    "ru_isrss": 14 * 2**20,
    **{f"ru_{name}": number for number, name in enumerate(COUNTS, 101)},
}
FIGURES = USAGE | {"elapsed": 3.9999994}
# The meanings of the manual of GNU time; the integrals are divided by 2 s of CPU time.
EXPECTED = [
    *("D 12288", "E 0:03.99", "F 102", "I 104", "K 15360", "M 10240", "O 105", "P 50%"),
    *("R 101", "S 0.99", "U 1.00", "W 103", "X 3072", "c 110", "e 3.99", "k 108"),
    *("p 7168", "r 107", "s 106", "t ?", "w 109", "x 0"),
    *("{elapsed} 3.999999", "{ru_utime} 1.009999"),
    *(f"{{{name}}} {value}" for name, value in USAGE.items() if isinstance(value, int)),
]


def test_known_figures() -> None:
    for row in EXPECTED:
        letter, expected = row.split()
        assert gnu.report(f"%{letter}", ["true"], 0, FIGURES) == expected
        nothing = gnu.report(f"%{letter}", ["true"], -9, {})
        assert nothing == ("?%" if letter == "P" else "?")
    assert gnu.report(gnu.POSIX, ["true"], 0, FIGURES) == "real 3.99\nuser 1.00\nsys 0.99"
    lines = gnu.report(gnu.VERBOSE, ["true"], 0, FIGURES).splitlines()
    assert {*lines} >= {
        "\tUser time (seconds): 1.00",
        "\tSystem time (seconds): 0.99",
        "\tMaximum resident set size (kbytes): 10240",
        "\tMajor (requiring I/O) page faults: 102",
        "\tMinor (reclaiming a frame) page faults: 101",
        "\tVoluntary context switches: 109",
        "\tInvoluntary context switches: 110",
        "\tFile system inputs: 104",
        "\tFile system outputs: 105",
    }
    assert USAGE.keys() == rusage.fields.keys()
