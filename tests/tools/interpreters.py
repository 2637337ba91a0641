"""Run the suite on the newest interpreters, from Debian sid: CPython 3.14, CPython 3.15 and PyPy 8.

``python tests/tools/interpreters.py NEW_FOLDER [ENVIRONMENT[=TESTS] ...]``, as root; ``tox -e
interpreters`` does it. TESTS are names of files; without them, the whole suite runs. Needs Debian's
debootstrap and git. The root folder gets the interpreters, what the tests need from the system, and
a clone of the commit that is checked out: changes that are not committed are not tested. tox runs
its environments in it.
"""

import sys
import time

from commands import new_folder, run, run_all
from debian import SOURCE, VARIABLES, inside, make_root, variables

INTERPRETERS = {"3.14": "python3.14", "3.15": "python3.15", "pypy3.11": "pypy3"}  # by tox's names
PACKAGES = [
    *(f"{name}-{part}" for name in INTERPRETERS.values() for part in ("dev", "venv")),
    *("libpython3.14-testsuite", "libpython3.15-testsuite", "pypy3-lib-testsuite"),
    *("gcc", "hyperfine", "libc6-dev", "mandoc", "time"),
]
# One of the suites is run by a user without root's rights.
USER, USERS_SUITE = "tester", "3.14"
# Non-default settings of the suite are passed on too.
PASSED = [*VARIABLES, "RUSAGE_TEST_*", "PYTEST_XDIST_AUTO_NUM_WORKERS"]
TOX = "/tox/bin/tox"


def main() -> int:
    folder = new_folder(__doc__)
    asked = [word.partition("=") for word in sys.argv[2:] or INTERPRETERS]
    tests = {name: files for name, _, files in asked}
    start = time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    make_root(folder, "sid", ",".join(PACKAGES))
    # A missing interpreter is an error.
    environment = {**variables(PASSED), "TOX_SKIP_MISSING_INTERPRETERS": "false"}
    run(*inside(folder, "python3.14", "-m", "venv", "/tox", **environment))
    run(*inside(folder, "/tox/bin/pip", "install", "tox", **environment))
    run(*inside(folder, "useradd", "--create-home", USER))
    run(*inside(folder, "chown", "--recursive", USER, f"/{SOURCE}"))
    print(f"root folder: {time.monotonic() - start:.0f} s", flush=True)
    commands = {name: [TOX, "-e", name, "--", *files.split()] for name, files in tests.items()}
    if USERS_SUITE in tests:
        # With this user's HOME, and a folder in PATH that this user cannot enter.
        words = f"PATH=/root:$PATH {' '.join(commands[USERS_SUITE])}"
        commands[USERS_SUITE] = ["su", USER, "-c", words]
    return run_all(
        (name, inside(folder, *command, **environment)) for name, command in commands.items()
    )


if __name__ == "__main__":
    sys.exit(main())
