"""The parsers in C, fed with any bytes by clang's libFuzzer: no error of memory or arithmetic.

``RUSAGE_TEST_FUZZ_SECONDS`` says for how long each.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import FLOAT_FLAGS
from cross import words_for

HERE = Path(__file__).parent
SECONDS = os.environ.get("RUSAGE_TEST_FUZZ_SECONDS", "10")
TARGETS = ["stat", "status", "statm", "smaps_rollup", "launcher"]
TARGETS += ["freebsd", "netbsd", "openbsd", "dragonfly"]  # records of made-up kernels

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.system,
    pytest.mark.skipif(sys.platform != "linux", reason="the parsers of /proc are Linux's"),
    pytest.mark.skipif(
        shutil.which("clang") is None, reason="no clang: apt-get install clang libclang-rt-dev"
    ),
]


@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_can_be_parsed(target: str, tmp_path: Path) -> None:
    words = [f"-DTARGET=fuzz_{target}"]
    if target in TARGETS[5:]:
        words = ["-DTARGET=fuzz_kinfo", *words_for(target, tmp_path)]
        words.append("-fno-sanitize=signed-integer-overflow")
    flags = ["-g", "-O1", "-Wall", "-Wextra", "-Wno-unused", *FLOAT_FLAGS, f"-I{HERE.parent}"]
    flags += ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
    program, source = tmp_path / "fuzz", HERE / "programs" / "fuzz.c"
    done = subprocess.run(
        ["clang", *flags, *words, source, "-o", program],  # noqa: S607 (found in PATH)
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if "libclang_rt" in done.stderr:
        pytest.skip(reason="clang without its runtime: apt-get install libclang-rt-dev")
    assert done.returncode == 0, done.stderr
    options = [f"-max_total_time={SECONDS}", "-timeout=60", "-max_len=4096", "-verbosity=0"]
    options.append(f"-artifact_prefix={tmp_path}/")
    done = subprocess.run([program, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
