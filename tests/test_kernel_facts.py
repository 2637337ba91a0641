"""``tests/tools/kernel_facts.py``: the claims of the backend beside what the running kernel shows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import kernel_facts
import pytest

from rusage._backends import BACKEND
from rusage._backends._platforms import backend_name

if TYPE_CHECKING:
    from pathlib import Path

    from rusage._backends._base import Backend

NAME = backend_name(sys.platform)
# On other systems it is not left out, since they are seen less often.
SELDOM = [pytest.mark.thorough] if NAME == "linux" else []


@pytest.mark.skipif(
    sys.platform == "win32" or NAME == "unknown" or shutil.which("cc") is None, reason="needs fork and a C compiler"
)
@pytest.mark.parametrize("backend", [pytest.param(BACKEND, id=NAME, marks=SELDOM)])
def test_claims_hold_on_this_kernel(backend: Backend, tmp_path: Path) -> None:
    """The kernel is the oracle."""
    program = kernel_facts.build(kernel_facts.source(NAME, backend), tmp_path)
    done = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["openbsd", "dragonfly", "freebsd", "netbsd", "macos", "illumos"])
def test_file_for_another_system(name: str, tmp_path: Path) -> None:
    """It has the C and the claims of that system."""
    file = tmp_path / "facts.c"
    subprocess.run([sys.executable, kernel_facts.__file__, "--platform", name, "--write", str(file)], check=True)
    backend = kernel_facts.backend_of(name, None)
    lines = file.read_text().splitlines()
    assert f'#include "rusage/_backends/{name}.c"' in lines
    assert f"#define CLAIM_SELF {kernel_facts.mask(backend.measured['RUSAGE_SELF'])}" in lines
