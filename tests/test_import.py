"""What ``import rusage`` brings, and where it can be imported."""

import importlib.util
import platform
import sys
from collections.abc import Callable

import pytest

import rusage

HEAVY = ("subprocess", "dataclasses", "inspect", "argparse", "json", "ctypes", "asyncio", "cffi", "threading")


def test_import_is_light(python: Callable[..., str]) -> None:
    """The import brings none of the modules that only one feature needs."""
    program = (
        "import sys; before = set(sys.modules); import rusage; "
        f"print(sorted(set({HEAVY!r}) & (set(sys.modules) - before)))"
    )
    assert python("-c", program).strip() == "[]"


def test_every_public_name_exists_and_no_other_is_promised() -> None:
    """``from rusage import *`` works, and what the backend calls absent has no name."""
    from rusage._backends import BACKEND

    names: dict[str, object] = {}
    exec("from rusage import *", names)  # noqa: S102 (a star import is allowed at module level only)
    assert set(rusage.__all__) == names.keys() - {"__builtins__"}
    assert len(set(rusage.__all__)) == len(rusage.__all__)
    for name in BACKEND.absent:
        assert name not in rusage.__all__
        with pytest.raises(AttributeError, match=f"{BACKEND.name} has no {name}: "):
            getattr(rusage, name)
    with pytest.raises(AttributeError, match=r"has no attribute 'nonsense'"):
        rusage.nonsense  # type: ignore[attr-defined]  # noqa: B018 (the point)


def test_a_missing_who_says_why(python: Callable[..., str]) -> None:
    """Where a system has no RUSAGE_THREAD the name does not exist, and the AttributeError says it in words."""
    program = """
import rusage._backends.unknown as unknown, rusage._backends as backends, importlib, rusage
backends.BACKEND = unknown.BACKEND
importlib.reload(rusage)
print("RUSAGE_THREAD" in rusage.__all__, hasattr(rusage, "wait4"))
try:
    rusage.RUSAGE_THREAD
except AttributeError as error:
    print(error, error.name)
"""
    exists, _, message = python("-c", program).partition(" ")
    assert exists == "False"
    assert "unknown has no RUSAGE_THREAD: " in message


@pytest.mark.skipif(platform.python_implementation() == "PyPy", reason="PyPy has no subinterpreters")
def test_a_subinterpreter_works_or_says_why_not(python: Callable[..., str]) -> None:
    """In a subinterpreter that shares the GIL the calls work; one of its own refuses the import with an ImportError."""
    if importlib.util.find_spec("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters") is None:
        pytest.skip(reason="this interpreter was built without subinterpreters")
    program = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = '''
try:
    import rusage
except ImportError as error:
    print("ImportError", error, flush=True)
else:
    for _ in range(100):
        assert rusage.getrusage(rusage.RUSAGE_SELF).ru_utime >= 0
    print("works", flush=True)
'''
import rusage
if sys.version_info >= (3, 13):
    shared, own = interpreters.create("legacy"), interpreters.create("isolated")
elif sys.version_info >= (3, 12):
    shared, own = interpreters.create(isolated=False), interpreters.create(isolated=True)
else:
    shared, own = interpreters.create(), None
for interpreter in filter(None.__ne__, (shared, own)):
    failed = interpreters.run_string(interpreter, code)
    assert not failed, failed
"""
    answers = python("-c", program).splitlines()
    assert answers[0] == "works"
    assert all(answer.startswith("ImportError") for answer in answers[1:])
    assert len(answers) == (2 if sys.version_info >= (3, 12) else 1)
