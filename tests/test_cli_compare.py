"""``rusage --compare``."""

import itertools
import math
import shlex
import statistics
import subprocess
from pathlib import Path
from typing import Any

import forked
import pytest
from command import check, in_words, member, new_folder, nth, python, record, text  # noqa: F401 (a fixture)
from forked import needs_peak

from rusage._cli import comparison, table
from rusage._cli.figures import Series, run_record


def compare(*words: str, **expected: Any) -> subprocess.CompletedProcess[str]:
    """Compare commands, and check what follows."""
    return check(["--compare", *words], **expected)


def test_order_of_the_runs() -> None:
    """Random in each round; lines are split as by a shell, but no shell runs."""
    names = ["a  $HOME", "b", "c *"]
    lines = compare("-n", "20", "--json", "echo 'a  $HOME'", "echo b", 'echo c "*"').stdout
    rounds = [lines.splitlines()[at : at + 3] for at in range(0, 60, 3)]
    assert all(sorted(one) == names for one in rounds)
    assert len({*map(tuple, rounds)}) > 2
    positions = [[one.index(name) + 1 for one in rounds] for name in names]
    assert member(record(), "commands.*.runs.*.position") == positions


@forked.needs_fork
def test_rounds_without_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rusage._cli.series.SECONDS", 0.3)
    compare("--json", "--warmup", "1", "true", "sleep 0.001")
    first, second = member(record(), "commands.*.runs.*.elapsed")
    assert len(first) == len(second) >= 10
    compare("--warmup", "1", "sleep 0.04", shown="rounds 10, after 1 for warm-up ")
    # By the ninth round more than ten fit, by the tenth no more.
    compare(shlex.join(nth(10, "time.sleep(1)")), shown="rounds 10 ")
    monkeypatch.setattr("time.monotonic", lambda: 0.0)  # its ticks may be long, as on Windows
    compare("true", shown="rounds 10 ")


@needs_peak
def test_report_of_a_comparison() -> None:
    small, large = (shlex.join(python(f"b'x' * ({size} << 20)")) for size in (1, 30))
    for commands, at in ([small, large], 1), ([large, small], 2):
        compare("-n", "6", *commands)
        shown = text().splitlines()
        assert [line.split("  ")[0] for line in shown[1:7]] == ["1", "2"] * 3
        peaks = [line for line in shown if "  peak memory " in line and "of its" not in line]
        assert ["*" in line for line in peaks] == [at == 1, at == 2]
        given = "".join(f"{number}  {command}" for number, command in enumerate(commands, 1))
        assert "".join(given.split()) in "".join(text().split())  # a long one is wrapped
        assert any(line.startswith("*  ") for line in shown)
        # Rounded alike.
        assert f"needed {peaks[1].split()[-3]} times as much memory " in " ".join(shown)


def test_ratios_of_the_rounds() -> None:
    """The oracle lists all pairwise means; the test's table has 14 for twelve rounds."""
    compare("--json", "-n", "12", "sleep 0.01", "sleep 0.03")
    first, second = member(record(), "commands.*.runs.*.elapsed")
    logs = [math.log(b / a) for a, b in zip(first, second, strict=True)]
    means = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(logs, 2))
    known = {"ratio": statistics.median(means), "low": means[13], "high": means[-14]}
    expected = {name: math.exp(value) for name, value in known.items()}
    one, other = member(record(), "commands.*.ratios.elapsed")
    assert one == {"ratio": 1, "low": 1, "high": 1}
    assert other == pytest.approx(expected, rel=1e-9)
    legend = "ratio to command 1; low and high, from 6 rounds on, are "
    compare("-n", "5", "true", "true", shown=legend)


def test_failing_command_ends_the_series() -> None:
    hint = "; see --ignore-failure"
    command = shlex.join(nth(2, "sys.exit(7)"))
    end = f"rusage: {command}: the series has ended: run 2 (exit status 7){hint}"
    compare("--json", "-n", "9", "true", command, "true", status=7, errors=end)
    counted = member(record(), "commands.*.runs.*.counted")
    # The order of the second round is random.
    assert counted[1] == [True, False]
    assert all(one in ([True], [True, False]) for one in counted)
    Path("count").unlink()
    compare("-n", "9", "true", command, status=7, errors=end, shown="rounds 1 of 9 ")
    assert "failures 1: run 2 of command 2 (exit status 7)" in in_words()
    missing = "rusage: /no/such/program x: No such file or directory"
    compare("true", "/no/such/program x", status=127, errors=missing)
    end = f"rusage: false: the series has ended: warm-up run 1 (exit status 1){hint}"
    compare("--warmup", "1", "true", "false", status=1, errors=end)


def test_limits_name_the_command() -> None:
    command = shlex.join(python("pass"))
    words = ["--limit-cputime", "0", "-n", "2", "true", command]
    done = compare(*words, status=123, errors=None)
    assert f"rusage: {command}: run 1: CPU time " in done.stderr


def series(*columns: list[float]) -> list[Series]:
    """Return commands with these elapsed times, whose peaks in bytes are 1000 times as large."""
    runs = [
        [run_record(0, {"ru_maxrss": 1000 * value}, value, None) for value in values]
        for values in columns
    ]
    found = [Series(["x"], each) for each in runs]
    comparison.compare(found)
    return found


def compared(*columns: list[float]) -> list[str]:
    return table.conclusions(series(*columns))


FIRST, WIDE = [1.0, 1.1, 0.9, 1.0, 1.2, 0.8], [0.1, 9.0, 1.0, 1.0, 8.0, 0.1]
SLOWER = [1.2, 1.0, 1.1, 1.1, 1.0, 1.0]  # 7 %, perhaps by chance


def test_star_of_the_smallest() -> None:
    double, triple = ([times * value for value in FIRST] for times in (2, 3))
    for columns, at in (
        ([double, FIRST, triple], 1),
        ([triple, FIRST, WIDE], None),
        ([triple, FIRST, SLOWER], None),
        ([FIRST], None),
    ):
        starred = [each.smallest != set() for each in series(*columns)]
        assert starred == [at == number for number in range(len(columns))]


def test_sentence_at_the_end() -> None:
    (text,) = compared(FIRST, [3 * value for value in FIRST])
    message = "Command 2 needed 3.00 times as much memory and 3.00 times as much time as command 1."
    assert text == message
    (text,) = compared(FIRST, WIDE, [0.5, 0.66, 0.45, 0.5, 0.6, 0.3432])
    beginning = "Command 3 needed 0.50 times as much memory (0.43 to 0.60) and 0.50 times "
    assert text.startswith(beginning)
    slow = [*FIRST[:5], 80.0]
    for others in FIRST, WIDE, slow, [0.0] * 6:
        assert compared(FIRST, others) == []
    assert compared(FIRST[:5], [9.0] * 5) == []


def test_sentence_about_slow_runs() -> None:
    first, most = (
        "The first run was the slowest by far: --warmup 3 avoids it.",
        " runs took far longer or shorter than most",
    )
    for times, sentence in (
        ([0.3, 0.01, 0.011], first),
        ([0.01] * 18 + [0.3] * 2, f"2 of 20{most}: --warmup or an idle machine may help."),
        ([0.01, 0.3, 0.31], f"1 of 3{most}: --warmup or an idle machine may help."),
        ([0.01] * 19 + [0.3], None),
        ([0.03, 0.01, 0.02, 0.015], None),
    ):
        series = Series(["x"], [run_record(0, {}, time, None) for time in times])
        series.warmup = series.runs[:2]
        assert table.about_outliers([series]) == ([sentence] if sentence else [])
        assert series.summary["elapsed"].max == max(times)
