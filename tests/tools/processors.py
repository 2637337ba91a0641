"""Run the tests on other processors: i386, whose long has 32 bits, and s390x, which has the other byte order.

``python tests/tools/processors.py NEW_FOLDER [pytest's arguments]``, as root; ``tox -e processors`` does it.
Needs Debian's debootstrap and qemu-user-static on an x86_64 Linux. i386 runs by itself, s390x in an emulator that
passes the figures of the host's kernel through: what is tested there is widths, layouts and byte order.
"""

import os
import shutil
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from commands import ROOT, new_folder, run, watch
from debian import SOURCE, debootstrap, inside

RELEASE = "bookworm"  # Debian 12, the last that has i386; its Python is 3.11
PYTHON = "3.11"
PACKAGES = "python3,python3-dev,gcc,libc6-dev"
MACHINES = {"i386": "i686", "s390x": "s390x"}  # Debian's name and the one in a wheel's tag
# Not the package of the current folder, which has no extension.
ENVIRONMENT = {"CI": "true", "PYTHONSAFEPATH": "1"}
BINFMT = Path("/proc/sys/fs/binfmt_misc")
EMULATOR = "qemu-s390x"
NOT_EMULATED = [
    # The emulator takes memory of its own between one look at the peak and the next.
    "tests/test_getrusage.py::test_peak_is_vmhwm",
    # A sanitizer's shadow memory does not fit into what the emulator has for a process.
    "tests/test_c.py::test_conversion_is_clean_under_sanitizers",
    # It makes a fork of each vfork and no brother by clone(CLONE_PARENT): the launcher cannot run in it.
    "tests/test_asyncio.py",
    "tests/test_popen.py",
    "tests/test_cli.py",
    "tests/test_launcher.py",
]
NOT_COPIED = shutil.ignore_patterns(".*", "*.so", "*.egg-info", "__pycache__", "build", "dist")


@contextmanager
def emulator() -> Generator[None]:
    """Let the kernel start programs of s390x, and take that back unless it did before."""
    mounted = BINFMT.joinpath("register").exists()
    if not mounted:
        run("mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT)
    registered = BINFMT.joinpath(EMULATOR).exists()
    if not registered:
        BINFMT.joinpath("register").write_bytes(Path(f"/usr/lib/binfmt.d/{EMULATOR}.conf").read_bytes())
    try:
        yield
    finally:
        if not registered:
            BINFMT.joinpath(EMULATOR).write_text("-1")
        if not mounted:
            run("umount", BINFMT)


def test(name: str, folder: Path, arguments: list[str]) -> int:
    """Make a root folder of a Debian of this name, build and test in it; return pytest's exit status."""
    root = folder / name
    start = time.monotonic()
    debootstrap(root, RELEASE, PACKAGES, f"--arch={name}")
    tags = [f"--platform={tag}_{MACHINES[name]}" for tag in ("manylinux2014", "manylinux_2_28", "manylinux_2_34")]
    target = [f"--target={root}/usr/local/lib/python{PYTHON}/dist-packages", f"--python-version={PYTHON}"]
    packages = ["--group", "tests", "cffi", "setuptools", "pip"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--implementation=cp", "--only-binary=:all:"]
    run(*pip, *tags, *target, *packages)
    shutil.copytree(ROOT, root / SOURCE, ignore=NOT_COPIED)
    pip = ["python3", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    run(*inside(root, *pip, "--break-system-packages", "--root-user-action=ignore", f"/{SOURCE}", **ENVIRONMENT))
    print(f"{name}: ready after {time.monotonic() - start:.0f} s", flush=True)
    deselected = [f"--deselect={test}" for test in NOT_EMULATED if name == "s390x"]
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=1800"]
    pytest = ["python3", "-m", "pytest", *options, *deselected, *arguments]
    done = watch(inside(root, *pytest, **ENVIRONMENT))
    print(f"{name}: exit status {done.status} after {time.monotonic() - start:.0f} s", flush=True)
    return done.status


def main() -> int:
    """Test on each; return the worst exit status."""
    folder, arguments = new_folder(__doc__), sys.argv[2:]
    if os.geteuid() != 0:
        sys.exit("only root can make a root folder")
    if not shutil.which("debootstrap") or not Path(f"/usr/lib/binfmt.d/{EMULATOR}.conf").exists():
        sys.exit("apt-get install debootstrap qemu-user-static")
    folder.mkdir(parents=True)
    with emulator():
        return max([test(name, folder, arguments) for name in MACHINES])


if __name__ == "__main__":
    sys.exit(main())
