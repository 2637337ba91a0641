"""``rusage --compare``."""

import functools
import itertools
import math
import random
import shlex
import statistics
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest
from command import check, in_words, member, new_folder, nth, python, record, text  # noqa: F401 (a fixture)
from forked import needs_peak

from rusage._cli import comparison, table
from rusage._cli.figures import Series, run_record
from rusage._cli.series import _schedule, shuffled
from rusage._cli.summary import ratio_of

Columns = tuple[list[float], list[float]]
"""A figure of both commands, in each round."""


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
    now, rounds = 0.0, None
    monkeypatch.setattr("time.monotonic", lambda: now)
    for turn in _schedule([Series(["x"], [])], 1, None):
        now += 0.009 if turn.number else 9  # the warm-up does not count
        rounds = turn.rounds
    assert rounds == 33


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


# --- Simulated comparisons: how often two commands are said to differ ---


def noise(rng: random.Random, rounds: int) -> Columns:
    first, second = ([math.exp(rng.gauss(0, 0.02)) for _ in range(rounds)] for _ in range(2))
    return first, second


def pages(rng: random.Random, rounds: int) -> Columns:
    first, second = (
        [4096.0 * round(500 + rng.gauss(0, 0.7)) for _ in range(rounds)] for _ in range(2)
    )
    return first, second


def cold_first(rng: random.Random, rounds: int) -> Columns:
    first, second = noise(rng, rounds)
    return [20 * first[0], *first[1:]], second


def drift(rng: random.Random, rounds: int) -> Columns:
    columns = noise(rng, rounds)
    for number in range(rounds):
        for at, which in enumerate(shuffled([0, 1])):
            columns[which][number] *= 1 + 2 * (2 * number + at) / (2 * rounds - 1)
    return columns


def periodic(rng: random.Random, rounds: int, period: int) -> Columns:
    columns, phase = noise(rng, rounds), rng.randrange(period)
    for number in range(rounds):
        for at, which in enumerate(shuffled([0, 1])):
            if (2 * number + at + phase) % period == 0:
                columns[which][number] *= 1.1
    return columns


def faster(rng: random.Random, rounds: int) -> Columns:
    first, second = noise(rng, rounds)
    return first, [1.05 * value for value in second]


def share_of_verdicts(
    make: Callable[[random.Random, int], Columns], rounds: int, comparisons: int
) -> float:
    rng, found = random.Random(rounds), 0
    random.seed(rounds)  # of the order of the runs
    for _ in range(comparisons):
        first, second = make(rng, rounds)
        found += ratio_of(second, first).differs
    return found / comparisons


# The rounds, the number of comparisons, and by how much chance may move a share: five and three
# standard deviations of 5 % of them.
COMPARISONS = [
    *((rounds, 200, 0.08) for rounds in (6, 10, 20)),
    *(pytest.param(rounds, 2_500, 0.015, marks=pytest.mark.thorough) for rounds in (6, 10)),
]
SLOW_AT_INTERVALS = {
    f"each run of {period} is slow": functools.partial(periodic, period=period)
    for period in (2, 3, 8)
}
EQUAL = {make.__name__: make for make in (pages, cold_first, drift)}
EQUAL |= SLOW_AT_INTERVALS


@pytest.mark.parametrize(("rounds", "comparisons", "chance"), COMPARISONS)
@pytest.mark.parametrize("make", EQUAL.values(), ids=EQUAL)
def test_equal_commands(
    make: Callable[[random.Random, int], Columns], rounds: int, comparisons: int, chance: float
) -> None:
    """At most 6 of 100 comparisons call them different."""
    assert share_of_verdicts(make, rounds, comparisons) <= 0.05 + chance


def test_true_difference() -> None:
    assert share_of_verdicts(faster, 10, 200) >= 0.99 - 0.08


def p_value(logs: list[float]) -> float:
    """Return how likely ranks with such signs are by chance: of all signs, equally likely."""
    ways = Counter({0: 1})
    for rank in range(1, len(logs) + 1):
        ways += Counter({sum_of_ranks + rank: count for sum_of_ranks, count in ways.items()})
    above = sum(rank for rank, log in enumerate(sorted(logs, key=abs), 1) if log > 0)
    end = min(above, max(ways) - above)
    return 2 * sum(ways[sum_of_ranks] for sum_of_ranks in range(end + 1)) / ways.total()


def test_verdict_is_the_signed_rank_test() -> None:
    rng = random.Random(1)
    for _ in range(500):
        first, second = noise(rng, rng.randint(1, 30))
        factor = rng.choice([0.98, 1, 1.02])
        second = [factor * value for value in second]
        logs = [math.log(b / a) for a, b in zip(first, second, strict=True)]
        found = ratio_of(second, first)
        assert found.differs == (p_value(logs) <= 0.05)
        means = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(logs, 2)]
        assert math.log(found.ratio) == pytest.approx(statistics.median(means), abs=1e-9)
