"""The plugin for pytest: the options, the mark and the ini defaults.

``rusage._pytest_phases`` does the rest. pytest imports this module in every run. The module imports
``_pytest_phases`` only if ``--rusage`` or a limit is given.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._pytest_phases import Phases

ROWS = 10
MARK = "limit_rusage"


# For each figure of _pytest_phases that can be limited: what the limit is, and what the figure is.
LIMITS = {
    "peak_growth": (
        'growth of peak memory, a size such as "100 MiB"',
        (
            "the maximum resident set size of the process during the call, "
            "minus the size at the start of the call"
        ),
    ),
    "cputime": (
        "CPU time, in seconds",
        "user and system time of all threads of the process during the call",
    ),
    "majflt": (
        "number of major page faults",
        "page faults of the process during the call that required I/O",
    ),
}
NAME = "rusage-phases"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--rusage`` and the ini options."""
    parser.getgroup("rusage", "resource usage (rusage)").addoption(
        "--rusage",
        metavar="N",
        nargs="?",
        type=int,
        const=ROWS,
        help="show the N phases of tests (--rusage=N, default 10; 0: all) with the most CPU time, "
        "the largest growth of the peak memory, and the most memory retained after the test; "
        "resets the peak of the process before each phase if possible",
    )
    for name, (limit, _) in LIMITS.items():
        parser.addini(
            f"limit_rusage_{name}", f"default of @pytest.mark.{MARK}({name}=...): {limit}"
        )


def pytest_configure(config: pytest.Config) -> None:
    """Describe the mark; register the measuring plugin if ``--rusage`` or an ini option is set."""
    config.addinivalue_line(
        "markers",
        f"{MARK}({', '.join(f'{name}=None' for name in LIMITS)}): "
        "fail the test if its call exceeds a limit: "
        f"{'; '.join(f'{name}: {limit}' for name, (limit, _) in LIMITS.items())} (rusage).",
    )
    rows = config.option.rusage or 0
    if rows < 0:
        raise pytest.UsageError(f"--rusage: not a number of phases: {rows} (0: all)")
    defaults = (config.getini(f"limit_rusage_{name}") for name in LIMITS)
    if config.option.rusage is not None or any(defaults):
        _phases(config)


@pytest.hookimpl(trylast=True)  # after other plugins have added marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Read the limits of the tests."""
    if config.pluginmanager.hasplugin(NAME) or any(item.get_closest_marker(MARK) for item in items):
        _phases(config).read_limits(items)


def _phases(config: pytest.Config) -> Phases:
    """Return the plugin that measures; register it first if necessary."""
    from ._pytest_phases import Phases  # noqa: PLC0415 (only needed here)

    plugin = config.pluginmanager.get_plugin(NAME)
    if not isinstance(plugin, Phases):
        meanings = {name: meaning for name, (_, meaning) in LIMITS.items()}
        plugin = Phases(config, MARK, meanings)
        config.pluginmanager.register(plugin, NAME)
    return plugin
