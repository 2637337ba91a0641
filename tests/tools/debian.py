"""Make root folders of a Debian or Ubuntu and run commands in them."""

import fnmatch
import os
import shutil
import subprocess
import sys
from pathlib import Path

from commands import ROOT, run

SOURCE = "src"  # the source tree's name in a root folder
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONFIGURATION = [
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/ssl/certs",
    # local ones; from these the package ca-certificates writes the former
    "/usr/local/share/ca-certificates",
    "/etc/pip.conf",
    "/etc/xdg/pip",
    "~/.config/pip",
    "~/.npmrc",
]
NETWORK = [
    "PIP_*",
    "*_proxy",
    "*_PROXY",
    "SSL_CERT_*",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
]
VARIABLES = [*NETWORK, "PYTEST_ADDOPTS"]
# Without it no command in the root folder could make a mount namespace as unshare(1) does.
MAKE_MOUNT_POINT = 'mount --bind "$0" "$0"'
# These mounts are in a namespace of the command's own, so none of them is left.
ENTER = """
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount --rbind /sys "$0/sys"
cd /
exec chroot "$0" "$@"
"""


def variables(patterns: list[str]) -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }


def configure(root: Path) -> None:
    for name in CONFIGURATION:
        source, target = Path(name).expanduser(), root / name.replace("~", "root").lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            # The package ca-certificates has put links there, which from here point to files of
            # this machine.
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copy(source, target)
    apt_config = shutil.which("apt-config")
    if apt_config:  # how apt fetches; debootstrap has written from where
        fetching = subprocess.run(
            [apt_config, "dump", "Acquire"], check=True, capture_output=True
        ).stdout
        (root / "etc/apt/apt.conf.d/99this-machine").write_bytes(fetching)


def make_root(root: Path, release: str, packages: str, components: str = "main") -> None:
    """Make a root folder of a release, with a clone of the commit.

    Its packages are the essential ones, apt and those named.
    """
    if os.geteuid() != 0:
        sys.exit("only root can make a root folder")
    if not shutil.which("debootstrap") or not shutil.which("git"):
        sys.exit("apt-get install debootstrap git")
    # Killed, debootstrap leaves its /proc and /sys mounted: here in a namespace that ends with it.
    debootstrap = ["debootstrap", "--variant=minbase", f"--include={packages}"]
    run("unshare", "--mount", *debootstrap, f"--components={components}", release, root)
    configure(root)
    run("git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), root / SOURCE)


def inside(
    root: Path, *command: str, before: str = MAKE_MOUNT_POINT, **environment: str
) -> list[str]:
    """Return the command that runs another one in a root folder's source tree.

    It has no other environment. ``before`` is for the shell that enters the folder.
    """
    environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **environment}
    variables = [f"{name}={value}" for name, value in environment.items()]
    enter = ["unshare", "--mount", "sh", "-ec", before + ENTER, str(root)]
    return [*enter, "env", "--ignore-environment", f"--chdir=/{SOURCE}", *variables, *command]
