"""``rusage/_rusage.pyi`` declares to type checkers what the C of all systems together declares to Python."""

from __future__ import annotations

import ast
import functools
import re
import runpy
from pathlib import Path
from typing import Any

import expected
import pytest

pytestmark = pytest.mark.system

pytest.importorskip("setuptools", reason="no setuptools: pip install --group tests")

ROOT = Path(__file__).parent.parent
STUB = ast.parse((ROOT / "rusage" / "_rusage.pyi").read_text(encoding="utf-8"))
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}
NUMBERS = {"int", "long", "int32_t", "uint32_t", "int64_t", "uint64_t", "intptr_t", "time_t", "suseconds_t"}


def members(name: str) -> dict[str, str]:
    """Return the annotated names in a class of the stub."""
    found = [node for node in CLASSES[name].body if isinstance(node, ast.AnnAssign)]
    return {ast.unparse(node.target): ast.unparse(node.annotation) for node in found}


def functions(name: str) -> dict[str, list[ast.FunctionDef]]:
    """Return the functions in a class of the stub, each with its overloads."""
    found: dict[str, list[ast.FunctionDef]] = {}
    for node in CLASSES[name].body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
    return found


def written(c_type: str) -> str:
    """Return the one way to write a C type: without const, and an array as a pointer."""
    return "".join(c_type.replace("const", "").replace("[]", "*").split())


# The annotation of each C type. The docstring of a class begins with the type that it stands for, in backquotes.
TYPES = {**dict.fromkeys(NUMBERS, "int"), "double": "float", "void": "None", "char*": "bytes"}
STRUCTURES: dict[str, str] = {}
for _name, _node in CLASSES.items():
    _of = re.match("An? ``(.+?)``", ast.get_docstring(_node) or "")
    if _of:
        TYPES[written(_of[1])] = _name
        if not functions(_name):  # no array
            STRUCTURES[_name] = written(_of[1]).rstrip("*").removeprefix("struct")


@functools.cache
def of_all_systems() -> dict[str, Any]:
    """Return what the C declares, as cffi has parsed it; it has no public function for this."""
    build = runpy.run_path(str(ROOT / "rusage_build.py"))
    found: dict[str, Any] = {}
    for backend in [*expected.BACKENDS, "unknown"]:
        declared = build["builder"](backend)._parser._declarations  # noqa: SLF001 (see above)
        found.update((name, c_type) for name, (c_type, _) in declared.items())
    return found


def named(kind: str) -> dict[str, Any]:
    """Return the declarations of a kind."""
    return {name.partition(" ")[2]: c_type for name, c_type in of_all_systems().items() if name.startswith(f"{kind} ")}


def annotation(c_type: Any) -> str:
    """Return the annotation of a C type."""
    return TYPES[written(c_type.get_c_name())]


def test_constants() -> None:
    """The constants of all systems, and no others; each is an int."""
    assert members("Lib") == dict.fromkeys(named("macro"), "int")


def test_functions() -> None:
    """The functions of all systems, and no others, with the types of their parameters and results."""
    declared = {
        name: ([annotation(argument) for argument in function.args], annotation(function.result))
        for name, function in named("function").items()
    }
    stub = {
        name: ([ast.unparse(each.annotation) for each in node.args.posonlyargs[1:] if each.annotation], node.returns)
        for name, (node,) in functions("Lib").items()
    }
    assert {name: (types, ast.unparse(result)) for name, (types, result) in stub.items() if result} == declared


def test_allocations() -> None:
    """``ffi.new`` returns the class that stands for the C type."""
    for node in functions("FFI")["new"]:
        cdecl, result = node.args.args[1].annotation, node.returns
        assert isinstance(cdecl, ast.Subscript)
        assert isinstance(result, ast.Name)
        assert result.id == TYPES[written(ast.literal_eval(cdecl.slice))]


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(name: str) -> None:
    """Their members; pointers in them belong to C, and so does the record, whose bytes Python unpacks."""
    c_type = {**named("struct"), **named("typedef")}[STRUCTURES[name]]
    fields = zip(c_type.fldnames or (), c_type.fldtypes or (), strict=True)
    assert members(name) == {field: annotation(kind) for field, kind in fields if not kind.get_c_name().endswith("*")}
