"""Run the README's commands for installation and tests, exactly as they are, on a Debian with nothing but Python.

``python tests/tools/bare.py NEW_FOLDER``, as root; ``tox -e bare`` does it. Needs Debian's debootstrap and git. Each
command gets a root folder of its own, with Python and the essential packages, and a clone of the commit that is checked
out: changes that are not committed are not tested.

The configuration of this machine for the network, apt, pip and npm is copied into the root folder, except apt's
sources and preferences: they belong to the distribution that is installed here.
"""

import fnmatch
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from debian import ROOT, SOURCE, debootstrap, inside, run

RELEASE = "trixie"  # Debian 13
CONFIGURATION = [
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/ssl/certs",
    "/usr/local/share/ca-certificates",  # local ones; from these the package ca-certificates writes the former
    "/etc/pip.conf",
    "/etc/xdg/pip",
    "~/.config/pip",
    "~/.npmrc",
]
VARIABLES = ["PIP_*", "*_proxy", "*_PROXY", "SSL_CERT_*", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]


def block(text: str, heading: str, language: str) -> str:
    """Return the first code block in a language under a heading of a Markdown text."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return section.split(f"\n```{language}\n", 1)[1].split("\n```\n", 1)[0]


def variables(patterns: list[str]) -> dict[str, str]:
    """Return the environment variables whose names match one of the patterns."""
    return {
        name: value
        for name, value in os.environ.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }


def configure(root: Path) -> None:
    """Copy the configuration that this machine has."""
    for name in CONFIGURATION:
        source, target = Path(name).expanduser(), root / name.replace("~", "root").lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            # What the package ca-certificates has put there are links, to files of this machine seen from here.
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copy(source, target)
    apt_config = shutil.which("apt-config")
    if apt_config:  # how apt fetches; debootstrap has written from where
        fetching = subprocess.run([apt_config, "dump", "Acquire"], check=True, capture_output=True).stdout
        (root / "etc/apt/apt.conf.d/99this-machine").write_bytes(fetching)


def paste(heading: str, *examples: str, base: Path) -> int:
    """Run the command under a heading in a copy of a root folder, then examples in Python; return the exit status."""
    root = base.with_name(heading)
    run("cp", "--archive", base, root)
    run("git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), root / SOURCE)
    command = block((root / SOURCE / "README.md").read_text(encoding="utf-8"), heading, "sh")
    environment = variables(VARIABLES)
    start = time.monotonic()
    for arguments in ["sh", "-eux", "-c", command], *([".venv/bin/python", "-c", example] for example in examples):
        done = subprocess.run(inside(root, *arguments, **environment), stdin=subprocess.DEVNULL, check=False)
        print(f"{heading}: exit status {done.returncode} after {time.monotonic() - start:.0f} s", flush=True)
        if done.returncode:
            return done.returncode
    return 0


def main() -> int:
    """Run both commands; return the worst exit status."""
    folder = Path(sys.argv[1]).resolve()
    if os.geteuid() != 0:
        sys.exit("only root can make a root folder")
    if not shutil.which("debootstrap") or not shutil.which("git"):
        sys.exit("apt-get install debootstrap git")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    base = folder / "base"
    debootstrap(base, RELEASE, "python3")
    configure(base)
    example = block((ROOT / "README.md").read_text(encoding="utf-8"), "Use", "python")
    return max(paste("Install", "import rusage", example, base=base), paste("Tests", base=base))


if __name__ == "__main__":
    sys.exit(main())
