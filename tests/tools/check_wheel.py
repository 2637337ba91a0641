"""Check the compiled files in wheels, the extension module and the launcher, and that there is the manual page.

The former has to be for the interpreters that the tag of the wheel names. The latter, which only Linux wheels have, has
to be executable and must not need a dynamic loader.

``python tests/tools/check_wheel.py FOLDER``; ``tox -e package`` does it.
"""

from __future__ import annotations

import struct
import sys
import zipfile
from pathlib import Path

# The processors that rusage/_children/nolibc.h lists, as ELF names them: e_machine, and 32 or 64 bits. On any other the
# launcher may be a dynamic program.
STATIC = {(62, 64): "x86_64", (183, 64): "aarch64", (243, 64): "riscv64", (3, 32): "i386", (40, 32): "arm"}
LAUNCHER = "rusage/_children/_launcher"
PAGE = "share/man/man1/rusage.1"
EXTENSION = "rusage/_rusage."
# The wheels that are published: how the extension module's suffix begins, by the tags of the interpreter and its ABI.
SUFFIXES = {
    "cp310-abi3": "abi3",
    "cp314-cp314t": "cpython-314t",
    "cp315-abi3.abi3t": "abi3t",
    "pp311-pypy311_pp73": "pypy311-pp73",
    "pp311-pypy311_pp80": "pypy311-pp80",
}
EXECUTABLE = 2  # e_type: at a fixed address, not position-independent
DYNAMIC, INTERPRETER = 2, 3  # p_type: a dynamic section, the path of a dynamic loader


def complaints(program: bytes) -> list[str]:
    """Return what is wrong with a launcher's ELF header and program headers (man page: elf, section 5)."""
    if program[:4] != b"\x7fELF" or program[4] not in (1, 2) or program[5] not in (1, 2):
        return ["not an ELF file"]
    bits, order = 32 * program[4], "<>"[program[5] - 1]
    # e_type, e_machine; e_phoff; e_phentsize, e_phnum
    kind, machine = struct.unpack_from(f"{order}2H", program, 16)
    (offset,) = struct.unpack_from(order + ("I" if bits == 32 else "Q"), program, 28 if bits == 32 else 32)
    size, count = struct.unpack_from(f"{order}2H", program, 42 if bits == 32 else 54)
    name = STATIC.get((machine, bits))
    if name is None:
        return []
    segments = {struct.unpack_from(f"{order}I", program, offset + size * index)[0] for index in range(count)}
    wrong = {
        "not a static executable": kind != EXECUTABLE,
        "a dynamic section": DYNAMIC in segments,
        "a dynamic loader": INTERPRETER in segments,
    }
    return [f"{words}, on {name}" for words, found in wrong.items() if found]


def check_launcher(archive: zipfile.ZipFile, platform: str) -> list[str]:
    """Return what is wrong with the launcher in a wheel."""
    linux = "linux" in platform
    if LAUNCHER not in archive.namelist():
        return [f"{LAUNCHER}: missing"] if linux else []
    if not linux:
        return [f"{LAUNCHER}: on another system than Linux"]
    mode = archive.getinfo(LAUNCHER).external_attr >> 16
    found = [*complaints(archive.read(LAUNCHER)), *([] if mode & 0o111 == 0o111 else [f"mode {mode:o}"])]
    return [f"{LAUNCHER}: {words}" for words in found]


def check_extension(archive: zipfile.ZipFile, tag: str, platform: str) -> list[str]:
    """Return what is wrong with the extension module in a wheel."""
    if tag not in SUFFIXES:
        return [f"{tag}: no wheel with this tag is published"]
    # On Windows the file's name does not tell the stable ABI.
    suffixes = (".pyd",) if platform.startswith("win") else (f".{SUFFIXES[tag]}.so", f".{SUFFIXES[tag]}-")
    names = [name for name in archive.namelist() if name.startswith(EXTENSION) and name.endswith((".so", ".pyd"))]
    if len(names) != 1 or not any(suffix in names[0] for suffix in suffixes):
        return [f"{tag}: the extension module is not for this tag: {', '.join(names) or 'missing'}"]
    return []


def check(wheel: Path) -> list[str]:
    """Return what is wrong with a wheel."""
    *_, interpreter, abi, platform = wheel.stem.split("-")
    with zipfile.ZipFile(wheel) as archive:
        return [*check_extension(archive, f"{interpreter}-{abi}", platform), *check_launcher(archive, platform)]


def missing_page(wheel: Path) -> list[str]:
    """Return what is wrong with the manual page in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        found = any(name.endswith(f".data/data/{PAGE}") for name in archive.namelist())
    return [] if found else [f"{PAGE}: missing"]


def main() -> int:
    """Check each wheel in a folder; return 1 if one is wrong."""
    wheels = sorted(Path(sys.argv[1]).glob("*.whl"))
    if not wheels:
        sys.exit("no wheel")
    found = [f"{wheel.name}: {words}" for wheel in wheels for words in [*check(wheel), *missing_page(wheel)]]
    print("\n".join(found or [f"{wheel.name}: as it has to be" for wheel in wheels]))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
