"""Run the tests of child processes and ``Process`` on emulated s390x (big-endian) and ppc64el (pages of 64 KiB).

``python tests/tools/foreign.py NEW_FOLDER [pytest's arguments]``, as root; ``tox -e foreign`` does it. Needs
Debian's cpio, debootstrap, e2fsprogs, git, kmod, qemu-system-ppc and qemu-system-s390x. Each machine boots Debian's own
kernel, builds the package from a clone of the commit that is checked out, and runs ``peak_errors.py`` and the tests.
Changes that are not committed are not tested.

No program for the other architecture runs on the host: the packages are unpacked, not configured. ``initramfs()``
builds the initramfs, as Debian's initramfs-tools would.
"""

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bare import clone, configure
from commands import new_folder, run, watch
from debian import SOURCE, debootstrap
from kernels import DRIVERS, EMULATED, PARAMETERS, PEAK_ERRORS, TIMEOUT, devices, report

RELEASE = "forky"  # Debian 14, which has its kernels in /usr/lib/modules
PACKAGES = [
    *("busybox-static", "gcc", "iproute2", "libc6-dev", "python3-cffi", "python3-dev", "python3-hypothesis"),
    *("python3-pip", "python3-pyelftools", "python3-pytest", "python3-pytest-timeout", "python3-setuptools"),
    *("strace", "time"),
]
FILES = ["getrusage", "inherited", "launcher", "memory", "popen", "process", "process_scenes", "run", "wait"]
CPUS = 2
BUILD = "python3 -m pip install --quiet --no-index --no-deps --no-build-isolation --break-system-packages"
BUILD += " --root-user-action=ignore ."
# The modules have numbers, the order to load them in. The shell is process 1 in the root too.
INIT = """#!/busybox sh
for name in insmod ln mkdir mount; do alias $name="/busybox $name"; done
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
ln -s /proc/self/fd /dev/fd
mkdir /dev/pts
mount -t devpts devpts /dev/pts
for module in /modules/*; do insmod $module; done
mount -t ext4 /dev/vda /root
for name in dev proc sys; do mount -o move /$name /root/$name; done
exec /busybox switch_root /root /bin/sh /dev/vdb
"""


class Processor(NamedTuple):
    """Debian's kernel package, QEMU's program, and the console."""

    kernel: str
    emulator: str
    console: str


# By Debian's names.
PROCESSORS = {
    "s390x": Processor("linux-image-s390x", "qemu-system-s390x", "ttysclp0"),
    "ppc64el": Processor("linux-image-powerpc64le-64k", "qemu-system-ppc64", "hvc0"),
}


def make_root(root: Path, name: str) -> None:
    """Make a root folder for a processor: unpack the packages, and do what Python needs of their configuration."""
    packages = [*PACKAGES, PROCESSORS[name].kernel]
    debootstrap(root, RELEASE, ",".join(packages), "--foreign", f"--arch={name}")
    archives = root / "var/cache/apt/archives"
    for package in archives.iterdir():
        if package.suffix == ".deb":
            run("dpkg-deb", "--extract", package, root)
    shutil.rmtree(archives)
    (root / "usr/bin/cc").symlink_to("gcc")
    for file in "passwd", "group":
        shutil.copy(root / f"usr/share/base-passwd/{file}.master", root / "etc" / file)
    configure(root)  # pip fails without certificates, even with --no-index
    clone(root / SOURCE)


def initramfs(root: Path, version: str, file: Path) -> None:
    """Write an initramfs that loads the drivers, mounts the root folder's image and runs the job."""
    import lzma  # some builds of CPython lack it

    run("depmod", "-b", root, version)
    show = ["modprobe", "--dirname", str(root), "--set-version", version, "--show-depends"]
    lines: dict[str, None] = {}
    for driver in DRIVERS:
        done = subprocess.run([*show, driver], check=True, capture_output=True, text=True)
        lines |= dict.fromkeys(line for line in done.stdout.splitlines() if line.startswith("insmod "))
    folder = file.with_suffix("")
    for name in "dev", "modules", "proc", "root", "sys":
        (folder / name).mkdir(parents=True)
    for number, line in enumerate(lines):
        module = Path(line.split()[1]).read_bytes()
        (folder / f"modules/{number:02}").write_bytes(lzma.decompress(module))
    shutil.copy(root / "usr/bin/busybox", folder)
    (folder / "init").write_text(INIT, encoding="utf-8")
    (folder / "init").chmod(0o755)
    run("sh", "-c", 'cd "$0" && find . | cpio --quiet -o -H newc >"$1"', folder, file)


def machine(folder: Path, name: str, version: str, command: str) -> list[str]:
    """Return QEMU's command for a machine that boots the kernel, runs a shell command and powers off."""
    processor = PROCESSORS[name]
    return [
        *(processor.emulator, "-smp", str(CPUS), "-m", "4G"),
        *("-kernel", f"{folder}/root/usr/lib/modules/{version}/vmlinuz", "-initrd", f"{folder}/initramfs.cpio"),
        *("-append", f"{PARAMETERS} console={processor.console}"),
        *devices(folder, command),
    ]


def main() -> int:
    """Make the images and run the tests on each processor; return 1 if a run has failed."""
    folder, arguments = new_folder(__doc__), sys.argv[2:]
    if not any(argument.startswith("tests/") for argument in arguments):
        arguments += [f"tests/test_{name}.py" for name in FILES]
    if os.geteuid() != 0:
        sys.exit("only root can make a root folder")
    programs = ["cpio", "debootstrap", "git", "mke2fs", "modprobe", *(each.emulator for each in PROCESSORS.values())]
    if not all(map(shutil.which, programs)):
        sys.exit("apt-get install cpio debootstrap e2fsprogs git kmod qemu-system-ppc qemu-system-s390x")
    script = f"{BUILD} && {PEAK_ERRORS} && {shlex.join([*EMULATED, *arguments])}"
    results, failed = {}, False
    for name in PROCESSORS:
        start = time.monotonic()
        root = folder / name / "root"
        root.parent.mkdir(parents=True)
        make_root(root, name)
        (version,) = (path.name for path in (root / "usr/lib/modules").iterdir())
        initramfs(root, version, folder / name / "initramfs.cpio")
        run("mke2fs", "-q", "-t", "ext4", "-d", root, folder / name / "root.img", "4G")
        print(f"{name}: image: {time.monotonic() - start:.0f} s", flush=True)
        lines = watch(machine(folder / name, name, version, script), timeout=TIMEOUT["tcg"]).lines
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
        results[version, CPUS] = lines
        failed |= "exit status 0" not in lines
    report(results)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
