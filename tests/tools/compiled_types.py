"""The types of the compiled module, written from the C declarations that cffi reads.

``python tests/tools/compiled_types.py`` writes ``rusage/_rusage.pyi``, which
``tests/test_c.py`` compares. What no declaration changes is written there by hand.
"""

import sys
from pathlib import Path
from typing import Any

from cffi import model
from commands import replaced

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from expected import BACKENDS, load  # noqa: E402 (of the tests)

rusage_build = load("rusage_build", ROOT / "rusage_build.py")
STUB = ROOT / "rusage" / "_rusage.pyi"


def python_type(declared: Any) -> str:
    if isinstance(declared, model.ArrayType):
        return f"Pointer[{python_type(declared.item)}]"
    if isinstance(declared, model.PointerType):
        inner = python_type(declared.totype)
        return inner if isinstance(declared.totype, model.StructType) else f"Pointer[{inner}]"
    name: str = declared.get_c_name()
    if isinstance(declared, model.StructType):
        return name.removeprefix("rusage_").title().replace("_", "")
    return {"void": "None", "char": "bytes", "double": "float"}.get(name, "int")


def stub() -> str:
    declared: dict[str, Any] = {}
    for backend in [*BACKENDS, "unknown"]:
        builder: Any = rusage_build.builder(backend)
        declared.update(builder._parser._declarations)  # noqa: SLF001 (nothing else has the types)
    classes = members = ""
    allocated: dict[str, str] = {}
    for key, (kind, _) in declared.items():
        space, name = key.split()
        if space == "macro":
            members += f"    {name}: int\n"
        elif space == "function":
            # cffi makes a char * of bytes.
            arguments = [python_type(each).replace("Pointer[bytes]", "bytes") for each in kind.args]
            called = f"Callable[[{', '.join(arguments)}], {python_type(kind.result)}]"
            members += f"    {name}: {called}\n"
            for each, argument in zip(kind.args, arguments, strict=True):
                if isinstance(each, model.PointerType):
                    allocated[each.totype.get_c_name()] = argument
        elif space == "typedef":
            fields = zip(kind.fldnames or (), kind.fldtypes or (), strict=True)
            lines = [f"\n    {field}: {python_type(of)}" for field, of in fields]
            classes += f"class {python_type(kind)}:{''.join(lines) or ' ...'}\n\n"
    del allocated["rusage_tree"]  # only C allocates it
    allocated["char"] = "bytes"  # for arrays of strings
    new = ""
    for name, result in allocated.items():
        for kind, init in (f"{name} *", "Any = ..."), (f"{name}[]", "Any"):
            cdecl = f'Literal["{kind.replace("* *", "**")}"]'
            signature = f"(self, cdecl: {cdecl}, init: {init}) -> {result}"
            new += f"    @overload\n    def new{signature}: ...\n"
    return replaced(
        STUB,
        (" -> memoryview: ...\n\n", classes, "class FFI:\n"),
        ("Pointer[bytes]) -> bytes: ...\n", f"{new}\n", "class Lib:\n"),
        ("class Lib:\n", f"{members}\n", "ffi: FFI\n"),
    )


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
