"""Each call of the extension's C fails once, in scenes of ``tests/programs/faulty_scenes.py``."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import faults
import pytest
from conftest import CPYTHON, namespaces, root

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    root,
    pytest.mark.skipif(not CPYTHON, reason="compiles the extension for CPython"),
    pytest.mark.not_emulated,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip(reason="no C compiler: apt-get install gcc libc6-dev")
    namespaces(*faults.IN_NAMESPACES)
    built: Path = tmp_path_factory.mktemp("faults")
    faults.build(built)
    return built


def assert_nothing_differs(folder: Path, scene: str, step: str = "") -> None:
    done = faults.play(folder, scene, step)
    assert done.returncode == 0, done.stdout
    assert ", 0 differed" in done.stdout


@pytest.mark.parametrize("scene", ["process", "memory", "block", "start"])
def test_once(folder: Path, scene: str) -> None:
    assert_nothing_differs(folder, scene)


@pytest.mark.parametrize("step", ["3", "4"], ids=["new child", "ended child"])
def test_reading_of_tree(folder: Path, step: str) -> None:
    """The calls of one reading, after a process has started a child, or has waited for one."""
    assert_nothing_differs(folder, "trees", step)


@pytest.mark.parametrize("case", [5, 12, 22])
def test_end_during_a_reading(folder: Path, case: int) -> None:
    """The time of what a member waits for meanwhile counts once; the other cases are thorough."""
    assert_nothing_differs(folder, "meanwhile", f"{case}/9")


@pytest.mark.parametrize(
    "command",
    [
        "0/12",
        "1/100",
        *(
            pytest.param(command, marks=pytest.mark.thorough)
            for command in ["1/25", "2/25", "3/50", "4/25", "5/25"]
        ),
    ],
)
def test_calls_of_the_command(folder: Path, command: str) -> None:
    """All calls from one on are refused: it ends when its program has ended, or says why not."""
    assert_nothing_differs(folder, "command", command)


@pytest.mark.thorough
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scene", ["trees", "trees listed", "meanwhile"])
def test_scene(folder: Path, scene: str) -> None:
    assert_nothing_differs(folder, scene)
