"""Compare the types of ``rusage.Popen``, ``run`` and ``asyncio.run`` with ``subprocess``'s own.

``python tests/tools/typing_compare.py``: mypy and pyright infer the type of each of these calls,
made once of ``subprocess`` and once of ``rusage``; the two must be equal but for the module's name,
and the same calls must be refused. One thing differs on purpose: rusage does not check the types of
positional arguments after the command.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

POPEN = """
Popen(["x"])
Popen("x", shell=True, bufsize=0, env={"a": "b"})
Popen([b"x", Path("y")], cwd=Path(), executable=b"z")
Popen(["x"], text=True)
Popen(["x"], text=False)
Popen(["x"], text=None)
Popen(["x"], text=flag)
Popen(["x"], encoding="utf-8")
Popen(["x"], encoding=None)
Popen(["x"], errors="replace")
Popen(["x"], universal_newlines=True)
Popen(["x"], universal_newlines=False)
Popen(["x"], text=True, encoding=None, errors=None, universal_newlines=True)
Popen(["x"], -1, None, PIPE, PIPE, STDOUT, None, True, \
False, None, None, False, None, 0, True, False, ())
Popen(["x"], user=0, group="staff", extra_groups=[1, "x"], umask=0o22, pipesize=1)
Popen(["x"], process_group=0, encoding="utf-8")
Popen(["x"], stdout=PIPE).stdout
Popen(["x"], text=True).communicate("")
Popen(["x"], text=True).__enter__()
Popen()
Popen(1)
Popen(["x"], bufsize="0")
Popen(["x"], stdin="x")
Popen(["x"], text="yes")
Popen(["x"], encoding=1)
Popen(["x"], umask="0")
Popen(["x"], env={"a": 1})
Popen(["x"], nonsense=1)
Popen(["x"], capture_output=True)
"""

RUN = """
run(["x"])
run("x", shell=True, check=True, timeout=1.5)
run(["x"], capture_output=True)
run(["x"], input=b"")
run(["x"], text=True)
run(["x"], text=False)
run(["x"], text=flag)
run(["x"], text=True, input="")
run(["x"], encoding="utf-8")
run(["x"], errors="replace")
run(["x"], universal_newlines=True)
run(["x"], -1, None, PIPE, PIPE)
run(["x"], process_group=0)
run(["x"], text=True).stdout
run(["x"]).args
run()
run(1)
run(["x"], text=True, input=b"")
run(["x"], input="")
run(["x"], nonsense=1)
"""

# The prefixes of each call, for subprocess and for this package.
CALLS = [("subprocess.", "rusage.", call) for call in (POPEN + RUN).split("\n") if call]
CALLS += [
    ("subprocess.", "await rusage.asyncio.", call) for call in RUN.split("\n") if call.endswith(")")
]

HEAD = """
import subprocess
from pathlib import Path
from subprocess import PIPE, STDOUT

import rusage
import rusage.asyncio


async def main(flag: bool) -> None:
"""
FIRST = HEAD.count("\n") + 1  # the line of the first call

CHECKERS = [
    ["mypy"],
    ["mypy", "--platform", "win32"],
    ["pyright"],
    ["pyright", "--pythonplatform", "Windows"],
]


def answers(checker: list[str], file: Path) -> dict[int, str]:
    """Return the type that a checker reveals in each line, without its module, or "refused"."""
    done = subprocess.run(
        [*checker, str(file)], stdout=subprocess.PIPE, encoding="utf-8", check=False, cwd=ROOT
    )
    types: dict[int, str] = {}
    for line, kind, text in re.findall(r":(\d+)(?::\d+ -|:) (\w+): (.*)", done.stdout):
        if kind == "error":
            types[int(line)] = "refused"
        elif found := re.fullmatch(r'(?:Revealed type|Type of ".*") is "(.*)"', text):
            # Of what it refuses a checker may reveal a type nevertheless.
            types.setdefault(
                int(line),
                re.sub(r"\b(rusage\._children\.)?(subprocess|typed|popen)\.", "", found[1]),
            )
    return types


def differences(checker: list[str], file: Path) -> list[str]:
    """Return in words where a checker's two answers about a call differ, or are none."""
    types = answers(checker, file)
    revealed = [types.get(line, "nothing") for line in range(FIRST, FIRST + 2 * len(CALLS))]
    found = [
        f"{ours}{call} is {actual}, and subprocess's {expected}"
        for (_, ours, call), expected, actual in zip(
            CALLS, revealed[::2], revealed[1::2], strict=True
        )
        if expected != actual or expected == "nothing"
    ]
    # A checker that cannot see one of the modules gives equal answers that mean nothing.
    missing = {
        "Popen[bytes]",
        "Popen[str]",
        "CompletedProcess[bytes]",
        "CompletedProcess[str]",
        "refused",
    }
    return found + [f"no call is {answer}" for answer in missing - {*revealed[::2]}]


def main() -> int:
    lines = [f"    reveal_type({prefix}{call})" for *prefixes, call in CALLS for prefix in prefixes]
    found: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "calls.py"
        file.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
        for checker in CHECKERS:
            found += [f"{' '.join(checker)}: {words}" for words in differences(checker, file)]
    print(
        *found, f"{len(CALLS)} calls, {len(CHECKERS)} checkers, {len(found)} differences", sep="\n"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
