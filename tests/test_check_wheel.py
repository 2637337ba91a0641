"""``tests/tools/check_wheel.py``, which ``tox -e package`` runs on the wheel."""

import struct
import sys
import zipfile
from pathlib import Path

import check_wheel
import pytest

import rusage

X86_64, AARCH64, S390X, I386 = 62, 183, 22, 3
LOAD, DYNAMIC, INTERPRETER = 1, 2, 3
STATIC, POSITION_INDEPENDENT = 2, 3


def elf(machine: int, kind: int, *segments: int, order: str = "<", bits: int = 64) -> bytes:
    """Return the header and the program headers of an ELF file."""
    word, size = ("Q", 64) if bits == 64 else ("I", 52)
    identity = struct.pack("4s3B9x", b"\x7fELF", bits // 32, "<>".index(order) + 1, 1)
    numbers = kind, machine, 1, 0, size, 0, 0, size, 56, len(segments), 0, 0, 0
    header = identity + struct.pack(f"{order}2HI3{word}I6H", *numbers)
    return header + b"".join(struct.pack(f"{order}I52x", segment) for segment in segments)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (elf(X86_64, STATIC, LOAD), []),
        (elf(AARCH64, STATIC, LOAD, LOAD), []),
        (elf(X86_64, POSITION_INDEPENDENT, LOAD), ["not a static executable, on x86_64"]),
        (elf(AARCH64, STATIC, LOAD, DYNAMIC), ["a dynamic section, on aarch64"]),
        (elf(X86_64, STATIC, LOAD, INTERPRETER), ["a dynamic loader, on x86_64"]),
        (elf(S390X, POSITION_INDEPENDENT, INTERPRETER, LOAD, DYNAMIC, order=">"), []),
        (elf(X86_64, POSITION_INDEPENDENT, INTERPRETER, LOAD, DYNAMIC, bits=32), []),  # x32
        (elf(I386, STATIC, LOAD, bits=32), []),
        (elf(I386, STATIC, LOAD, INTERPRETER, bits=32), ["a dynamic loader, on i386"]),
        (b"#!/bin/sh\n", ["not an ELF file"]),
    ],
)
def test_dynamic_launcher_is_rejected(program: bytes, expected: list[str]) -> None:
    """Where there is a form without a C library; elsewhere a dynamic one is all that can be had."""
    assert check_wheel.complaints(program) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="the launcher is Linux's")
def test_headers_of_real_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher of this installation passes, the shell, which is dynamic, does not."""
    assert check_wheel.complaints((Path(rusage.__file__).parent / "_children" / "_launcher").read_bytes()) == []
    shell = Path("/bin/sh").read_bytes()
    machine = struct.unpack_from("=H", shell, 18)[0]
    monkeypatch.setitem(check_wheel.STATIC, (machine, 32 * shell[4]), "this")
    assert "a dynamic loader, on this" in check_wheel.complaints(shell)


def wheel(folder: Path, tags: str, *extensions: str, launcher: int | None = None) -> Path:
    """Write a wheel with these extension modules and, if it has a mode, the launcher."""
    path = folder / f"rusage-1.0-{tags}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rusage/__init__.py", "")
        for extension in extensions:
            archive.writestr(f"rusage/{extension}", "")
        if launcher is not None:
            program = zipfile.ZipInfo("rusage/_children/_launcher")
            program.external_attr = (0o100000 | launcher) << 16
            archive.writestr(program, elf(X86_64, STATIC, LOAD))
    return path


@pytest.mark.parametrize(
    ("platform", "mode", "expected"),
    [
        ("manylinux_2_34_x86_64", 0o755, []),
        ("manylinux1_x86_64.manylinux_2_28_x86_64", 0o755, []),
        ("musllinux_1_2_x86_64", 0o755, []),
        ("musllinux_1_2_x86_64", None, ["missing"]),
        ("manylinux_2_34_x86_64", 0o644, ["mode 100644"]),
        ("linux_x86_64", None, ["missing"]),
        ("macosx_15_0_arm64", None, []),
        ("win_amd64", 0o755, ["on another system than Linux"]),
    ],
)
def test_launcher_in_wheel(platform: str, mode: int | None, expected: list[str], tmp_path: Path) -> None:
    """It is in every Linux wheel, can be executed, and is in no other wheel."""
    name = "_rusage.pyd" if platform == "win_amd64" else "_rusage.abi3.so"
    path = wheel(tmp_path, f"cp310-abi3-{platform}", name, launcher=mode)
    assert check_wheel.check(path) == [f"rusage/_children/_launcher: {words}" for words in expected]


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ("cp310-abi3-manylinux_2_34_x86_64", "_rusage.abi3.so"),
        ("cp310-abi3-musllinux_1_2_x86_64", "_rusage.abi3-x86_64-linux-musl.so"),
        ("cp310-abi3-win_amd64", "_rusage.pyd"),
        ("cp314-cp314t-musllinux_1_2_aarch64", "_rusage.cpython-314t-aarch64-linux-musl.so"),
        ("cp314-cp314t-win_amd64", "_rusage.cp314t-win_amd64.pyd"),
        ("cp315-abi3.abi3t-manylinux_2_34_x86_64", "_rusage.abi3t-x86_64-linux-gnu.so"),
        ("cp315-abi3.abi3t-macosx_15_0_arm64", "_rusage.abi3t.so"),
        ("pp311-pypy311_pp73-manylinux_2_34_x86_64", "_rusage.pypy311-pp73-x86_64-linux-gnu.so"),
        ("pp311-pypy311_pp80-macosx_15_0_arm64", "_rusage.pypy311-pp80-darwin.so"),
    ],
)
def test_extension_suits_the_tag(tags: str, name: str, tmp_path: Path) -> None:
    """The names are those that setuptools gives on each system."""
    launcher = 0o755 if "linux" in tags else None
    assert check_wheel.check(wheel(tmp_path, tags, name, launcher=launcher)) == []


@pytest.mark.parametrize(
    ("tags", "names", "expected"),
    [
        ("cp310-abi3", ["abi3t.so"], "is not for this tag: rusage/_rusage.abi3t.so"),
        ("cp315-abi3.abi3t", ["abi3.so"], "is not for this tag: rusage/_rusage.abi3.so"),
        ("cp314-cp314t", ["cpython-314-darwin.so"], "is not for this tag: rusage/_rusage.cpython-314-darwin.so"),
        ("cp310-abi3", [], "is not for this tag: missing"),
        ("cp310-abi3", ["abi3.so", "cpython-313-darwin.so"], "is not for this tag: "),
        ("cp313-cp313", ["cpython-313-darwin.so"], "no wheel with this tag is published"),
    ],
)
def test_wrong_extension_is_rejected(tags: str, names: list[str], expected: str, tmp_path: Path) -> None:
    """One that the tag's interpreters would not load, or that an earlier build left behind."""
    path = wheel(tmp_path, f"{tags}-macosx_15_0_arm64", *(f"_rusage.{name}" for name in names))
    (found,) = check_wheel.check(path)
    assert expected in found


def test_wheel_without_a_manual_page(tmp_path: Path) -> None:
    """It is where installers put data files."""
    for name, expected in [
        ("rusage-1.0.data/data/share/man/man1/rusage.1", []),
        ("rusage/rusage.1", ["share/man/man1/rusage.1: missing"]),
    ]:
        wheel = tmp_path / "rusage-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(name, "")
        assert check_wheel.missing_page(wheel) == expected
