"""Which facts belong to which system, and that the facts about all systems can be read on every one."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest
from expected import FOLDER, SYSTEMS, load

from rusage._backends._platforms import PLATFORMS as LIST
from rusage._backends._platforms import backend_name

MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))

# What sys.platform is, and what os.uname().release is there.
PLATFORMS = [
    *((row.platform, row.release, row.name or system) for system, row in SYSTEMS.items()),
    ("android", "6.6.30", "Linux"),
    ("ios", "24.5.0", "macOS"),
    ("freebsd14", "14.3-RELEASE", "FreeBSD"),
    ("netbsd10", "10.99.14", "NetBSD"),
    ("netbsd11", "11.0_BETA", "NetBSD"),
    ("gnukfreebsd9", "9.0-2-amd64", "gnukfreebsd9"),
]


def pretend(monkeypatch: pytest.MonkeyPatch, platform: str, release: str) -> None:
    """Make this system look like another one to whoever asks ``sys.platform`` and ``os.uname``; '' is no uname."""
    monkeypatch.setattr(sys, "platform", platform)
    if release:
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release), raising=False)
    else:
        monkeypatch.delattr(os, "uname", raising=False)


@pytest.mark.parametrize(("platform", "release", "name"), PLATFORMS)
def test_each_platform_has_its_facts(monkeypatch: pytest.MonkeyPatch, platform: str, release: str, name: str) -> None:
    """``sys.platform`` selects the backend, whatever version number it ends in."""
    pretend(monkeypatch, platform, release)
    module = f"rusage._backends.{backend_name(platform)}"
    monkeypatch.delitem(sys.modules, module, raising=False)
    selected = load("rusage._backends", FOLDER / "__init__.py").BACKEND
    assert selected.name == name
    assert selected is sys.modules[module].BACKEND


def test_prefixes_are_of_one_platform_each() -> None:
    """The order of the list does not matter: no platform begins with another one's prefix."""
    for prefix in LIST:
        assert [other for other in LIST if prefix.startswith(other)] == [prefix]


@pytest.mark.parametrize("platform", ["wasi", "emscripten"])
def test_platforms_without_usage_say_so_on_import(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """Where there is nothing true to tell the import says why."""
    pretend(monkeypatch, platform, "1")
    monkeypatch.delitem(sys.modules, "rusage._backends.unknown", raising=False)
    with pytest.raises(ImportError, match=f"rusage cannot tell anything true on {platform}"):
        load("rusage._backends", FOLDER / "__init__.py")


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(("platform", "release"), [row[:2] for row in PLATFORMS])
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
