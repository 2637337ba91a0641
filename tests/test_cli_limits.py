"""``rusage --limit-maxrss`` and ``--limit-cputime``."""

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from command import check, judged, new_folder, python, record, run  # noqa: F401 (a fixture)
from forked import CHECKS

from rusage._backends import BACKEND
from rusage._backends._base import PEAK_AT_LEAST_PARENTS_INEXACT as INEXACT_RULE
from rusage._backends._base import PEAK_SAMPLED, SAMPLED_RULES
from rusage._calls import CHILD_FIELDS
from rusage._cli import limits
from rusage._cli.figures import WHOSE, run_record

WITHOUT_PEAK = [*CHECKS, "no_peak"]


@pytest.mark.parametrize(
    ("limit", "script", "status"),
    [
        ("0.1", "exit 0", 123),
        ("60", "sleep 0.2", 0),  # it is not the elapsed time
        ("0", "exit 3", 3),  # a failure comes first
        ("0", "kill -9 $$", 128 + 9),
        ("0", "kill -INT $$", -2),
    ],
)
def test_limit_of_the_cpu_time(limit: str, script: str, status: int) -> None:
    burn = shlex.join(python("import time\nwhile time.process_time() < 0.15: pass"))
    complaint = f"rusage: sh: CPU time ... s is over the limit of {float(limit):.6f} s"
    words = ["--limit-cputime", limit, "sh", "-c", f"{burn}; {script}"]
    check(words, status, complaint if limit != "60" else "")


def test_unmeasured_figure_is_125() -> None:
    unknown = {"limits": {"ru_maxrss": {"limit": 10 * 2**30, "exceeded": None}}}
    words = "--limit-maxrss 10GiB --json"
    check(f"{words} true", 125, f"rusage: true: {NO_PEAK}", unknown, before=WITHOUT_PEAK)
    check(f"{words} sh -c 'exit 4'", 4, None, before=WITHOUT_PEAK)
    check("--limit-cputime 60 true", before=WITHOUT_PEAK)


SAMPLED_NOTE = "peak memory is sampled: a short peak over the limit may be missed"
INEXACT = (
    "peak memory is accurate to within 98304 bytes (96.0 KiB): "
    "the true peak may be above or below the limit of 1000000 bytes (976.6 KiB)"
)


FIGURES = [
    *(
        (INEXACT_RULE, limited, usage, None, status, note)
        for limited, usage, status, note in [
            ({"ru_maxrss": 1000000}, {"ru_maxrss": 901696}, 0, ""),
            ({"ru_maxrss": 1000000}, {"ru_maxrss": 901697}, 0, INEXACT),
            ({"ru_maxrss": 1000000}, {"ru_maxrss": 1000000}, 0, INEXACT),
            ({"ru_maxrss": 1000000}, {"ru_maxrss": 1000001}, 123, INEXACT),
            ({"ru_maxrss": 1000000}, {"ru_maxrss": 1098304}, 123, ""),
            ({"cputime": 2.9}, {"ru_utime": 1.0, "ru_stime": 2.0}, 123, ""),
            # Of one process at a time without a sample.
            ({"tree_rss": 100}, {"ru_maxrss": 100}, 0, ""),
            ({"tree_rss": 100}, {"ru_maxrss": 101}, 123, ""),
            ({"tree_rss": 100}, {}, 125, ""),
            ({"ru_maxrss": 1, "cputime": 9}, {"ru_maxrss": 10**6}, 125, ""),
            ({"cputime": 9, "ru_maxrss": 1}, {"ru_maxrss": 10**6}, 125, ""),
        ]
    ),
    *(
        (rule, {"ru_maxrss": 100}, usage, bound, status, SAMPLED_NOTE if status == 0 else "")
        for rule in sorted(SAMPLED_RULES)
        for usage, bound, status in [
            ({"ru_maxrss": 99}, 99, 0),
            ({"ru_maxrss": 101}, 101, 123),
            ({}, 100, 0),  # the parent's peak is at least the child's
            ({}, 101, 125),
            ({}, None, 125),
        ]
    ),
]


@pytest.mark.parametrize("case", FIGURES, ids=str)
def test_limits_of_known_figures(
    case: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit is the largest allowed value; of two, the unknown one decides."""
    rule, limited, usage, bound, status, note = case
    monkeypatch.setattr(limits, "BACKEND", Mock(child_peak=rule))
    for error in 98304, None:
        monkeypatch.setattr(limits, "fields", {"ru_maxrss": Mock(error=error)})
        runs = [run_record(0, usage, 0.1, bound) for _ in "12"]
        assert judged("program", runs, limited) == status
        notes = [line for line in capsys.readouterr().err.splitlines() if ": run " not in line]
        expected = [f"rusage: program: {note}"] if note and (error or note != INEXACT) else []
        assert notes == expected


USED = {"ru_maxrss": 5, "ru_utime": 5.0, "ru_stime": 0.0}
UNREAD = {"orphans": {"ru_maxrss": 0, "cputime": 0.0, "living": None}}
SAMPLED = {"rss": 5, "_is_partial": False, "_samples": []}
PARTLY = SAMPLED | {"_is_partial": True, "_pss_at_least": 5, "pss_at_most": 5}
TOO_LARGE = {"tree": SAMPLED | {"member_peak": 9}}
BUSY = {"tree": SAMPLED | {"_samples": [SimpleNamespace(cputime=9)]}}
NOTHING = {"ru_maxrss": 0, "cputime": 0.0, "living": 0}
NO_PEAK = f"peak memory {WHOSE} was not measured: its limit cannot be checked"
UNKNOWN = "of processes that it left was not measured: its limit cannot be checked"


# A figure, its limit, parts of the record, what is left out, whether the limit is exceeded, why.
CASES = [
    *(
        (name, limit, UNREAD, apart, exceeded, says)
        for name in ("ru_maxrss", "cputime")
        for limit, apart, exceeded, says in [
            (4, (), True, "is over the limit of 4"),
            (6, (), None, UNKNOWN),
            (6, ("orphans",), False, ""),
        ]
    ),
    # A sum that was sampled is within its limit; the peaks of orphans are unknown.
    ("tree_rss", 6, UNREAD | {"tree": SAMPLED}, (), False, "they are not compared"),
    ("ru_maxrss", 6, UNREAD | {"tree": SAMPLED}, (), None, UNKNOWN),
    # Of a report that is compared with one without samples, no sample decides.
    ("ru_maxrss", 6, TOO_LARGE, (), True, "is over the limit of 6"),
    ("ru_maxrss", 6, TOO_LARGE, ("member",), False, ""),
    *(
        (name, 5, {"tree": PARTLY}, (), False, "may be over the limit: some processes could")
        for name in ("tree_rss", "tree_pss")
    ),
    ("tree_rss", 4, {"tree": PARTLY}, (), True, "is over the limit of 4"),
    # Samples of CPU time do not count in a relative limit.
    ("cputime", 6, BUSY, (), True, "is over the limit of 6"),
    ("cputime", 6, BUSY, ("orphans",), False, ""),
    # Where only samples know a peak and nothing was left, the message is about the program.
    *(
        ("ru_maxrss", 10, {"usage": {}, "orphans": left} | TOO_LARGE, (), None, NO_PEAK)
        for left in (NOTHING, NOTHING | {"_doubt": "perhaps others'"})
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_limits_of_known_records(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name, limit, parts, apart, exceeded, says = case
    monkeypatch.setattr(limits, "BACKEND", Mock(child_peak=INEXACT_RULE))
    monkeypatch.setattr(limits, "fields", {"ru_maxrss": Mock(error=None)})
    relative = {name: apart} if apart else {}
    verdict = limits.judge(name, limit, run_record(0, USED, 1.0) | parts, relative)
    said = "".join([verdict["_complaint"], *verdict["_notes"]])
    assert (verdict["exceeded"], bool(said)) == (exceeded, bool(says))
    assert says in said


OVER = "is over the limit of 2.000000 s"


@pytest.mark.parametrize(
    ("figures", "counted", "status", "complaint"),
    [
        ([1, 1, 9], 3, 0, ""),
        ([1, 9, 9], 3, 123, f"CPU time: the median of 3 runs, 9.000000 s, {OVER}"),
        ([1, 4], 2, 123, f"CPU time: the median of 2 runs, 2.500000 s, {OVER}"),
        ([1, 9, 9], 1, 0, ""),
        ([9], 1, 123, f"CPU time 9.000000 s {OVER}"),
        ([1, 2, 9], 3, 0, ""),
        ([1, 1, None], 3, 125, "CPU time was not measured: its limit cannot be checked"),
        ([9, 9], 0, 0, ""),
        ([1, -9, -9], 3, 0, ""),  # those with a minus fail
        ([-1, -1, 9], 3, 123, f"CPU time 9.000000 s {OVER}"),
        ([1, 1, 99], 3, 123, f"CPU time 99.000000 s {OVER}"),  # --kill has ended it
        ([-9, -9], 2, 125, "no run has succeeded: the limit of CPU time cannot be checked"),
    ],
)
def test_relative_limit_of_a_series(
    figures: list[float | None],
    counted: int,
    status: int,
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs = []
    for number, value in enumerate(figures):
        usage = {} if value is None else {"ru_utime": abs(value), "ru_stime": 0.0}
        tree = {"killed": True} if value == 99 else None
        runs.append(run_record(int((value or 0) < 0), usage, 1.0, None, tree))
        runs[-1]["_counted"] = number < counted
    assert judged("x", runs, {"cputime": 2.0}, {"cputime": []}) == status
    assert capsys.readouterr().err == (f"rusage: x: {complaint}\n" if complaint else "")


@pytest.mark.skipif(
    "ru_maxrss" not in CHILD_FIELDS, reason="this system reports no peak of a child"
)
@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["once", "series"])
@pytest.mark.parametrize(("limit", "status", "exceeded"), [("10TiB", 0, False), ("1", 125, None)])
def test_figure_of_the_kernel_is_not_reported(
    options: list[str], limit: str, status: int, *, exceeded: bool | None
) -> None:
    words = [
        *options,
        "--limit-maxrss",
        limit,
        "--json",
        "--export",
        "x.md",
        *python("b'x' * (100 << 20)"),
    ]
    done = check(words, status, None, before=[*CHECKS, "sampled"])
    assert (SAMPLED_NOTE in done.stderr) == (status == 0)
    found = record()
    runs = found.get("runs", [found])
    for each in runs:
        assert each["limits"]["ru_maxrss"]["exceeded"] == exceeded
        assert "ru_maxrss" not in each["usage"]
    passed = 0 if exceeded is None else len(runs)
    assert f"{passed} of {len(runs)} passed" in Path("x.md").read_text()
    assert "ru_maxrss" not in found.get("summary", {})


@pytest.mark.skipif(
    BACKEND.child_peak != PEAK_SAMPLED, reason="the peak of a child is not sampled here"
)
def test_limit_of_real_sampled_programs() -> None:
    program = "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"
    words = ["--limit-maxrss", "1GiB", "sh", "-c", program]
    statuses = [run(*words).returncode for _ in range(20)]
    assert {*statuses} <= {0, 125}
    assert statuses.count(0) >= 15
