"""Run the suite on the newest interpreters, from Debian sid: CPython 3.14, CPython 3.15 and PyPy 8.

``python tests/tools/interpreters.py NEW_FOLDER [INTERPRETER ...]``, as root; ``tox -e interpreters`` does it. Needs
Debian's debootstrap and git. The root folder gets the interpreters and a C compiler; each interpreter gets a virtual
environment, and a clone of the commit that is checked out: changes that are not committed are not tested.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bare import VARIABLES, configure, variables
from debian import ROOT, SOURCE, debootstrap, inside, run

INTERPRETERS = ["python3.14", "python3.15", "pypy3"]
PACKAGES = ["gcc", "libc6-dev", *(f"{name}-{part}" for name in INTERPRETERS for part in ("dev", "venv"))]
# Non-default settings of the suite are passed on too.
PASSED = [*VARIABLES, "RUSAGE_TEST_*"]
COMMANDS = """
{name} -m venv /venv-{name}
/venv-{name}/bin/python -VV
/venv-{name}/bin/pip install --quiet --upgrade pip
/venv-{name}/bin/pip install --quiet . --group tests
/venv-{name}/bin/pytest -p no:cacheprovider
"""


def suite(name: str, root: Path) -> int:
    """Run the suite on one interpreter; return the exit status."""
    start = time.monotonic()
    shutil.rmtree(root / SOURCE, ignore_errors=True)
    run("git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), root / SOURCE)
    command = inside(root, "sh", "-eux", "-c", COMMANDS.format(name=name), **variables(PASSED))
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    print(f"{name}: exit status {done.returncode} after {time.monotonic() - start:.0f} s", flush=True)
    return done.returncode


def main() -> int:
    """Make the root folder and run the suites; return the worst exit status."""
    folder, names = Path(sys.argv[1]).resolve(), sys.argv[2:] or INTERPRETERS
    if os.geteuid() != 0:
        sys.exit("only root can make a root folder")
    if not shutil.which("debootstrap") or not shutil.which("git"):
        sys.exit("apt-get install debootstrap git")
    start = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    debootstrap(folder, "sid", ",".join(PACKAGES))
    configure(folder)
    print(f"root folder: {time.monotonic() - start:.0f} s", flush=True)
    return max(suite(name, folder) for name in names)


if __name__ == "__main__":
    sys.exit(main())
