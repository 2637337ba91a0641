"""Let each call of the extension's C fail once, and compare later readings with the kernel's.

``python tests/tools/faults.py [SCENE ...]``, as root on Linux, with a C compiler, prints what
differed, and how many errors were tried. The scenes, and what they ask of a reading, are in
``tests/programs/faulty_scenes.py``. A PID namespace of their own keeps them from other processes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from commands import FLOAT_FLAGS

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "programs"
SCENES = ["process", "memory", "block", "record", "trees", "trees listed"]
# A /proc that hides what may not be read.
IN_NAMESPACES = ["unshare", "--pid", "--fork", "--kill-child", "--mount"]
IN_NAMESPACES += ["sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh"]


def build(folder: Path) -> None:
    """Copy the package into a new folder, with an extension whose calls can fail."""
    package = folder / "rusage"
    compiled = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "rusage", package, ignore=compiled)
    source = folder / "rusage.c"
    script = [sys.executable, str(ROOT / "rusage_build.py"), "--platform", "linux", str(source)]
    subprocess.run(script, check=True, stdout=subprocess.DEVNULL)
    flags = ["-shared", "-fPIC", "-O1", "-D_CFFI_NO_LIMITED_API", *FLOAT_FLAGS]
    flags += ["-include", str(PROGRAMS / "faults.h"), f"-I{sysconfig.get_path('include')}"]
    compiler = shlex.split(os.environ.get("CC", "cc"))  # for this Python's C library
    subprocess.run([*compiler, *flags, source, "-o", package / "_rusage.so"], check=True)


def play(folder: Path, scene: str, step: str = "") -> subprocess.CompletedProcess[str]:
    """Play a scene with each error of each call, or of the calls of one step, with that build."""
    program = [sys.executable, "-W", "ignore", str(PROGRAMS / "faulty_scenes.py"), scene, step]
    return subprocess.run(
        [*IN_NAMESPACES, *program],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def main() -> int:
    """Play scenes; return 1 if something differed."""
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        for scene in sys.argv[1:] or SCENES:
            done = play(Path(folder), scene)
            sys.stdout.write(done.stdout)
            sys.stdout.flush()
            status |= done.returncode != 0
    return status


if __name__ == "__main__":
    sys.exit(main())
