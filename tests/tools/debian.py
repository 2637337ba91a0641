"""Make root folders of a Debian and run commands in them."""

from pathlib import Path

from commands import run

SOURCE = "src"  # the source tree's name in a root folder
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The mounts are in a namespace of the command's own, so none of them is left. The first makes the root folder a mount
# point: without it no command in it could make a mount namespace as unshare(1) does.
ENTER = """
set -e
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount --rbind /sys "$0/sys"
cd /
exec chroot "$0" "$@"
"""


def debootstrap(root: Path, release: str, packages: str, *options: str) -> None:
    """Make a root folder of a Debian release, with the essential packages, apt and those named."""
    # Killed, debootstrap leaves its /proc and /sys mounted: here in a namespace that ends with it.
    run("unshare", "--mount", "debootstrap", "--variant=minbase", f"--include={packages}", *options, release, root)


def inside(root: Path, *command: str, **environment: str) -> list[str]:
    """Return the command that runs another one in a root folder's source tree, with no other environment."""
    environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **environment}
    variables = [f"{name}={value}" for name, value in environment.items()]
    enter = ["unshare", "--mount", "sh", "-c", ENTER, str(root)]
    return [*enter, "env", "--ignore-environment", f"--chdir=/{SOURCE}", *variables, *command]
