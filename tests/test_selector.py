"""Which facts belong to which system, and that the facts about all systems can be read on every one."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

import rusage

if TYPE_CHECKING:
    from types import ModuleType

FOLDER = Path(rusage.__file__).parent / "_backends"
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))

# What sys.platform is, what os.uname().release is there, and whose facts those are.
PLATFORMS = [
    ("linux", "6.12.0", "linux", "Linux"),
    ("android", "6.6.30", "linux", "Linux"),
    ("darwin", "24.5.0", "macos", "macOS"),
    ("ios", "24.5.0", "macos", "macOS"),
    ("freebsd15", "15.1-RELEASE-p1", "freebsd", "FreeBSD"),
    ("freebsd14", "14.3-RELEASE", "freebsd", "FreeBSD"),
    ("openbsd7", "7.8", "openbsd", "OpenBSD"),
    ("netbsd10", "10.99.14", "netbsd", "NetBSD"),
    ("netbsd11", "11.0_BETA", "netbsd", "NetBSD"),
    ("dragonfly6", "6.4-RELEASE", "dragonfly", "DragonFly BSD"),
    ("sunos5", "5.11", "illumos", "illumos"),
    ("win32", "", "windows", "Windows"),
    ("cygwin", "3.6.4-1.x86_64", "unknown", "Cygwin"),
    ("msys", "3.6.4-1.x86_64", "unknown", "MSYS2"),
    ("haiku1", "1", "unknown", "Haiku"),
    ("gnu0", "0.9", "unknown", "GNU/Hurd"),
    ("gnukfreebsd9", "9.0-2-amd64", "unknown", "gnukfreebsd9"),
    ("aix", "3", "unknown", "aix"),
]


def load(name: str, path: Path) -> ModuleType:
    """Run a module's file once more, without a trace in sys.modules."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pretend(monkeypatch: pytest.MonkeyPatch, platform: str, release: str) -> None:
    """Make this system look like another one to whoever asks ``sys.platform`` and ``os.uname``; '' is no uname."""
    monkeypatch.setattr(sys, "platform", platform)
    if release:
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release), raising=False)
    else:
        monkeypatch.delattr(os, "uname", raising=False)


@pytest.mark.parametrize(("platform", "release", "module", "name"), PLATFORMS, ids=[row[0] for row in PLATFORMS])
def test_each_platform_has_its_facts(
    monkeypatch: pytest.MonkeyPatch, platform: str, release: str, module: str, name: str
) -> None:
    """``sys.platform`` selects the backend, whatever version number it ends in."""
    pretend(monkeypatch, platform, release)
    monkeypatch.delitem(sys.modules, f"rusage._backends.{module}", raising=False)
    selected = load("rusage._backends", FOLDER / "__init__.py").BACKEND
    assert selected.name == name
    assert selected is sys.modules[f"rusage._backends.{module}"].BACKEND


@pytest.mark.parametrize("platform", ["wasi", "emscripten"])
def test_platforms_without_usage_say_so_on_import(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """Where there is nothing true to tell the import says why."""
    pretend(monkeypatch, platform, "1")
    monkeypatch.delitem(sys.modules, "rusage._backends.unknown", raising=False)
    with pytest.raises(ImportError, match=f"rusage cannot tell anything true on {platform}"):
        load("rusage._backends", FOLDER / "__init__.py")


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("platform", "release"),
    [row[:2] for row in PLATFORMS],
    ids=[row[0] for row in PLATFORMS],
)
def test_all_facts_can_be_read_everywhere(
    monkeypatch: pytest.MonkeyPatch, platform: str, release: str, module: str
) -> None:
    """Every backend imports on every system, so that its rules are tested on every system."""
    pretend(monkeypatch, platform, release)
    load(f"rusage._backends.{module}", FOLDER / f"{module}.py")


@pytest.mark.parametrize("module", MODULES)
def test_facts_need_no_compiled_module(module: str) -> None:
    """A backend is facts: it holds nothing of the extension and calls nothing in it."""
    names = vars(
        sys.modules.get(f"rusage._backends.{module}") or load(f"rusage._backends.{module}", FOLDER / f"{module}.py")
    )
    assert not {"ffi", "lib", "_rusage"} & set(names)


def test_the_facts_of_a_release_are_of_the_running_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenBSD's integrals came with 7.8, NetBSD's peak with 10; what runs counts, not what this was built on."""
    for release, kept in [("7.7", False), ("7.8", True), ("7.10", True), ("8.0", True)]:
        pretend(monkeypatch, "openbsd8", release)
        measured = load("rusage._backends.openbsd", FOLDER / "openbsd.py").BACKEND.measured
        assert ("ru_ixrss" in measured["RUSAGE_SELF"]) == ("ru_isrss" in measured["RUSAGE_CHILDREN"]) == kept
        assert "ru_ixrss" not in measured["RUSAGE_THREAD"]
    for release, kept in [("9.4", False), ("10.1", True), ("11.0_BETA", True)]:
        pretend(monkeypatch, "netbsd10", release)
        measured = load("rusage._backends.netbsd", FOLDER / "netbsd.py").BACKEND.measured
        assert ("ru_maxrss" in measured["RUSAGE_SELF"]) == kept
