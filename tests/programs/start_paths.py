"""Start programs by links where openat2(2) fails: ``python start_paths.py ERROR FOLDER``."""

import errno
import os
import shutil
import subprocess
import sys
from typing import Any

import checks

import rusage

OPENAT2 = 437


def outcome(module: Any, path: str) -> object:
    """Return how a start ends."""
    try:
        return module.run([path, "-c", "print(1)"], executable=path, capture_output=True).returncode
    except OSError as error:
        return type(error), error.errno, error.filename


if sys.platform == "linux":
    rusage.run(["true"])
    checks.refuse(OPENAT2, getattr(errno, sys.argv[1]))
    os.chdir(sys.argv[2])
    os.mkdir("folder")
    shutil.copy("/bin/true", "true")
    links = {
        "folder/up": "../true",
        "second": "folder/up",
        "exe": "/proc/self/exe",
        "process": "/proc/self",
        "loop": "loop",
    }
    for name, target in links.items():
        os.symlink(target, name)
    for path in ["./true", "folder/up", f"{sys.argv[2]}/second", "folder/../second", "true"]:
        done = rusage.run([path], env={"PATH": f"none:{sys.argv[2]}"})
        assert done.returncode == 0
        assert "ru_maxrss" in done.measured, path
    for path in ["/proc/self/exe", "./exe", "process/exe", "folder/../exe"]:
        done = rusage.run([path, "-c", "print(1)"], executable=path, capture_output=True)
        assert (done.returncode, done.stdout) == (0, b"1\n")
        assert "ru_maxrss" not in done.measured, path
    for path in ["./loop", "true/x", "none/x", "/proc/self", "x" * 5000 + "/x"]:
        assert outcome(rusage, path) == outcome(subprocess, path), path
