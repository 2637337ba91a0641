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


@pytest.mark.parametrize(
    ("tag", "mode", "expected"),
    [
        ("manylinux_2_34_x86_64", 0o755, []),
        ("manylinux_2_34_x86_64", 0o644, ["mode 100644"]),
        ("linux_x86_64", None, ["missing"]),
        ("macosx_15_0_arm64", None, []),
        ("win_amd64", 0o755, ["on another system than Linux"]),
    ],
)
def test_launcher_in_wheel(tag: str, mode: int | None, expected: list[str], tmp_path: Path) -> None:
    """It is in every Linux wheel, can be executed, and is in no other wheel."""
    wheel = tmp_path / f"rusage-1.0-cp310-abi3-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("rusage/__init__.py", "")
        if mode is not None:
            launcher = zipfile.ZipInfo("rusage/_children/_launcher")
            launcher.external_attr = (0o100000 | mode) << 16
            archive.writestr(launcher, elf(X86_64, STATIC, LOAD))
    assert check_wheel.check(wheel) == expected
