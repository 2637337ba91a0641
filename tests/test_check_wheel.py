"""``tests/tools/check_wheel.py``, which ``tox -e package`` runs on the wheel, can fail."""

import io
import sys
import zipfile
from pathlib import Path

import pytest

import rusage
from rusage import _rusage

elffile = pytest.importorskip("elftools.elf.elffile", reason="no pyelftools: pip install --group tests")
if sys.platform != "linux":
    pytest.skip("the launcher is Linux's", allow_module_level=True)

import check_wheel  # noqa: E402 (needs pyelftools)

LAUNCHER = Path(rusage.__file__).parent / "_children" / "_launcher"
SHARED = [f"rusage-1.0.data/data/{path}" for path in check_wheel.SHARED]
LINUX, ELSEWHERE = "manylinux_2_34_x86_64", "macosx_15_0_arm64"


def found_in(
    folder: Path, tags: str, *names: str, launcher: int | None = None, shared: list[str] = SHARED
) -> list[str]:
    """Return what is wrong with a wheel of these extension modules, and the launcher if it has a mode."""
    path = folder / f"rusage-1.0-{tags}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in [*shared, *(f"rusage/_rusage.{name}" for name in names)]:
            archive.writestr(name, "")
        if launcher is not None:
            program = zipfile.ZipInfo("rusage/_children/_launcher")
            program.external_attr = (0o100000 | launcher) << 16
            archive.writestr(program, LAUNCHER.read_bytes())
    return [*check_wheel.check(path), *check_wheel.missing_files(path)]


def test_dynamic_launcher_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher of this installation passes; the shell, which is dynamic, a shared library and a script do not."""
    assert check_wheel.complaints(LAUNCHER.read_bytes()) == []
    shell = Path("/bin/sh").read_bytes()
    elf = elffile.ELFFile(io.BytesIO(shell))
    monkeypatch.setattr(check_wheel, "STATIC", {(elf["e_machine"], elf.elfclass)})
    assert {"a dynamic section", "a dynamic loader"} <= set(check_wheel.complaints(shell))
    extension = Path(_rusage.__file__).read_bytes()
    assert "not a static executable" in check_wheel.complaints(extension)
    assert check_wheel.complaints(b"#!/bin/sh") == ["not an ELF file"]


def test_good_wheels(tmp_path: Path) -> None:
    """The names are those that setuptools gives on each system."""
    assert found_in(tmp_path, f"cp310-abi3-{LINUX}", "abi3.so", launcher=0o755) == []
    assert found_in(tmp_path, "cp315-abi3.abi3t-musllinux_1_2_x86_64", "abi3t-linux-musl.so", launcher=0o755) == []
    assert found_in(tmp_path, f"cp310-abi3-{ELSEWHERE}", "abi3.so") == []
    assert found_in(tmp_path, "cp310-abi3-win_amd64", "pyd") == []


@pytest.mark.parametrize(
    ("tags", "names", "launcher", "expected"),
    [
        (f"cp310-abi3-{LINUX}", ["abi3.so"], None, "_launcher: missing"),
        (f"cp310-abi3-{LINUX}", ["abi3.so"], 0o644, "_launcher: mode 100644"),
        ("cp310-abi3-win_amd64", ["pyd"], 0o755, "_launcher: on another system than Linux"),
        (f"cp315-abi3.abi3t-{ELSEWHERE}", ["abi3.so"], None, "is not for this tag: rusage/_rusage.abi3.so"),
        (f"cp310-abi3-{ELSEWHERE}", ["abi3.so", "cpython-313-darwin.so"], None, "is not for this tag: "),
        (f"cp313-cp313-{ELSEWHERE}", ["cpython-313-darwin.so"], None, "no wheel with this tag is published"),
    ],
)
def test_wrong_wheels(tags: str, names: list[str], launcher: int | None, expected: str, tmp_path: Path) -> None:
    """The last two are what an earlier build left behind, and one that is not built."""
    (found,) = found_in(tmp_path, tags, *names, launcher=launcher)
    assert expected in found


def test_wheel_without_a_manual_page(tmp_path: Path) -> None:
    found = found_in(tmp_path, f"cp310-abi3-{ELSEWHERE}", "abi3.so", shared=[*SHARED[1:], "rusage/rusage.1"])
    assert found == ["share/man/man1/rusage.1: missing"]
    found = found_in(tmp_path, f"cp310-abi3-{ELSEWHERE}", "abi3.so", shared=SHARED[:1])
    assert found == [f"{path}: missing" for path in check_wheel.SHARED[1:]]
