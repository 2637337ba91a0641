"""Break each promise of ``tests/promises.txt`` in a copy of this checkout; its tests have to fail.

``tox -e promises -- [NUMBER | TEXT | N/M ...]``, as root on Linux, with a C compiler, tries all
patches, or those with a number or with a text in them, or the N-th of M parts. It prints for each
whether all of its tests fail, or what is wrong; -v adds why they fail. The copy is installed in the
environment of the interpreter, since some tests run the command without environment variables.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from promises import PROMISES, Patch  # noqa: E402 (found by the line above)

LEFT_OUT = [".*", "build", "dist", "*.egg-info", "*.so", "__pycache__"]
INSTALL = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "-e", "."]
BUILD = ["-c", "import setuptools; setuptools.setup()", "-q", "build_ext", "--inplace"]
LIMIT = "200"  # seconds for a test, many times what one of these takes
Outcomes = dict[str, list[str]]


def chosen(words: list[str]) -> dict[int, Patch]:
    """Return the patches that the arguments name, by number."""
    found = {}
    patches = [(promise, patch) for promise in PROMISES for patch in promise.patches]
    for number, (promise, patch) in enumerate(patches, 1):
        text = f"{promise} {patch}"
        for word in words or ["1/1"]:
            part = re.fullmatch(r"(\d+)/(\d+)", word)
            if part:
                is_meant = number % int(part[2]) == int(part[1]) % int(part[2])
            else:
                is_meant = number == int(word) if word.isdecimal() else word in text
            if is_meant:
                found[number] = patch
    return found


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"CFLAGS": "-O0"},
        check=False,
        capture_output=True,
        text=True,
    )


def build(folder: Path, how: list[str]) -> str:
    done = run(*how, folder=folder)
    return done.stderr if done.returncode else ""


def outcomes(tests: set[str], folder: Path) -> Outcomes:
    """Run tests; return for each ``FILE::NAME`` how it and its variants have ended."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    options = ["-q", "--timeout", LIMIT, "--junit-xml", str(report)]
    names = sorted(f"tests/{test}" for test in tests)
    done = run("-m", "pytest", *options, *names, folder=folder)
    found: Outcomes = {test: [] for test in tests}
    reasons: dict[str, str] = {}
    if done.returncode not in {0, 1}:  # no test was run
        sys.stdout.write(done.stdout + done.stderr)
        return found
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 (pytest has written it)
        name = case.attrib["name"].partition("[")[0]
        test = f"{case.attrib['classname'].rpartition('.')[2]}.py::{name}"
        kinds = [part.tag for part in case if part.tag in {"failure", "error", "skipped"}]
        found.setdefault(test, []).extend(kinds or ["passed"])
        failure = case.find("failure")
        if failure is not None:
            reasons[test] = failure.get("message", "")
    if "-v" in sys.argv:
        sys.stdout.writelines(f"    {test}: {why[:300]!r}\n" for test, why in reasons.items())
    return found


def attempt(patch: Patch, folder: Path, *, is_stale: bool) -> str:
    """Apply a patch, run its tests and undo it, but for the build; return what is wrong."""
    file = folder / patch.file
    before = file.read_text(encoding="utf-8")
    if before.count(patch.old) != 1:
        return f"{patch.old!r} occurs {before.count(patch.old)} times in {patch.file}"
    tests = {*patch.tests}
    try:
        file.write_text(before.replace(patch.old, patch.new), encoding="utf-8")
        forget_bytecode(file)
        error = build(folder, BUILD) if is_stale or is_compiled(patch) else ""
        found = {} if error else outcomes(tests, folder)
    finally:
        file.write_text(before, encoding="utf-8")
        forget_bytecode(file)
    green = [test for test in sorted(tests) if "failure" not in found.get(test, [])]
    return error or (f"does not break {', '.join(green)}" if green else "")


def is_compiled(patch: Patch) -> bool:
    return not patch.file.endswith(".py")


def forget_bytecode(file: Path) -> None:
    """Remove it: a change within a second may keep the file's time and size."""
    shutil.rmtree(file.parent / "__pycache__", ignore_errors=True)


def main() -> int:
    patches = chosen([word for word in sys.argv[1:] if word != "-v"])
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        os.chmod(temporary, 0o755)  # other users run the launcher # noqa: S103
        folder = Path(temporary, "rusage")
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
        error = build(folder, INSTALL)
        if error:
            sys.exit(error)
        tests = {test for patch in patches.values() for test in patch.tests}
        found = outcomes(tests, folder)
        not_green = {test for test in tests if {*found[test]} - {"skipped"} != {"passed"}}
        is_stale = False
        for number, patch in patches.items():
            failing = not_green & {*patch.tests}
            why = f"fails or is skipped without it: {', '.join(failing)}"
            if not failing:
                why = attempt(patch, folder, is_stale=is_stale)
                is_stale = is_compiled(patch)
            wrong += bool(why)
            sys.stdout.write(f"{number}: {why or 'red'}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(patches)} patches, {wrong} wrong\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
