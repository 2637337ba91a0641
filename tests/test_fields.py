"""``RUsage``: a real tuple with sixteen names."""

import ast
import base64
import copy
import inspect
import pickle
import pydoc
import sys
from typing import Any, get_type_hints

import pytest

import rusage
from rusage import RUsage
from rusage._fields import FIELDS

FIELDS_MODULE = "rusage._fields"
NAMES = [
    "ru_utime",
    "ru_stime",
    "ru_maxrss",
    "ru_ixrss",
    "ru_idrss",
    "ru_isrss",
    "ru_minflt",
    "ru_majflt",
    "ru_nswap",
    "ru_inblock",
    "ru_oublock",
    "ru_msgsnd",
    "ru_msgrcv",
    "ru_nsignals",
    "ru_nvcsw",
    "ru_nivcsw",
]
VALUES: tuple[Any, ...] = (1.5, 0.25, *range(2, 16))
USAGE = RUsage(*VALUES)

# pickle.dumps(RUsage(1.5, 0.25, 2, 3, … 15), protocol) by CPython 3.10, whose module is the oldest there is.
PICKLES = {
    0: (
        "Y2NvcHlfcmVnCl9yZWNvbnN0cnVjdG9yCnAwCihjcnVzYWdlClJVc2FnZQpwMQpjX19idWlsdGluX18KdHVwbGUKcDIKKEYx"
        "LjUKRjAuMjUKSTIKSTMKSTQKSTUKSTYKSTcKSTgKSTkKSTEwCkkxMQpJMTIKSTEzCkkxNApJMTUKdHAzCnRwNApScDUKLg=="
    ),
    1: (
        "Y2NvcHlfcmVnCl9yZWNvbnN0cnVjdG9yCnEAKGNydXNhZ2UKUlVzYWdlCnEBY19fYnVpbHRpbl9fCnR1cGxlCnECKEc/+AAA"
        "AAAAAEc/0AAAAAAAAEsCSwNLBEsFSwZLB0sISwlLCksLSwxLDUsOSw90cQN0cQRScQUu"
    ),
    2: ("gAJjcnVzYWdlClJVc2FnZQpxAChHP/gAAAAAAABHP9AAAAAAAABLAksDSwRLBUsGSwdLCEsJSwpLC0sMSw1LDksPdHEBgXECLg=="),
    3: ("gANjcnVzYWdlClJVc2FnZQpxAChHP/gAAAAAAABHP9AAAAAAAABLAksDSwRLBUsGSwdLCEsJSwpLC0sMSw1LDksPdHEBgXECLg=="),
    4: (
        "gASVSAAAAAAAAACMBnJ1c2FnZZSMBlJVc2FnZZSTlChHP/gAAAAAAABHP9AAAAAAAABLAksDSwRLBUsGSwdLCEsJSwpLC0sM"
        "Sw1LDksPdJSBlC4="
    ),
    5: (
        "gAWVSAAAAAAAAACMBnJ1c2FnZZSMBlJVc2FnZZSTlChHP/gAAAAAAABHP9AAAAAAAABLAksDSwRLBUsGSwdLCEsJSwpLC0sM"
        "Sw1LDksPdJSBlC4="
    ),
}


def test_names_and_order_of_fields() -> None:
    """The oracle is CPython's ``resource``."""
    assert list(RUsage._fields) == NAMES
    resource = pytest.importorskip("resource", reason="Windows has no resource module")
    theirs = resource.getrusage(resource.RUSAGE_SELF)
    numbered = resource.struct_rusage(range(16))
    assert len(theirs) == len(USAGE)
    assert [getattr(numbered, name) for name in NAMES] == list(range(16))


def test_usage_is_a_tuple() -> None:
    """Length, index, slice, unpacking, equality and hash are the plain tuple's."""
    assert isinstance(USAGE, tuple)
    assert len(USAGE) == 16
    assert tuple(USAGE) == VALUES
    assert USAGE == VALUES
    assert USAGE[2] == 2
    assert USAGE[:2] == (1.5, 0.25)
    user, system, *rest = USAGE
    assert (user, system, rest) == (1.5, 0.25, list(range(2, 16)))
    assert hash(USAGE) == hash(VALUES)
    assert VALUES in {USAGE: 1}
    shorter: object = VALUES[:-1]
    assert shorter != USAGE


def test_types_of_field_values() -> None:
    """Times are floats, all else ints, and the class is the public one."""
    usage = rusage.getrusage(rusage.RUSAGE_SELF)
    assert type(usage) is RUsage is rusage.struct_rusage
    assert [type(value) for value in usage] == [float, float] + [int] * 14


def test_help_shows_meaning_and_unit() -> None:
    """``help(rusage.RUsage)`` describes each field as ``FIELDS`` does."""
    text = pydoc.plain(pydoc.render_doc(RUsage))
    assert "Alias for field" not in text
    for name, field in FIELDS.items():
        assert name in text
        assert f"{field.meaning[1:]}, in {field.unit}." in text


def test_type_checkers_see_the_fields() -> None:
    """The class that only type checkers see has the fields in their order, with the types of a real usage."""
    (declared,) = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(sys.modules[FIELDS_MODULE])))
        if isinstance(node, ast.ClassDef) and node.name == "_RUsage"
    ]
    types = {
        ast.unparse(item.target): ast.unparse(item.annotation)
        for item in declared.body
        if isinstance(item, ast.AnnAssign)
    }
    usage = rusage.getrusage(rusage.RUSAGE_SELF)._asdict()
    assert types == {name: type(value).__name__ for name, value in usage.items()}
    assert [*types] == [*usage] == [*FIELDS]
    assert get_type_hints(RUsage) == {name: type(value) for name, value in usage.items()}


def test_classes_are_the_packages() -> None:
    """The public classes name the package as their module; a usage has no ``__dict__``, as no tuple has."""
    assert RUsage.__module__ == rusage.Field.__module__ == "rusage"
    assert not hasattr(USAGE, "__dict__")
    assert RUsage.__mro__[2:] == (tuple, object)


def test_repr_names_every_field() -> None:
    """``repr`` is as for a named tuple, in order."""
    numbers = ", ".join(f"{name}={value!r}" for name, value in zip(NAMES, VALUES, strict=True))
    assert repr(USAGE) == f"RUsage({numbers})"


def test_asdict_and_replace() -> None:
    """``_asdict`` and ``_replace`` work as on any named tuple."""
    assert USAGE._asdict() == dict(zip(NAMES, VALUES, strict=True))
    changed = USAGE._replace(ru_maxrss=1024)
    assert type(changed) is RUsage
    assert changed.ru_maxrss == 1024
    assert changed[3:] == USAGE[3:]
    with pytest.raises((ValueError, TypeError), match="ru_nosuch"):
        USAGE._replace(ru_nosuch=1)  # type: ignore[call-arg]  # the point


def test_pattern_matching() -> None:
    """A usage matches by position, by name and as a sequence."""
    match USAGE:
        case RUsage(user, system, ru_nivcsw=switches):
            assert (user, system, switches) == (1.5, 0.25, 15)
        case _:
            pytest.fail("no match by name")
    match USAGE:
        case [user, *_, last]:
            assert (user, last) == (1.5, 15)
        case _:
            pytest.fail("no match as a sequence")


def test_copies_are_equal_usages() -> None:
    """Both ways to copy give an ``RUsage`` that is equal."""
    for duplicate in (copy.copy(USAGE), copy.deepcopy(USAGE)):
        assert type(duplicate) is RUsage
        assert duplicate == USAGE


def test_cputime_is_a_property() -> None:
    """The sum of the first two fields, which is no field itself; the pickles below are from before it existed."""
    assert USAGE.cputime == 1.75
    assert (USAGE - RUsage.zero._replace(ru_utime=0.5)).cputime == 1.25
    assert "cputime" not in {*USAGE._fields, *USAGE._asdict()}
    with pytest.raises(AttributeError):
        USAGE.cputime = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    assert "cputime" in dir(RUsage)
    assert "in seconds" in pydoc.plain(pydoc.render_doc(RUsage.cputime))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_with_every_protocol(protocol: int) -> None:
    """A pickle names the package and the class, and no private module."""
    data = pickle.dumps(USAGE, protocol)
    restored = pickle.loads(data)
    assert type(restored) is RUsage
    assert restored == USAGE
    assert b"_fields" not in data


@pytest.mark.parametrize(("protocol", "text"), PICKLES.items())
def test_pickles_of_another_interpreter(protocol: int, text: str) -> None:
    """Pickles of another interpreter, with any protocol, are restored as the same usage."""
    restored = pickle.loads(base64.b64decode(text))
    assert type(restored) is RUsage
    assert restored == USAGE, protocol


def test_difference() -> None:
    """Counters and times subtract; of the peaks it has the later one."""
    later = RUsage(2.5, 1.0, 100, *[value * 3 for value in range(3, 16)])
    assert later - USAGE == RUsage(1.0, 0.75, 100, *[value * 2 for value in range(3, 16)])
    assert type(later - USAGE) is RUsage
    assert (USAGE - later).ru_maxrss == USAGE.ru_maxrss


def test_sum() -> None:
    """Counters and times add; of the peaks it has the larger one, on whichever side."""
    other = RUsage(0.25, 1.0, 100, *[value * 2 for value in range(3, 16)])
    expected = RUsage(1.75, 1.25, 100, *[value * 3 for value in range(3, 16)])
    assert USAGE + other == other + USAGE == expected
    assert type(USAGE + other) is RUsage
    assert [type(value) for value in USAGE + other] == [float, float] + [int] * 14


def test_sum_of_several_starts_at_zero() -> None:
    """``RUsage.zero`` has no effect in a sum, and is the sum of none."""
    assert (0.0, 0.0, *[0] * 14) == RUsage.zero
    assert [type(value) for value in RUsage.zero] == [float, float] + [int] * 14
    assert type(RUsage.zero) is RUsage
    assert sum([USAGE, USAGE, USAGE], RUsage.zero) == RUsage(4.5, 0.75, 2, *[value * 3 for value in range(3, 16)])
    assert sum([], RUsage.zero) is RUsage.zero
    assert RUsage.zero + USAGE == USAGE + RUsage.zero == USAGE
    with pytest.raises(TypeError):
        sum([USAGE])  # type: ignore[list-item]  # the point: no start


@pytest.mark.parametrize("other", [VALUES, ("x",), ()], ids=repr)
def test_plain_tuple_is_appended(other: tuple[Any, ...]) -> None:
    """``+`` with a plain tuple on either side concatenates."""
    assert USAGE + other == (*VALUES, *other)
    assert other + USAGE == (*other, *VALUES)
    assert type(USAGE + other) is type(other + USAGE) is tuple


@pytest.mark.parametrize("other", [list(VALUES), 1, None, "x", object()], ids=lambda other: type(other).__name__)
def test_sum_with_other_objects(other: Any) -> None:
    """As for any tuple: TypeError, unless the object has an addition of its own."""
    with pytest.raises(TypeError):
        _ = USAGE + other
    with pytest.raises(TypeError):
        _ = other + USAGE

    class Asked:
        def __radd__(self, left: object) -> object:
            return left

    assert USAGE + Asked() is USAGE


@pytest.mark.parametrize(
    "other", [VALUES, list(VALUES), 1, None, "x", object()], ids=lambda other: type(other).__name__
)
def test_difference_with_other_objects(other: Any) -> None:
    """Only an ``RUsage`` can be subtracted from an ``RUsage``."""
    with pytest.raises(TypeError):
        _ = USAGE - other
    with pytest.raises(TypeError):
        _ = other - USAGE


def test_difference_with_a_native_usage() -> None:
    """A native usage has other units."""
    resource = pytest.importorskip("resource", reason="Windows has no resource module")
    native = resource.getrusage(resource.RUSAGE_SELF)
    with pytest.raises(TypeError):
        _ = USAGE - native
    with pytest.raises(TypeError):
        _ = native - USAGE
