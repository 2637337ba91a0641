"""Run the README's commands for installation and tests as they are, on a system with only Python.

``python tests/tools/bare.py NEW_FOLDER [bookworm | trixie | noble]``, as root; ``tox -e bare`` does
it. The system is Debian 12, Debian 13, which is the default, or Ubuntu 24.04. Needs Debian's
debootstrap and git, for Ubuntu also ubuntu-keyring, and PyPA's build. Each command gets a root
folder of its own, with Python and the essential packages, and a clone of the commit that is checked
out: changes that are not committed are not tested. Another user, as the README says, runs the
command for installation in the unpacked sdist.

The configuration of this machine for the network, apt, pip and npm is copied into the root folder,
except apt's sources and preferences: they belong to the distribution that is installed here.
PYTEST_ADDOPTS is passed on.
"""

import shutil
import sys
from typing import NamedTuple

from commands import new_folder, run, run_all
from debian import MAKE_MOUNT_POINT, SOURCE, VARIABLES, inside, make_root, variables


class Release(NamedTuple):
    """The components of its archive, and what the shell does before it enters the root folder."""

    components: str = "main"
    before: str = ""


# The first is the default. Its root folder is a mount point, as in a container; the others are
# entered by chroot(8) alone, so that unshare(1) makes no mount namespace in them.
RELEASES = {
    "trixie": Release(before=MAKE_MOUNT_POINT),
    "bookworm": Release(),
    "noble": Release("main,universe"),  # which Ubuntu has at first; python3-venv is in universe
}
ELSEWHERE = "tmp"  # a folder of a root folder without the source tree
BY_ANOTHER_USER = "As another user, write `sudo` before each `apt-get`."
# The user has root's configuration of pip.
ADD_USER = f"""
apt-get -qq update
apt-get -qq install -y sudo >/dev/null
useradd --no-create-home user
cp -r /root /home/user
chown -R user /home/user /{SOURCE}
echo "user ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/user
"""
AS_USER = ["setpriv", "--reuid=user", "--regid=user", "--init-groups", "env", "HOME=/home/user"]


def blocks(text: str, heading: str, language: str) -> list[str]:
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = [part.split("\n```\n", 1)[0] for part in section.split(f"\n```{language}\n")[1:]]
    if not found:
        raise ValueError(f"no {language} under {heading}")
    return found


def main() -> int:
    folder = new_folder(__doc__)
    name = (sys.argv[2:] or [*RELEASES])[0]
    if name not in RELEASES:
        sys.exit(__doc__)
    release = RELEASES[name]
    folder.mkdir(parents=True)
    base = folder / "base"
    make_root(base, name, "python3", release.components)
    roots = {name: folder / name for name in ("clone", "sdist", "tests")}
    for root in roots.values():
        run("cp", "--archive", base, root)
    run(sys.executable, "-m", "build", "--sdist", "--outdir", folder, base / SOURCE)
    shutil.rmtree(roots["sdist"] / SOURCE)
    (sdist,) = folder.glob("*.tar.gz")
    shutil.unpack_archive(sdist, roots["sdist"], filter="data")
    (roots["sdist"] / sdist.name.removesuffix(".tar.gz")).rename(roots["sdist"] / SOURCE)

    def paste(name: str, *command: str, folder: str = SOURCE) -> list[str]:
        words = ["env", f"--chdir=/{folder}", *command]
        return inside(roots[name], *words, before=release.before, **variables(VARIABLES))

    readme = (base / SOURCE / "README.md").read_text(encoding="utf-8")
    install, tests = (
        # The block above needs a compiler.
        ["sh", "-eux", "-c", blocks(readme, heading, "sh")[-1]]
        for heading in ("Install", "Tests")
    )
    opening = readme.split("\n```python\n", 1)[1].split("\n```\n", 1)[0]
    examples = [f"/{SOURCE}/.venv/bin/python", "-c", opening]
    if BY_ANOTHER_USER not in " ".join(readme.split()):
        raise ValueError(f"README.md does not say: {BY_ANOTHER_USER}")
    *shell, script = install
    with_sudo = [*AS_USER, *shell, script.replace("apt-get", "sudo apt-get")]
    commands = [("Add a user", paste("sdist", *shell, ADD_USER))]
    for name, command in {"clone": install, "sdist": with_sudo}.items():
        commands += [
            (f"Install in the {name}", paste(name, *command)),
            (f"examples in the {name}", paste(name, *examples)),
            ("examples in another folder", paste(name, *examples, folder=ELSEWHERE)),
        ]
    commands.append(("Tests in the clone", paste("tests", *tests)))
    return run_all(commands)


if __name__ == "__main__":
    sys.exit(main())
