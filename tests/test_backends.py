"""The rules of every system, on every system: what a kernel's numbers become, what is measured.

Values made by hand go through the real C with each backend's units. ``test_process_kernels.py``
tests what becomes of a ``struct rusage``.
"""

from typing import Any

import pytest
from conversion import KERNEL, convert, convert_both, converted
from expected import BACKENDS, SYSTEMS

from rusage._backends import freebsd, illumos, macos
from rusage._backends._base import PEAK_OWN, Backend
from rusage._backends._platforms import backend_name
from rusage._calls import measured_for, measured_of_a_child, new_call
from rusage._fields import FIELDS

# --- What becomes of a number ---

TIMES = (12.250001, 7.500003)
BECOMES = [
    (system, who, expected)
    for system, row in SYSTEMS.items()
    for who, expected in row.becomes.items()
]


@pytest.mark.parametrize(
    ("system", "who", "expected"), BECOMES, ids=[f"{system}-{who}" for system, who, _ in BECOMES]
)
def test_place_and_unit_of_each_field(system: str, who: str, expected: tuple[int, ...]) -> None:
    assert convert(SYSTEMS[system].backend, f"RUSAGE_{who}", **KERNEL) == TIMES + expected


def test_waited_child_on_illumos() -> None:
    """wait3(3C) provides the two times and nothing else."""
    waited = measured_of_a_child(illumos.BACKEND)
    assert converted(new_call(illumos.BACKEND, 0, waited, hz=0), **KERNEL) == TIMES + (0,) * 14
    assert waited == frozenset({"ru_utime", "ru_stime"})


def test_integrals_with_an_unknown_clock() -> None:
    assert convert(freebsd.BACKEND, hz=0, ixrss=1000, idrss=1000, isrss=1000)[3:6] == (0, 0, 0)
    integrals = {"ru_ixrss", "ru_idrss", "ru_isrss"}
    for who in (-2, -1, 0, 1):
        assert not integrals & measured_for(freebsd.BACKEND, hz=0)[who]
        assert integrals < measured_for(freebsd.BACKEND, hz=127)[who]
    assert measured_of_a_child(freebsd.BACKEND, hz=127) >= integrals
    assert not measured_of_a_child(freebsd.BACKEND, hz=0) & integrals


# --- BOTH ---

OTHER = {name: 2 * value + 1 for name, value in KERNEL.items()}


def test_sum_for_both() -> None:
    expected = (
        36.750004, 22.50001, 2067456, 484053, 725943, 967784, 3058, 3064,
        0, 3100, 3118, 3148, 3154, 3184, 3190, 3208,
    )  # fmt: skip
    assert convert_both(freebsd.BACKEND, KERNEL, OTHER) == expected
    assert convert_both(freebsd.BACKEND, OTHER, KERNEL) == expected


def test_fields_measured_for_both() -> None:
    fields = freebsd.MEASURED
    no_peak_of_children = {"RUSAGE_SELF": fields, "RUSAGE_CHILDREN": fields - {"ru_maxrss"}}
    for backend, unmeasured in [
        (macos.BACKEND, "ru_nvcsw"),
        (Backend(**{**vars(freebsd.BACKEND), "measured": no_peak_of_children}), "ru_maxrss"),
        (illumos.BACKEND, "ru_ixrss"),
    ]:
        assert unmeasured not in measured_for(backend, hz=127)[-2]
        assert getattr(convert_both(backend, KERNEL, OTHER), unmeasured) == 0


# --- What is measured, and in which words ---


def test_fact_with_a_wrong_name() -> None:
    facts: dict[str, Any] = {"name": "Made up", "measured": {}, "max_rss_bytes": 7}
    with pytest.raises(TypeError, match="max_rss_bytes"):
        Backend(**facts)


@pytest.mark.parametrize("system", SYSTEMS)
def test_facts_of_each_system(system: str) -> None:
    row, backend = SYSTEMS[system], SYSTEMS[system].backend
    expected = {
        f"RUSAGE_{who}": {f"ru_{name}" for name in names.split()}
        for who, names in row.measured.items()
    }
    assert backend.measured == expected
    assert backend.process == {f"ru_{name}" for name in row.process.split()}
    assert backend.child_peak == row.child_peak
    fields = backend.fields()
    units = {name: field.unit for name, field in fields.items()}
    assert units == {**{name: field.unit for name, field in FIELDS.items()}, **row.units}
    for name, field in fields.items():
        # That error asks the system.
        assert (backend.name, name) == ("Linux", "ru_maxrss") or field.error is None
    # A misspelt name would have no effect.
    assert set(backend.notes) | set(backend.units) <= set(FIELDS)
    # Where the peak of children may be this process's own, the field's meaning says so.
    if backend.child_peak != PEAK_OWN and "ru_maxrss" in backend.measured["RUSAGE_CHILDREN"]:
        assert "the parent's" in fields["ru_maxrss"].meaning
    assert set(backend.absent) == set(row.lacks)
    for reason in backend.absent.values():
        assert reason
        assert "not supported" not in reason  # which says nothing


def test_each_system_has_a_row() -> None:
    assert {*BACKENDS, "unknown"} == {backend_name(row.platform) for row in SYSTEMS.values()}
