"""``run``, where it differs from ``subprocess.run``; test_popen.py tests most of it."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parent / "programs" / "encoding_warning.py"


def test_encoding_warning_names_callers_line() -> None:
    """With ``-X warn_default_encoding`` each call names its own line; ``subprocess.run`` does from Python 3.11 on."""
    command = [sys.executable, "-X", "warn_default_encoding", "-W", "always::EncodingWarning", str(PROGRAM)]
    done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", check=True)
    warned = [line.split(": EncodingWarning")[0] for line in done.stderr.splitlines() if ": EncodingWarning" in line]
    lines = PROGRAM.read_text(encoding="utf-8").splitlines()
    expected = [f"{PROGRAM}:{number}" for number, line in enumerate(lines, 1) if line.endswith("# warned of")]
    assert len(expected) == 6
    assert warned == (expected if sys.version_info >= (3, 11) else [])
