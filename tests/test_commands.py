"""Commands that the programs in ``tests/tools`` run: ``tests/tools/commands.py``."""

import sys
from pathlib import Path

import commands
import pytest


def test_status_and_output(capfd: pytest.CaptureFixture[str]) -> None:
    """A command that is watched shows its output; the output of another is shown only if the command fails."""
    code = "import sys; print('out', flush=True); print('error', file=sys.stderr); sys.exit(3)"
    assert commands.watch([sys.executable, "-c", code]) == (3, ["out", "error"])
    assert capfd.readouterr().out.splitlines() == ["out", "error"]
    commands.run(sys.executable, "-c", "print('out')")
    with pytest.raises(SystemExit, match=r"^out\nerror\nexit status 3 of "):
        commands.run(sys.executable, "-c", code)
    assert capfd.readouterr().out == ""


def test_command_that_hangs_is_killed(capfd: pytest.CaptureFixture[str]) -> None:
    """The output until then is kept; the reason is printed."""
    done = commands.watch([sys.executable, "-c", "import time; print('x', flush=True); time.sleep(600)"], timeout=1)
    assert done.status != 0
    assert done.lines in (["x"], [])  # a loaded machine may not have started it
    assert capfd.readouterr().out.splitlines() == [*done.lines, "killed after 1 seconds"]


def test_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is deleted; an option is no folder."""
    monkeypatch.setattr(sys, "argv", ["program", str(tmp_path / "new"), "x"])
    assert commands.new_folder("usage") == tmp_path / "new"
    (tmp_path / "new").mkdir()
    with pytest.raises(SystemExit, match="exists already"):
        commands.new_folder("usage")
    for arguments in [], ["--help"], ["--quick"]:
        monkeypatch.setattr(sys, "argv", ["program", *arguments])
        with pytest.raises(SystemExit, match=r"^usage$"):
            commands.new_folder("usage")
