"""Check the compiled files in wheels, and that there are the manual page and the completions.

The extension module has to be for the interpreters that the tag of the wheel names. The launcher, which only Linux
wheels have, has to be executable and must not need a dynamic loader.

``python tests/tools/check_wheel.py FOLDER``; ``tox -e package`` does it.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

# The processors that rusage/_children/nolibc.h lists, as ELF names them, and their bits. On any other the launcher may
# be a dynamic program.
STATIC = {("EM_X86_64", 64), ("EM_AARCH64", 64), ("EM_RISCV", 64), ("EM_386", 32), ("EM_ARM", 32)}
LAUNCHER = "rusage/_children/_launcher"
SHARED = [
    "share/man/man1/rusage.1",
    "share/bash-completion/completions/rusage",
    "share/fish/vendor_completions.d/rusage.fish",
    "share/zsh/site-functions/_rusage",
]
EXTENSION = "rusage/_rusage."
# The wheels that are published: how the extension module's suffix begins, by the tags of the interpreter and its ABI.
SUFFIXES = {
    "cp310-abi3": "abi3",
    "cp314-cp314t": "cpython-314t",
    "cp315-abi3.abi3t": "abi3t",
    "pp311-pypy311_pp73": "pypy311-pp73",
    "pp311-pypy311_pp80": "pypy311-pp80",
}


def complaints(program: bytes) -> list[str]:
    """Return what is wrong with a launcher's ELF header and program headers (man page: elf, section 5)."""
    try:
        elf = ELFFile(io.BytesIO(program))
    except ELFError:
        return ["not an ELF file"]
    if (elf["e_machine"], elf.elfclass) not in STATIC:
        return []
    segments = {segment["p_type"] for segment in elf.iter_segments()}
    wrong = {
        "not a static executable": elf["e_type"] != "ET_EXEC",
        "a dynamic section": "PT_DYNAMIC" in segments,
        "a dynamic loader": "PT_INTERP" in segments,
    }
    return [words for words, found in wrong.items() if found]


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


def missing_files(wheel: Path) -> list[str]:
    """Return which of the manual page and the completions a wheel lacks."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    return [f"{path}: missing" for path in SHARED if not any(name.endswith(f".data/data/{path}") for name in names)]


def main() -> int:
    """Check each wheel in a folder; return 1 if one is wrong."""
    wheels = sorted(Path(sys.argv[1]).glob("*.whl"))
    if not wheels:
        sys.exit("no wheel")
    found = [f"{wheel.name}: {words}" for wheel in wheels for words in [*check(wheel), *missing_files(wheel)]]
    print("\n".join(found or [f"{wheel.name}: as it has to be" for wheel in wheels]))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
