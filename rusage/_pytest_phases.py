"""What ``rusage.pytest_plugin`` does if ``--rusage`` or a limit is given: measure phases of tests, check, report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from ._backends import BACKEND
from ._backends._base import RUSAGE_CHILDREN, RUSAGE_SELF
from ._getrusage import cputime, getrusage, measured
from ._measure import measure
from ._units import parse_size
from .pytest_plugin import LIMITS, MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    Figures = dict[str, float]
    Phase = tuple[str, str, Figures]  # setup, call or teardown; the test; what was measured
    Stop = Callable[[], Figures]

MIB = 2**20
CHILDREN_CPUTIME, MAXRSS_RISE = "children_cputime", "maxrss_rise"
HAS_CHILDREN = "RUSAGE_CHILDREN" not in BACKEND.absent
MEASURED = measured(RUSAGE_SELF)

WORDS = {
    "peak_growth": (
        "peak growth",
        "the maximum resident set size of the process during the call, minus the size at its start",
    ),
    "cputime": ("CPU time", "user and system time of all threads of the process during the call"),
    "majflt": ("major faults", "page faults of the process during the call that required I/O"),
}

# The columns of the tables, and for each table its title, the figures whose sum orders it, and what is worth a line.
COLUMNS = {
    "cputime": "CPU time",
    CHILDREN_CPUTIME: "children's CPU time",
    "peak_growth": "peak growth",
    MAXRSS_RISE: "rise of the process's peak",
    "majflt": "major faults",
}
TABLES = [
    ("most CPU time, own and children's", ("cputime", CHILDREN_CPUTIME), 0.001),
    ("largest growth of the peak", ("peak_growth",), 0.1 * MIB),
    ("largest rise of the process's peak, which could not be reset", (MAXRSS_RISE,), 0.1 * MIB),
]

# The names in user_properties, such as rusage_call_cputime.
KEYS = {when: {name: f"rusage_{when}_{name}" for name in COLUMNS} for when in ("setup", "call", "teardown")}
NAMES = {when: {key: name for name, key in keys.items()} for when, keys in KEYS.items()}
ALL_KEYS = {key for names in NAMES.values() for key in names}

_limits_key = pytest.StashKey["Figures"]()
_stop_key = pytest.StashKey["Stop"]()


class Phases:
    """The registered plugin."""

    def __init__(self, config: pytest.Config) -> None:
        self._rows: int | None = config.option.rusage
        self._defaults = _defaults(config)
        self._checked: set[str] = set()
        self._warned: set[str] = set()

    # --- Limits -------------------------------------------------------------------------------------------------------

    def read_limits(self, items: Sequence[pytest.Item]) -> None:
        """Store the limits of each test. Raises ``pytest.UsageError`` for a bad one."""
        for item in items:
            try:
                limits = self._defaults | _limits_of(item)
            except ValueError as error:
                _refuse(item, f"{item.nodeid}: {MARK}: {error}")
                continue
            item.stash[_limits_key] = {name: limit for name, limit in limits.items() if limit is not None}
            for name in item.stash[_limits_key]:
                if name not in self._checked and not _is_measured(name):
                    try:
                        self._warn(item, name)
                    except pytest.PytestWarning as warning:  # by a filter of the user
                        _refuse(item, f"{item.nodeid}: {warning}")
                self._checked.add(name)

    def _warn(self, item: pytest.Item, name: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            text = f"{MARK}: {name} is not checked, since {BACKEND.name} does not measure it here"
            item.warn(pytest.PytestWarning(text))

    @pytest.hookimpl(specname="pytest_runtest_call", trylast=True)  # after the call, unless it raised
    def pytest_runtest_call_check(self, item: pytest.Item) -> None:  # pytest wants the prefix
        """Fail a test that has exceeded a limit."""
        limits = item.stash.get(_limits_key, {})
        if not limits:
            return
        figures = item.stash[_stop_key]()
        for name in limits.keys() - figures.keys():
            self._warn(item, name)
        exceeded = [name for name in limits if figures.get(name, 0) > limits[name]]
        if exceeded:
            pytest.fail("\n".join(_message(name, figures[name], limits[name]) for name in exceeded), pytrace=False)

    # --- Measuring ----------------------------------------------------------------------------------------------------

    # The innermost wrappers: what the wrappers of other plugins do is not part of a phase.

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, None]:
        """Measure the phase."""
        if item.user_properties:  # of an earlier run of the same test
            item.user_properties[:] = [pair for pair in item.user_properties if pair[0] not in ALL_KEYS]
        stop = self._start(item, {})
        yield
        _record(item, "setup", stop)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, None]:
        """Measure the phase."""
        stop = self._start(item, item.stash.get(_limits_key, {}))
        yield
        _record(item, "call", stop)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, None]:
        """Measure the phase."""
        stop = self._start(item, {})
        yield
        _record(item, "teardown", stop)

    def _start(self, item: pytest.Item, limits: Figures) -> Stop | None:
        """Start to measure a phase if a table or its limits need it."""
        if self._rows is None and not limits:
            return None
        stop = _start(reset_peak=self._rows is not None or "peak_growth" in limits)
        if limits:
            item.stash[_stop_key] = stop
        return stop

    # --- Reporting ----------------------------------------------------------------------------------------------------

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the phases that used the most; with pytest-xdist, of all workers."""
        if self._rows is None:
            return
        phases = [
            (report.when, report.nodeid, figures)
            for reports in terminalreporter.stats.values()
            for report in reports
            if (figures := _figures_of(report))
        ]
        for title, names, least in TABLES:
            if any(names[0] in figures for _, _, figures in phases):
                terminalreporter.write_sep("=", f"rusage: {title}")
                for line in _table(phases, names, least, self._rows):
                    terminalreporter.write_line(line)


def _start(*, reset_peak: bool) -> Stop:
    """Start to measure; return a function that ends it and returns the figures that are measured."""
    figures: Figures = {}
    peak = None
    if reset_peak:
        from ._peak import Peak  # noqa: PLC0415 (only needed here)

        peak = Peak()
    children = cputime(RUSAGE_CHILDREN) if HAS_CHILDREN else 0.0
    before = getrusage(RUSAGE_SELF)

    def stop() -> Figures:
        if figures:  # ended before: by the check of the limits
            return figures
        after = getrusage(RUSAGE_SELF)
        own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        figures["cputime"] = round(own, 9)  # no clock is finer
        if HAS_CHILDREN:
            figures[CHILDREN_CPUTIME] = round(cputime(RUSAGE_CHILDREN) - children, 9)
        if "ru_majflt" in MEASURED:
            figures["majflt"] = after.ru_majflt - before.ru_majflt
        if peak is not None:
            peak.stop()
        if peak is not None and peak.measured:
            figures["peak_growth"] = peak.highest - peak.resident
        elif "ru_maxrss" in MEASURED:
            figures[MAXRSS_RISE] = after.ru_maxrss - before.ru_maxrss
        return figures

    return stop


def _record(item: pytest.Item, when: str, stop: Stop | None) -> None:
    """Give the figures of a phase to the reports."""
    if stop is not None:
        keys = KEYS[when]
        item.user_properties += [(keys[name], figure) for name, figure in stop().items()]


# --- Limits -----------------------------------------------------------------------------------------------------------


def _defaults(config: pytest.Config) -> dict[str, float | None]:
    """Return the limits of the ini file. Raises ``pytest.UsageError`` for a bad one."""
    limits: dict[str, float | None] = {}
    for name in LIMITS:
        text = config.getini(f"rusage_limit_{name}")
        if text:
            try:
                limits[name] = _limit(name, text if name == "peak_growth" else float(text))
            except ValueError as error:
                raise pytest.UsageError(f"rusage_limit_{name}: {error}") from None
    return limits


def _limits_of(item: pytest.Item) -> dict[str, float | None]:
    """Return the limits of a test's marks; those of the closest mark count, and None is no limit.

    Raises ``ValueError`` for a bad one.
    """
    limits: dict[str, float | None] = {}
    for mark in item.iter_markers(MARK):
        if mark.args or not mark.kwargs or mark.kwargs.keys() - LIMITS.keys():
            raise ValueError(f"expected {', '.join(f'{name}=...' for name in LIMITS)}, and no other arguments")
        closest = {name: None if limit is None else _limit(name, limit) for name, limit in mark.kwargs.items()}
        limits = closest | limits
    return limits


def _refuse(item: pytest.Item, message: str) -> None:
    """Raise ``pytest.UsageError``; report an error of the collection in a worker of pytest-xdist, which would crash."""
    if not hasattr(item.config, "workerinput"):
        raise pytest.UsageError(message)
    item.ihook.pytest_collectreport(report=pytest.CollectReport(item.nodeid, "failed", message, []))


def _limit(name: str, limit: object) -> float:
    """Return a limit as a number."""
    if name == "peak_growth" and isinstance(limit, str):
        return parse_size(limit)
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 <= limit < math.inf:
        raise ValueError(f"{name}: not a {'size' if name == 'peak_growth' else 'number'}: {limit!r}")
    return limit


def _is_measured(name: str) -> bool:
    if name == "peak_growth":
        return "peak" in measure(reset_peak=True).measured
    return name != "majflt" or "ru_majflt" in MEASURED


def _message(name: str, figure: float, limit: float) -> str:
    words, meaning = WORDS[name]
    return f"{words} {_exact(name, figure)} exceeds the limit of {_exact(name, limit)}: {meaning}"


def _exact(name: str, figure: float) -> str:
    if name == "peak_growth":
        return f"{figure / MIB:.1f} MiB ({figure:.0f} bytes)"
    return f"{figure:.6f} s" if name == "cputime" else f"{figure:g}"


# --- The tables -------------------------------------------------------------------------------------------------------


def _figures_of(report: object) -> Figures:
    """Return the figures of the phase of a report; none if it is no report of a phase."""
    names = NAMES.get(getattr(report, "when", ""), {})
    return {names[key]: figure for key, figure in getattr(report, "user_properties", ()) if key in names}


def _table(phases: list[Phase], names: tuple[str, ...], least: float, number: int) -> list[str]:
    """Return the lines of the phases with the largest sum of some figures, ``number`` of them or, if it is 0, all."""

    def total(phase: Phase) -> float:
        return sum(phase[2].get(name, 0) for name in names)

    largest = sorted((phase for phase in phases if total(phase) >= least), key=total, reverse=True)
    if not largest:
        return [f"none of {_cell(names[0], least)} or more"]
    columns = [name for name in COLUMNS if any(name in phase[2] for phase in largest)]
    rows = [
        [*(_cell(name, figures[name]) if name in figures else "-" for name in columns), when, nodeid]
        for when, nodeid, figures in largest[: number or None]
    ]
    rows.insert(0, [*(COLUMNS[name] for name in columns), "phase", "test"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [*(cell.rjust(width) for cell, width in zip(row[:-2], widths, strict=False)), row[-2].ljust(8), row[-1]]
        )
        for row in rows
    ]


def _cell(name: str, figure: float) -> str:
    if name in ("peak_growth", MAXRSS_RISE):
        return f"{figure / MIB:.1f} MiB"
    return f"{figure:.3f} s" if name in ("cputime", CHILDREN_CPUTIME) else str(figure)
