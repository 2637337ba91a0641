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
SCENES = ["process", "memory", "block", "start", "trees", "trees listed", "meanwhile", "command"]
# The calls of the extension's C that return -1 if they fail; faults.h has the others.
CALLS = "access close dup2 execve fcntl fstat fstatfs getresgid getresuid getrlimit getrusage open "
CALLS += "openat personality pipe2 poll prctl pread read readlink stat statfs vfork wait4 waitid "
CALLS += "waitpid write"
# A /proc that hides what may not be read, and a folder for each user's files.
IN_NAMESPACES = ["--pid", "--fork", "--kill-child", "--mount"]
MOUNT = "mount -t proc -o hidepid=2 proc /proc && mount -t tmpfs none /mnt"
IN_NAMESPACES += ["sh", "-c", f'{MOUNT} && exec "$@"', "sh"]


def build(folder: Path) -> None:
    """Copy the package into a new folder, with an extension and a launcher whose calls can fail."""
    package, source, calls = folder / "rusage", folder / "rusage.c", folder / "calls.h"
    compiled = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "rusage", package, ignore=compiled)
    script = [sys.executable, str(ROOT / "rusage_build.py"), "--platform", "linux", str(source)]
    subprocess.run(script, check=True, stdout=subprocess.DEVNULL)
    replaced = [
        f'#define {name}(...) FAULTS_OR("{name}", -1, {name}(__VA_ARGS__))\n'
        for name in CALLS.split()
    ]
    calls.write_text("".join(replaced))
    compiler = shlex.split(os.environ.get("CC", "cc"))  # for this Python's C library
    compiler += ["-O1", "-include", str(PROGRAMS / "faults.h")]
    flags = ["-include", str(calls), "-shared", "-fPIC", "-D_CFFI_NO_LIMITED_API", *FLOAT_FLAGS]
    flags += [f"-I{sysconfig.get_path('include')}"]
    subprocess.run([*compiler, *flags, source, "-o", package / "_rusage.so"], check=True)
    launcher = str(package / "_launcher" / "launcher")
    words = ["-DFAULTS_OF_LAUNCHER", f"{launcher}.c", "-o", launcher]
    subprocess.run([*compiler, *words], check=True)


def play(folder: Path, scene: str, step: str = "") -> subprocess.CompletedProcess[str]:
    """Play a scene with each error of each call, or of the calls of one step, with that build."""
    program = [sys.executable, "-W", "ignore", str(PROGRAMS / "faulty_scenes.py"), scene, step]
    return subprocess.run(
        ["unshare", *IN_NAMESPACES, *program],  # noqa: S607 (found in PATH)
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def main() -> int:
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
