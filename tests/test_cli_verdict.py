"""Simulated comparisons: how often ``rusage --compare`` says that two commands differ."""

from __future__ import annotations

import functools
import itertools
import math
import random
import statistics
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from rusage._cli.series import shuffled
from rusage._cli.summary import ratio_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Columns = tuple[list[float], list[float]]
    """A figure of both commands, in each round."""


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
