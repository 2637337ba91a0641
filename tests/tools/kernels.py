"""Run the suite on Debian's Linux kernels, 5.10 to sid's, in virtual machines of 2 and 64 CPUs.

``python tests/tools/kernels.py NEW_FOLDER [--emulated] [NAME ...] [pytest's arguments]``, as root;
``tox -e kernels`` does it. A NAME is a machine: 5.10, 6.1, 6.12, sid, or many for the one of 64
CPUs; without a name, all run. ``--facts`` runs ``tests/tools/facts.py`` instead of the suite, and
prints the evidence. Needs Debian's debootstrap, e2fsprogs, git and qemu-system-x86 on x86_64. All
kernels boot from one image: a Debian 13 with Python, a clone of the commit that is checked out, and
the package built from that. Changes that are not committed are not tested.

Without /dev/kvm, or where it fails, as where virtual machines are nested, QEMU emulates the
processor, as with ``--emulated``. Times mean nothing then; the tests marked ``not_emulated`` are
left out, and some start fewer processes. The second disk is the shell script that is process 1.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from commands import new_folder, run
from debian import PATH, SOURCE, VARIABLES, inside, make_root, variables

RELEASE = "trixie"
PACKAGES = "python3-dev,python3-pip,gcc,libc6-dev,initramfs-tools,iproute2,hyperfine,mandoc,time"
GROUPS = ["tests", "command", "gevent", "monitoring", "plugin"]
DRIVERS = ["virtio_pci", "virtio_blk", "ext4"]  # modules in Debian's kernels


class Machine(NamedTuple):
    """The release of Debian that the kernel is from, its name's start, and the number of CPUs."""

    release: str
    version: str
    cpus: int = 2


MACHINES = {
    "5.10": Machine("bullseye", "5.10."),
    "6.1": Machine("bookworm", "6.1."),
    "6.12": Machine(RELEASE, "6.12."),
    "sid": Machine("sid", ""),  # the newest
    "many": Machine(RELEASE, "6.12.", 64),
}
PARAMETERS = "quiet loglevel=1 panic=-1"
TIMEOUT = {"kvm": 3600, "tcg": 4 * 3600}  # seconds, for one kernel
# The initramfs has mounted the root, /dev, /proc and /sys.
JOB = f"""
export PATH={PATH} HOME=/root LANG=C.UTF-8 CI=true PYTHONSAFEPATH=1
mount -t tmpfs tmpfs /tmp
mkdir /dev/shm && mount -t tmpfs -o huge=always tmpfs /dev/shm # files with huge pages, for facts.py
ip link set lo up
cd /{SOURCE}
{{command}}
echo exit status $?
sleep 1 # the kernel's own message must not be in that line
echo o >/proc/sysrq-trigger
sleep 60
"""
# In one process; thorough tests are run too, since each -m names them.
PYTEST = ["pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "--color=no"]
PYTEST += ["-o", "faulthandler_timeout=900", "--timeout=1800"]
NATIVE = [*PYTEST, "-m", "thorough or not thorough"]
FACTS = "PYTHONPATH=tests/tools python3 tests/tools/facts.py --json /tmp/facts && cat /tmp/facts"
EMULATED = ["env", "RUSAGE_TEST_STARTS=20", *PYTEST]
EMULATED += ["-m", "not not_emulated and (thorough or not thorough)"]
# On a busy machine the emulated timer comes too late for the kernel's check at its start, which
# would panic. One thread emulates 64 processors; what the kernel would measure then is too far off.
EMULATED_PARAMETERS, EMULATED_MANY = "no_timer_check", "tsc=reliable lpj=8000000"


def make_image(root: Path, releases: Iterable[str]) -> None:
    step(f"the image: a Debian {RELEASE} with {PACKAGES}")
    make_root(root, RELEASE, PACKAGES)
    sources = root / "etc/apt/sources.list"
    line = sources.read_text(encoding="utf-8")
    sources.write_text(
        "".join(line.replace(RELEASE, release) for release in releases), encoding="utf-8"
    )
    settings = root / "etc/initramfs-tools"
    (settings / "conf.d/modules").write_text("MODULES=list\n", encoding="utf-8")
    (settings / "modules").write_text("\n".join([*DRIVERS, ""]), encoding="utf-8")
    environment = {**variables(VARIABLES), "DEBIAN_FRONTEND": "noninteractive"}
    run(*inside(root, "apt-get", "update", **environment))
    install = ["apt-get", "install", "--yes", "--no-install-recommends"]
    # Each replaces the package that depends on the newest kernel, and the older kernel stays.
    for release in releases:
        step(f"the kernel of {release}")
        run(*inside(root, *install, f"linux-image-cloud-amd64/{release}", **environment))
    step("the package, and what its tests need")
    groups = [f"--group={name}" for name in GROUPS]
    pip = ["python3", "-m", "pip", "install", "--quiet", "--break-system-packages"]
    pip += ["--root-user-action=ignore"]
    run(*inside(root, *pip, *groups, ".", **environment))
    step("a file system of them")
    run("mke2fs", "-q", "-t", "ext4", "-d", root, root.with_suffix(".img"), "4G")


def step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def kernel(root: Path, version: str) -> str:
    names = [
        path.name.removeprefix("vmlinuz-") for path in (root / "boot").glob(f"vmlinuz-{version}*")
    ]
    return max(names, key=lambda name: [*map(int, re.findall(r"\d+", name))])


def devices(folder: Path, command: str) -> list[str]:
    """Return QEMU's options for the console and two disks: a folder's image, and the command."""
    job = folder / "job"
    script = JOB.replace("{command}", command)
    job.write_text(script.ljust(2**16, "\n"), encoding="utf-8")  # a disk has whole sectors
    return [
        *("-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot"),
        *("-chardev", f"stdio,id=console,logfile={folder}/console", "-serial", "chardev:console"),
        # With a full disk of the host, a write fails; by default, QEMU would wait without a word.
        *("-drive", f"file={folder}/root.img,format=raw,if=virtio,snapshot=on,werror=report"),
        *("-drive", f"file={job},format=raw,if=virtio,readonly=on"),
    ]


def machine(folder: Path, name: str, cpus: int, command: str, accelerator: str) -> list[str]:
    parameters = f"{PARAMETERS} console=ttyS0 root=/dev/vda rw"
    if accelerator == "tcg":
        parameters = f"{parameters} {EMULATED_PARAMETERS}"
    if accelerator == "tcg" and cpus > 8:
        accelerator, parameters = "tcg,thread=single", f"{parameters} {EMULATED_MANY}"
    boot = folder / "root/boot"
    return [
        *("qemu-system-x86_64", "-accel", accelerator),
        *("-smp", str(cpus), "-m", "4G" if cpus <= 8 else "8G"),
        *("-kernel", f"{boot}/vmlinuz-{name}", "-initrd", f"{boot}/initrd.img-{name}"),
        *("-append", f"{parameters} init=/bin/sh -- /dev/vdb"),
        *devices(folder, command),
    ]


def works(qemu: list[str]) -> bool:
    """Run QEMU to its end; return whether KVM did not fail, after which QEMU would wait."""
    null, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(qemu, stdin=null, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            if "KVM internal error" in line or "failed to initialize kvm" in line:
                process.terminate()
                return False
    return True


def main() -> int:
    folder, arguments = new_folder(__doc__), sys.argv[2:]
    # From the oldest: apt refuses to install an older kernel's package after a newer one's.
    named = [machine for name, machine in MACHINES.items() if name in arguments]
    machines = named or [*MACHINES.values()]
    is_emulated = "--emulated" in arguments or not os.access("/dev/kvm", os.R_OK | os.W_OK)
    arguments = [each for each in arguments if each not in {"--emulated", *MACHINES}]
    if not all(map(shutil.which, ("mke2fs", "qemu-system-x86_64"))):
        sys.exit("apt-get install e2fsprogs qemu-system-x86")
    start = time.monotonic()
    folder.mkdir(parents=True)
    make_image(folder / "root", dict.fromkeys(machine.release for machine in machines))
    accelerator = "tcg" if is_emulated else "kvm"
    print(f"image: {time.monotonic() - start:.0f} s; accelerator: {accelerator}", flush=True)

    ended = {}
    for _, version, cpus in machines:
        start = time.monotonic()
        name = kernel(folder / "root", version)
        while True:
            script = shlex.join([*(EMULATED if accelerator == "tcg" else NATIVE), *arguments])
            script = FACTS if "--facts" in arguments else script
            qemu = machine(folder, name, cpus, script, accelerator)
            if works(["timeout", str(TIMEOUT[accelerator]), *qemu]):
                break
            accelerator = "tcg"
        print(f"{name}, {cpus} CPUs: {time.monotonic() - start:.0f} s", flush=True)
        lines = (folder / "console").read_text(errors="replace").splitlines()
        statuses = [line for line in lines if line.startswith("exit status ")]
        ended[name, cpus] = statuses[-1] if statuses else "no exit status"
    print(*(f"{name}, {cpus} CPUs: {status}" for (name, cpus), status in ended.items()), sep="\n")
    return int({*ended.values()} != {"exit status 0"})


if __name__ == "__main__":
    sys.exit(main())
