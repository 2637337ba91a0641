"""The checks themselves: the programs in tests/tools that run the suite elsewhere."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bare
import interpreters
import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent


def test_crash_of_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status of a program that a signal has killed is negative."""
    statuses = iter([0, -11, 0, 0, 0, 0, 0, 1, 1])
    monkeypatch.setattr(bare, "paste", lambda *_, **__: next(statuses))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert bare.paste_all(dict.fromkeys(["clone", "sdist", "tests"], Path()), readme) == -11
    assert [*statuses] == []


def test_crash_of_an_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    statuses = iter([-6, 0, 0])
    done: Any = lambda *_, **__: SimpleNamespace(returncode=next(statuses))  # noqa: E731
    monkeypatch.setattr(interpreters, "subprocess", SimpleNamespace(run=done, DEVNULL=None))
    for name in "make_root", "run":
        monkeypatch.setattr(interpreters, name, lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["interpreters.py", str(tmp_path / "new")])
    assert interpreters.main() == -6
    assert [*statuses] == []
