"""``rusage --compare``."""

import math
import os
import re
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path

import forked
import pytest
from command import in_words, new_folder, nth, record, text  # noqa: F401 (new_folder is a fixture)
from command import run as run_command
from forked import RUSAGE, needs_peak

from rusage._cli import comparison
from rusage._cli import series as series_module
from rusage._cli.figures import Ended
from rusage._cli.options import Options

run = partial(run_command, "--compare")


def test_order_of_the_runs() -> None:
    """In turn, every second round in reverse; a command line is split as by a shell, and no shell runs it."""
    assert run("-n", "3", "echo 'a  $HOME'", "echo b", 'echo c "*"').stdout.split("\n") == [
        *("a  $HOME", "b", "c *"),
        *("c *", "b", "a  $HOME"),
        *("a  $HOME", "b", "c *", ""),
    ]
    assert "rounds 3 of 3 " in in_words()


@forked.needs_fork
def test_rounds_without_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fit into the seconds for each command, here fewer, but at least ten; a warm-up is one of each."""
    monkeypatch.setattr(series_module, "SECONDS", 0.3)
    assert run("--json", "--warmup", "1", "true", "sleep 0.001").returncode == 0
    first, second = ([made["elapsed"] for made in each["runs"]] for each in record()["commands"])
    assert len(first) == len(second) >= 10
    run("--warmup", "1", "sleep 0.04")
    assert "rounds 10, after 1 for warm-up " in in_words()
    run(shlex.join(nth(10, "time.sleep(1)")))  # by the ninth round more than ten fit, by the tenth no more
    assert "rounds 10 " in in_words()
    monkeypatch.setattr("time.monotonic", lambda: 0.0)  # its ticks may be long, as on Windows
    run("true")
    assert "rounds 10 " in in_words()


@needs_peak
def test_report_of_a_comparison() -> None:
    """A row for each command, then the command lines as they were given, and a sentence; a star at the smaller peak."""
    small, large = (f"{sys.executable} -c 'b\"x\" * ({size} * 2**20)'" for size in (1, 100))
    for commands, at in ([small, large], 1), ([large, small], 2):
        assert run("-n", "3", *commands).returncode == 0
        shown = text().splitlines()
        assert [line.split()[0] for line in shown[1:3]] == ["1", "2"]
        assert [line.split("  ")[-2].strip().endswith("*") for line in shown[1:3]] == [at == 1, at == 2]
        given = "".join(f"{number}  {command}" for number, command in enumerate(commands, 1))
        assert "".join(given.split()) in "".join(text().split())  # a long one is wrapped
        assert any(line.startswith("*  ") for line in shown)
        assert re.search(r" needed [\d.]+ times as much memory ", " ".join(shown))


def test_ratios_of_the_means() -> None:
    """The oracle computes them in another way."""
    assert run("--json", "-n", "5", "sleep 0.01", "sleep 0.03").returncode == 0
    first, second = ([made["elapsed"] for made in each["runs"]] for each in record()["commands"])
    found = record()["commands"][1]["ratios"]["elapsed"]
    ratio = sum(second) / sum(first)
    assert found["ratio"] == pytest.approx(ratio)
    rest = [b - ratio * a for a, b in zip(first, second, strict=True)]
    deviation = math.sqrt(sum(each**2 for each in rest) / 4)  # their mean is 0
    assert found["uncertainty"] == pytest.approx(2.776445 * deviation / math.sqrt(5) / (sum(first) / 5), rel=1e-4)
    assert record()["commands"][0]["ratios"]["elapsed"] == {"ratio": 1, "uncertainty": 0}


@pytest.mark.parametrize("sizes", [range(1, 13), [300, 1], [1, 10**6]], ids=["twelve", "small ratios", "large ratios"])
def test_wide_figures_fit_80_columns(sizes: list[int]) -> None:
    """Three digits and the deviation in each column, and a long command line; a column that has no room is below."""
    each = []
    for size in sizes:
        usages = [{"ru_utime": size * time, "ru_stime": 0.01, "ru_maxrss": size * 1e8 * time} for time in (0.1, 0.16)]
        runs = [Ended(0, usage, size / 7 * usage["ru_utime"], None) for usage in usages]
        each.append(comparison.Series("x " * 99 + "x", ["x"], 3, runs))
    comparison.compare(each)
    text = comparison.of_runs(each, Options({"compare": True}), None)
    assert max(map(len, text.splitlines())) <= 80
    assert all(text.count(label) == 1 for label in ("wall (", "CPU (", "peak ("))
    assert (text.count("ratio  ") + text.count("ratio\n")) == 3
    assert text.count("x") == 100 * len(each)  # two command lines may differ at their ends only


def test_failing_command_ends_the_series() -> None:
    """It is named; only complete rounds count."""
    hint = "; see --ignore-failure\n"
    command = shlex.join(nth(2, "sys.exit(7)"))
    done = run("--json", "-n", "9", "true", command, "true")
    assert done.returncode == 7
    assert done.stderr == f"rusage: {command}: the series has ended: run 2 (exit status 7){hint}"
    counted = [[made["counted"] for made in each["runs"]] for each in record()["commands"]]
    assert counted == [[True], [True, False], [True, False]]  # the second round begins with the last command
    Path("count").unlink()
    assert run("-n", "9", "true", command).returncode == 7
    assert "failures 1: run 2 of command 2 (exit status 7)" in in_words()
    assert "rounds 1 of 9 " in in_words()
    done = run("true", "/no/such/program x")
    assert (done.returncode, done.stderr) == (127, "rusage: /no/such/program x: No such file or directory\n")
    done = run("--warmup", "1", "true", "false")
    message = f"rusage: false: the series has ended: warm-up run 1 (exit status 1){hint}"
    assert (done.returncode, done.stderr) == (1, message)


def test_limits_name_the_command() -> None:
    """Each run of each command is compared."""
    command = f"{sys.executable} -S -c pass"
    done = run("--limit-cputime", "0", "-n", "2", "true", command)
    assert done.returncode == 123
    assert done.stderr.count("run 2: CPU time ") >= 1
    assert f"rusage: {command}: run 1: CPU time " in done.stderr


def compared(*columns: list[float]) -> list[str]:
    """Return the sentences about commands with these elapsed times, whose peaks in bytes are 1000 times as large."""
    runs = [[Ended(0, {"ru_maxrss": 1000 * value}, value, None) for value in values] for values in columns]
    found = [comparison.Series("x", ["x"], 0, each) for each in runs]
    comparison.compare(found)
    return comparison.conclusions(found)


def test_sentence_at_the_end() -> None:
    """Only about differences that are larger than the intervals; the wide one is not."""
    first, wide = [1.0, 1.1, 0.9], [0.1, 9.0, 1.0]
    assert compared(first, [3.0, 3.3, 2.7]) == [
        "Command 2 needed 3.0 times as much memory and 3.0 times as much time as command 1."
    ]
    half = "0.50 times as much memory (0.13 to 0.87) and 0.50 times as much time (0.13 to 0.87)"
    assert compared(first, wide, [0.5, 0.4, 0.6]) == [f"Command 3 needed {half} as command 1."]
    (text,) = compared(first, [1.003, 1.103, 0.903])
    assert text.startswith("Command 2 needed 1.003 times as much memory (1.002 to 1.004) and ")
    (text,) = compared([1.0, 1.0, 1.0], [0.1, 0.3, 0.05])
    assert "0.15 times as much memory (0.00 to 0.48)" in text  # not below 0
    for columns in (first, wide), (first, [1.0, 1.1, 0.9]), ([1.0], [9.0]):
        assert compared(*columns) == []
    (text,) = compared([1.0, 1.0, 1.0], [20.0, 20.1, 20.2], wide)
    assert text.startswith("Command 2 needed 20 times as much memory and ")


def test_report_in_ascii() -> None:
    """What a stream cannot hold is escaped."""
    environment = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    for options in [], ["--markdown"]:
        words = [*RUSAGE, "-o", "-", *options, "--compare", "-n", "2", "true"]
        done = subprocess.run(words, capture_output=True, check=True, env=environment)
        assert re.search(rb"\d\\xb1\d", done.stdout)
