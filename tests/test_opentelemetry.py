"""``rusage.opentelemetry``, through the reader of OpenTelemetry's SDK."""

import gc
import importlib.metadata
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from conftest import no_files
from conversion import HIGH_WATER_MARK, KERNEL, SIZE, convert, pretend
from expected import SYSTEMS

import rusage
from rusage._backends import BACKEND

try:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import Gauge, InMemoryMetricReader, NumberDataPoint, Sum

    import rusage.opentelemetry
except ModuleNotFoundError as error:
    pytest.skip(reason=str(error), allow_module_level=True)

SELF = rusage.RUSAGE_SELF

# Unit and kind of each metric: docs/system/process-metrics.md in version 1.44 of the semantic
# conventions.
KINDS = {
    "process.cpu.time": ("s", "counter"),
    "process.paging.faults": ("{fault}", "counter"),
    "process.context_switches": ("{context_switch}", "counter"),
    "process.disk.io": ("By", "counter"),
    "process.disk.operations": ("{operation}", "counter"),
    "process.memory.usage": ("By", "up-down counter"),
    "rusage.maxrss": ("By", "gauge"),
    "rusage.peak": ("By", "gauge"),
}

# What becomes of conversion.KERNEL.
TIMES = {
    "process.cpu.time cpu.mode=user": 12.250001,
    "process.cpu.time cpu.mode=system": 7.500003,
}
GROUPS: Mapping[str, Mapping[str, float]] = {
    "times": TIMES,
    "faults": {
        "process.paging.faults system.paging.fault.type=minor": 1019,
        "process.paging.faults system.paging.fault.type=major": 1021,
    },
    "all_faults": {"process.paging.faults": 1019},
    # One of two types alone would be taken for all.
    "major_faults": {},
    "voluntary": {},
    "switches": {
        "process.context_switches process.context_switch.type=voluntary": 1063,
        "process.context_switches process.context_switch.type=involuntary": 1069,
    },
    "bytes": {
        "process.disk.io disk.io.direction=read": 1033 * 512,
        "process.disk.io disk.io.direction=write": 1039 * 512,
    },
    "operations": {
        "process.disk.operations disk.io.direction=read": 1033,
        "process.disk.operations disk.io.direction=write": 1039,
    },
    "rss": {"process.memory.usage": SIZE},
    "peak": {"rusage.peak": HIGH_WATER_MARK},
    "maxrss": {"rusage.maxrss": 1009 * 1024},
}


@pytest.fixture(autouse=True)
def not_instrumented() -> Iterator[None]:
    """Leave no provider, which would start a thread in each child that later tests fork."""
    yield
    rusage.opentelemetry.uninstrument()
    gc.collect()  # it is a part of cycles


def provider() -> tuple[MeterProvider, InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    return MeterProvider([reader], shutdown_on_exit=False), reader


def instrumented() -> InMemoryMetricReader:
    given, reader = provider()
    rusage.opentelemetry.instrument(given)
    return reader


def collect(reader: InMemoryMetricReader) -> dict[str, float]:
    found: dict[str, float] = {}
    data = reader.get_metrics_data()
    resources = [] if data is None else data.resource_metrics
    for scope in (scope for resource in resources for scope in resource.scope_metrics):
        assert scope.scope.name == "rusage.opentelemetry"
        assert scope.scope.version == rusage.__version__
        assert scope.scope.schema_url == "https://opentelemetry.io/schemas/1.44.0"
        for metric in scope.metrics:
            assert isinstance(metric.data, Gauge | Sum)
            kind = "gauge"
            if isinstance(metric.data, Sum):
                kind = "counter" if metric.data.is_monotonic else "up-down counter"
            assert KINDS[metric.name] == (metric.unit, kind)
            for point in metric.data.data_points:
                assert isinstance(point, NumberDataPoint)
                attributes = [
                    f"{name}={value!s}" for name, value in (point.attributes or {}).items()
                ]
                series = " ".join([metric.name, *attributes])
                assert series not in found
                found[series] = point.value
    return found


@pytest.mark.parametrize("system", SYSTEMS)
def test_metrics_of_each_system(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = SYSTEMS[system].backend
    pretend(monkeypatch, rusage.opentelemetry, backend, convert(backend, "RUSAGE_SELF", **KERNEL))
    found = collect(instrumented())
    expected: dict[str, float] = {}
    for group in SYSTEMS[system].exports.split():
        expected |= GROUPS[group]
    assert found == expected
    for series, value in expected.items():
        assert type(found[series]) is type(value)


def test_page_lists_the_metrics() -> None:
    page = (Path(__file__).parent.parent / "docs" / "monitoring.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([a-z_]+\.[a-z_.]+)` \| `(.+?)` ", page, re.MULTILINE))
    assert listed == {name: unit for name, (unit, _) in KINDS.items()}


def test_times_of_this_process() -> None:
    """The split of the CPU time is sampled, and only its sum rises."""
    reader = instrumented()
    before, found, after = rusage.getrusage(SELF), collect(reader), rusage.getrusage(SELF)
    assert before.cputime - 2e-6 <= sum(found[series] for series in TIMES) <= after.cputime + 2e-6


@pytest.mark.skipif(BACKEND.name != "Linux", reason="this system reads no files of /proc")
def test_unreadable_proc(caplog: pytest.LogCaptureFixture) -> None:
    reader = instrumented()
    series = collect(reader).keys()
    with no_files():
        found = collect(reader).keys()
    assert series - found == {"process.memory.usage", "rusage.peak"}
    assert not caplog.records


def test_instrumented_twice(caplog: pytest.LogCaptureFixture) -> None:
    given, reader = provider()
    rusage.opentelemetry.instrument(given)
    series = collect(reader).keys()
    assert not caplog.records
    other, other_reader = provider()
    for second in given, other, None:
        rusage.opentelemetry.instrument(second)
        assert collect(reader).keys() == series
        assert not collect(other_reader)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["rusage is already instrumented"] * 3
    kinds = {(record.name, record.levelname) for record in caplog.records}
    assert kinds == {("rusage.opentelemetry", "WARNING")}


def test_uninstrument(caplog: pytest.LogCaptureFixture) -> None:
    providers = [provider(), provider()]
    for number in 0, 1, 0:
        given, reader = providers[number]
        rusage.opentelemetry.instrument(given)
        assert collect(reader)
        assert not collect(providers[1 - number][1])
        rusage.opentelemetry.uninstrument()
        assert not collect(reader)
    assert not caplog.records
    rusage.opentelemetry.uninstrument()
    assert [record.getMessage() for record in caplog.records] == ["rusage is not instrumented"]


GLOBAL_PROVIDER = """
import sys
from opentelemetry.metrics import get_meter_provider, set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from rusage.opentelemetry import instrument, uninstrument

reader = InMemoryMetricReader()
provider, when = MeterProvider([reader]), sys.argv[1]
if when == "before":
    set_meter_provider(provider)
# Until it is set, get_meter_provider() returns a substitute.
instrument(get_meter_provider() if when == "substitute" else None)
if when != "before":
    assert reader.get_metrics_data() is None
    set_meter_provider(provider)
for given in None, provider, get_meter_provider():
    assert reader.get_metrics_data() is not None
    uninstrument()
    assert reader.get_metrics_data() is None
    instrument(given)
"""


@pytest.mark.parametrize("when", ["before", "after", "substitute"])
def test_global_provider(when: str, python: Callable[..., str]) -> None:
    python("-c", GLOBAL_PROVIDER, when)


def test_needs_the_api_only(python: Callable[..., str]) -> None:
    requirements = importlib.metadata.requires("rusage") or []
    (needed,) = [line for line in requirements if "opentelemetry" in line]
    assert needed.startswith("opentelemetry-api>=")
    program = (
        "import rusage.opentelemetry as o, sys; o.instrument(); "
        "print('opentelemetry.sdk' in sys.modules)"
    )
    assert python("-c", program) == "False\n"
