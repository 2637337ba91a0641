"""The pytest plugin: what ``--rusage`` shows, what limits refuse, and who else sees the figures."""

from __future__ import annotations

import os
import re
import sys
import xml.etree.ElementTree as ET
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from conftest import forks
from peaks import ERROR, MIB, resets

import rusage
from rusage import _memory
from rusage._backends import BACKEND
from rusage._pytest_phases import Phase

if TYPE_CHECKING:
    Table = dict[tuple[str, str], dict[str, float]]

CPU, PEAK = "most CPU time, own and children's", "largest growth of the peak"
RISE = "largest rise of the process's peak, which could not be reset"
RETAINED = "most memory retained after the test"

# spin() uses the clock of the plugin, which on some systems counts ticks of 10 or 15.6 ms. What
# mmap closes goes back to the system, whatever the allocator does.
HELPERS = """
    import mmap, os, subprocess, sys, unittest
    import pytest, rusage

    limit = pytest.mark.limit_rusage

    def spin(seconds):
        end = rusage.cputime() + seconds
        while rusage.cputime() < end:
            pass

    def touch(mebibytes):
        block = mmap.mmap(-1, mebibytes << 20)
        for page in range(0, len(block), 4096):
            block[page] = 1
        return block

    def hold(mebibytes):
        touch(mebibytes).close()
"""
XDIST = ["-p", "xdist.plugin", "-p", "xdist.looponfail"]
# Where no RECORD of an installation lists the plugin, pytest says that it could not rewrite the
# imported module.
NOT_REWRITTEN = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]


@pytest.fixture(autouse=True)
def no_other_plugins(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start pytest with this plugin only: finding and importing others takes most of a start."""
    pytester.makepyfile(helpers=HELPERS)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p rusage.pytest_plugin")


@pytest.fixture
def as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest find the plugin by its entry point."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:randomly")


def run(
    pytester: pytest.Pytester, code: str, *options: str, own_process: bool = False
) -> pytest.RunResult:
    """Run the tests in a file ``test_it.py``, which has the helpers."""
    pytester.makepyfile(test_it=f"from helpers import *\n{dedent(code)}")
    start = pytester.runpytest_subprocess if own_process else pytester.runpytest
    return start(*options)


def tables(result: pytest.RunResult) -> dict[str, Table]:
    """Return pytest's tables: for each title, for each phase and test, the columns' numbers."""
    found: dict[str, Table] = {}
    table = r"(?m)^=+ rusage: (.*?) =+\n((?:(?!=).*\n)+)"
    for title, text in re.findall(table, f"{result.stdout}\n"):
        rows = [re.split(" {2,}", line.strip()) for line in text.splitlines()]
        columns = next((row for row in rows if row[-1] == "test"), rows[-1])  # none of ...
        found[title] = {
            (cells[-2], cells[-1].removeprefix("test_it.py::")): {
                column: float(figure.split()[0])
                for column, figure in zip(columns, cells[:-2], strict=False)
                if figure != "-"
            }
            for cells in rows[rows.index(columns) + 1 :]
            if len(cells) == len(columns)
        }
    return found


def junit(folder: pytest.Pytester) -> ET.ElementTree[ET.Element]:
    pytest.importorskip("pyexpat", reason="this interpreter has no parser of XML")
    return ET.parse(folder.path / "junit.xml")  # noqa: S314 (pytest's own)


def properties(folder: pytest.Pytester, *, test: str | None = None) -> dict[str, float]:
    """Return the properties of a test, or of the only one, from the ``--junitxml`` file."""
    cases = junit(folder).iter("testcase")
    (case,) = [case for case in cases if test is None or case.get("name") == test]
    texts = {str(p.get("name")): str(p.get("value")) for p in case.iter("property")}
    # The others are bytes and counts.
    assert all(text.isdecimal() or name.endswith("cputime") for name, text in texts.items())
    return {name: float(text) for name, text in texts.items()}


def expected(*phases: str) -> set[str]:
    """Return the names of the properties of phases."""
    names = {"cputime", "children_cputime", "majflt", "peak_growth"}
    if "RUSAGE_CHILDREN" in BACKEND.absent:
        names.remove("children_cputime")
    if "ru_majflt" not in rusage.measured():
        names.remove("majflt")
    if "peak" not in rusage.measure(reset_peak=True).measured:
        names.remove("peak_growth")
        names |= {"maxrss_rise"} if "ru_maxrss" in rusage.measured() else set()
    return {f"rusage_{phase}_{name}" for phase in phases for name in names}


# --- The summary ---


@resets
def test_peak_of_each_phase(pytester: pytest.Pytester) -> None:
    """A fixture's memory is in use when the call begins, and is not part of its growth."""
    code = """
        @pytest.fixture
        def fixture():
            held = touch(96)
            yield
            hold(48)

        def test_before(): hold(100)
        def test_300(): hold(300)
        def test_after(fixture): hold(32)
    """
    rows = tables(run(pytester, code, "--rusage=0", own_process=True))[PEAK]
    assert next(iter(rows)) == ("call", "test_300")
    for when, name, size in [
        ("call", "test_before", 100),
        ("call", "test_300", 300),
        ("setup", "test_after", 96),
        ("call", "test_after", 32),
        ("teardown", "test_after", 48),
    ]:
        growth = rows[when, name]["peak growth"]
        assert growth == pytest.approx(size, rel=0.03, abs=ERROR / MIB)
    assert "retained" not in rows["setup", "test_after"]  # not a 0: its cell is a dash


@pytest.mark.skipif("ru_maxrss" not in rusage.measured(), reason="this system has no peak")
def test_rise_where_peak_cannot_be_reset(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from rusage import _memory\n_memory.HAS_MARK = False")
    code = """
        def test_child():
            code = 'from helpers import hold; hold(600)'
            subprocess.run([sys.executable, '-c', code], check=True)

        def test_large(): hold(600)
        def test_small(): hold(64)
    """
    result = run(pytester, code, "--rusage", "--junitxml=junit.xml", own_process=True)
    assert tables(result).keys() - {RETAINED} == {CPU, RISE}
    rows = tables(result)[RISE]
    assert list(rows) == [("call", "test_large")]
    # Below it is the peak that the process started with, which may be inherited.
    assert 0 < rows["call", "test_large"]["rise of the process's peak"] <= 601 + ERROR / MIB
    assert "rusage_call_maxrss_rise" in properties(pytester, test="test_large")
    assert "rusage_call_peak_growth" not in properties(pytester, test="test_large")


@pytest.mark.not_emulated
def test_cpu_time_and_children(pytester: pytest.Pytester) -> None:
    code = """
        CHILD = 'import time\\nwhile time.process_time() < 0.2: pass'

        def test_own(): spin(0.1)
        def test_child(): subprocess.run([sys.executable, '-c', CHILD], check=True)
        def test_none(): pass
    """
    rows = tables(run(pytester, code, "--rusage"))[CPU]
    assert rows["call", "test_own"]["CPU time"] >= 0.1
    if "RUSAGE_CHILDREN" in BACKEND.absent:
        assert "children's" not in rows["call", "test_own"]
        return
    assert list(rows)[:2] == [("call", "test_child"), ("call", "test_own")]
    assert rows["call", "test_child"]["children's"] >= 0.16
    assert rows["call", "test_own"]["children's"] == 0


def test_number_of_rows(pytester: pytest.Pytester) -> None:
    # Other plugins and tests may append anything to the properties, in which the figures are.
    code = """
        OTHERS = [('three', 1, 2), ([], 1), (), 'text', 3, None, {'rusage_call_cputime': 1}]

        @pytest.mark.parametrize('number', range(11))
        def test(number, request):
            spin(0.002)
            request.node.user_properties.extend(OTHERS)
    """
    options = ["--rusage"], ["--rusage=3"], ["--rusage", "0"]
    ten, three, every = (tables(run(pytester, code, *words))[CPU] for words in options)
    assert (len(ten), len(three)) == (10, 3)
    assert sum(when == "call" for when, _ in every) == 11
    wrong = {"-1": "not a number of phases: -1", "test_it.py": "invalid int value: 'test_it.py'"}
    for word, error in wrong.items():
        # In this process, pytest 7.0 ends with an internal error for what argparse refuses.
        result = pytester.runpytest_subprocess(f"--rusage={word}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*--rusage: {error}*"])


@pytest.mark.skipif("rss" in BACKEND.absent, reason="this system has no rusage.rss()")
@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy frees the objects later")
def test_memory_that_stays(pytester: pytest.Pytester) -> None:
    code = """
        kept = []

        @pytest.fixture
        def held(): return touch(64)

        def test_leak(): kept.append(touch(64))
        def test_spike(): hold(64)
        def test_fixture(held): pass
    """
    result = run(pytester, code, "--rusage=0", own_process=True)
    result.assert_outcomes(passed=3)
    rows = tables(result)[RETAINED]
    assert {when for when, _ in rows} == {"call"}
    assert rows["call", "test_leak"]["retained"] == pytest.approx(64, abs=16 + ERROR / MIB)
    for test in "test_spike", "test_fixture":
        row = rows.get(("call", test), {"retained": 0})
        assert row["retained"] < 16 + ERROR / MIB


@pytest.mark.thorough
def test_figures_of_all_workers(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist", reason="no pytest-xdist: pip install --group tests")
    code = """
        kept = []

        @pytest.mark.parametrize('number', range(4))
        def test(number, record_property):
            spin(0.02)
            record_property('worker', os.getpid())
            kept.append(b'x' * (32 << 20))
    """
    options = ["--rusage=0", *XDIST, "-n", "2", "--junitxml=junit.xml"]
    result = run(pytester, code, *options, own_process=True)
    result.assert_outcomes(passed=4)
    rows = tables(result)[CPU]
    called = {test for when, test in rows if when == "call"}
    assert called == {f"test[{number}]" for number in range(4)}
    assert len({properties(pytester, test=test)["worker"] for test in called}) == 2
    if "rss" not in BACKEND.absent:
        assert tables(result)[RETAINED].keys() & rows.keys()


@forks
def test_phase_in_a_forked_child() -> None:
    """Its own counters began at the fork."""
    phase = Phase(reset_peak=True)
    child = os.fork()
    if child == 0:
        os._exit(phase.stop() != {})
    assert os.waitpid(child, 0)[1] == 0
    assert phase.stop()


def test_peak_that_is_lost_in_a_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    """No limit of open files does this: the end of a phase may need no file."""
    phase = Phase(reset_peak=True)
    monkeypatch.setattr(
        _memory.BlockPeak, "update", lambda block: setattr(block, "measured", False)
    )
    assert "peak_growth" not in phase.stop()


# --- The figures elsewhere ---

# What a test does, the outcome in the JUnit file, and whether the limit of 0.08 s is the reason.
ITEMS = {
    "fails": ("def test(): spin(0.12); assert 0, 'of its own'", ["failure"], False),
    "errors": ("@pytest.fixture\ndef bad(): 1 / 0\ndef test(bad): pass", ["error"], False),
    "fails as expected": ("@pytest.mark.xfail\ndef test(): spin(0.12)", ["skipped"], False),
    "slow fixture": ("@pytest.fixture\ndef slow(): spin(0.12)\ndef test(slow): pass", [], False),
    "unittest": (
        "class Test(unittest.TestCase):\n    def setUp(self): spin(0.12)\n    def test(self): pass",
        ["failure"],
        True,
    ),
    "doctest": ('def documented():\n    """\n    >>> spin(0.12)\n    """', ["failure"], True),
}


@pytest.mark.parametrize("name", ITEMS)
def test_kinds_of_items(pytester: pytest.Pytester, name: str) -> None:
    code, outcomes, exceeds = ITEMS[name]
    pytester.makeini("[pytest]\nlimit_rusage_cputime = 0.08\n")
    result = run(pytester, code, "--rusage", "--junitxml=junit.xml", "--doctest-modules")
    assert ("exceeds the limit" in str(result.stdout)) is exceeds
    cases = junit(pytester).iter("testcase")
    tags = [element.tag for case in cases for element in case if element.tag != "properties"]
    assert tags == outcomes
    phases = ["setup", "call", "teardown"] if name != "errors" else ["setup", "teardown"]
    assert set(properties(pytester)) == expected(*phases)


def test_repeated_test_has_one_set(pytester: pytest.Pytester) -> None:
    """As pytest-rerunfailures repeats it."""
    pytester.makeconftest("""
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            item.user_properties.append(('other', 1))
            for log in False, True:
                item._initrequest()
                runtestprotocol(item, nextitem=nextitem, log=log)
            return True
    """)
    result = run(pytester, "def test(): pass", "--rusage", "--junitxml=junit.xml")
    result.assert_outcomes(passed=1)
    names = [element.get("name") for element in junit(pytester).iter("property")]
    assert sorted(map(str, names)) == sorted({"other", *expected("setup", "call", "teardown")})


# --- Limits ---

MAJOR_FAULTS = """
from rusage import _pytest_phases

class MajorFaults(_pytest_phases.Phase):  # no program can cause them on every system
    def stop(self): return super().stop() | {"majflt": 1234567}

_pytest_phases.Phase = MajorFaults

@limit(majflt=1234567)
def test_equal(): pass

@limit(majflt=0)
def test(): pass
"""
PEAKS = """
def test_before(): hold(300)

@limit(peak_growth='100 MiB')
def test_below(): hold(80)

@limit(peak_growth=100 << 20)
def test(): hold(130)
"""
# What ``test`` does, the figure that exceeds, the limit, and the message.
LIMITS = [
    pytest.param(
        "@limit(cputime=0.05)\ndef test(): spin(0.1)",
        "cputime",
        0.05,
        "CPU time 0.* s exceeds the limit of 0.050000 s: "
        "user and system time of all threads of the process during the call",
        id="cputime",
    ),
    pytest.param(
        PEAKS,
        "peak_growth",
        100 << 20,
        "peak growth 1[23]?.? MiB (* bytes) exceeds the limit of 100.0 MiB (104857600 bytes): "
        "the maximum resident set size of the process during the call, "
        "minus the size at the start of the call",
        marks=resets,
        id="peak_growth",
    ),
    pytest.param(
        MAJOR_FAULTS,
        "majflt",
        0,
        "major faults 1234567 exceeds the limit of 0: page faults of the process *",
        marks=pytest.mark.skipif(
            "ru_majflt" not in rusage.measured(), reason="this system does not count major faults"
        ),
        id="majflt",
    ),
]


@pytest.mark.parametrize(("code", "name", "limit", "message"), LIMITS)
def test_over_limit(
    pytester: pytest.Pytester, code: str, name: str, limit: float, message: str
) -> None:
    result = run(pytester, code, "--junitxml=junit.xml", own_process=True)
    result.assert_outcomes(passed=code.count("def test_"), failed=1)
    result.stdout.fnmatch_lines([message, "FAILED test_it.py::test*"])
    assert "rusage: " not in str(result.stdout)
    figures = properties(pytester, test="test")
    assert figures[f"rusage_call_{name}"] > limit
    assert {name.split("_")[1] for name in figures} == {"call"}  # nothing else is measured


def test_closest_limit_counts(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nlimit_rusage_cputime = 0.03\nlimit_rusage_peak_growth = 2 GiB\n")
    pytester.makepyfile(test_ini="from helpers import *\ndef test_over(): spin(0.06)")
    code = """
        pytestmark = limit(cputime=60)

        def test_below(): spin(0.06)

        @limit(cputime=0.04)
        class TestClass:
            def test_over(self): spin(0.06)

            @limit(cputime=50)
            def test_below(self): spin(0.06)

            @limit(cputime=None)
            def test_none(self): spin(0.06)

            @limit(majflt=10**9)
            def test_over_too(self): spin(0.06)
    """
    result = run(pytester, code, "-W", "ignore")  # a figure may not be measured on this system
    result.assert_outcomes(passed=3, failed=3)
    failed = [line.split()[1] for line in result.outlines if line.startswith("FAILED")]
    assert failed == [
        "test_ini.py::test_over",
        "test_it.py::TestClass::test_over",
        "test_it.py::TestClass::test_over_too",
    ]
    # No test of this file has the mark.
    pytester.runpytest("-W", "ignore", "test_ini.py").assert_outcomes(failed=1)


def test_warning_where_not_measured(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_memory, "HAS_MARK", False)
    code = """
        @limit(peak_growth='1 GiB', cputime=60)
        @pytest.mark.parametrize("number", range(2))
        def test_below(number): pass

        @limit(peak_growth=0, cputime=0.1)
        def test_over(): spin(0.15)
    """
    text = (
        "*PytestWarning: limit_rusage: peak_growth is not checked, "
        f"since {BACKEND.name} does not measure it here*"
    )
    for action, outcomes in (
        ("default", {"passed": 2, "failed": 1, "warnings": 1}),
        ("error", {"passed": 1, "failed": 2}),
    ):
        result = run(pytester, code, "-W", action, *NOT_REWRITTEN)
        result.assert_outcomes(**outcomes)
        result.stdout.fnmatch_lines([text])


def test_mark_of_another_plugin(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins that were loaded later are called first."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p marks -p rusage.pytest_plugin")
    pytester.syspathinsert()
    pytester.makepyfile(
        marks="import pytest\ndef pytest_collection_modifyitems(items):\n"
        "    items[0].add_marker(pytest.mark.limit_rusage(cputime=0.08))"
    )
    run(pytester, "def test(): spin(0.12)").assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("mark", "ini", "message"),
    [
        ("peak_growth='100 MB'", "", "not a size: '100 MB' *"),
        ("peak_growth=True", "", "peak_growth: not a size: True"),
        ("majflt=float('inf')", "", "majflt: not a number: inf"),
        ("majflt=[]", "", "majflt: not a number: [[]]"),
        ("maxrss=1", "", "expected peak_growth=..., cputime=..., majflt=..., and no *"),
        ("", "", "expected *"),
        ("cputime=1", "limit_rusage_cputime = much", "not a number: 'much'"),
    ],
)
def test_bad_limit(pytester: pytest.Pytester, mark: str, ini: str, message: str) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = run(pytester, f"def test_good(): pass\n@limit({mark})\ndef test_bad(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    place = "limit_rusage_cputime" if ini else "test_it.py::test_bad: limit_rusage"
    result.stderr.fnmatch_lines([f"ERROR: {place}: {message}"])
    assert "passed" not in str(result.stdout)


@pytest.mark.thorough
def test_bad_limit_in_worker(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist", reason="no pytest-xdist: pip install --group tests")
    code = "@limit(cputime='1')\ndef test(): pass"
    result = run(pytester, code, *XDIST, "-n", "1", own_process=True)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["test_it.py::test: limit_rusage: cputime: not a number: '1'"])
    assert "INTERNALERROR" not in str(result.stdout)


# --- The plugin itself ---


IMPORTED = (
    "import sys\ndef test():\n"
    "    assert [name for name in sys.modules "
    "if name.startswith('rusage.') and ('pytest' in name or 'peak' in name)]"
)


def test_unused_plugin_imports_little(pytester: pytest.Pytester) -> None:
    limited = "import pytest\npytestmark = pytest.mark.limit_rusage(cputime=60)\n"
    for mark, others in ("", []), (limited, ["rusage._pytest_phases"]):
        pytester.makepyfile(test_it=f"{mark}{IMPORTED} == {['rusage.pytest_plugin', *others]}")
        pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.usefixtures("as_installed")
def test_plugin_can_be_blocked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=f"{IMPORTED} == []")
    pytester.runpytest_subprocess("-p", "no:rusage").assert_outcomes(passed=1)
    # In this process, pytest 7.0 fails otherwise.
    result = pytester.runpytest_subprocess("-p", "no:rusage", "--rusage")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.usefixtures("as_installed")
def test_package_imported_before_pytest(pytester: pytest.Pytester) -> None:
    """No warning that pytest cannot rewrite the package's assertions, which are no tests."""
    main = (
        "import sys, rusage, pytest; "
        "sys.exit(pytest.main(['-W', 'error::pytest.PytestAssertRewriteWarning']))"
    )
    pytester.makepyfile("def test(): pass")
    assert pytester.run(sys.executable, "-c", main).ret == 0
