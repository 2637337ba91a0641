"""Which facts belong to which system, and that the facts about all can be read on every one."""

import os
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from unittest import mock

import pytest
from expected import FOLDER, SYSTEMS, backend_on, load

from rusage._backends._platforms import backend_name

MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))

# What sys.platform is, and what os.uname().release is there.
PLATFORMS = [
    *((row.platform, row.release, row.name or system) for system, row in SYSTEMS.items()),
    ("android", "6.6.30", "Linux"),
    ("gnukfreebsd9", "9.0-2-amd64", "gnukfreebsd9"),
]


@pytest.fixture(autouse=True)
def no_module_is_left() -> Iterator[None]:
    """Forget what was imported: later tests would find the backend of a pretended release."""
    with mock.patch.dict(sys.modules):
        yield


def pretend(monkeypatch: pytest.MonkeyPatch, platform: str, release: str) -> None:
    """Replace ``sys.platform`` and ``os.uname``'s release; an empty one removes ``os.uname``."""
    monkeypatch.setattr(sys, "platform", platform)
    if release:
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release), raising=False)
    else:
        monkeypatch.delattr(os, "uname", raising=False)


@pytest.mark.parametrize(("platform", "release", "name"), PLATFORMS)
def test_backend_of_each_platform(
    monkeypatch: pytest.MonkeyPatch, platform: str, release: str, name: str
) -> None:
    pretend(monkeypatch, platform, release)
    module = f"rusage._backends.{backend_name(platform)}"
    monkeypatch.delitem(sys.modules, module, raising=False)
    selected = load("rusage._backends", FOLDER / "__init__.py").BACKEND
    assert selected.name == name
    assert selected is sys.modules[module].BACKEND


@pytest.mark.parametrize(
    ("platform", "why"),
    [
        ("wasi", "wall-clock time"),
        ("emscripten", "constants"),
        ("cygwin", "two times"),
        ("haiku1", "two times"),
    ],
)
def test_platforms_without_usage(monkeypatch: pytest.MonkeyPatch, platform: str, why: str) -> None:
    pretend(monkeypatch, platform, "1")
    monkeypatch.delitem(sys.modules, "rusage._backends.unknown", raising=False)
    with pytest.raises(ImportError, match=f"rusage does not support {platform}.*{why}"):
        load("rusage._backends", FOLDER / "__init__.py")


@pytest.mark.parametrize("module", MODULES)
def test_backends_need_nothing_of_the_system(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    pretend(monkeypatch, "win32", "")
    names = vars(load(f"rusage._backends.{module}", FOLDER / f"{module}.py"))
    assert not {"ffi", "lib", "_rusage"} & set(names)


@pytest.mark.parametrize(
    ("system", "release"),
    [
        ("OpenBSD 7.8", "7.10"),
        ("OpenBSD 7.8", "8.0"),
        ("NetBSD 9", "11.0_BETA"),
        ("Linux", "7.3-custom"),
    ],
)
def test_later_releases(system: str, release: str) -> None:
    backend = SYSTEMS[system].backend
    name = backend.name.lower()
    later = backend_on(name, f"{name}8", release)
    assert (later.measured, later.process) == (backend.measured, backend.process)
