"""What counts in a limit, by the functions that compare a record with it."""

import time
from typing import Any
from unittest.mock import Mock

import pytest
from command import needs_tree

import rusage
from rusage import _record
from rusage._cli import limits, stored
from rusage._cli.options import Percent

RUN = {"usage": {"ru_maxrss": 1000, "ru_utime": 1.0, "ru_stime": 1.0}}


def test_samples_that_do_not_count() -> None:
    run = RUN | {"tree": {"member_peak": 9000}}
    assert limits.least_and_most("ru_maxrss", run) == (9000, 9000)
    assert limits.least_and_most("ru_maxrss", run, ["member"]) == (1000, 1000)


@pytest.mark.parametrize(("without", "apart"), [(0, []), (1, ["orphans"])])
def test_orphans_of_some_stored_runs(
    without: int, apart: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "CAN_ADOPT", True)
    adopted = RUN | {"orphans": {"ru_maxrss": 0, "cputime": 0.0, "living": 0}}
    runs = [adopted, *[RUN] * without]
    options = Mock(limits={"cputime": Percent(10)}, relative={}, tree=False)
    stored._make_limits_absolute("x.json", options, runs)  # noqa: SLF001 (it chooses them)
    assert set(options.relative["cputime"]) - {"member"} == {*apart}


@pytest.mark.parametrize("left", [{}, {"_doubt": "perhaps others'"}], ids=str)
def test_peak_that_only_samples_know(left: dict[str, str]) -> None:
    run: dict[str, Any] = {"usage": {}, "tree": {"member_peak": 900, "rss": 900, "_samples": []}}
    run["orphans"] = {"ru_maxrss": 0, "cputime": 0.0, "living": 0, **left}
    verdict = limits.judge("ru_maxrss", 1000, run)
    assert verdict["exceeded"] is None
    assert "processes that it" not in verdict["_complaint"]


@needs_tree
def test_time_between_opening_and_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """``began`` is the time of the opening, 1000 seconds before."""
    now = _record._clock  # noqa: SLF001 (the clock of recordings)
    monkeypatch.setattr(_record, "_clock", lambda: now() + 1000)
    with rusage.record(interval=100) as r:
        assert r.began == pytest.approx(time.time() - 1000, abs=500)
