"""``rusage -f``, ``-p`` and ``-v``. The oracle: GNU time, side by side."""

import os
import re
import subprocess
import sys

import forked
import pytest
from command import new_folder  # noqa: F401 (a fixture)
from forked import RUSAGE
from gnu_time import GNU_TIME, needs_gnu_time

import rusage
from rusage._children import inherited
from rusage._cli import gnu

pytestmark = pytest.mark.system

PROGRAMS = {
    "succeeds": ["true"],
    "fails": ["sh", "-c", "exit 3"],
    "is killed": ["sh", "-c", "kill -9 $$"],
    # Again and again: on a loaded machine the first SIGCONT may come before the stop.
    "stops": ["sh", "-c", "(while sleep 0.1; do kill -CONT $$; done) 2>/dev/null & kill -STOP $$; kill $!; wait"],
    "sleeps": ["sleep", "0.1"],
    "computes": [sys.executable, "-c", "sum(range(3 * 10**6))"],
    "reads a file": ["sh", "-c", f"cat {sys.executable} >/dev/null"],
    "writes a file": ["dd", "if=/dev/zero", "of=written", "bs=65536", "count=64"],
    "allocates 50 MiB": [sys.executable, "-c", "b'x' * (50 * 2**20)"],
    "forks children": ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 0.01; done"],
    "is not found": ["/no/such/program"],
    "is not executable": ["/etc/passwd"],
}
LETTERS = "CDEFIKMOPRSUWXZcekprstwx"
COUNTED = ["majflt", "inblock", "oublock", "minflt", "nswap", "nivcsw", "nsignals", "msgrcv", "msgsnd", "nvcsw"]
FIELDS = {
    **{letter: f"ru_{name}" for letter, name in zip("FIORWckrsw", COUNTED, strict=True)},
    "M": "ru_maxrss",
    "S": "ru_stime",
    "U": "ru_utime",
    **dict.fromkeys("DKXp", "ru_idrss"),
}
FIGURE = re.compile(r"\?|\d+(:\d\d)*(\.\d+)?")
# The noise. Faults: GNU time's own between its fork and the program are included. The share of a short program may be
# anything. The peak: the error of the kernel's counters, in KiB.
SLACK = {"e": 0.1, "E": 0.1, "U": 0.1, "S": 0.1, "P": 100, "R": 60, "F": 8, "c": 30, "w": 30, "I": 1024, "O": 1024}
SLACK["M"] = (inherited.peak_margin() or 2**26) / 1024


def outcome(*words: str) -> tuple[int, list[str]]:
    """Run a command; return its status and the lines of standard error, without those of the program and of errors."""
    start = forked.run if words[0] == RUSAGE[0] else subprocess.run
    done = start(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    lines = os.fsdecode(done.stderr).split("\n")
    noise = re.compile(r"\d+\+\d records|\d+ bytes|.*(No such file|Permission denied)")  # dd(1), and the reason
    return done.returncode, [line for line in lines if not noise.match(line)]


def both(options: list[str], command: list[str]) -> tuple[tuple[int, list[str]], tuple[int, list[str]]]:
    """Run a command by GNU time and by rusage, and return both outcomes."""
    return outcome(GNU_TIME, *options, *command), outcome(*RUSAGE, *options, *command)


def skeleton(lines: list[str]) -> list[str]:
    """Return lines without their figures, except those about a failure."""
    return [line if line.startswith("Command ") else FIGURE.sub("#", line) for line in lines]


@needs_gnu_time
@pytest.mark.parametrize("option", ["-p", "-v"])
@pytest.mark.parametrize("command", PROGRAMS.values(), ids=PROGRAMS)
def test_lines_and_labels_as_gnu_time(command: list[str], option: str) -> None:
    """Only figures differ, and the exit status is the same."""
    theirs, ours = both([option], command)
    assert ours[0] == theirs[0]
    assert skeleton(ours[1]) == skeleton(theirs[1])


def number(text: str) -> float:
    """Return a figure; ``h:mm:ss`` in seconds."""
    value = 0.0
    for part in text.rstrip("%").split(":"):
        value = value * 60 + float(part)
    return value


@needs_gnu_time
@pytest.mark.parametrize("command", PROGRAMS.values(), ids=PROGRAMS)
def test_figures_as_gnu_time(command: list[str]) -> None:
    """Each letter: equal, or nearly so; ``?`` exactly where nothing is measured."""
    layout = "\\n".join(f"{letter}=%{letter}" for letter in LETTERS)
    unknown = {letter for letter, name in FIELDS.items() if name not in rusage.run(["true"]).measured} | {"t"}
    status, _ = outcome(GNU_TIME, *command)
    if status in (126, 127):  # no program has run
        unknown = {*LETTERS} - {*"CZx"}
    elif status > 128:  # a killed program has no exit status, where GNU time prints 0
        unknown |= {"x"}
    apart: dict[str, tuple[str, str]] = {}
    for _ in range(15):  # other programs on the machine may change a few runs
        theirs, ours = (
            dict(line.split("=", 1) for line in lines if line) for _, lines in both(["-q", "-f", layout], command)
        )
        assert {letter for letter in LETTERS if ours[letter].rstrip("%") == "?"} == unknown
        assert all(ours[letter] == theirs[letter] for letter in {*"CZx"} - unknown)
        apart = {
            letter: (ours[letter], theirs[letter])
            for letter in {*LETTERS} - unknown - {*"CZx"}
            if abs(number(ours[letter]) - number(theirs[letter])) > SLACK.get(letter, 0) + 0.1 * number(theirs[letter])
        }
        if not apart:
            break
    assert apart == {}


@needs_gnu_time
@pytest.mark.parametrize(
    "options",
    [
        *(["-p", "-f", "%x"], ["-f", "%x", "-p"], ["-v", "-p"], ["-v", "-f", "%x"], ["-f", "%x", "-v"]),
        *(["-f", "%x", "-f", "%%"], ["-q", "-f", "%x"], ["-qv"], ["-pq"], ["-f%x"], ["-f", "-%x"], ["-f", ""]),
        *(["--format=%x"], ["--form", "%x"], ["--verbose", "--quiet"], ["--portability"]),
        ["-f", "%x\\t\\n\\\\\\q%q%%%{no}%é\\é"],
        ["-f", "%\n\\\n"],
        ["-f", "%x %C", "--"],
    ],
    ids=repr,
)
def test_options_and_escapes_as_gnu_time(options: list[str]) -> None:
    """The last of ``-f`` and ``-p`` counts, ``-v`` wins over both, unknown letters are kept after a ``?``."""
    theirs, ours = both(options, ["sh", "-c", "exit 3", "\udcff\udcc3"])
    assert ours[0] == theirs[0]
    assert skeleton(ours[1]) == skeleton(theirs[1])


# Counts from 101 on, in the order of the fields.
COUNTS = ["minflt", "majflt", "nswap", "inblock", "oublock", "msgsnd", "msgrcv", "nsignals", "nvcsw", "nivcsw"]
USAGE: dict[str, float] = {
    "ru_utime": 1.009999,
    "ru_stime": 0.990001,
    "ru_maxrss": 10 * 2**20 + 1023,
    "ru_ixrss": 6 * 2**20,
    "ru_idrss": 10 * 2**20,
    "ru_isrss": 14 * 2**20,
    **{f"ru_{name}": number for number, name in enumerate(COUNTS, 101)},
}
# The meanings of the manual of GNU time; the integrals are divided by 2 s of CPU time.
EXPECTED = [
    *("D 12288", "E 0:03.99", "F 102", "I 104", "K 15360", "M 10240", "O 105", "P 50%", "R 101", "S 0.99", "U 1.00"),
    *("W 103", "X 3072", "c 110", "e 3.99", "k 108", "p 7168", "r 107", "s 106", "t ?", "w 109", "x 0"),
    *("{elapsed} 3.999999", "{ru_utime} 1.009999"),
    *(f"{{{name}}} {value}" for name, value in USAGE.items() if isinstance(value, int)),
]


@pytest.mark.parametrize("row", EXPECTED)
def test_each_letter_of_known_figures(row: str) -> None:
    """Times are rounded down to hundredths, memory to KiB; without the field each is ``?``."""
    letter, expected = row.split()
    assert gnu.report(f"%{letter}", ["true"], 0, USAGE, 3.9999994) == expected
    nothing = gnu.report(f"%{letter}", ["true"], -9, {}, None)
    assert nothing == ("?%" if letter == "P" else "?")


def test_reports_of_known_figures() -> None:
    """Each label has its own figure."""
    assert gnu.report(gnu.POSIX, ["true"], 0, USAGE, 3.9999994) == "real 3.99\nuser 1.00\nsys 0.99"
    lines = gnu.report(gnu.VERBOSE, ["true"], 0, USAGE, 3.9999994).splitlines()
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
