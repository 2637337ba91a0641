"""Programs bundled by PyInstaller, with nothing but its defaults."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rusage

pytest.importorskip("PyInstaller", reason="no PyInstaller: pip install --group pyinstaller")

# Runs a command from a process with a large peak, and prints what is measured of it.
PROGRAM = """
import json, sys
import rusage

ballast = bytearray(b"x") * (64 * 2**20)
done = rusage.run(sys.argv[1:])
peaks = {"peak": done.rusage.ru_maxrss, "own_peak": rusage.maxrss()}
print(json.dumps({"measured": sorted(done.measured), **peaks}))
"""
# PyInstaller does not find what is installed as editable; for an ordinary installation this changes
# nothing.
FOUND = f"--paths={Path(rusage.__file__).parent.parent}"
COMMAND = ["cmd", "/c", "exit"] if sys.platform == "win32" else ["true"]


@pytest.mark.parametrize(("form", "path"), [("--onefile", "frozen"), ("--onedir", "frozen/frozen")])
def test_bundled_program_measures_child(form: str, path: str, tmp_path: Path) -> None:
    """The child's own peak is measured: on Linux only if the launcher is bundled and executable."""
    program = tmp_path / "frozen.py"
    program.write_text(PROGRAM)
    options = [form, "--noconfirm", "--log-level=ERROR", FOUND]
    build = [sys.executable, "-m", "PyInstaller", *options, str(program)]
    done = subprocess.run(build, cwd=tmp_path, check=False, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [tmp_path / "dist" / path, *COMMAND], check=False, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert "ru_maxrss" in result["measured"]
    assert 0 < result["peak"] < 32 * 2**20 < result["own_peak"]
