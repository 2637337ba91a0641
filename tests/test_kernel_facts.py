"""``tests/tools/kernel_facts.py``: the claims of the backend beside what the running kernel shows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import kernel_facts
import pytest

from rusage._backends import BACKEND
from rusage._backends._base import ALL, PEAK_AT_LEAST_PARENTS_INEXACT
from rusage._backends._platforms import backend_name
from rusage._fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Test = Callable[[Path], None]

NAME = backend_name(sys.platform)
needs_compiler = pytest.mark.skipif(
    sys.platform == "win32" or NAME == "unknown" or shutil.which("cc") is None, reason="needs fork and a C compiler"
)


def thorough_on_linux(test: Test) -> Test:
    """Mark a test; on other systems it is not left out, since they are seen less often."""
    return pytest.mark.thorough(test) if NAME == "linux" else test


def differing(text: str, folder: Path) -> tuple[int, list[str]]:
    """Run the program of a text; return its exit status, and the claims that differ."""
    done = subprocess.run([kernel_facts.build(text, folder)], stdout=subprocess.PIPE, text=True, check=False)
    assert "differences. Not tried:" in done.stdout
    rows = re.findall("^DIFFERS +(.+?) *[|]", done.stdout, re.MULTILINE)
    return done.returncode, [re.sub(" +", " ", row) for row in rows]


@needs_compiler
@thorough_on_linux
def test_claims_hold_on_this_kernel(tmp_path: Path) -> None:
    """The kernel is the oracle."""
    assert differing(kernel_facts.source(NAME, BACKEND), tmp_path) == (0, [])


@pytest.mark.thorough
@needs_compiler
@pytest.mark.skipif(BACKEND.child_peak != PEAK_AT_LEAST_PARENTS_INEXACT, reason="the false claims are about Linux")
def test_false_claims_are_found(tmp_path: Path) -> None:
    """Fields that Linux never fills, a wrong unit and a wrong rule."""
    text = kernel_facts.source(NAME, BACKEND)
    for macro in ("SELF", "PROCESS"):
        text = re.sub(rf"(#define CLAIM_{macro}) .*", rf"\1 {kernel_facts.mask(ALL)}", text)
    text = text.replace("#define CLAIM_MAXRSS_BYTES 1024", "#define CLAIM_MAXRSS_BYTES 1")
    text = text.replace("#define CLAIM_PEAK_IS_TOUCHED 0", "#define CLAIM_PEAK_IS_TOUCHED 1")
    status, found = differing(text, tmp_path)
    assert status == 1
    for field in ("ixrss", "msgsnd", "msgrcv", "nsignals"):
        assert any(row.startswith(f"ru_{field} ") for row in found), field
    assert "ru_maxrss is at least 64 MiB then, in bytes" in found
    assert "ru_nvcsw is the process's own" in found
    assert f'the peak is by the rule "{BACKEND.child_peak}"' in found


@pytest.mark.parametrize("name", ["openbsd", "dragonfly", "freebsd", "netbsd", "macos", "illumos"])
def test_file_for_another_system(name: str, tmp_path: Path) -> None:
    """It has the C and the claims of that system."""
    file = tmp_path / "facts.c"
    command = [sys.executable, kernel_facts.__file__, "--platform", name, "--write", str(file)]
    subprocess.run(command, check=True)
    text = file.read_text()
    assert f'#include "rusage/_backends/{name}.c"' in text
    claims = dict(re.findall("#define CLAIM_(.+?) (.+)", text))
    backend = kernel_facts.backend_of(name, None)
    for macro, fields in ("SELF", backend.measured["RUSAGE_SELF"]), ("WAITED", backend.waited):
        bits = int(claims[macro], 16)
        assert {field for bit, field in enumerate(FIELDS) if bits >> bit & 1} == fields
    assert ("PROCESS" in claims) == ("Process" not in backend.absent)
