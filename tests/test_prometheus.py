"""The collector for prometheus_client: by the rules of each system, and by real readings."""

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest
from conftest import linux, no_files, root, under_wine
from conversion import HIGH_WATER_MARK, SIZE, pretend
from expected import SYSTEMS
from scenes import held, in_namespaces

import rusage
from rusage import RUsage, _memory
from rusage._backends import BACKEND

pytest.importorskip(
    "prometheus_client", reason="no prometheus_client: pip install --group monitoring"
)

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.process_collector import ProcessCollector

from rusage import prometheus
from rusage.prometheus import UsageCollector, WorkersCollector

DOCS = Path(__file__).parent.parent / "docs"
PROMTOOL = shutil.which("promtool")
SERVICES = (DOCS / "services.md").read_text(encoding="utf-8")
RULES = "groups:\n" + "".join(re.findall(r"(?s)```yaml\ngroups:\n(.*?)```", SERVICES))

# The usage of a process where all fields are measured. Its children have used twice as much.
REST = 1019, 1021, 1031, 1033, 1039, 1049, 1051, 1061, 1063, 1069, 1087, 1091, 1093, 1097
OWN = RUsage(1009.5, 1013.25, *REST)

# Metrics by groups, and what they are for OWN.
GROUPS: dict[str, dict[str, float]] = {
    "times": {"cpu_user_seconds_total": 1009.5, "cpu_system_seconds_total": 1013.25},
    "faults": {"minor_page_faults_total": 1039, "major_page_faults_total": 1049},
    "all_faults": {"minor_page_faults_total": 1039},
    "major_faults": {"major_page_faults_total": 1049},
    "bytes": {"disk_read_bytes_total": 1061 * 512, "disk_written_bytes_total": 1063 * 512},
    "switches": {
        "context_switches_total voluntary": 1093,
        "context_switches_total involuntary": 1097,
    },
    "voluntary": {"context_switches_total voluntary": 1093},
}
PEAK, RSS = "process_resident_memory_peak_bytes", "process_resident_memory_bytes"
GAUGES = {"peak": (PEAK, HIGH_WATER_MARK), "maxrss": (PEAK, 1019), "rss": (RSS, SIZE)}


def samples(metrics: Iterator[Metric]) -> dict[str, float]:
    """Return the samples of metrics by their name and their labels' values; each is there once."""
    found: dict[str, float] = {}
    for metric in metrics:
        for sample in metric.samples:
            assert set(sample.labels) <= {"type", "pid"}
            name = " ".join([sample.name, *sample.labels.values()])
            assert name not in found
            found[name] = sample.value
    return found


def pretend_proc_stat(monkeypatch: pytest.MonkeyPatch, *, present: bool = True) -> None:
    exists = os.path.exists
    monkeypatch.setattr(
        os.path, "exists", lambda path: present if path == "/proc/stat" else exists(path)
    )


@pytest.fixture
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the module see a listed system, not this one, whose kernel reports OWN."""
    name: str = request.param
    pretend(monkeypatch, prometheus, SYSTEMS[name].backend, OWN, OWN + OWN)
    return name


@pytest.mark.parametrize("system", SYSTEMS, indirect=True)
def test_metrics_of_every_system(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_proc_stat(monkeypatch)
    row = SYSTEMS[system]
    exports = row.exports.split()
    expected: dict[str, float] = {
        name: value for group, (name, value) in GAUGES.items() if group in exports
    }
    for times, prefix in (1, "process_"), (2, "process_children_"):
        if times == 2 and "CHILDREN" not in row.measured:
            continue
        if times == 2 and row.exports_of_children is not None:
            exports = row.exports_of_children.split()
        for group in GROUPS.keys() & exports:
            expected |= {prefix + name: times * own for name, own in GROUPS[group].items()}
        expected[f"{prefix}cpu_seconds_total"] = times * 2022.75
    other = {f"my_{name}": value for name, value in expected.items()}
    assert samples(UsageCollector(namespace="my", children=True).collect()) == other
    # ProcessCollector exports these.
    del expected["process_cpu_seconds_total"]
    expected.pop(RSS, None)
    collector = UsageCollector(children=True)
    assert samples(collector.collect()) == expected
    described, collected = ([*metrics] for metrics in (collector.describe(), collector.collect()))
    for metric in collected:
        assert metric.samples
        metric.samples.clear()
    assert described == collected
    own = {name: value for name, value in expected.items() if "children" not in name}
    assert samples(UsageCollector().collect()) == own


def test_page_lists_the_metrics() -> None:
    page = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    listed = re.findall(r'^\| `process_(\w+)(?:{type="(\w+)"})?` ', page, re.MULTILINE)
    gauges = {name.removeprefix("process_") for name, _ in GAUGES.values()}
    exported = gauges.union(["cpu_seconds_total"], *GROUPS.values())
    assert sorted(" ".join(filter(None, metric)) for metric in listed) == sorted(exported)


HELP = [
    ("Linux", PEAK, "Maximum resident set size; VmHWM in /proc/PID/status.*"),
    (
        "Linux",
        "process_children_context_switches",
        "Children that have ended and been waited for: context switches.*",
    ),
    ("FreeBSD", PEAK, "Maximum resident set size; sampled at ticks of the statistics.*"),
    (
        "Windows",
        "process_minor_page_faults",
        r"Page reclaims \(soft page faults\); includes faults that required I/O.*",
    ),
    # Exported of another process only: without the reason.
    ("macOS", "process_disk_read_bytes", "Bytes read from block devices."),
    ("macOS", "process_disk_written_bytes", "Bytes written to block devices."),
    (
        "macOS",
        "process_minor_page_faults",
        r".*; all faults minus the major ones, which falls once all are 2\*\*31 - 1\.",
    ),
]


@pytest.mark.parametrize(("system", "name", "text"), HELP, indirect=["system"])
def test_help_texts(system: str, name: str, text: str) -> None:
    collector = UsageCollector(children=True)
    if system == "macOS":
        collector = UsageCollector(made_up("ru_inblock", "ru_oublock", "ru_minflt"))
    found = {metric.name: metric.documentation for metric in collector.collect()}
    assert re.fullmatch(text, found[name])


@pytest.mark.skipif(BACKEND.name != "Linux", reason="this system reads no files of /proc")
def test_memory_that_cannot_be_read() -> None:
    collector = UsageCollector(namespace="my")
    names = samples(collector.collect()).keys()
    with no_files():
        found = samples(collector.collect()).keys()
    assert names - found == {f"my_{PEAK}", f"my_{RSS}"}


@pytest.mark.parametrize("system", ["FreeBSD"], indirect=True)
def test_peak_that_is_not_sampled_yet(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process has a peak of 0."""
    for collector in UsageCollector(), UsageCollector(made_up("ru_maxrss")):
        assert PEAK in {metric.name for metric in collector.collect()}, system
    monkeypatch.setattr(_memory, "maxrss", lambda: 0)
    for collector in UsageCollector(), UsageCollector(made_up("ru_maxrss", ru_maxrss=0)):
        assert PEAK not in {metric.name for metric in collector.collect()}
        assert PEAK in {metric.name for metric in collector.describe()}


@pytest.mark.parametrize("proc_stat", [True, False], ids=["with /proc/stat", "without /proc/stat"])
def test_beside_process_collector(
    *, proc_stat: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if proc_stat and not os.path.exists("/proc/stat"):
        pytest.skip(reason="this system has no /proc/stat")
    pretend_proc_stat(monkeypatch, present=proc_stat)
    theirs = ProcessCollector(registry=None, proc="/proc" if proc_stat else str(tmp_path))
    registry = CollectorRegistry()
    registry.register(theirs)
    registry.register(UsageCollector())
    lines = generate_latest(registry).decode().splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    for name in ("process_cpu_seconds_total", *([RSS] if "rss" not in BACKEND.absent else [])):
        assert [line.split()[0] for line in lines].count(name) == 1
    assert ("process_open_fds" in names) is proc_stat
    assert "process_cpu_user_seconds_total" in names


needs_process = pytest.mark.skipif("Process" in BACKEND.absent, reason="this system has no Process")


def is_between(lower: RUsage, found: dict[str, float], upper: RUsage) -> bool:
    """Compare the sum of the times: the kernel may divide it anew."""
    times = found["process_cpu_user_seconds_total"] + found["process_cpu_system_seconds_total"]
    return lower.cputime - 1e-6 <= times <= upper.cputime + 1e-6


def test_usage_is_between_two_readings() -> None:
    collector, who = UsageCollector(), rusage.RUSAGE_SELF
    assert is_between(rusage.getrusage(who), samples(collector.collect()), rusage.getrusage(who))


@needs_process
def test_process_that_has_ended() -> None:
    with held() as tree, rusage.Process(tree.pid) as process:
        collector = UsageCollector(process)
        names = [metric.name for metric in collector.describe()]
        assert [metric.name for metric in collector.collect()] == names
        assert is_between(process.getrusage(), samples(collector.collect()), process.getrusage())
        os.kill(tree.pid, signal.SIGTERM)
        if hasattr(os, "waitid"):  # neither on Windows nor in PyPy
            os.waitid(os.P_PID, tree.pid, os.WEXITED | os.WNOWAIT)
            assert list(collector.collect()) == []
        tree.scene.wait()
        assert list(collector.collect()) == []
        assert [metric.name for metric in collector.describe()] == names
    with pytest.raises(ValueError, match="closed"):
        list(collector.collect())


@needs_process
def test_workers() -> None:
    with held() as tree, rusage.Process(tree.pid) as process:
        pids = [tree.pid, os.getpid()]
        collector = WorkersCollector(lambda: pids)
        names = samples(UsageCollector(process).collect()).keys()
        found = samples(collector.collect())
        assert [*collector.describe()] == [*UsageCollector(process).describe()]
        os.kill(tree.pid, signal.SIGTERM)
    assert found.keys() == {f"{name} {pid}" for name in names for pid in pids}
    of_child, own = (found[f"process_cpu_seconds_total {pid}"] for pid in pids)
    # Wine reports the times of the asking process.
    assert own > of_child or under_wine()
    assert samples(collector.collect()).keys() == {f"{name} {pids[1]}" for name in names}
    with patch("rusage.Process", side_effect=PermissionError):
        assert samples(WorkersCollector(lambda: pids).collect()) == {}


@needs_process
def test_numbers_of_workers() -> None:
    own = os.getpid()
    for numbers in [own], [0, own, -1, 2**40, own, 2**31 - 1, -(2**40)]:
        collector = WorkersCollector(lambda numbers=numbers: numbers)  # type: ignore[misc]
        assert {name.split()[-1] for name in samples(collector.collect())} == {str(own)}
    no_function: Any = [own]
    with pytest.raises(TypeError, match="pids must be a function"):
        WorkersCollector(no_function)


@needs_process
def test_workers_whose_function_fails(caplog: pytest.LogCaptureFixture) -> None:
    own = os.getpid()
    no_number: Any = "1"

    def fail_later() -> Iterator[int]:
        yield own
        raise RuntimeError("mine")

    outcomes: list[Callable[[], Any]] = [fail_later, lambda: [no_number], lambda: 1 / 0]

    def pids() -> Any:
        return outcomes[0]()

    collector = WorkersCollector(pids)
    registry = CollectorRegistry()
    registry.register(collector)
    registry.register(UsageCollector(namespace="other"))
    page = generate_latest(registry).decode()
    assert "other_process_cpu_seconds_total" in page
    assert "pid=" not in page
    for _ in range(2):
        outcomes.pop(0)
        assert [*collector.collect()] == []
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["mine"]
    outcomes[0] = lambda: [own]
    assert samples(collector.collect())


@needs_process
@root
@linux
def test_workers_without_proc() -> None:
    """Here /proc belongs to another PID namespace."""

    def scene() -> None:
        with pytest.raises(FileNotFoundError):
            rusage.Process(os.getpid())
        registry = CollectorRegistry()
        registry.register(WorkersCollector(lambda: [os.getpid()]))
        with pytest.raises(ValueError, match="Duplicated"):
            registry.register(WorkersCollector(list))
        assert generate_latest(registry) == b""

    in_namespaces(scene)


@needs_process
def test_help_texts_of_workers_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hundreds of workers, that took as long as their readings."""
    collector = WorkersCollector(lambda: [os.getpid()])
    monkeypatch.setattr(prometheus, "_text", Mock(side_effect=AssertionError))
    assert samples(collector.collect())


def made_up(*measured: str, clock: float = 0.0, **reported: Any) -> Any:
    """Return another process, of which a system measures some fields: the others are 0."""
    usage = RUsage._make(
        value if name in measured else 0 for name, value in (OWN._asdict() | reported).items()
    )
    return Mock(
        measured=frozenset(measured),
        getrusage=Mock(return_value=usage),
        cputime=Mock(return_value=clock),
        rss=Mock(return_value=SIZE + 1024),  # another size than this process has
    )


@pytest.mark.parametrize("system", ["Linux"], indirect=True)
@pytest.mark.usefixtures("system")
def test_measured_fields_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_proc_stat(monkeypatch)  # which ProcessCollector reads for its process
    times = {"cpu_seconds_total": 2022.75, **GROUPS["times"]}
    peak = {PEAK.removeprefix("process_"): 1019}
    exported: list[tuple[str, dict[str, float]]] = [
        ("ru_utime ru_stime ru_minflt ru_majflt ru_maxrss", times | GROUPS["faults"] | peak),
        ("ru_utime ru_stime", times),
        ("ru_minflt", GROUPS["all_faults"]),
    ]
    processes: dict[int, Any] = {}
    of_workers: dict[str, float] = {}
    for pid, (measured, metrics) in enumerate(exported):
        processes[pid] = made_up(*measured.split())
        expected = {RSS: SIZE + 1024, **{f"process_{name}": own for name, own in metrics.items()}}
        assert samples(UsageCollector(processes[pid]).collect()) == expected
        of_workers |= {f"{name} {pid}": value for name, value in expected.items()}
    monkeypatch.setattr(rusage, "Process", lambda pid: contextlib.nullcontext(processes[pid]))
    assert samples(WorkersCollector(lambda: processes).collect()) == of_workers


@pytest.mark.parametrize(
    ("clock", "total"), [(2022.769, 2022.769), (2022.749, 2022.75)], ids=["above", "below"]
)
def test_total_of_a_process(clock: float, total: float) -> None:
    """The finer clock, but not less than the sum of the two times that the same scrape exports."""
    found = samples(UsageCollector(made_up("ru_utime", "ru_stime", clock=clock)).collect())
    assert found["process_cpu_seconds_total"] == total
    times = found["process_cpu_user_seconds_total"] + found["process_cpu_system_seconds_total"]
    assert times == 2022.75


def test_error_of_a_process() -> None:
    """An exception would fail the whole page."""
    process = made_up("ru_utime")
    process.getrusage.side_effect = OSError(errno.EMFILE, "too many")
    assert list(UsageCollector(process).collect()) == []


def test_children_of_another_process() -> None:
    process = made_up("ru_utime")
    with pytest.raises(ValueError, match="another process's children"):
        UsageCollector(process, children=True)


needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="no promtool(1): apt-get install prometheus"
)


# Metrics, instances and the values of a process every two minutes: the first instance has alerts.
SERIES = [
    ("resident_memory_peak_bytes", "large", "2e9x960"),
    ("resident_memory_peak_bytes", "small", "1.5e9x960"),
    # Two workers, and one.
    ("major_page_faults_total", "large", "0+9600x960"),
    ("major_page_faults_total", "large", "0+9600x960"),
    ("major_page_faults_total", "small", "0+9600x960"),
    # Seconds of CPU time in two minutes: two workers with 1.9 CPUs, and one with 1.7.
    ("cpu_seconds_total", "large", "0+114x960"),
    ("cpu_seconds_total", "large", "0+114x960"),
    ("cpu_seconds_total", "small", "0+204x960"),
    # Workers that are recycled after twelve hours: they grow, do not, or have a day's load.
    *(
        ("resident_memory_bytes", name, f"{before} 50 {values} stale")
        for name, values in (("large", "100+.2x358"), ("small", "100x358"))
        for before in ("", "_x360", "_x720")
    ),
    ("resident_memory_bytes", "load", "50 100+.4x358 stale"),
    ("resident_memory_bytes", "load", "_x360 244-.4x358 stale"),
]


@pytest.mark.thorough
@needs_promtool
def test_rules_fire(tmp_path: Path) -> None:
    names = re.findall(r"alert: (\w+)", RULES)
    assert names
    test = {
        "interval": "2m",
        "input_series": [
            {"series": f'process_{name}{{instance="{instance}", pid="{pid}"}}', "values": values}
            for pid, (name, instance, values) in enumerate(SERIES)
        ],
        "promql_expr_test": [
            {
                "expr": "count by (alertname, instance)"
                '(last_over_time(ALERTS{alertstate="firing"}[32h]))',
                "eval_time": "32h",
                "exp_samples": [
                    {"labels": f'{{alertname="{name}", instance="large"}}', "value": 1}
                    for name in names
                ],
            }
        ],
    }
    (tmp_path / "rules.yml").write_text(RULES)
    whole = {"rule_files": ["rules.yml"], "evaluation_interval": "2m", "tests": [test]}
    (tmp_path / "test.yml").write_text(json.dumps(whole))
    subprocess.run([str(PROMTOOL), "test", "rules", "test.yml"], cwd=tmp_path, check=True)


@needs_promtool
def test_promtool_accepts_the_metrics() -> None:
    registry = CollectorRegistry()
    registry.register(UsageCollector(children=True))
    command = [str(PROMTOOL), "check", "metrics"]
    done = subprocess.run(
        command, input=generate_latest(registry), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
