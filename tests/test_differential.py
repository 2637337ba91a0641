"""Random starts of programs by ``rusage``; the oracle is ``subprocess``, in the same conditions.

``RUSAGE_TEST_STARTS`` and ``RUSAGE_TEST_SEED`` change how many there are and which.
``tox -e interpreters`` has them run by a user without root's rights.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from rusage._backends import BACKEND

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("hypothesis", reason="no hypothesis: pip install --group tests")
if sys.platform == "win32":
    pytest.skip("Windows starts programs in another way", allow_module_level=True)
if shutil.which("cc") is None:
    pytest.skip("no C compiler: apt-get install gcc libc6-dev", allow_module_level=True)

STARTS = [
    os.environ.get("RUSAGE_TEST_STARTS", "30"),
    pytest.param(
        "300", marks=[pytest.mark.thorough, pytest.mark.interpreter, pytest.mark.not_emulated]
    ),
]
SEED = os.environ.get("RUSAGE_TEST_SEED", "1")


@pytest.mark.parametrize("starts", STARTS)
def test_random_starts_as_in_subprocess(starts: str, program: Callable[..., str]) -> None:
    """Exceptions, results, what is left and the child's state are equal, as root and as others."""
    numbers = re.findall(r"\d+", program("random_starts.py", starts, SEED))
    made, skipped, own_peaks = map(int, numbers)
    # Conditions that a system does not have.
    assert skipped <= max(6, made / (10 if BACKEND.name == "Linux" else 2))
    if BACKEND.name == "Linux":
        assert own_peaks >= 40  # of the known starts
