"""Measure the phases of tests, check limits and report: see ``pytest_plugin``.

It is imported if ``--rusage`` or a limit is given.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from ._backends import BACKEND
from ._backends._base import RUSAGE_CHILDREN, RUSAGE_SELF
from ._getrusage import cputime, getrusage, measured
from ._memory import BlockPeak, read_rss
from ._units import MIB, mebibytes, parse_size

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from typing import Any

    Figures = dict[str, float]
    Hook = Generator[None, object, None]

HAS_CHILDREN = "RUSAGE_CHILDREN" not in BACKEND.absent
MEASURED = measured()

CHILDREN_CPUTIME, MAXRSS_RISE, RETAINED = "children_cputime", "maxrss_rise", "retained"

# The figures, as heads of columns, and their units; page faults have none.
COLUMNS = {
    "cputime": "CPU time",
    CHILDREN_CPUTIME: "children's",
    "peak_growth": "peak growth",
    MAXRSS_RISE: "rise of the process's peak",
    RETAINED: "retained",
    "majflt": "major faults",
}
SECONDS, BYTES = {"cputime", CHILDREN_CPUTIME}, {"peak_growth", MAXRSS_RISE, RETAINED}
# For each table its title, the figures whose sum orders it, and the smallest sum shown.
TABLES = [
    ("most CPU time, own and children's", ("cputime", CHILDREN_CPUTIME), 0.001),
    ("largest growth of the peak", ("peak_growth",), 0.1 * MIB),
    ("largest rise of the process's peak, which could not be reset", (MAXRSS_RISE,), 0.1 * MIB),
    ("most memory retained after the test", (RETAINED,), 0.1 * MIB),
]

# The phase and the figure of each name in user_properties, such as rusage_call_cputime.
NAMES = {
    f"rusage_{when}_{name}": (when, name)
    for when in ("setup", "call", "teardown")
    for name in COLUMNS
}
NAME_OF_RETAINED = "rusage_retained"

_limits_key = pytest.StashKey["Figures"]()
_phase_key = pytest.StashKey["Phase"]()


class Row(NamedTuple):
    """A phase of a test that has ended."""

    when: str
    nodeid: str
    figures: Figures


class Phases:
    """The registered plugin."""

    def __init__(self, config: pytest.Config, mark: str, limits: Mapping[str, str]) -> None:
        """Read the defaults from the ini file. Raises ``pytest.UsageError`` for a bad limit.

        *mark*: the name of the mark; *limits*: what each figure that can be limited is.
        """
        self._mark, self._limits = mark, limits
        self._rows: int | None = config.option.rusage
        self._defaults: dict[str, float | None] = {}
        self._warned: set[str] = set()
        self._retained: dict[str, int] = {}
        for name in limits:
            text = config.getini(f"limit_rusage_{name}")
            if text:
                try:
                    self._defaults[name] = _limit(name, text if name in BYTES else float(text))
                except ValueError as error:
                    reason = error if name in BYTES else f"not a number: {text!r}"
                    raise pytest.UsageError(f"limit_rusage_{name}: {reason}") from None

    # --- Limits ---

    def read_limits(self, items: Sequence[pytest.Item]) -> None:
        """Store the limits of each test. Raises ``pytest.UsageError`` for a bad limit."""
        for item in items:
            try:
                limits = self._defaults | self._limits_in_marks(item)
            except ValueError as error:
                _refuse(item, f"{item.nodeid}: {self._mark}: {error}")
                continue
            item.stash[_limits_key] = {
                name: limit for name, limit in limits.items() if limit is not None
            }

    def _limits_in_marks(self, item: pytest.Item) -> dict[str, float | None]:
        """Return the limits in a test's marks.

        For each argument the closest mark decides; None means no limit.

        Raises ``ValueError`` for a bad mark.
        """
        limits: dict[str, float | None] = {}
        for mark in item.iter_markers(self._mark):
            if mark.args or not mark.kwargs or mark.kwargs.keys() - self._limits:
                raise ValueError(
                    f"expected {', '.join(f'{name}=...' for name in self._limits)}, "
                    "and no other arguments"
                )
            closest = {
                name: None if limit is None else _limit(name, limit)
                for name, limit in mark.kwargs.items()
            }
            limits = closest | limits
        return limits

    # After the call, unless it raised.
    @pytest.hookimpl(specname="pytest_runtest_call", trylast=True)
    def pytest_runtest_call_check(self, item: pytest.Item) -> None:  # pytest requires the prefix
        """Fail a test that has exceeded a limit."""
        limits = item.stash.get(_limits_key, {})
        if not limits:
            return
        figures = item.stash[_phase_key].stop()
        for name in limits.keys() - figures.keys() - self._warned:
            self._warned.add(name)
            text = (
                f"{self._mark}: {name} is not checked, "
                f"since {BACKEND.name} does not measure it here"
            )
            item.warn(pytest.PytestWarning(text))
        exceeded = [name for name in limits if figures.get(name, 0) > limits[name]]
        if exceeded:
            messages = [
                f"{COLUMNS[name]} {_exact(name, figures[name])} exceeds the limit of "
                f"{_exact(name, limits[name])}: {self._limits[name]}"
                for name in exceeded
            ]
            pytest.fail("\n".join(messages), pytrace=False)

    # --- Measuring ---

    # The innermost wrappers, so that the figures do not include the use of other plugins.

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Hook:
        """Measure the setup."""
        if item.user_properties:  # of an earlier run of the same test
            item.user_properties[:] = [
                entry for entry in item.user_properties if not _is_ours(entry)
            ]
        yield from self._measure(item, "setup", {})

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Hook:
        """Measure the call, which has the limits."""
        yield from self._measure(item, "call", item.stash.get(_limits_key, {}))

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Hook:
        """Measure the teardown."""
        yield from self._measure(item, "teardown", {})

    def _measure(self, item: pytest.Item, when: str, limits: Figures) -> Hook:
        """Measure a phase if a table or its limits need it."""
        if self._rows is None and not limits:
            yield
            return
        phase = Phase(reset_peak=self._rows is not None or "peak_growth" in limits)
        if limits:
            item.stash[_phase_key] = phase
        yield
        item.user_properties += [
            (f"rusage_{when}_{name}", figure) for name, figure in phase.stop().items()
        ]

    # --- Memory that stays ---

    # pytest drops the values of a test's fixtures after the last phase, so this hook wraps all
    # phases.
    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Hook:
        """Measure what the test adds to the resident set size of the process."""
        before = None if self._rows is None else read_rss()
        yield
        after = None if before is None else read_rss()
        if before is not None and after is not None:
            self._retained[item.nodeid] = after - before

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In a worker of pytest-xdist: send the figures to the controller."""
        output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[NAME_OF_RETAINED] = self._retained

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Collect the figures of a worker of pytest-xdist; a crashed worker has sent none."""
        self._retained.update(getattr(node, "workeroutput", {}).get(NAME_OF_RETAINED, {}))

    # --- Reporting ---

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the phases that used the most; with pytest-xdist, of all workers."""
        if self._rows is None:
            return
        rows = [
            Row(report.when, report.nodeid, figures)
            for reports in terminalreporter.stats.values()
            for report in reports
            if (figures := _figures_of(report))
        ]
        for row in rows:
            if row.when == "call" and row.nodeid in self._retained:
                row.figures[RETAINED] = self._retained[row.nodeid]
        for title, names, least in TABLES:
            if any(names[0] in row.figures for row in rows):
                terminalreporter.write_sep("=", f"rusage: {title}")
                for line in _table(rows, names, least, self._rows):
                    terminalreporter.write_line(line)


class Phase:
    """The figures of one phase, which begins when the object is created."""

    def __init__(self, *, reset_peak: bool) -> None:
        self._figures: Figures | None = None
        self._pid = os.getpid()
        self._peak = BlockPeak() if reset_peak else None
        self._children = cputime(RUSAGE_CHILDREN) if HAS_CHILDREN else 0
        self._usage = getrusage(RUSAGE_SELF)

    def stop(self) -> Figures:
        """End the phase; return the measured figures: none in a process that the test forked."""
        if self._figures is None:
            self._figures = self._read_figures() if os.getpid() == self._pid else {}
        return self._figures

    def _read_figures(self) -> Figures:
        start, end = self._usage, getrusage(RUSAGE_SELF)
        # Round to nanoseconds, since no clock is finer. round() with a number of digits takes
        # longer.
        figures: Figures = {"cputime": round((end.cputime - start.cputime) * 1e9) / 1e9}
        if HAS_CHILDREN:
            figures[CHILDREN_CPUTIME] = (
                round((cputime(RUSAGE_CHILDREN) - self._children) * 1e9) / 1e9
            )
        if "ru_majflt" in MEASURED:
            figures["majflt"] = end.ru_majflt - start.ru_majflt
        if self._peak is not None:
            self._peak.update()
        if self._peak is not None and self._peak.measured:
            figures["peak_growth"] = self._peak.growth
        elif "ru_maxrss" in MEASURED:
            figures[MAXRSS_RISE] = end.ru_maxrss - start.ru_maxrss
        return figures


# --- Limits ---


def _refuse(item: pytest.Item, message: str) -> None:
    """Raise ``pytest.UsageError``.

    A worker of pytest-xdist would crash: it reports an error of the collection.
    """
    if not hasattr(item.config, "workerinput"):
        raise pytest.UsageError(message)
    item.ihook.pytest_collectreport(report=pytest.CollectReport(item.nodeid, "failed", message, []))


def _limit(name: str, limit: object) -> float:
    """Return a limit as a number."""
    if name in BYTES and isinstance(limit, str):
        return parse_size(limit)
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 <= limit < math.inf:
        raise ValueError(f"{name}: not a {'size' if name in BYTES else 'number'}: {limit!r}")
    return limit


def _exact(name: str, figure: float) -> str:
    if name in BYTES:
        return f"{mebibytes(figure)} ({figure:.0f} bytes)"
    return f"{figure:.6f} s" if name in SECONDS else f"{figure:.15g}"


def _figures_of(report: object) -> Figures:
    """Return the figures in a report; none if the report is not about a phase."""
    entries: list[Any] = getattr(report, "user_properties", [])
    when = getattr(report, "when", None)
    figures = {}
    for key, figure in filter(_is_ours, entries):
        phase, name = NAMES[key]
        if phase == when:
            figures[name] = figure
    return figures


def _is_ours(entry: object) -> bool:
    """Return whether an entry of ``user_properties`` is this plugin's; others may have any type."""
    pair = entry if isinstance(entry, (tuple, list)) else ()
    return len(pair) == 2 and isinstance(pair[0], str) and pair[0] in NAMES


# --- Tables ---


def _table(rows: list[Row], names: tuple[str, ...], least: float, number: int) -> list[str]:
    """Return a table of the ``number`` phases (0: all) with the largest sum of these figures."""

    def total(row: Row) -> float:
        return sum([row.figures.get(name, 0) for name in names])  # faster than a generator

    largest = sorted((row for row in rows if total(row) >= least), key=total, reverse=True)
    if not largest:
        return [f"none of {_cell(names[0], least)} or more"]
    columns = [name for name in COLUMNS if any(name in row.figures for row in largest)]
    lines = [[*(COLUMNS[name] for name in columns), "phase", "test"]]
    for row in largest[: number or None]:
        cells = [_cell(name, row.figures[name]) if name in row.figures else "-" for name in columns]
        lines.append([*cells, row.when, row.nodeid])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([*map(str.rjust, figures, widths), when.ljust(widths[-2]), nodeid])
        for *figures, when, nodeid in lines
    ]


def _cell(name: str, figure: float) -> str:
    if name in BYTES:
        return mebibytes(figure)
    return f"{figure:.3f} s" if name in SECONDS else str(figure)
