"""``RUsage``: a real tuple with sixteen names."""

import base64
import copy
import operator
import pickle
import pydoc
from typing import Any, get_type_hints

import pytest

import rusage
from rusage import RUsage
from rusage._backends._base import BLOCKS
from rusage._fields import FIELDS

VALUES: tuple[Any, ...] = (1.5, 0.25, *range(2, 16))
USAGE = RUsage(*VALUES)

# pickle.dumps(RUsage(1.5, 0.25, 2, 3, … 15), 2) by CPython 3.10, whose module is the oldest there
# is.
PICKLES = [
    "gAJjcnVzYWdlClJVc2FnZQpxAChHP/gAAAAAAABHP9AAAAAAAABLAksDSwRLBUsGSwdLCEsJSwpLC0sMSw1LDksPdHEBgXECLg==",
]


def test_names_and_order_of_fields() -> None:
    """The oracle is CPython's ``resource``."""
    resource = pytest.importorskip("resource", reason="Windows has no resource module")
    numbered = resource.struct_rusage(range(16))
    assert [getattr(numbered, name) for name in RUsage._fields] == list(range(16))


def test_usage_is_a_named_tuple() -> None:
    assert USAGE == VALUES
    assert hash(USAGE) == hash(VALUES)
    assert repr(USAGE).startswith("RUsage(ru_utime=1.5, ru_stime=0.25, ru_maxrss=2, ")
    assert USAGE._replace(ru_maxrss=1024) == RUsage(1.5, 0.25, 1024, *range(3, 16))
    assert type(USAGE._replace(ru_maxrss=1024)) is RUsage is rusage.struct_rusage
    assert RUsage.__module__ == rusage.Field.__module__ == "rusage"
    assert RUsage.__mro__[2:] == (tuple, object)
    assert not hasattr(USAGE, "__dict__")


def test_help_shows_meaning_and_unit() -> None:
    text = pydoc.plain(pydoc.render_doc(RUsage))
    assert "Alias for field" not in text
    for name, field in FIELDS.items():
        assert name in text
        of_systems = ": 512-byte units on Linux, operations on "
        counted = of_systems if name in BLOCKS else f", in {field.unit}."
        assert f"{field.meaning[1:]}{counted}" in " ".join(text.split())


def test_types_of_fields() -> None:
    usage = rusage.getrusage(rusage.RUSAGE_SELF)._asdict()
    assert [*usage] == [*FIELDS]
    assert get_type_hints(RUsage) == {name: type(value) for name, value in usage.items()}


def test_cputime_is_a_property() -> None:
    assert USAGE.cputime == 1.75
    assert (USAGE - RUsage.zero._replace(ru_utime=0.5)).cputime == 1.25
    assert "cputime" not in {*USAGE._fields, *USAGE._asdict()}
    with pytest.raises(AttributeError):
        USAGE.cputime = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    assert "cputime" in dir(RUsage)
    assert "in seconds" in pydoc.plain(pydoc.render_doc(RUsage.cputime))


def test_copies_and_pickles() -> None:
    pickles = [pickle.dumps(USAGE, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    assert b"_fields" not in b"".join(pickles)
    pickles += map(base64.b64decode, PICKLES)
    for duplicate in [copy.copy(USAGE), copy.deepcopy(USAGE), *map(pickle.loads, pickles)]:
        assert type(duplicate) is RUsage
        assert duplicate == USAGE


def test_difference() -> None:
    later = RUsage(2.5, 1.0, 100, *[value * 3 for value in range(3, 16)])
    assert later - USAGE == RUsage(1.0, 0.75, 100, *[value * 2 for value in range(3, 16)])
    assert type(later - USAGE) is RUsage
    assert (USAGE - later).ru_maxrss == USAGE.ru_maxrss


def test_sum() -> None:
    other = RUsage(0.25, 1.0, 100, *[value * 2 for value in range(3, 16)])
    expected = RUsage(1.75, 1.25, 100, *[value * 3 for value in range(3, 16)])
    assert USAGE + other == other + USAGE == sum([USAGE, other], RUsage.zero) == expected
    assert RUsage.zero + USAGE == USAGE + RUsage.zero == USAGE
    assert (0.0, 0.0, *[0] * 14) == RUsage.zero
    for usage in USAGE + other, RUsage.zero:
        assert type(usage) is RUsage
        assert [type(value) for value in usage] == [float, float] + [int] * 14
    assert sum([], RUsage.zero) is RUsage.zero
    with pytest.raises(TypeError):
        sum([USAGE])  # type: ignore[list-item]  # the point: no start


def test_plain_tuple_is_appended() -> None:
    other = VALUES[::-1]
    assert USAGE + other == (*VALUES, *other)
    assert other + USAGE == (*other, *VALUES)
    assert type(USAGE + other) is type(other + USAGE) is tuple


@pytest.mark.parametrize(
    "other", [list(VALUES), 1, None, "x", object(), VALUES], ids=lambda other: type(other).__name__
)
def test_other_objects(other: Any) -> None:
    operators: list[Any] = [operator.sub]
    if not isinstance(other, tuple):
        operators.append(operator.add)
    for operate in operators:
        for pair in (USAGE, other), (other, USAGE):
            with pytest.raises(TypeError):
                operate(*pair)

    class Asked:
        def __radd__(self, left: object) -> object:
            return left

    assert USAGE + Asked() is USAGE


def test_fields_table() -> None:
    assert tuple(rusage.fields) == rusage.RUsage._fields
    for name, field in rusage.fields.items():
        assert field.unit
        assert field.meaning.startswith("not measured") == (name not in rusage.measured())
    assert [rusage.fields[name].unit for name in ("ru_utime", "ru_maxrss")] == ["seconds", "bytes"]
    with pytest.raises(TypeError):  # it is one for the whole process
        rusage.fields["ru_utime"] = None  # type: ignore[index]  # the point
