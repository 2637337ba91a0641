"""Arguments, good and bad: the same value or the same exception as CPython's ``resource``."""

import errno
import sys
from collections.abc import Callable
from typing import Any

import pytest
from conftest import CPYTHON
from integers import Indexable, Intable

import rusage
from rusage import _getrusage


class Int(int):
    """An int that claims to be another one."""

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 12345

    def __index__(self) -> int:
        return 99


def outcome(call: Callable[..., Any], *args: object, **kwargs: object) -> tuple[str, str]:
    try:
        result = call(*args, **kwargs)
    except Exception as error:
        has_message = type(error) in (ValueError, KeyError, IndexError)
        return type(error).__name__, str(error) if has_message else ""
    return ("usage", "") if len(result) == 16 else ("?", repr(result))


KINDS: dict[str, list[object]] = {
    "usage": [0, False, Indexable(0), Int(0)],
    "ValueError": [2, -3, 2**31 - 1, -(2**31), Indexable(99), Int(99)],
    "OverflowError": [2**31, -(2**31) - 1, 10**100, Indexable(2**40)],
    "TypeError": [0.0, "0", Intable(0), Indexable("0")],
    "KeyError": [Indexable(KeyError("mine"))],
    "IndexError": [Indexable(IndexError("mine"))],
}
KINDS["usage" if hasattr(rusage, "RUSAGE_CHILDREN") else "ValueError"].append(-1)
TABLE = [(who, expected) for expected, values in KINDS.items() for who in values]


@pytest.mark.parametrize(("who", "expected"), TABLE, ids=lambda value: repr(value)[:30])
def test_argument_kinds(who: object, expected: str) -> None:
    """As CPython's ``resource``; PyPy's returns sixteen zeros for a bad who."""
    ours = outcome(rusage.getrusage, who)
    assert ours == (expected, "invalid who parameter" if expected == "ValueError" else ours[1])
    if CPYTHON:
        resource = pytest.importorskip("resource", reason="Windows has no resource module")
        assert outcome(resource.getrusage, who) == ours


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((0, 0), {}), ((), {"who": 0}), ((0,), {"x": 1})],
)
def test_wrong_argument_counts_and_keywords(args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    assert outcome(rusage.getrusage, *args, **kwargs)[0] == "TypeError"
    if CPYTHON:
        resource = pytest.importorskip("resource", reason="Windows has no resource module")
        assert outcome(resource.getrusage, *args, **kwargs)[0] == "TypeError"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other error numbers")
@pytest.mark.parametrize(
    ("code", "error"), [(errno.EINVAL, ValueError), (errno.EPERM, PermissionError)]
)
def test_system_call_that_fails(
    code: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The functions of C are replaced: a call with a good ``who`` does not fail."""
    for name, result in ("_get", code), ("_maxrss", -code), ("_cputime", -float(code)):
        monkeypatch.setattr(_getrusage, name, lambda _, result=result: result)
    for call in rusage.getrusage, rusage.maxrss, rusage.cputime:
        with pytest.raises(error):
            call(rusage.RUSAGE_SELF)
